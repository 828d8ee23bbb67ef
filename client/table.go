package client

import (
	"cmp"
	"context"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

// A ListTableResponse is the result of [OTSClient.ListTable].
type ListTableResponse struct {
	ResponseMeta
	// Tables are the tables' names.
	Tables []string
}

// ListTable returns the names of the instance's tables. The error is an [*Error].
func (c *OTSClient) ListTable(ctx context.Context) (*ListTableResponse, error) {
	var answer otspb.ListTableResponse
	var tables []string
	meta, err := c.do(ctx, "ListTable", &otspb.ListTableRequest{}, &answer, func() (err error) {
		tables, err = c.text.namesIn(answer.GetTableNames())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ListTableResponse{ResponseMeta: meta, Tables: tables}, nil
}

// KeyType is the type of a primary key column.
type KeyType int

// The types of primary key columns.
const (
	KeyInteger KeyType = iota + 1
	KeyString
	KeyBinary
)

// A KeySchema is one primary key column of a table.
type KeySchema struct {
	Name string
	Type KeyType
	// AutoIncrement lets the service choose the values of an integer column that
	// is not the first.
	AutoIncrement bool
}

// A CreateTableRequest is the argument of [OTSClient.CreateTable].
type CreateTableRequest struct {
	Table string
	// PrimaryKey are 1 to 4 columns; the first decides on the partition.
	PrimaryKey []KeySchema
	// TimeToLive is how long data is kept, in whole seconds. Zero: [Forever].
	TimeToLive time.Duration
	// MaxVersions is how many versions of a column are kept. Zero: 1.
	MaxVersions int
	// Reserved is the throughput that is paid for whether used or not. Zero:
	// none.
	Reserved Capacity
	// MaxTimeDeviation is how far a version's timestamp may lie from the
	// service's time, in whole seconds. Zero: the service's default, a day.
	MaxTimeDeviation time.Duration
	// UpdateForbidden lets rows be put and not updated.
	UpdateForbidden bool
	// DefinedColumns are attribute columns that Indexes name.
	DefinedColumns []DefinedColumn
	// Indexes are secondary indexes.
	Indexes []Index
	// Stream keeps a record of changes. Nil: none.
	Stream *Stream
}

// A CreateTableResponse is the result of [OTSClient.CreateTable].
type CreateTableResponse struct{ ResponseMeta }

// CreateTable makes a table. It takes the service a few seconds until the table
// can be used; until then requests fail with CodeTableNotReady, which the
// default policy repeats. The error is a [*otsauth.ConfigError] for a request
// that cannot be encoded, or an [*Error].
func (c *OTSClient) CreateTable(ctx context.Context, req *CreateTableRequest) (*CreateTableResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	message, err := req.message(c.text)
	if err != nil {
		return nil, err
	}
	meta, err := c.do(ctx, "CreateTable", message, &otspb.CreateTableResponse{}, asItIs)
	if err != nil {
		return nil, err
	}
	return &CreateTableResponse{meta}, nil
}

// message checks the request and returns it on the wire.
func (r *CreateTableRequest) message(t text) (*otspb.CreateTableRequest, error) {
	table, err := t.table(r.Table)
	if err != nil {
		return nil, err
	}
	key, err := keySchemas(t, r.PrimaryKey)
	if err != nil {
		return nil, err
	}
	reserved, err := r.Reserved.message("Reserved")
	if err != nil {
		return nil, err
	}
	options, err := (&TableOptions{
		cmp.Or(r.TimeToLive, Forever), cmp.Or(r.MaxVersions, 1), r.MaxTimeDeviation, r.UpdateForbidden,
	}).message()
	if err != nil {
		return nil, err
	}
	columns, err := definedColumns(t, r.DefinedColumns)
	if err != nil {
		return nil, err
	}
	metas, err := indexes(t, r.Indexes)
	if err != nil {
		return nil, err
	}
	stream, err := r.Stream.message()
	if err != nil {
		return nil, err
	}
	return &otspb.CreateTableRequest{
		TableMeta:          &otspb.TableMeta{TableName: &table, PrimaryKey: key, DefinedColumn: columns},
		ReservedThroughput: &otspb.ReservedThroughput{CapacityUnit: reserved},
		TableOptions:       options,
		StreamSpec:         stream,
		IndexMetas:         metas,
	}, nil
}

func keySchemas(t text, columns []KeySchema) ([]*otspb.PrimaryKeySchema, error) {
	schemas := make([]*otspb.PrimaryKeySchema, len(columns))
	for i, c := range columns {
		name, err := t.column(c.Name)
		if err != nil {
			return nil, err
		}
		if c.Type < KeyInteger || c.Type > KeyBinary {
			return nil, &otsauth.ConfigError{Field: "primary key column " + c.Name, Problem: "has no type; set KeyInteger, KeyString or KeyBinary"}
		}
		schemas[i] = &otspb.PrimaryKeySchema{Name: &name, Type: otspb.PrimaryKeyType(c.Type).Enum()}
		if c.AutoIncrement {
			schemas[i].Option = otspb.PrimaryKeyOption_AUTO_INCREMENT.Enum()
		}
	}
	return schemas, nil
}
