package otstest

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

const (
	maxAttributes = 1024
	maxStringKey  = 1024 // bytes
	maxTextCell   = 2 << 20
	capacityUnit  = 4 << 10 // bytes that a unit reads or writes
)

// decodeRow parses the one row of a request.
func decodeRow(data []byte) (*pb.Row, *refusal) {
	// The official Node SDK overrates the size of an infinite or automatic key,
	// and fills up with zeros.
	padded := data
	row := &pb.Row{}
	decoder, err := pb.NewDecoder(data)
	if err == nil && decoder.More() {
		err = decoder.Next(row)
		padded = data[len(data)-decoder.Left():]
	}
	switch {
	case err != nil:
		return nil, refuseSyntax(err)
	case len(bytes.Trim(padded, "\x00")) > 0:
		return nil, invalid("data format is invalid.")
	case len(row.PrimaryKey) == 0:
		return nil, invalid("Cell data broken, PK is empty.")
	}
	return row, nil
}

// encodeRows returns rows as an answer has them; no row is an empty buffer.
func encodeRows(rows ...*pb.Row) *string {
	var data string
	if len(rows) > 0 {
		data = string(pb.Append(nil, rows...))
	}
	return &data
}

// decodeKey parses the primary key of a read.
func decodeKey(data []byte) (*pb.Row, *refusal) {
	key, refused := decodeRow(data)
	switch {
	case refused != nil:
		return nil, refused
	case len(key.Columns) > 0:
		return nil, invalid("Attribute column cannot be given while reading data.")
	case key.Deleted:
		return nil, invalid("Delete marker cannot be given.")
	case countAutomatic(key.PrimaryKey) > 0:
		return nil, invalid("PKAutoIncr can't be used for read operations.")
	}
	return key, nil
}

// refuseSyntax refuses a broken PlainBuffer in the service's words.
func refuseSyntax(err error) *refusal {
	syntax := &pb.SyntaxError{Err: err}
	errors.As(err, &syntax)
	message := "data format is invalid."
	switch want := syntax.Want; {
	case errors.Is(err, pb.ErrHeader):
		return invalid("Cell data broken, mismatch header, actual: %d , expect: %d.", syntax.Got, syntax.Want)
	case errors.Is(err, pb.ErrChecksum):
		return invalid("Cell data broken, checksum is mismatch, %d ：%d ：", syntax.Got, syntax.Want)
	case errors.Is(err, pb.ErrNoCells) && want == int64(pb.TagPrimaryKey):
		message = "Cell data broken, no PK follow PKTag."
	case errors.Is(err, pb.ErrNoCells):
		message = "Cell data broken, no Cells follow CellTag."
	case errors.Is(err, pb.ErrTag) && want == int64(pb.TagName):
		message = "Cell data broken, attr has no name."
	case errors.Is(err, pb.ErrTag) && want == int64(pb.TagCellChecksum):
		message = "Cell data broken, cell is not end with checksum[0x0A] tag."
	case errors.Is(err, pb.ErrTag) && want == int64(pb.TagRowChecksum):
		message = "Cell data broken, row is not end with checksum tag."
	case errors.Is(err, pb.ErrTag):
		return invalid("Cell data broken, mismatch tag, actual tag(%d), expect(%d).", syntax.Got, syntax.Want)
	case errors.Is(err, pb.ErrTruncated):
		message = "Input encoded PK broken, length is shorter than expect."
	case errors.Is(err, pb.ErrKind):
		message = "data format is invalid, unknown variant type occured."
	case errors.Is(err, pb.ErrLength):
		return invalid("Cell data broken, wrong string format, size: %d.", syntax.Got)
	}
	return refuse(http.StatusBadRequest, codeParameterInvalid, message, "%v", err)
}

// checkTable checks that there is a table; nil: none.
func checkTable(t *table, name string) *refusal {
	if !validName(name) {
		return invalid("Invalid table name: '%s'.", name)
	}
	if t == nil {
		return refuse(http.StatusNotFound, "OTSObjectNotExist", "Requested table does not exist.", "there is no table %q", name)
	}
	return nil
}

// marks says which values without a content a primary key may have.
type marks int

const (
	noMarks    marks = iota
	rangeMarks       // InfMin and InfMax
	autoMarks        // AutoIncrement
)

// checkKey checks a primary key against the table's schema.
func checkKey(t *table, key []pb.Cell, allowed marks) *refusal {
	schema := t.meta.GetPrimaryKey()
	if len(key) != len(schema) {
		return invalidKey("Validate PK size fail. Input: %d, Meta: %d.", len(key), len(schema))
	}
	for i := range key {
		c, column := &key[i], schema[i]
		if refused := checkKeyCell(c); refused != nil {
			return refused
		}
		if c.Name != column.GetName() {
			return invalidKey("Validate PK name fail. Input: %s, Meta: %s.", c.Name, column.GetName())
		}
		kind, want := c.Value.Kind(), keyKind(column.GetType())
		if kind == want || allowed == rangeMarks && (kind == pb.InfMin || kind == pb.InfMax) ||
			allowed == autoMarks && kind == pb.AutoIncrement && column.Option != nil {
			continue
		}
		return invalidKey("Validate PK type fail. Input: %s, Meta: %s.", kind, want)
	}
	return nil
}

// checkKeyCell checks what a schema is not needed for.
func checkKeyCell(c *pb.Cell) *refusal {
	text := c.Value.Text()
	switch {
	case c.Name == "":
		return invalid("No name is given for primary key.")
	case c.Absent:
		return invalid("No value is given for primary key name：%s.", c.Name)
	case c.Op != pb.Put:
		return invalid("OpType cannot be given for primary key name ：%s.", c.Name)
	case c.HasTimestamp:
		return invalid("Timestamp cannot be given for primary key name：%s.", c.Name)
	case c.Value.Kind() == pb.Null:
		return invalid("Cell data broken, PK value cannot be NULL, name: %s.", c.Name)
	case c.Value.Kind() == pb.Double:
		return invalid("double can not be used as primary key.")
	case len(text) > maxStringKey:
		return invalid("The length of primary key column: %s exceeds the MaxLength: %d with CurrentLength: %d.", c.Name, maxStringKey, len(text))
	case c.Value.Kind() == pb.String && !utf8.ValidString(text):
		return invalid("Value of column %s must be UTF8 encoding.", c.Name)
	}
	return nil
}

func invalidKey(message string, args ...any) *refusal {
	refused := invalid(message, args...)
	refused.Code = "OTSInvalidPK"
	return refused
}

func keyKind(t otspb.PrimaryKeyType) pb.Kind {
	switch t {
	case otspb.PrimaryKeyType_INTEGER:
		return pb.Integer
	case otspb.PrimaryKeyType_STRING:
		return pb.String
	}
	return pb.Blob
}

func isKey(t *table, name string) bool {
	return slices.ContainsFunc(t.meta.GetPrimaryKey(), func(c *otspb.PrimaryKeySchema) bool { return c.GetName() == name })
}

// isAutomatic reports whether the table numbers its rows.
func (t *table) isAutomatic() bool {
	return slices.ContainsFunc(t.meta.GetPrimaryKey(), func(c *otspb.PrimaryKeySchema) bool { return c.Option != nil })
}

func countAutomatic(key []pb.Cell) int {
	n := 0
	for i := range key {
		if key[i].Value.Kind() == pb.AutoIncrement {
			n++
		}
	}
	return n
}

func keyValues(key []pb.Cell) []pb.Value {
	values := make([]pb.Value, len(key))
	for i := range key {
		values[i] = key[i].Value
	}
	return values
}

// keyCells names the values of a key.
func (t *table) keyCells(key []pb.Value) []pb.Cell {
	cells := make([]pb.Cell, len(key))
	for i, column := range t.meta.GetPrimaryKey() {
		cells[i] = pb.Cell{Name: column.GetName(), Value: key[i]}
	}
	return cells
}

func consumed(read, write int32) *otspb.ConsumedCapacity {
	return &otspb.ConsumedCapacity{CapacityUnit: &otspb.CapacityUnit{Read: &read, Write: &write}}
}

// units returns the capacity units that so many bytes take, at least one.
func units(bytes int) int32 {
	return int32(max(1, (bytes+capacityUnit-1)/capacityUnit)) //nolint:gosec // a body has at most 5 MB, a range 4 MB
}
