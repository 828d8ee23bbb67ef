package plainbuffer

import (
	"errors"
	"fmt"
	"math"
)

// The ways in which a buffer can be broken, for errors.Is.
var (
	ErrHeader    = errors.New("no PlainBuffer header")
	ErrTruncated = errors.New("truncated")
	ErrTag       = errors.New("unexpected tag")
	ErrValue     = errors.New("malformed value")
	ErrChecksum  = errors.New("checksum mismatch")
)

// A SyntaxError says what is wrong with a buffer, and where. It wraps one of
// the errors above.
type SyntaxError struct {
	Offset int // of the first byte that is wrong
	Err    error
}

// Error returns the offset and the problem.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("plainbuffer: %v at byte %d", e.Err, e.Offset)
}

// Unwrap returns the problem.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Decode parses a whole buffer. The rows share the memory of two allocations.
func Decode(data []byte) ([]Row, error) {
	d, err := NewDecoder(data)
	if err != nil {
		return nil, err
	}
	type span struct{ key, columns int }
	var (
		spans []span
		rows  []Row
		cells []Cell
		row   Row
	)
	for d.More() {
		if err := d.Next(&row); err != nil {
			return nil, err
		}
		cells = append(append(cells, row.PrimaryKey...), row.Columns...)
		spans = append(spans, span{len(row.PrimaryKey), len(row.Columns)})
		rows = append(rows, Row{Deleted: row.Deleted})
	}
	for i, s := range spans { // only now do the cells no longer move
		end := s.key + s.columns
		rows[i].PrimaryKey, rows[i].Columns = cells[:s.key:s.key], cells[s.key:end:end]
		cells = cells[end:]
	}
	return rows, nil
}

// A Decoder reads the rows of one buffer. All lengths are checked before they
// are used, and each cell's and row's checksum is compared.
type Decoder struct {
	data string
	pos  int
}

// NewDecoder checks the header. It copies data once; names, strings and blobs
// of the rows are parts of that copy.
func NewDecoder(data []byte) (*Decoder, error) {
	d := &Decoder{data: string(data)}
	if len(data) < 4 || d.data[:4] != "\x75\x00\x00\x00" {
		return nil, d.fail(ErrHeader)
	}
	d.pos = 4
	return d, nil
}

// More reports whether another row begins.
func (d *Decoder) More() bool { return d.pos < len(d.data) }

// Next reads a row into r, reusing the memory of its cells.
func (d *Decoder) Next(r *Row) error {
	*r = Row{PrimaryKey: r.PrimaryKey[:0], Columns: r.Columns[:0]}
	begin, crc := d.pos, byte(0)
	var err error
	if d.skip(tagPrimaryKey) {
		if r.PrimaryKey, crc, err = d.cells(r.PrimaryKey, crc); err != nil {
			return err
		}
	}
	if d.skip(tagColumns) {
		if r.Columns, crc, err = d.cells(r.Columns, crc); err != nil {
			return err
		}
	}
	if d.pos == begin {
		return d.unexpected()
	}
	marker := byte(0)
	if d.skip(tagDeleteRow) {
		r.Deleted, marker = true, 1
	}
	if d.skip(tagExtension) { // of stream records; it says how long it is
		n, err := d.length()
		if err != nil {
			return err
		}
		d.pos += n
	}
	return d.checksum(tagRowChecksum, crcByte(crc, marker))
}

// cells appends the cells that follow a tag, at least one, and adds their
// checksums to crc.
func (d *Decoder) cells(dst []Cell, crc byte) ([]Cell, byte, error) {
	begin := len(dst)
	for d.skip(tagCell) {
		dst = append(dst, Cell{})
		if err := d.cell(&dst[len(dst)-1]); err != nil {
			return dst, 0, err
		}
		crc = crcByte(crc, d.data[d.pos-1])
	}
	if len(dst) == begin {
		return dst, 0, d.unexpected()
	}
	return dst, crc, nil
}

// cell reads what follows a cell's tag, to the end of its checksum.
func (d *Decoder) cell(c *Cell) error {
	if !d.skip(tagName) {
		return d.unexpected()
	}
	n, err := d.length()
	if err != nil {
		return err
	}
	c.Name = d.take(n)
	crc := crcBytes(0, c.Name)
	c.Absent = true
	if d.skip(tagValue) {
		if n, err = d.length(); err != nil {
			return err
		}
		begin := d.pos
		if c.Value, err = d.value(n); err != nil {
			return err
		}
		c.Absent = false
		crc = crcBytes(crc, d.data[begin:d.pos])
	}
	if d.skip(tagOp) {
		if err := d.need(1); err != nil {
			return err
		}
		c.Op = Op(d.take(1)[0])
		if c.Op != DeleteAllVersions && c.Op != DeleteOneVersion && c.Op != Increment {
			d.pos--
			return d.fail(fmt.Errorf("%w: unknown operation %d", ErrValue, c.Op))
		}
	}
	if d.skip(tagTimestamp) {
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
	return d.checksum(tagCellChecksum, crc)
}

// ParseValue parses a value without an outer length, as filters carry it.
func ParseValue(data []byte) (Value, error) {
	d := &Decoder{data: string(data)}
	return d.value(len(data))
}

// value reads a value that takes n bytes, its type byte included.
func (d *Decoder) value(n int) (Value, error) {
	if n < 1 {
		return Value{}, d.fail(fmt.Errorf("%w: it is empty", ErrValue))
	}
	begin := d.pos
	v := Value{kind: Kind(d.take(1)[0])}
	n--
	switch v.kind {
	case Integer, Double:
		if n == 8 {
			v.num = uint64LE(d.take(8))
			return v, nil
		}
	case Boolean:
		if n == 1 && d.data[d.pos] <= 1 {
			v.num = uint64(d.take(1)[0])
			return v, nil
		}
	case String, Blob:
		if n >= 4 && int64(uint32LE(d.data[d.pos:])) == int64(n-4) {
			d.pos += 4
			v.text = d.take(n - 4)
			return v, nil
		}
	case Null, InfMin, InfMax, AutoIncrement:
		if n == 0 {
			return v, nil
		}
	default:
		d.pos = begin
		return Value{}, d.fail(fmt.Errorf("%w: unknown type %d", ErrValue, v.kind))
	}
	d.pos = begin
	return Value{}, d.fail(fmt.Errorf("%w: a %s cannot take these %d bytes", ErrValue, v.kind, n))
}

// skip steps over tag if it is next.
func (d *Decoder) skip(tag byte) bool {
	if d.pos < len(d.data) && d.data[d.pos] == tag {
		d.pos++
		return true
	}
	return false
}

// length reads a length and makes sure that as many bytes follow.
func (d *Decoder) length() (int, error) {
	if err := d.need(4); err != nil {
		return 0, err
	}
	n := uint32LE(d.data[d.pos:])
	if n > math.MaxInt32 || int(n) > len(d.data)-d.pos-4 {
		return 0, d.fail(fmt.Errorf("%w: a length of %d with %d bytes left", ErrTruncated, n, len(d.data)-d.pos-4))
	}
	d.pos += 4
	return int(n), nil
}

// checksum reads a checksum behind its tag and compares it.
func (d *Decoder) checksum(tag, want byte) error {
	if !d.skip(tag) {
		return d.unexpected()
	}
	if err := d.need(1); err != nil {
		return err
	}
	if got := d.data[d.pos]; got != want {
		return d.fail(fmt.Errorf("%w: %d : %d", ErrChecksum, got, want))
	}
	d.pos++
	return nil
}

func (d *Decoder) need(n int) error {
	if len(d.data)-d.pos < n {
		return d.fail(ErrTruncated)
	}
	return nil
}

// take returns n bytes that are known to be there.
func (d *Decoder) take(n int) string {
	d.pos += n
	return d.data[d.pos-n : d.pos]
}

// unexpected is the error for a byte that no rule of the format allows here.
func (d *Decoder) unexpected() error {
	if d.pos >= len(d.data) {
		return d.fail(ErrTruncated)
	}
	return d.fail(fmt.Errorf("%w 0x%02X", ErrTag, d.data[d.pos]))
}

func (d *Decoder) fail(err error) error { return &SyntaxError{Offset: d.pos, Err: err} }

func uint32LE(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func uint64LE(s string) uint64 { return uint64(uint32LE(s)) | uint64(uint32LE(s[4:]))<<32 }
