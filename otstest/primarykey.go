package otstest

import (
	"slices"
	"unicode/utf8"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

const (
	maxPrimaryKeys = 4
	maxStringKey   = 1024 // bytes
)

// marks says which values without a content a primary key may have.
type marks int

const (
	noMarks    marks = iota
	rangeMarks       // InfMin and InfMax
	autoMarks        // AutoIncrement
)

// checkRead checks what a read is directed at, and the number of its keys' columns,
// which refuses all of a batch. A write has its limit before the table is looked for,
// but an index has more of them than a table. (Source: the official Java SDK's tests,
// RestrictedItemTest, testCase16, which makes the table before it reads; of an index's
// number, the documentation's limits. Its message is assumed.)
func checkRead(t *table, name string, keys ...*pb.Row) *refusal {
	if refused := checkTable(t, name); refused != nil {
		return refused
	}
	limit := maxPrimaryKeys
	if t.isIndex {
		limit = maxIndexPrimaryKeys
	}
	for _, key := range keys {
		if refused := checkKeyCount(key.PrimaryKey, limit); refused != nil {
			return refused
		}
	}
	return nil
}

func checkKeyCount(key []pb.Cell, limit int) *refusal {
	if len(key) > limit {
		return invalid("The number of primary key columns must be in range: [1, %d].", limit)
	}
	return nil
}

// checkKeyForm checks of a primary key what the table is not needed for; the
// service does so before it looks for the table, and refuses all of a batch.
// (Source: the official Java SDK's tests, RestrictedItemTest, testCase19, and
// ParameterLegalityTest, testInvalidPrimaryKey.)
func checkKeyForm(key []pb.Cell, allowed marks) *refusal {
	seen := map[string]bool{}
	for i := range key {
		c := &key[i]
		if refused := checkKeyCell(c); refused != nil {
			return refused
		}
		if kind := c.Value.Kind(); allowed != rangeMarks && (kind == pb.InfMin || kind == pb.InfMax) {
			return invalid("%s is an invalid type for the primary key.", kind)
		}
		if seen[c.Name] {
			return invalid("Duplicated primary key name: %s.", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// checkKey checks a primary key of the right form against the table's schema.
func checkKey(t *table, key []pb.Cell, allowed marks) *refusal {
	schema := t.meta.GetPrimaryKey()
	if len(key) != len(schema) {
		return invalidKey("Validate PK size fail. Input: %d, Meta: %d.", len(key), len(schema))
	}
	for i := range key {
		c, column := &key[i], schema[i]
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

// checkKeyCell checks one column of a primary key.
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
		return invalid("The length of primary key column: '%s' exceeds the MaxLength:%d with CurrentLength:%d.", c.Name, maxStringKey, len(text))
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
