package plainbuffer

import (
	"encoding/binary"
	"slices"
)

// The tags. (Source: the official SDKs' writers; the documentation's grammar
// does not match their bytes.)
const (
	header = 0x75

	tagPrimaryKey   = 0x01
	tagColumns      = 0x02
	tagCell         = 0x03
	tagName         = 0x04
	tagValue        = 0x05
	tagOp           = 0x06
	tagTimestamp    = 0x07
	tagDeleteRow    = 0x08
	tagRowChecksum  = 0x09
	tagCellChecksum = 0x0A
	tagExtension    = 0x0B
)

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

// A Row is a row, a primary key, or a change of a row.
type Row struct {
	PrimaryKey []Cell
	Columns    []Cell
	Deleted    bool // the row carries the delete marker
}

// Append appends a buffer of rows to dst: a header, then each row.
func Append(dst []byte, rows ...*Row) []byte {
	dst = slices.Grow(dst, Size(rows...))
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
	var crc, cellCRC byte
	dst = append(dst, tagPrimaryKey)
	for i := range r.PrimaryKey {
		dst, cellCRC = appendCell(dst, &r.PrimaryKey[i])
		crc = crcByte(crc, cellCRC)
	}
	if len(r.Columns) > 0 {
		dst = append(dst, tagColumns)
		for i := range r.Columns {
			dst, cellCRC = appendCell(dst, &r.Columns[i])
			crc = crcByte(crc, cellCRC)
		}
	}
	if r.Deleted {
		dst = append(dst, tagDeleteRow)
		crc = crcByte(crc, 1)
	} else {
		crc = crcByte(crc, 0)
	}
	return append(dst, tagRowChecksum, crc)
}

// appendCell appends one cell and returns its checksum.
func appendCell(dst []byte, c *Cell) ([]byte, byte) {
	dst = append(dst, tagCell, tagName)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Name))) //nolint:gosec // bounded by the request size
	dst = append(dst, c.Name...)
	crc := crcBytes(0, c.Name)
	if !c.Absent {
		dst = append(dst, tagValue)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.Value.size())) //nolint:gosec // bounded by the request size
		begin := len(dst)
		dst = AppendValue(dst, c.Value)
		crc = crcBytes(crc, dst[begin:])
	}
	if c.Op != Put {
		dst = append(dst, tagOp, byte(c.Op))
	}
	if c.HasTimestamp {
		dst = append(dst, tagTimestamp)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Timestamp)) //nolint:gosec // the same 64 bits
		crc = crcBytes(crc, dst[len(dst)-8:])
	}
	if c.Op != Put { // summed up after the timestamp, though written before it
		crc = crcByte(crc, byte(c.Op))
	}
	return append(dst, tagCellChecksum, crc), crc
}

// AppendValue appends a value without its outer length, as filters carry it.
func AppendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case Integer, Double:
		dst = binary.LittleEndian.AppendUint64(dst, v.num)
	case Boolean:
		dst = append(dst, byte(v.num))
	case String, Blob:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v.text))) //nolint:gosec // bounded by the request size
		dst = append(dst, v.text...)
	}
	return dst
}

func (r *Row) size() int {
	size := 1 + 2 // tag, checksum
	for i := range r.PrimaryKey {
		size += r.PrimaryKey[i].size()
	}
	if len(r.Columns) > 0 {
		size++
	}
	for i := range r.Columns {
		size += r.Columns[i].size()
	}
	if r.Deleted {
		size++
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
