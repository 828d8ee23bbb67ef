package client

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/otsauth/otsauth/internal/otspb"
)

// oneRow is the answer of GetRow, PutRow, UpdateRow and DeleteRow.
type oneRow struct {
	consumed Capacity
	row      *Row // nil: none
	token    []byte
}

// sendRow sends the encoded request of an action on one row and decodes the answer.
func (k *call) sendRow(ctx context.Context, body []byte) (meta ResponseMeta, one oneRow, err error) {
	meta, err = k.send(ctx, body, func(body []byte) (err error) {
		one, err = k.client.text.decodeOneRow(body)
		return err
	})
	return meta, one, err
}

// writeRow checks and sends one write.
func (c *OTSClient) writeRow(ctx context.Context, action string, w Write) (ResponseMeta, oneRow, error) {
	k := c.begin(action)
	body, cumulative, err := encodeWrite(c.text, w)
	if err != nil {
		return ResponseMeta{}, oneRow{}, err
	}
	k.cumulative = cumulative
	return k.sendRow(ctx, body)
}

// decodeOneRow decodes the body of an answer. The four actions number its fields
// alike: what was consumed is field 1, the row 2, and GetRow's token 3.
func (t text) decodeOneRow(body []byte) (one oneRow, err error) {
	var row []byte
	one.consumed, err = decodeFields(body, func(f field) {
		switch {
		case f.is(2, protowire.BytesType):
			row = f.bytes
		case f.is(3, protowire.BytesType):
			one.token = bytes.Clone(f.bytes)
		}
	})
	if err != nil {
		return oneRow{}, err
	}
	one.row, err = t.decodeOptional(textOf(row))
	return one, err
}

// decodeRange decodes the body of GetRange's answer: the rows are field 2, where the
// next page starts 3, the token 4, and the form of the rows 5 and 6.
func (t text) decodeRange(body []byte) (*GetRangeResponse, error) {
	var (
		response      = &GetRangeResponse{}
		rows, next    []byte
		form, squeeze uint64
		err           error
	)
	response.Consumed, err = decodeFields(body, func(f field) {
		switch {
		case f.is(2, protowire.BytesType):
			rows = f.bytes
		case f.is(3, protowire.BytesType):
			next = f.bytes
		case f.is(4, protowire.BytesType):
			response.NextToken = bytes.Clone(f.bytes)
		case f.is(5, protowire.VarintType):
			form = f.varint
		case f.is(6, protowire.VarintType):
			squeeze = f.varint
		}
	})
	switch {
	case err != nil:
		return nil, err
	case rows == nil:
		return nil, errors.New("it has no rows, not even an empty list")
	case form != uint64(otspb.DataBlockType_DBT_PLAIN_BUFFER), squeeze != uint64(otspb.CompressType_CPT_NONE):
		return nil, errors.New("its rows are in a form that was not asked for")
	}
	if response.Rows, err = t.appendRows(nil, textOf(rows)); err != nil {
		return nil, err
	}
	first, err := t.decodeOptional(string(next)) // a copy, which does not keep the rows
	if first != nil {
		response.Next = first.PrimaryKey
	}
	return response, err
}

// textOf returns a part of an answer's body as a string without a copy, which would
// be most of what is allocated for an answer: the body is the client's own, and nobody
// writes to it any more.
func textOf(part []byte) string {
	return unsafe.String(unsafe.SliceData(part), len(part)) //nolint:gosec // see above
}

// decodeFields decodes the answer of an action that reads or writes rows: what was
// consumed is field 1, and other gets the rest. (The runtime of protobuf takes a dozen
// allocations for one row, which a call notices, and copies the rows of a range.)
func decodeFields(body []byte, other func(field)) (consumed Capacity, err error) {
	counted := false
	for f, err := range fields(body) {
		if err != nil {
			return Capacity{}, err
		}
		if !f.is(1, protowire.BytesType) {
			other(f)
			continue
		}
		ok, err := consumed.decode(f.bytes)
		if err != nil {
			return Capacity{}, err
		}
		counted = counted || ok
	}
	if !counted {
		return Capacity{}, errors.New("it does not say what was consumed")
	}
	return consumed, nil
}

// decode reads a ConsumedCapacity, and reports whether it has the capacity units,
// as it must.
func (c *Capacity) decode(message []byte) (ok bool, err error) {
	for f, err := range fields(message) {
		if err != nil {
			return false, err
		}
		if !f.is(1, protowire.BytesType) {
			continue
		}
		ok = true
		for unit, err := range fields(f.bytes) {
			switch {
			case err != nil:
				return false, err
			case unit.is(1, protowire.VarintType):
				c.Read = int(int32(unit.varint)) //nolint:gosec // an int32 on the wire
			case unit.is(2, protowire.VarintType):
				c.Write = int(int32(unit.varint)) //nolint:gosec // an int32 on the wire
			}
		}
	}
	return ok, nil
}

// field is one field of a protobuf message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	varint uint64 // of a VarintType
	bytes  []byte // of a BytesType, a part of the message
}

func (f *field) is(number protowire.Number, kind protowire.Type) bool {
	return f.number == number && f.kind == kind
}

// fields yields the fields of a message. An error is the last thing it yields.
func fields(message []byte) iter.Seq2[field, error] {
	return func(yield func(field, error) bool) {
		for len(message) > 0 {
			var f field
			var tag, n int
			if f.number, f.kind, tag = protowire.ConsumeTag(message); tag < 0 {
				yield(f, protowire.ParseError(tag))
				return
			}
			switch rest := message[tag:]; f.kind {
			case protowire.VarintType:
				f.varint, n = protowire.ConsumeVarint(rest)
			case protowire.BytesType:
				f.bytes, n = protowire.ConsumeBytes(rest)
			default:
				n = protowire.ConsumeFieldValue(f.number, f.kind, rest)
			}
			if n < 0 {
				yield(f, protowire.ParseError(n))
				return
			}
			if message = message[tag+n:]; !yield(f, nil) {
				return
			}
		}
	}
}
