package client

import (
	"context"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// ReturnType is what a write answers of the row.
type ReturnType int

// What a write can answer.
const (
	ReturnNone        ReturnType = iota // nothing
	ReturnPrimaryKey                    // the primary key, with auto-increment values
	ReturnAfterModify                   // ReturnColumns as they are after the write
)

// A Write is one row of [OTSClient.BatchWriteRow]: a [*PutRowRequest], an
// [*UpdateRowRequest] or a [*DeleteRowRequest]; anything else is refused.
type Write interface {
	// write checks the request and fills in w.
	write(t text, w *written) error
}

// A Change is a change of one column in [UpdateRowRequest]. Make it with
// PutColumn, PutVersion, DeleteColumn, DeleteVersion or IncrementColumn.
type Change struct {
	name  string
	op    pb.Op
	value Value
	// versioned says that time must be set.
	versioned bool
	time      time.Time
}

// PutColumn writes a version of a column with the service's time as timestamp.
func PutColumn(name string, v Value) Change { return Change{name: name, value: v} }

// PutVersion writes a version of a column with a timestamp, in whole
// milliseconds.
func PutVersion(name string, v Value, timestamp time.Time) Change {
	return Change{name: name, value: v, versioned: true, time: timestamp}
}

// DeleteColumn deletes all versions of a column.
func DeleteColumn(name string) Change { return Change{name: name, op: pb.DeleteAllVersions} }

// DeleteVersion deletes the version of a column with that timestamp, in whole
// milliseconds.
func DeleteVersion(name string, timestamp time.Time) Change {
	return Change{name: name, op: pb.DeleteOneVersion, versioned: true, time: timestamp}
}

// IncrementColumn adds n to an integer column; one that is missing counts as 0.
// The sum is in the answer under [ReturnAfterModify].
func IncrementColumn(name string, n int64) Change {
	return Change{name: name, op: pb.Increment, value: Int(n)}
}

// cell checks the change and returns it on the wire.
func (c Change) cell(t text) (cell pb.Cell, err error) {
	if c.versioned && c.time.IsZero() {
		return pb.Cell{}, &otsauth.ConfigError{
			Field: "column " + c.name, Problem: "has no timestamp of the version; PutColumn takes the service's time, DeleteColumn deletes all versions",
		}
	}
	switch c.op {
	case pb.DeleteAllVersions, pb.DeleteOneVersion:
		cell.Absent = true
		cell.Name, err = t.column(c.name)
	default:
		cell, err = t.cell(c.name, c.value)
	}
	if err != nil {
		return pb.Cell{}, err
	}
	cell.Op = c.op
	if !c.time.IsZero() {
		cell.HasTimestamp, cell.Timestamp = true, c.time.UnixMilli()
	}
	return cell, nil
}

// An UpdateRowRequest is the argument of [OTSClient.UpdateRow].
type UpdateRowRequest struct {
	Table      string
	PrimaryKey PrimaryKey
	// Changes are one at least. Columns that none of them names stay as they are.
	Changes   []Change
	Condition *Condition
	// Return is what the answer has of the row. Zero: nothing.
	Return ReturnType
	// ReturnColumns are the columns of ReturnAfterModify.
	ReturnColumns []string
}

// An UpdateRowResponse is the result of [OTSClient.UpdateRow].
type UpdateRowResponse struct {
	ResponseMeta
	Consumed Capacity
	// Row is what Return asked for, or nil.
	Row *Row
}

// UpdateRow changes columns of a row, which it creates if there is none. The
// error is a [*otsauth.ConfigError] for a request that cannot be encoded, or an
// [*Error].
func (c *OTSClient) UpdateRow(ctx context.Context, req *UpdateRowRequest) (*UpdateRowResponse, error) {
	meta, got, err := c.writeRow(ctx, "UpdateRow", req)
	if err != nil {
		return nil, err
	}
	return &UpdateRowResponse{meta, got.consumed, got.row}, nil
}

func (r *UpdateRowRequest) write(t text, w *written) error {
	if r == nil {
		return errNilRequest()
	}
	if len(r.Changes) == 0 {
		return &otsauth.ConfigError{Field: "Changes", Problem: "is empty; give one change at least, or use PutRow"}
	}
	for i := range r.Changes {
		cell, err := r.Changes[i].cell(t)
		if err != nil {
			return err
		}
		w.row.Columns = append(w.row.Columns, cell)
	}
	return w.common(t, otspb.OperationType_UPDATE, r.Table, r.PrimaryKey, r.Condition, r.Return, r.ReturnColumns)
}

// A DeleteRowRequest is the argument of [OTSClient.DeleteRow].
type DeleteRowRequest struct {
	Table      string
	PrimaryKey PrimaryKey
	Condition  *Condition
	// Return is what the answer has of the row. Zero: nothing.
	Return ReturnType
	// ReturnColumns are the columns of ReturnAfterModify.
	ReturnColumns []string
}

// A DeleteRowResponse is the result of [OTSClient.DeleteRow].
type DeleteRowResponse struct {
	ResponseMeta
	Consumed Capacity
	// Row is what Return asked for, or nil.
	Row *Row
}

// DeleteRow deletes a row; that there is none is no error unless Condition says
// so. The error is a [*otsauth.ConfigError] for a request that cannot be
// encoded, or an [*Error].
func (c *OTSClient) DeleteRow(ctx context.Context, req *DeleteRowRequest) (*DeleteRowResponse, error) {
	meta, got, err := c.writeRow(ctx, "DeleteRow", req)
	if err != nil {
		return nil, err
	}
	return &DeleteRowResponse{meta, got.consumed, got.row}, nil
}

func (r *DeleteRowRequest) write(t text, w *written) error {
	if r == nil {
		return errNilRequest()
	}
	w.row.Deleted = true
	return w.common(t, otspb.OperationType_DELETE, r.Table, r.PrimaryKey, r.Condition, r.Return, r.ReturnColumns)
}

// returnContent returns what the answer is to have on the wire.
func returnContent(t text, what ReturnType, columns []string) (*otspb.ReturnContent, error) {
	if what < ReturnNone || what > ReturnAfterModify {
		return nil, &otsauth.ConfigError{Field: "Return", Problem: "is none of ReturnNone, ReturnPrimaryKey and ReturnAfterModify"}
	}
	if what != ReturnAfterModify && len(columns) > 0 {
		return nil, &otsauth.ConfigError{Field: "ReturnColumns", Problem: "needs Return to be ReturnAfterModify"}
	}
	if what == ReturnNone {
		return nil, nil
	}
	sent, err := t.names(columns)
	return &otspb.ReturnContent{ReturnType: otspb.ReturnType(what).Enum(), ReturnColumnNames: sent}, err
}
