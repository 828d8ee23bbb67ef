package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
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
// versions of one column newest first. The rows of one answer share memory, which
// lives as long as any of them does: to keep a few of many, keep their clones.
type Row struct {
	PrimaryKey PrimaryKey
	Columns    []Column
}

// Clone returns a copy that shares no memory with r; nil for nil.
func (r *Row) Clone() *Row {
	if r == nil {
		return nil
	}
	clone := &Row{PrimaryKey: slices.Clone(r.PrimaryKey), Columns: slices.Clone(r.Columns)}
	for i := range clone.PrimaryKey {
		c := &clone.PrimaryKey[i]
		c.Name, c.Value = strings.Clone(c.Name), c.Value.clone()
	}
	for i := range clone.Columns {
		c := &clone.Columns[i]
		c.Name, c.Value = strings.Clone(c.Name), c.Value.clone()
	}
	return clone
}

// Get returns the newest version of a column, or the value of a primary key
// column; ok is false if the row has neither. A nil Row, which is what a read
// of no row returns, has no column.
func (r *Row) Get(name string) (v Value, ok bool) {
	if r == nil {
		return Value{}, false
	}
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
	// Column must pass the row as it is, if there is one. Nil: no column counts.
	Column Filter
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
	// Return is what the answer has of the row. Zero: nothing.
	Return ReturnType
	// ReturnColumns are the columns of ReturnAfterModify.
	ReturnColumns []string
}

// A PutRowResponse is the result of [OTSClient.PutRow].
type PutRowResponse struct {
	ResponseMeta
	Consumed Capacity
	// Row is what Return asked for, or nil.
	Row *Row
}

// PutRow writes a row; one with the same primary key is replaced as a whole. The
// error is a [*otsauth.ConfigError] for a request that cannot be encoded, or an
// [*Error].
func (c *OTSClient) PutRow(ctx context.Context, req *PutRowRequest) (*PutRowResponse, error) {
	meta, got, err := c.writeRow(ctx, "PutRow", req)
	if err != nil {
		return nil, err
	}
	return &PutRowResponse{meta, got.consumed, got.row}, nil
}

func (r *PutRowRequest) write(t text, w *written) (err error) {
	if r == nil {
		return errNilRequest()
	}
	if w.row.Columns, err = t.appendColumns(w.row.Columns, r.Columns); err != nil {
		return err
	}
	return w.common(t, otspb.OperationType_PUT, r.Table, r.PrimaryKey, r.Condition, r.Return, r.ReturnColumns)
}

// A GetRowRequest is the argument of [OTSClient.GetRow].
type GetRowRequest struct {
	Table      string
	PrimaryKey PrimaryKey
	// Columns are the columns to get. None: all.
	Columns []string
	// MaxVersions is how many versions of a column to get. Zero: 1.
	MaxVersions int
	// Times chooses versions by their timestamps. Nil: any.
	Times *TimeRange
	// Filter must pass the row, else it counts as absent. Nil: none.
	Filter Filter
	// StartColumn and EndColumn bound the columns to get by their names, from
	// StartColumn, exclusive of EndColumn. Empty: no bound.
	StartColumn, EndColumn string
	// Token is NextToken of the answer with the row's columns before. Nil: from
	// the first.
	Token []byte
}

// A GetRowResponse is the result of [OTSClient.GetRow].
type GetRowResponse struct {
	ResponseMeta
	Consumed Capacity
	// Row is nil if there is no such row, or it has none of the columns.
	Row *Row
	// NextToken is set if the row has more columns than one answer holds.
	NextToken []byte
}

// GetRow reads a row. That it does not exist is no error. The error is a
// [*otsauth.ConfigError] for a request that cannot be encoded, or an [*Error].
func (c *OTSClient) GetRow(ctx context.Context, req *GetRowRequest) (*GetRowResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	k := c.begin("GetRow")
	body, err := encodeGetRow(c.text, req)
	if err != nil {
		return nil, err
	}
	meta, got, err := k.sendRow(ctx, body)
	if err != nil {
		return nil, err
	}
	return &GetRowResponse{meta, got.consumed, got.row, got.token}, nil
}

// encode checks the condition and returns its parts on the wire; nil is none.
func (c *Condition) encode(t text) (existence otspb.RowExistenceExpectation, filter []byte, err error) {
	if c == nil {
		return otspb.RowExistenceExpectation_IGNORE, nil, nil
	}
	switch c.RowExistence {
	case Ignore:
		existence = otspb.RowExistenceExpectation_IGNORE
	case ExpectExist:
		existence = otspb.RowExistenceExpectation_EXPECT_EXIST
	case ExpectNotExist:
		existence = otspb.RowExistenceExpectation_EXPECT_NOT_EXIST
	default:
		return 0, nil, &otsauth.ConfigError{Field: "RowExistence", Problem: "is none of Ignore, ExpectExist and ExpectNotExist"}
	}
	if c.Column == nil {
		return existence, nil, nil
	}
	column, err := comparison(c.Column, "a condition")
	if err != nil {
		return 0, nil, err
	}
	filter, err = encodeFilter(t, column)
	return existence, filter, err
}
