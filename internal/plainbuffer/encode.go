package plainbuffer

import "encoding/binary"

// header begins every buffer.
const header = 0x75

// Op is what a cell does to its column; 0 puts the value.
type Op byte

// The operations of UpdateRow.
const (
	Put               Op = 0
	DeleteAllVersions Op = 1
	DeleteOneVersion  Op = 3
	Increment         Op = 4
)

// A Cell is one primary key column or attribute column.
type Cell struct {
	Name         string
	Value        Value
	Absent       bool // there is no value, as in a delete
	Op           Op
	HasTimestamp bool
	Timestamp    int64 // milliseconds
}

// A Row is a row, a primary key, or a change of a row. It has at least one
// cell.
type Row struct {
	PrimaryKey []Cell
	Columns    []Cell
	Deleted    bool   // the row carries the delete marker
	Extension  string // of stream records, as it is on the wire
}

// Append appends a buffer of rows to dst: a header, then each row. A nil dst is
// allocated in the right size; others grow if they must.
func Append(dst []byte, rows ...*Row) []byte {
	if dst == nil {
		dst = make([]byte, 0, Size(rows...))
	}
	dst = binary.LittleEndian.AppendUint32(dst, header)
	for _, r := range rows {
		dst = AppendRow(dst, r)
	}
	return dst
}

// Size returns the length of Append(nil, rows...).
func Size(rows ...*Row) int {
	size := 4
	for _, r := range rows {
		size += r.size()
	}
	return size
}

// AppendRow appends one row without a header.
func AppendRow(dst []byte, r *Row) []byte {
	dst, crc := appendCells(dst, TagPrimaryKey, r.PrimaryKey, 0)
	dst, crc = appendCells(dst, TagColumns, r.Columns, crc)
	marker := byte(0)
	if r.Deleted {
		dst = append(dst, byte(TagDeleteRow))
		marker = 1
	}
	if r.Extension != "" { // not summed up
		dst = append(dst, byte(TagExtension))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.Extension))) //nolint:gosec // bounded by the request size
		dst = append(dst, r.Extension...)
	}
	return append(dst, byte(TagRowChecksum), crcByte(crc, marker))
}

// appendCells appends cells behind their tag, and adds their checksums to crc.
func appendCells(dst []byte, tag Tag, cells []Cell, crc byte) ([]byte, byte) {
	if len(cells) == 0 {
		return dst, crc
	}
	dst = append(dst, byte(tag))
	for i := range cells {
		var sum byte
		dst, sum = appendCell(dst, &cells[i])
		crc = crcByte(crc, sum)
	}
	return dst, crc
}

// appendCell appends one cell and returns its checksum.
func appendCell(dst []byte, c *Cell) ([]byte, byte) {
	dst = append(dst, byte(TagCell), byte(TagName))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Name))) //nolint:gosec // bounded by the request size
	dst = append(dst, c.Name...)
	crc := crcText(0, c.Name)
	if !c.Absent {
		dst = append(dst, byte(TagValue))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.Value.size())) //nolint:gosec // bounded by the request size
		dst = AppendValue(dst, c.Value)
		crc = crcValue(crc, c.Value)
	}
	if c.Op != Put {
		dst = append(dst, byte(TagOp), byte(c.Op))
	}
	if c.HasTimestamp {
		dst = append(dst, byte(TagTimestamp))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Timestamp)) //nolint:gosec // the same 64 bits
		crc = crcUint64(crc, uint64(c.Timestamp))                        //nolint:gosec // the same 64 bits
	}
	if c.Op != Put { // summed up after the timestamp, though written before it
		crc = crcByte(crc, byte(c.Op))
	}
	return append(dst, byte(TagCellChecksum), crc), crc
}

// AppendValue appends a value without its outer length, as filters carry it.
func AppendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case Integer, Double:
		dst = binary.LittleEndian.AppendUint64(dst, v.num)
	case Boolean:
		dst = append(dst, byte(v.num)) //nolint:gosec // 0 or 1
	case String, Blob:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v.text))) //nolint:gosec // bounded by the request size
		dst = append(dst, v.text...)
	}
	return dst
}

func (r *Row) size() int {
	size := 2 // checksum
	for _, cells := range [...][]Cell{r.PrimaryKey, r.Columns} {
		if len(cells) > 0 {
			size++
		}
		for i := range cells {
			size += cells[i].size()
		}
	}
	if r.Deleted {
		size++
	}
	if r.Extension != "" {
		size += 1 + 4 + len(r.Extension)
	}
	return size
}

func (c *Cell) size() int {
	size := 2 + 4 + len(c.Name) + 2 // tags and length, name, checksum
	if !c.Absent {
		size += 1 + 4 + c.Value.size()
	}
	if c.Op != Put {
		size += 2
	}
	if c.HasTimestamp {
		size += 9
	}
	return size
}
