package plainbuffer

import (
	"errors"
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
	begin, key, cells := d.Left(), 4, 16 // of the last row, in the beginning a guess
	for d.More() {
		// Most rows of a table are alike: make room for as many like the last
		// one as the rest of the data can hold.
		if len(free) < cells {
			more := 1
			if len(rows) > 0 {
				more += d.Left() / (begin - d.Left())
			}
			free = make([]Cell, more*cells)
			rows = slices.Grow(rows, more)
		}
		begin = d.Left()
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
	size int    // of the whole buffer
	rest string // what has not been read yet
}

// NewDecoder checks the header. Names, strings and blobs of the rows are parts
// of data, if it is a string, and otherwise of the one copy that it makes.
func NewDecoder[T string | []byte](data T) (Decoder, error) {
	d := Decoder{len(data), string(data)}
	if len(data) < 4 {
		return d, d.fail(d.rest, ErrHeader, 0, header)
	}
	if got := uint32LE(d.rest); got != header {
		return d, d.fail(d.rest, ErrHeader, int64(got), header)
	}
	d.rest = d.rest[4:]
	return d, nil
}

// More reports whether another row begins.
func (d *Decoder) More() bool { return len(d.rest) > 0 }

// Left returns how many bytes have not been read yet.
func (d *Decoder) Left() int { return len(d.rest) }

// Next reads a row into r, reusing the memory of its cells. After an error, a
// *[SyntaxError], neither r nor the Decoder is of any use.
func (d *Decoder) Next(r *Row) error {
	rest, err := d.row(d.rest, r)
	if err != nil {
		return err
	}
	d.rest = rest
	return nil
}

// The methods below read the beginning of what has not been read yet, and return
// what is behind it: that stays in registers, where a position in the Decoder would
// be written for each byte.

func (d *Decoder) row(s string, r *Row) (string, *SyntaxError) {
	*r = Row{PrimaryKey: r.PrimaryKey[:0], Columns: r.Columns[:0]}
	var (
		crc   byte
		err   *SyntaxError
		begin = len(s)
	)
	if begins(s, TagPrimaryKey) {
		if s, r.PrimaryKey, crc, err = d.cells(s[1:], r.PrimaryKey, TagPrimaryKey, crc); err != nil {
			return s, err
		}
	}
	if begins(s, TagColumns) {
		if s, r.Columns, crc, err = d.cells(s[1:], r.Columns, TagColumns, crc); err != nil {
			return s, err
		}
	}
	if len(s) == begin {
		return s, d.unexpected(s, TagPrimaryKey)
	}
	marker := byte(0)
	if begins(s, TagDeleteRow) {
		s, r.Deleted, marker = s[1:], true, 1
	}
	if begins(s, TagExtension) {
		n, rest, ok := length(s[1:])
		if !ok {
			return s, d.noLength(s[1:])
		}
		if n == 0 {
			return s, d.fail(rest, ErrLength, 0, 1)
		}
		r.Extension, s = rest[:n], rest[n:]
	}
	if crc = crcByte(crc, marker); !ends(s, TagRowChecksum, crc) {
		return s, d.noEnd(s, TagRowChecksum, crc)
	}
	return s[2:], nil
}

// cells appends the cells that follow tag, at least one, and adds their
// checksums to crc.
func (d *Decoder) cells(s string, dst []Cell, tag Tag, crc byte) (string, []Cell, byte, *SyntaxError) {
	begin := len(s)
	for begins(s, TagCell) {
		if len(dst) < cap(dst) {
			dst = dst[:len(dst)+1]
		} else {
			dst = append(dst, Cell{})
		}
		c := &dst[len(dst)-1]
		rest, sum, err := d.cell(s[1:], c)
		if err != nil {
			err.Cell = c.Name
			return s, dst, 0, err
		}
		s, crc = rest, crcByte(crc, sum)
	}
	if len(s) == begin {
		err := d.unexpected(s, tag)
		if errors.Is(err, ErrTag) {
			err.Err = ErrNoCells
		}
		return s, dst, 0, err
	}
	return s, dst, crc, nil
}

// cell reads what follows a cell's tag, to the end of its checksum, which it
// returns too. c may be one that was read before.
func (d *Decoder) cell(s string, c *Cell) (rest string, crc byte, err *SyntaxError) {
	c.Name, c.Op, c.HasTimestamp, c.Timestamp = "", Put, false, 0
	if !begins(s, TagName) {
		return s, 0, d.unexpected(s, TagName)
	}
	n, text, ok := length(s[1:])
	if !ok {
		return s, 0, d.noLength(s[1:])
	}
	c.Name, s = text[:n], text[n:]
	crc = crcText(0, c.Name)
	if c.Absent = !begins(s, TagValue); c.Absent {
		c.Value = Value{}
	} else {
		if n, text, ok = length(s[1:]); !ok {
			return s, 0, d.noLength(s[1:])
		}
		if c.Value, err = d.value(text, n); err != nil {
			return s, 0, err
		}
		crc = crcText(crc, text[:n])
		s = text[n:]
	}
	if begins(s, TagOp) {
		if len(s) < 2 {
			return s, 0, d.short(s[1:], 1)
		}
		c.Op = Op(s[1])
		if c.Op != DeleteAllVersions && c.Op != DeleteOneVersion && c.Op != Increment {
			return s, 0, d.fail(s[1:], ErrOp, int64(c.Op), 0)
		}
		s = s[2:]
	}
	if begins(s, TagTimestamp) {
		if len(s) < 1+8 {
			return s, 0, d.short(s[1:], 8)
		}
		c.HasTimestamp, c.Timestamp = true, int64(uint64LE(s[1:])) //nolint:gosec // the same 64 bits
		crc = crcText(crc, s[1:1+8])
		s = s[1+8:]
	}
	if c.Op != Put {
		crc = crcByte(crc, byte(c.Op))
	}
	if !ends(s, TagCellChecksum, crc) {
		return s, 0, d.noEnd(s, TagCellChecksum, crc)
	}
	return s[2:], crc, nil
}

// ParseValue parses a value without an outer length, as filters carry it. An
// error is a *[SyntaxError].
func ParseValue(data []byte) (Value, error) {
	d := &Decoder{size: len(data)}
	v, err := d.value(string(data), len(data))
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// value reads a value that takes the first n bytes of s, its type byte included.
func (d *Decoder) value(s string, n int) (Value, *SyntaxError) {
	if n == 0 {
		return Value{}, d.fail(s, ErrLength, 0, 1)
	}
	want, payload := int64(1), s[1:n]
	switch kind := Kind(s[0]); kind {
	case Integer, Double:
		if want += 8; len(payload) == 8 {
			return Value{kind: kind, set: true, num: uint64LE(payload)}, nil
		}
	case String, Blob:
		if want += 4; len(payload) >= 4 {
			if want += int64(uint32LE(payload)); want == int64(n) {
				return Value{kind: kind, set: true, text: payload[4:]}, nil
			}
		}
	case Boolean:
		if want++; len(payload) == 1 {
			if payload[0] > 1 {
				return Value{}, d.fail(s[1:], ErrValue, int64(payload[0]), 0)
			}
			return Value{kind: kind, set: true, num: uint64(payload[0])}, nil
		}
	case Null, InfMin, InfMax, AutoIncrement:
		if len(payload) == 0 {
			return MarkValue(kind), nil
		}
	default:
		return Value{}, d.fail(s, ErrKind, int64(kind), 0)
	}
	return Value{}, d.fail(s, ErrLength, int64(n), want)
}

// begins reports whether tag is next.
func begins(s string, tag Tag) bool { return len(s) > 0 && Tag(s[0]) == tag }

// length reads a length; ok is false if not as many bytes follow.
func length(s string) (n int, rest string, ok bool) {
	if len(s) < 4 {
		return 0, s, false
	}
	size := uint64(uint32LE(s))
	return int(size), s[4:], size <= uint64(len(s)-4) //nolint:gosec // as many bytes are there, or it is not used
}

// noLength is the error for what length did not accept.
func (d *Decoder) noLength(s string) *SyntaxError {
	if len(s) < 4 {
		return d.short(s, 4)
	}
	return d.fail(s, ErrTruncated, int64(len(s)-4), int64(uint32LE(s)))
}

// ends reports whether a checksum is next, behind its tag.
func ends(s string, tag Tag, sum byte) bool { return len(s) >= 2 && Tag(s[0]) == tag && s[1] == sum }

// noEnd is the error for what ends did not accept.
func (d *Decoder) noEnd(s string, tag Tag, sum byte) *SyntaxError {
	switch {
	case !begins(s, tag):
		return d.unexpected(s, tag)
	case len(s) < 2:
		return d.short(s[1:], 1)
	}
	return d.fail(s[1:], ErrChecksum, int64(s[1]), int64(sum))
}

// unexpected is the error for a byte that no rule of the format allows here.
func (d *Decoder) unexpected(s string, want Tag) *SyntaxError {
	if len(s) == 0 {
		return d.short(s, 1)
	}
	return d.fail(s, ErrTag, int64(s[0]), int64(want))
}

// short is the error for a buffer that ends before n more bytes.
func (d *Decoder) short(s string, n int) *SyntaxError {
	return d.fail(s, ErrTruncated, int64(len(s)), int64(n))
}

func (d *Decoder) fail(s string, err error, got, want int64) *SyntaxError {
	return &SyntaxError{Offset: d.size - len(s), Err: err, Got: got, Want: want}
}

func uint32LE(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func uint64LE(s string) uint64 { return uint64(uint32LE(s)) | uint64(uint32LE(s[4:]))<<32 }
