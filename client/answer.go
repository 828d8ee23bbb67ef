package client

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
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
// alike: what was consumed is field 1, the row 2, and GetRow's token 3. (The runtime
// of protobuf takes a dozen allocations for that, which a call for one row notices.)
func (t text) decodeOneRow(body []byte) (one oneRow, err error) {
	var row []byte
	counted := false
	for f, err := range fields(body) {
		switch {
		case err != nil:
			return oneRow{}, err
		case f.is(1, protowire.BytesType):
			ok, err := one.consumed.decode(f.bytes)
			if err != nil {
				return oneRow{}, err
			}
			counted = counted || ok
		case f.is(2, protowire.BytesType):
			row = f.bytes
		case f.is(3, protowire.BytesType):
			one.token = bytes.Clone(f.bytes)
		}
	}
	if !counted {
		return oneRow{}, errors.New("it does not say what was consumed")
	}
	one.row, err = t.decodeOptional(string(row))
	return one, err
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
