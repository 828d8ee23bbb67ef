package client

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// A KeyColumn is one column of a primary key.
type KeyColumn struct {
	Name  string
	Value Value
}

// A PrimaryKey names a row: all primary key columns, in the table's order.
type PrimaryKey []KeyColumn

// A Column is one version of an attribute column.
type Column struct {
	Name  string
	Value Value
	// Timestamp is the version's, in whole milliseconds. Zero in a request: the
	// service's time.
	Timestamp time.Time
}

// A Row is a row that was read. Columns are in the order of their names, the
// versions of one column newest first.
type Row struct {
	PrimaryKey PrimaryKey
	Columns    []Column
}

// Get returns the newest version of a column, or the value of a primary key
// column; ok is false if the row has neither.
func (r *Row) Get(name string) (v Value, ok bool) {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return r.Columns[i].Value, true
		}
	}
	for i := range r.PrimaryKey {
		if r.PrimaryKey[i].Name == name {
			return r.PrimaryKey[i].Value, true
		}
	}
	return Value{}, false
}

// RowExistence is what a write expects of the row as it is.
type RowExistence int

// The expectations; a write that finds another state fails with
// CodeConditionCheckFail.
const (
	Ignore         RowExistence = iota // none
	ExpectExist                        // the row exists
	ExpectNotExist                     // the row does not exist
)

// A Condition must hold for a write to happen. Nil: none.
type Condition struct {
	RowExistence RowExistence
}

// ResponseMeta is part of each response.
type ResponseMeta struct {
	// RequestID is the service's name of the request.
	RequestID string
	// Attempts is how many requests were sent.
	Attempts int
}

// Capacity is read and write throughput, in capacity units.
type Capacity struct{ Read, Write int }

// A PutRowRequest is the argument of [OTSClient.PutRow].
type PutRowRequest struct {
	Table      string
	PrimaryKey PrimaryKey
	Columns    []Column
	Condition  *Condition
}

// A PutRowResponse is the result of [OTSClient.PutRow].
type PutRowResponse struct {
	ResponseMeta
	Consumed Capacity
}

// PutRow writes a row; one with the same primary key is replaced as a whole. The
// error is a [*otsauth.ConfigError] for a request that cannot be encoded, or an
// [*Error].
func (c *OTSClient) PutRow(ctx context.Context, req *PutRowRequest) (*PutRowResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	row, err := encodeRow(req.Table, req.PrimaryKey, req.Columns)
	if err != nil {
		return nil, err
	}
	var answer otspb.PutRowResponse
	meta, err := c.do(ctx, "PutRow", &otspb.PutRowRequest{
		TableName: &req.Table,
		Row:       row,
		Condition: req.Condition.message(),
	}, &answer)
	if err != nil {
		return nil, err
	}
	return &PutRowResponse{ResponseMeta: meta, Consumed: capacity(answer.GetConsumed().GetCapacityUnit())}, nil
}

// A GetRowRequest is the argument of [OTSClient.GetRow].
type GetRowRequest struct {
	Table      string
	PrimaryKey PrimaryKey
	// Columns are the columns to get. None: all.
	Columns []string
	// MaxVersions is how many versions of a column to get. Zero: 1.
	MaxVersions int
}

// A GetRowResponse is the result of [OTSClient.GetRow].
type GetRowResponse struct {
	ResponseMeta
	Consumed Capacity
	// Row is nil if there is no such row, or it has none of the columns.
	Row *Row
}

// GetRow reads a row. That it does not exist is no error. The error is a
// [*otsauth.ConfigError] for a request that cannot be encoded, or an [*Error].
func (c *OTSClient) GetRow(ctx context.Context, req *GetRowRequest) (*GetRowResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	key, err := encodeRow(req.Table, req.PrimaryKey, nil)
	if err != nil {
		return nil, err
	}
	var answer otspb.GetRowResponse
	meta, err := c.do(ctx, "GetRow", &otspb.GetRowRequest{
		TableName:    &req.Table,
		PrimaryKey:   key,
		ColumnsToGet: req.Columns,
		MaxVersions:  proto.Int32(int32(max(req.MaxVersions, 1))), //nolint:gosec // the service refuses what is out of range
	}, &answer)
	if err != nil {
		return nil, err
	}
	response := &GetRowResponse{ResponseMeta: meta, Consumed: capacity(answer.GetConsumed().GetCapacityUnit())}
	if len(answer.GetRow()) == 0 {
		return response, nil
	}
	rows, err := pb.Decode(answer.GetRow())
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("the answer has %d rows, not one", len(rows))
	}
	if err != nil {
		return nil, meta.broken("GetRow", err)
	}
	response.Row = decodeRow(&rows[0])
	return response, nil
}

// do sends a message and decodes the answer into another.
func (c *OTSClient) do(ctx context.Context, action string, request, answer proto.Message) (ResponseMeta, error) {
	body, err := proto.Marshal(request)
	if err != nil {
		return ResponseMeta{}, &otsauth.ConfigError{Field: "request", Problem: "of " + action + " cannot be encoded: " + err.Error()}
	}
	resp, err := c.Do(ctx, action, body)
	if err != nil {
		return ResponseMeta{}, err
	}
	meta := ResponseMeta{RequestID: resp.RequestID, Attempts: resp.Attempts}
	if err := proto.Unmarshal(resp.Body, answer); err != nil {
		return meta, meta.broken(action, err)
	}
	return meta, nil
}

// broken is the error of an answer that was signed and cannot be decoded.
func (m ResponseMeta) broken(action string, err error) *Error {
	return &Error{Action: action, RequestID: m.RequestID, Attempts: m.Attempts, Err: fmt.Errorf("the answer cannot be decoded: %w", err)}
}

// encodeRow checks a row of a table and returns it in PlainBuffer.
func encodeRow(table string, key PrimaryKey, columns []Column) ([]byte, error) {
	if err := checkTable(table); err != nil {
		return nil, err
	}
	row := pb.Row{PrimaryKey: make([]pb.Cell, len(key)), Columns: make([]pb.Cell, len(columns))}
	if len(key) == 0 {
		return nil, &otsauth.ConfigError{Field: "primary key", Problem: "is empty; give all primary key columns of the table"}
	}
	for i, c := range key {
		if err := checkColumn(c.Name, c.Value); err != nil {
			return nil, err
		}
		row.PrimaryKey[i] = pb.Cell{Name: c.Name, Value: c.Value.v}
	}
	for i, c := range columns {
		if err := checkColumn(c.Name, c.Value); err != nil {
			return nil, err
		}
		row.Columns[i] = pb.Cell{Name: c.Name, Value: c.Value.v}
		if !c.Timestamp.IsZero() {
			row.Columns[i].HasTimestamp, row.Columns[i].Timestamp = true, c.Timestamp.UnixMilli()
		}
	}
	return pb.Append(nil, &row), nil
}

// checkTable refuses what cannot be a table's name. The service has more rules.
func checkTable(name string) error {
	switch {
	case name == "":
		return &otsauth.ConfigError{Field: "table name", Problem: "is empty"}
	case !utf8.ValidString(name):
		return &otsauth.ConfigError{Field: "table name", Problem: "is not UTF-8"}
	}
	return nil
}

// checkColumn refuses what would be sent as something else than it says.
func checkColumn(name string, v Value) error {
	switch {
	case name == "":
		return &otsauth.ConfigError{Field: "column", Problem: "has an empty name"}
	case !utf8.ValidString(name):
		return &otsauth.ConfigError{Field: "column", Problem: "has a name that is not UTF-8"}
	case v.Kind() == KindNone:
		return &otsauth.ConfigError{Field: "column " + name, Problem: "has no value; use client.Int, client.String and so on"}
	case v.Kind() == KindString && !utf8.ValidString(v.v.Text()):
		return &otsauth.ConfigError{Field: "column " + name, Problem: "has a string that is not UTF-8; use client.Bytes"}
	}
	return nil
}

// decodeRow turns a decoded row into the public form.
func decodeRow(r *pb.Row) *Row {
	row := &Row{PrimaryKey: make(PrimaryKey, len(r.PrimaryKey)), Columns: make([]Column, len(r.Columns))}
	for i := range r.PrimaryKey {
		row.PrimaryKey[i] = KeyColumn{r.PrimaryKey[i].Name, Value{r.PrimaryKey[i].Value}}
	}
	for i := range r.Columns {
		row.Columns[i] = Column{Name: r.Columns[i].Name, Value: Value{r.Columns[i].Value}, Timestamp: time.UnixMilli(r.Columns[i].Timestamp)}
	}
	return row
}

// message returns the condition on the wire; nil is none.
func (c *Condition) message() *otspb.Condition {
	existence := otspb.RowExistenceExpectation_IGNORE
	if c != nil {
		existence = otspb.RowExistenceExpectation(c.RowExistence) //nolint:gosec // three values
	}
	return &otspb.Condition{RowExistence: &existence}
}

func capacity(cu *otspb.CapacityUnit) Capacity {
	return Capacity{Read: int(cu.GetRead()), Write: int(cu.GetWrite())}
}

func errNilRequest() error {
	return &otsauth.ConfigError{Field: "request", Problem: "is nil"}
}
