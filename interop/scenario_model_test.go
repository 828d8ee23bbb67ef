package interop_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
)

// A step is one call in a form that belongs to no client. Each driver makes its
// client's request of it; the Node driver gets it as JSON.
type step struct {
	Action string
	Table  string
	Keys   [][]cell // GetRange: start and end; a table of BatchGetRow: its rows
	Cells  []cell

	Expect        string // "", "exist", "absent": what a write expects of the row
	Where         *filter
	Return        string // "", "key", "after": what a write returns
	ReturnColumns []string

	Get          []string
	Versions     int // 0: not given, which means 1
	Times        *times
	Page         *page
	Begin, Until string // columns
	Backward     bool
	Limit        int

	Definition *definition // CreateTable, UpdateTable
	Parts      []step      // BatchGetRow: a GetRow a table; BatchWriteRow: a write a row

	Fault *failure // of the action "Fail", which is none of a client: the server's next answer
}

// A cell is a column: of a key, of a row, or a change of one.
type cell struct {
	Name  string
	Op    string // "": put; "delete", "delete version", "increment"
	Value *value // nil: a delete has none
	Time  *int64 // milliseconds; nil: the service's time
}

// A value is exact as text: an int in decimal, a float as the hexadecimal
// digits of its 64 bits, a bool, a text as it is, bytes in hexadecimal. A mark's
// text is its name: "inf_min", "inf_max" or "auto".
type value struct{ Kind, Text string }

func intValue(n int64) *value { return &value{"int", strconv.FormatInt(n, 10)} }

func floatValue(f float64) *value {
	return &value{"float", fmt.Sprintf("%016x", math.Float64bits(f))}
}

func boolValue(b bool) *value    { return &value{"bool", strconv.FormatBool(b)} }
func textValue(s string) *value  { return &value{"text", s} }
func bytesValue(b []byte) *value { return &value{"bytes", hex.EncodeToString(b)} }
func markValue(m string) *value  { return &value{"mark", m} }

// native returns the value as Go's type for it, and a mark as nil.
func (v *value) native() any {
	switch v.Kind {
	case "int":
		n, err := strconv.ParseInt(v.Text, 10, 64)
		must(err)
		return n
	case "float":
		bits, err := strconv.ParseUint(v.Text, 16, 64)
		must(err)
		return math.Float64frombits(bits)
	case "bool":
		return v.Text == "true"
	case "text":
		return v.Text
	case "bytes":
		b, err := hex.DecodeString(v.Text)
		must(err)
		return b
	}
	return nil
}

// valueOf is the reverse of native.
func valueOf(native any) *value {
	switch v := native.(type) {
	case int64:
		return intValue(v)
	case float64:
		return floatValue(v)
	case bool:
		return boolValue(v)
	case string:
		return textValue(v)
	case []byte:
		return bytesValue(v)
	}
	panic("not a value of a column")
}

// A filter compares a column, or combines Parts with "and", "or" or "not".
type filter struct {
	Op    string // "==", "!=", "<", "<=", ">", ">=", or as above
	Parts []*filter
	Name  string
	Value *value
	Must  bool // a row without the column does not pass
	Any   bool // any version of the column counts, not only the newest
}

// times are milliseconds: From and To, or At.
type times struct{ From, To, At *int64 }

type page struct{ Limit, Offset int }

// A definition is a table's, to make one, to change one, or as it is described.
type definition struct {
	Keys     []keyColumn
	Defined  []keyColumn
	Indexes  []index
	Options  bool // UpdateTable: the three options are given
	Versions int
	TTL      int // seconds; -1: for ever
	Deviation,
	Stream int // seconds and hours; 0: not given, or none
	Streamed bool // Stream is given
	Reserved *units
	NoUpdate bool
	Details  details // of an answer
}

type keyColumn struct {
	Name, Type string
	Auto       bool
}

type index struct {
	Name          string
	Keys, Columns []string
	Local         bool
	Mode          *string // "sync" or "async"; nil: the client does not tell
}

// A result is what a client made of the answer to a step, in a form that
// belongs to no client.
type result struct {
	Refused  string // why the client did not send the request, or take the answer
	Error    *failure
	Consumed *units
	Tables   []string
	Table    *definition
	Rows     []row // of reads, and what a write returned, asked or not
	Next     []cell
	Batch    []rowResult // by table as they were first named, then by place
}

type failure struct {
	Status        int // 0 for a row of a batch
	Code, Message string
}

type units struct{ Read, Write int }

type row struct{ Key, Columns []cell }

type rowResult struct {
	Table    string
	Row      *row
	Consumed *units
	Error    *failure
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
