package client

import (
	"fmt"
	"strconv"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// Kind is the type of a [Value].
type Kind int

// The kinds of values. KindNone is the zero Value's; the last three are for
// primary keys only.
const (
	KindNone Kind = iota
	KindInt
	KindFloat
	KindBool
	KindString
	KindBytes
	KindInfMin
	KindInfMax
	KindAutoIncrement
)

// String returns the kind's name, as in "int".
func (k Kind) String() string {
	names := [...]string{"none", "int", "float", "bool", "string", "bytes", "InfMin", "InfMax", "AutoIncrement"}
	if k < 0 || int(k) >= len(names) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return names[k]
}

// A Value is an immutable value of a column: an int64, a string, bytes, a
// float64, a bool, or one of the marks of primary keys. The zero Value is none.
// It is safe for concurrent use.
type Value struct{ v pb.Value }

// Int returns an INTEGER value.
func Int(v int64) Value { return Value{pb.IntValue(v)} }

// String returns a STRING value; it must be valid in the client's Encoding, which is
// UTF-8 unless [Options] says otherwise.
func String(v string) Value { return Value{pb.StringValue(v)} }

// Bytes returns a BINARY value with a copy of v.
func Bytes(v []byte) Value { return Value{pb.BlobValue(string(v))} }

// Float returns a DOUBLE value.
func Float(v float64) Value { return Value{pb.DoubleValue(v)} }

// Bool returns a BOOLEAN value.
func Bool(v bool) Value { return Value{pb.BoolValue(v)} }

// InfMin returns the mark that is lower than any primary key value, for ranges.
func InfMin() Value { return Value{pb.MarkValue(pb.InfMin)} }

// InfMax returns the mark that is higher than any primary key value, for ranges.
func InfMax() Value { return Value{pb.MarkValue(pb.InfMax)} }

// AutoIncrement returns the mark that lets the service choose the value of an
// auto-increment primary key column in PutRow.
func AutoIncrement() Value { return Value{pb.MarkValue(pb.AutoIncrement)} }

// Kind returns the value's kind.
func (v Value) Kind() Kind {
	if v.v.IsZero() {
		return KindNone
	}
	switch v.v.Kind() {
	case pb.Integer:
		return KindInt
	case pb.Double:
		return KindFloat
	case pb.Boolean:
		return KindBool
	case pb.String:
		return KindString
	case pb.Blob:
		return KindBytes
	case pb.InfMin:
		return KindInfMin
	case pb.InfMax:
		return KindInfMax
	case pb.AutoIncrement:
		return KindAutoIncrement
	}
	return KindNone
}

// Int returns an int value's number; 0 and false for any other kind.
func (v Value) Int() (n int64, ok bool) {
	v, ok = v.only(KindInt)
	return v.v.Int(), ok
}

// Float returns a float value's number; 0 and false for any other kind.
func (v Value) Float() (f float64, ok bool) {
	v, ok = v.only(KindFloat)
	return v.v.Double(), ok
}

// Bool returns a bool value's truth; false twice for any other kind.
func (v Value) Bool() (b, ok bool) {
	v, ok = v.only(KindBool)
	return v.v.Bool(), ok
}

// Text returns a string value's text; "" and false for any other kind.
func (v Value) Text() (s string, ok bool) {
	v, ok = v.only(KindString)
	return v.v.Text(), ok
}

// Bytes returns a copy of a bytes value; nil and false for any other kind.
func (v Value) Bytes() (b []byte, ok bool) {
	if v, ok = v.only(KindBytes); ok {
		b = []byte(v.v.Text())
	}
	return b, ok
}

// only returns v if it is of that kind, else the zero Value.
func (v Value) only(kind Kind) (Value, bool) {
	if v.Kind() != kind {
		return Value{}, false
	}
	return v, true
}

// Equal reports whether both have the same kind and content.
func (v Value) Equal(w Value) bool { return v.v == w.v }

// clone returns a copy that shares no memory with v.
func (v Value) clone() Value { return Value{v.v.Clone()} }

// String returns the value for people: numbers and truths as Go writes them,
// text and bytes quoted, marks by name.
func (v Value) String() string {
	switch v.Kind() {
	case KindInt:
		return strconv.FormatInt(v.v.Int(), 10)
	case KindFloat:
		return strconv.FormatFloat(v.v.Double(), 'g', -1, 64)
	case KindBool:
		return strconv.FormatBool(v.v.Bool())
	case KindString:
		return strconv.Quote(v.v.Text())
	case KindBytes:
		return fmt.Sprintf("%q", []byte(v.v.Text()))
	}
	return v.Kind().String()
}
