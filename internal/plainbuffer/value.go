package plainbuffer

import (
	"cmp"
	"math"
	"strings"
)

// Kind is the type byte of a value on the wire.
type Kind byte

// The kinds that the official SDKs read and write.
const (
	Integer       Kind = 0x00
	Double        Kind = 0x01
	Boolean       Kind = 0x02
	String        Kind = 0x03
	Null          Kind = 0x06
	Blob          Kind = 0x07
	InfMin        Kind = 0x09
	InfMax        Kind = 0x0A
	AutoIncrement Kind = 0x0B
)

// String returns the service's own name of the kind, as its messages have it.
func (k Kind) String() string {
	switch k {
	case Integer:
		return "VT_INTEGER"
	case Double:
		return "VT_DOUBLE"
	case Boolean:
		return "VT_BOOLEAN"
	case String:
		return "VT_STRING"
	case Null:
		return "VT_NULL"
	case Blob:
		return "VT_BLOB"
	case InfMin:
		return "VT_INF_MIN"
	case InfMax:
		return "VT_INF_MAX"
	case AutoIncrement:
		return "VT_AUTO_INCREMENT"
	}
	return "VT_UNKNOWN"
}

// A Value is one immutable typed value. The zero Value is none.
type Value struct {
	kind Kind
	set  bool   // not the zero Value
	num  uint64 // Integer, Double's bits, Boolean
	text string // String, Blob
}

// IntValue returns an Integer.
func IntValue(v int64) Value { return Value{set: true, kind: Integer, num: uint64(v)} } //nolint:gosec // the same 64 bits

// DoubleValue returns a Double.
func DoubleValue(v float64) Value { return Value{set: true, kind: Double, num: math.Float64bits(v)} }

// BoolValue returns a Boolean.
func BoolValue(v bool) Value {
	if v {
		return Value{set: true, kind: Boolean, num: 1}
	}
	return Value{set: true, kind: Boolean}
}

// StringValue returns a String.
func StringValue(v string) Value { return Value{set: true, kind: String, text: v} }

// BlobValue returns a Blob of v's bytes.
func BlobValue(v string) Value { return Value{set: true, kind: Blob, text: v} }

// MarkValue returns a value that has no payload: Null, InfMin, InfMax, AutoIncrement.
func MarkValue(k Kind) Value { return Value{set: true, kind: k} }

// IsZero reports whether v is the zero Value.
func (v Value) IsZero() bool { return !v.set }

// Kind returns the value's kind.
func (v Value) Kind() Kind { return v.kind }

// Int returns an Integer's number.
func (v Value) Int() int64 { return int64(v.num) } //nolint:gosec // the same 64 bits

// Double returns a Double's number.
func (v Value) Double() float64 { return math.Float64frombits(v.num) }

// Bool returns a Boolean's truth.
func (v Value) Bool() bool { return v.num != 0 }

// Text returns a String's text or a Blob's bytes.
func (v Value) Text() string { return v.text }

// Clone returns a copy that shares no memory with v.
func (v Value) Clone() Value {
	v.text = strings.Clone(v.text)
	return v
}

// Compare orders values as Tablestore orders primary keys: InfMin, then by
// kind, then by content (strings and blobs bytewise), then InfMax.
func (v Value) Compare(w Value) int {
	if c := cmp.Compare(v.rank(), w.rank()); c != 0 {
		return c
	}
	switch v.kind {
	case Integer:
		return cmp.Compare(v.Int(), w.Int())
	case Double:
		return cmp.Compare(v.Double(), w.Double())
	case Boolean:
		return cmp.Compare(v.num, w.num)
	}
	return strings.Compare(v.text, w.text)
}

func (v Value) rank() int {
	switch v.kind {
	case InfMin:
		return -1
	case InfMax:
		return 1 << 8
	}
	return int(v.kind)
}

// size is the length of the value on the wire, its type byte included.
func (v Value) size() int {
	switch v.kind {
	case Integer, Double:
		return 1 + 8
	case Boolean:
		return 1 + 1
	case String, Blob:
		return 1 + 4 + len(v.text)
	}
	return 1
}
