package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// do sends a message and decodes the answer into another, which use then checks.
func (c *OTSClient) do(ctx context.Context, action string, request, answer proto.Message, use func() error) (ResponseMeta, error) {
	k := c.begin(action)
	return k.sendMessage(ctx, request, answer, use)
}

// sendMessage is do for a call that has begun.
func (k *call) sendMessage(ctx context.Context, request, answer proto.Message, use func() error) (ResponseMeta, error) {
	body, err := proto.Marshal(request)
	if err != nil {
		return ResponseMeta{}, unencodable(k.action, err)
	}
	return k.send(ctx, body, func(body []byte) error {
		if err := proto.Unmarshal(body, answer); err != nil {
			return err
		}
		return use()
	})
}

// asItIs is for an answer that needs no check.
func asItIs() error { return nil }

// send sends an encoded message and has the answer's body decoded. What is decoded may
// be parts of the body: nobody else has it.
func (k *call) send(ctx context.Context, body []byte, decode func(body []byte) error) (ResponseMeta, error) {
	resp, err := k.do(ctx, body)
	if err != nil {
		return ResponseMeta{}, err
	}
	meta := ResponseMeta{RequestID: resp.RequestID, Attempts: resp.Attempts}
	if err := decode(resp.Body); err != nil {
		return meta, k.logged(ctx, meta.broken(k.action, err))
	}
	return meta, nil
}

// unencodable is the error of a request that protobuf refuses.
func unencodable(action string, err error) error {
	return &otsauth.ConfigError{Field: "request", Problem: "of " + action + " cannot be encoded: " + err.Error()}
}

// broken is the error of an answer that was signed and cannot be decoded.
func (m ResponseMeta) broken(action string, err error) *Error {
	e := &Error{Action: action, RequestID: m.RequestID, Attempts: m.Attempts, Err: fmt.Errorf("the answer cannot be decoded: %w", err)}
	if errors.Is(err, errInexpressible) {
		e.Hint = "read it with a client that has another Encoding; nil is UTF-8"
	}
	e.mark(!isRead(action))
	return e
}

// encodeKey checks a primary key and returns it in PlainBuffer.
func (t text) encodeKey(key PrimaryKey) ([]byte, error) {
	cells, err := t.appendKey(make([]pb.Cell, 0, len(key)), key)
	if err != nil {
		return nil, err
	}
	return pb.Append(nil, &pb.Row{PrimaryKey: cells}), nil
}

// appendKey checks a primary key and appends its cells.
func (t text) appendKey(cells []pb.Cell, key PrimaryKey) ([]pb.Cell, error) {
	if len(key) == 0 {
		return cells, &otsauth.ConfigError{Field: "primary key", Problem: "is empty; give all primary key columns of the table"}
	}
	for i := range key {
		cells = append(cells, pb.Cell{})
		if err := t.setCell(&cells[len(cells)-1], key[i].Name, &key[i].Value); err != nil {
			return cells, err
		}
	}
	return cells, nil
}

// appendColumns checks attribute columns and appends their cells.
func (t text) appendColumns(cells []pb.Cell, columns []Column) ([]pb.Cell, error) {
	for i := range columns {
		c := &columns[i]
		cells = append(cells, pb.Cell{})
		cell := &cells[len(cells)-1]
		if err := t.setCell(cell, c.Name, &c.Value); err != nil {
			return cells, err
		}
		if !c.Timestamp.IsZero() {
			cell.HasTimestamp, cell.Timestamp = true, c.Timestamp.UnixMilli()
		}
	}
	return cells, nil
}

// cell is setCell for a cell of its own.
func (t text) cell(name string, v Value) (cell pb.Cell, err error) {
	err = t.setCell(&cell, name, &v)
	return cell, err
}

// setCell checks a column's name and value, and sets them in an empty cell. It
// refuses what would be sent as something else than it says.
func (t text) setCell(cell *pb.Cell, name string, v *Value) error {
	if t.isPlain(name) && v.isPlain() {
		cell.Name, cell.Value = name, v.v
		return nil
	}
	return t.convertCell(cell, name, v)
}

// isPlain reports whether a column's name is sent as it is.
func (t text) isPlain(name string) bool {
	return t.encoding == nil && name != "" && utf8.ValidString(name)
}

// isPlain reports whether a value is sent as it is by a client without an encoding.
func (v *Value) isPlain() bool {
	if v.v.Kind() == pb.String {
		return utf8.ValidString(v.v.Text())
	}
	return !v.v.IsZero()
}

// convertCell is setCell for what is not sent as it is, or not at all.
func (t text) convertCell(cell *pb.Cell, name string, v *Value) (err error) {
	if cell.Name, err = t.column(name); err != nil {
		return err
	}
	cell.Value = v.v
	switch v.Kind() {
	case KindNone:
		return &otsauth.ConfigError{Field: "column " + name, Problem: "has no value; use client.Int, client.String and so on"}
	case KindString:
		content, problem := t.out(v.v.Text())
		if problem != "" {
			return &otsauth.ConfigError{Field: "column " + name, Problem: "has a string that " + problem + "; use client.Bytes"}
		}
		if t.encoding != nil {
			cell.Value = pb.StringValue(content)
		}
	}
	return nil
}

// table checks a table's name and returns it as it is sent. The service has
// more rules.
func (t text) table(name string) (string, error) { return t.named("table name", name) }

// named is table for the name in a field.
func (t text) named(field, name string) (string, error) {
	if name == "" {
		return "", &otsauth.ConfigError{Field: field, Problem: "is empty"}
	}
	sent, problem := t.out(name)
	if problem != "" {
		return "", &otsauth.ConfigError{Field: field, Problem: problem}
	}
	return sent, nil
}

// column checks a column's name and returns it as it is sent.
func (t text) column(name string) (string, error) {
	if name == "" {
		return "", &otsauth.ConfigError{Field: "column", Problem: "has an empty name"}
	}
	sent, problem := t.out(name)
	if problem != "" {
		return "", &otsauth.ConfigError{Field: "column", Problem: "has a name that " + problem}
	}
	return sent, nil
}

// atLeastOne returns a number for the wire.
func atLeastOne(field string, n int) (int32, error) {
	if n < 1 || n > math.MaxInt32 {
		return 0, &otsauth.ConfigError{Field: field, Problem: fmt.Sprintf("is %d; it must be from 1 to %d, or zero for the default", n, math.MaxInt32)}
	}
	return int32(n), nil
}

// orNil returns a number as messages have it, where zero is none.
func orNil(n int32) *int32 {
	if n == 0 {
		return nil
	}
	return &n
}

// message returns the throughput on the wire.
func (c Capacity) message(field string) (*otspb.CapacityUnit, error) {
	if c.Read < 0 || c.Read > math.MaxInt32 || c.Write < 0 || c.Write > math.MaxInt32 {
		return nil, &otsauth.ConfigError{Field: field, Problem: fmt.Sprintf("is %d and %d; neither may be negative, or above %d", c.Read, c.Write, math.MaxInt32)}
	}
	return &otspb.CapacityUnit{Read: proto.Int32(int32(c.Read)), Write: proto.Int32(int32(c.Write))}, nil
}

// capacityOf returns the throughput in a message.
func capacityOf(cu *otspb.CapacityUnit) Capacity {
	return Capacity{Read: int(cu.GetRead()), Write: int(cu.GetWrite())}
}

func errNilRequest() error {
	return &otsauth.ConfigError{Field: "request", Problem: "is nil"}
}
