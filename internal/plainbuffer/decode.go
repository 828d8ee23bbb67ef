package plainbuffer

import (
	"errors"
	"math"
	"slices"
)

// Decode parses a whole buffer. The rows' names, strings and blobs are parts
// of data, or of one copy of it; see [NewDecoder].
func Decode[T string | []byte](data T) ([]Row, error) {
	d, err := NewDecoder(data)
	if err != nil {
		return nil, err
	}
	var (
		rows []Row
		free []Cell // what the rows have not taken yet
	)
	begin, key, cells := d.pos, 4, 16 // of the last row, in the beginning a guess
	for d.More() {
		// Most rows of a table are alike: make room for as many like the last
		// one as the rest of the data can hold.
		if len(free) < cells {
			more := 1
			if len(rows) > 0 {
				more += (len(data) - d.pos) / (d.pos - begin)
			}
			free = make([]Cell, more*cells)
			rows = slices.Grow(rows, more)
		}
		begin = d.pos
		row := Row{PrimaryKey: free[:0:key], Columns: free[key:key]}
		if err := d.Next(&row); err != nil {
			return nil, err
		}
		free = free[min(key+len(row.Columns), len(free)):]
		key, cells = len(row.PrimaryKey), len(row.PrimaryKey)+len(row.Columns)
		row.Columns = slices.Clip(row.Columns) // the next row's cells are behind
		rows = append(rows, row)
	}
	return rows, nil
}

// A Decoder reads the rows of one buffer. All lengths are checked before they
// are used, and each cell's and row's checksum is compared. What it accepts is
// what [Append] writes, byte for byte. Whether a row makes sense, such as a cell
// without a value, is for the caller to say.
type Decoder struct {
	data string
	pos  int
}

// NewDecoder checks the header. Names, strings and blobs of the rows are parts
// of data, if it is a string, and otherwise of the one copy that it makes.
func NewDecoder[T string | []byte](data T) (*Decoder, error) {
	d := &Decoder{data: string(data)}
	if len(data) < 4 {
		return nil, d.fail(ErrHeader, 0, header)
	}
	if got := uint32LE(d.data); got != header {
		return nil, d.fail(ErrHeader, int64(got), header)
	}
	d.pos = 4
	return d, nil
}

// More reports whether another row begins.
func (d *Decoder) More() bool { return d.pos < len(d.data) }

// Left returns how many bytes have not been read yet.
func (d *Decoder) Left() int { return len(d.data) - d.pos }

// Next reads a row into r, reusing the memory of its cells. After an error, a
// *[SyntaxError], neither r nor the Decoder is of any use.
func (d *Decoder) Next(r *Row) error {
	if err := d.row(r); err != nil {
		return err
	}
	return nil
}

func (d *Decoder) row(r *Row) *SyntaxError {
	*r = Row{PrimaryKey: r.PrimaryKey[:0], Columns: r.Columns[:0]}
	begin, crc := d.pos, byte(0)
	var err *SyntaxError
	if d.skip(TagPrimaryKey) {
		if r.PrimaryKey, crc, err = d.cells(r.PrimaryKey, TagPrimaryKey, crc); err != nil {
			return err
		}
	}
	if d.skip(TagColumns) {
		if r.Columns, crc, err = d.cells(r.Columns, TagColumns, crc); err != nil {
			return err
		}
	}
	if d.pos == begin {
		return d.unexpected(TagPrimaryKey)
	}
	marker := byte(0)
	if d.skip(TagDeleteRow) {
		r.Deleted, marker = true, 1
	}
	if d.skip(TagExtension) {
		n, err := d.length()
		if err != nil {
			return err
		}
		if n == 0 {
			return d.fail(ErrLength, 0, 1)
		}
		r.Extension = d.take(n)
	}
	return d.checksum(TagRowChecksum, crcByte(crc, marker))
}

// cells appends the cells that follow tag, at least one, and adds their
// checksums to crc.
func (d *Decoder) cells(dst []Cell, tag Tag, crc byte) ([]Cell, byte, *SyntaxError) {
	begin := d.pos
	for d.skip(TagCell) {
		dst = append(dst, Cell{})
		c := &dst[len(dst)-1]
		if err := d.cell(c); err != nil {
			err.Cell = c.Name
			return dst, 0, err
		}
		crc = crcByte(crc, d.data[d.pos-1])
	}
	if d.pos == begin {
		err := d.unexpected(tag)
		if errors.Is(err, ErrTag) {
			err.Err = ErrNoCells
		}
		return dst, 0, err
	}
	return dst, crc, nil
}

// cell reads what follows a cell's tag, to the end of its checksum.
func (d *Decoder) cell(c *Cell) *SyntaxError {
	if !d.skip(TagName) {
		return d.unexpected(TagName)
	}
	n, err := d.length()
	if err != nil {
		return err
	}
	c.Name = d.take(n)
	crc := crcBytes(0, c.Name)
	c.Absent = !d.skip(TagValue)
	if !c.Absent {
		if n, err = d.length(); err != nil {
			return err
		}
		begin := d.pos
		if c.Value, err = d.value(n); err != nil {
			return err
		}
		crc = crcBytes(crc, d.data[begin:d.pos])
	}
	if d.skip(TagOp) {
		if err := d.need(1); err != nil {
			return err
		}
		c.Op = Op(d.data[d.pos])
		if c.Op != DeleteAllVersions && c.Op != DeleteOneVersion && c.Op != Increment {
			return d.fail(ErrValue, int64(c.Op), 0)
		}
		d.pos++
	}
	if d.skip(TagTimestamp) {
		if err := d.need(8); err != nil {
			return err
		}
		bytes := d.take(8)
		c.HasTimestamp, c.Timestamp = true, int64(uint64LE(bytes)) //nolint:gosec // the same 64 bits
		crc = crcBytes(crc, bytes)
	}
	if c.Op != Put {
		crc = crcByte(crc, byte(c.Op))
	}
	return d.checksum(TagCellChecksum, crc)
}

// ParseValue parses a value without an outer length, as filters carry it. An
// error is a *[SyntaxError].
func ParseValue(data []byte) (Value, error) {
	d := &Decoder{data: string(data)}
	v, err := d.value(len(data))
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// value reads a value that takes n bytes, its type byte included. They are
// there.
func (d *Decoder) value(n int) (Value, *SyntaxError) {
	if n == 0 {
		return Value{}, d.fail(ErrLength, 0, 1)
	}
	begin := d.pos
	v := MarkValue(Kind(d.data[begin]))
	want := int64(1)
	switch v.kind {
	case Integer, Double:
		want = 1 + 8
	case Boolean:
		want = 1 + 1
	case String, Blob:
		want = 1 + 4
		if n >= 1+4 {
			want += int64(uint32LE(d.data[begin+1:]))
		}
	case Null, InfMin, InfMax, AutoIncrement:
	default:
		return Value{}, d.fail(ErrKind, int64(v.kind), 0)
	}
	if int64(n) != want {
		return Value{}, d.fail(ErrLength, int64(n), want)
	}
	switch payload := d.data[begin+1 : begin+n]; v.kind {
	case Integer, Double:
		v.num = uint64LE(payload)
	case Boolean:
		if v.num = uint64(payload[0]); v.num > 1 {
			d.pos++
			return Value{}, d.fail(ErrValue, int64(payload[0]), 0)
		}
	case String, Blob:
		v.text = payload[4:]
	}
	d.pos += n
	return v, nil
}

// skip steps over tag if it is next.
func (d *Decoder) skip(tag Tag) bool {
	if d.pos < len(d.data) && d.data[d.pos] == byte(tag) {
		d.pos++
		return true
	}
	return false
}

// length reads a length and makes sure that as many bytes follow.
func (d *Decoder) length() (int, *SyntaxError) {
	if err := d.need(4); err != nil {
		return 0, err
	}
	n := int64(uint32LE(d.data[d.pos:]))
	if left := int64(len(d.data) - d.pos - 4); n > min(left, math.MaxInt32) {
		return 0, d.fail(ErrTruncated, left, n)
	}
	d.pos += 4
	return int(n), nil
}

// checksum reads a checksum behind its tag and compares it.
func (d *Decoder) checksum(tag Tag, want byte) *SyntaxError {
	if !d.skip(tag) {
		return d.unexpected(tag)
	}
	if err := d.need(1); err != nil {
		return err
	}
	if got := d.data[d.pos]; got != want {
		return d.fail(ErrChecksum, int64(got), int64(want))
	}
	d.pos++
	return nil
}

func (d *Decoder) need(n int) *SyntaxError {
	if left := len(d.data) - d.pos; left < n {
		return d.fail(ErrTruncated, int64(left), int64(n))
	}
	return nil
}

// take returns n bytes that are known to be there.
func (d *Decoder) take(n int) string {
	d.pos += n
	return d.data[d.pos-n : d.pos]
}

// unexpected is the error for a byte that no rule of the format allows here.
func (d *Decoder) unexpected(want Tag) *SyntaxError {
	if err := d.need(1); err != nil {
		return err
	}
	return d.fail(ErrTag, int64(d.data[d.pos]), int64(want))
}

func (d *Decoder) fail(err error, got, want int64) *SyntaxError {
	return &SyntaxError{Offset: d.pos, Err: err, Got: got, Want: want}
}

func uint32LE(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func uint64LE(s string) uint64 { return uint64(uint32LE(s)) | uint64(uint32LE(s[4:]))<<32 }
