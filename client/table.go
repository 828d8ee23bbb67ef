package client

import (
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

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
	meta, err := c.do(ctx, "ListTable", &otspb.ListTableRequest{}, &answer)
	if err != nil {
		return nil, err
	}
	return &ListTableResponse{ResponseMeta: meta, Tables: answer.GetTableNames()}, nil
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
	// TimeToLive is how long data is kept, in whole seconds. Zero: for ever.
	TimeToLive time.Duration
	// MaxVersions is how many versions of a column are kept. Zero: 1.
	MaxVersions int
	// Reserved is the throughput that is paid for whether used or not. Zero:
	// none.
	Reserved Capacity
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
	message, err := req.message()
	if err != nil {
		return nil, err
	}
	meta, err := c.do(ctx, "CreateTable", message, &otspb.CreateTableResponse{})
	if err != nil {
		return nil, err
	}
	return &CreateTableResponse{meta}, nil
}

// message checks the request and returns it on the wire.
func (r *CreateTableRequest) message() (*otspb.CreateTableRequest, error) {
	if err := checkTable(r.Table); err != nil {
		return nil, err
	}
	ttl := int64(-1)
	if r.TimeToLive != 0 {
		ttl = int64(r.TimeToLive / time.Second)
		if r.TimeToLive%time.Second != 0 || ttl < 0 || ttl > math.MaxInt32 {
			return nil, &otsauth.ConfigError{Field: "TimeToLive", Problem: fmt.Sprintf("is %s; it must be whole seconds, or zero for ever", r.TimeToLive)}
		}
	}
	meta := &otspb.TableMeta{TableName: &r.Table}
	for _, column := range r.PrimaryKey {
		if column.Type < KeyInteger || column.Type > KeyBinary {
			return nil, &otsauth.ConfigError{Field: "primary key column " + column.Name, Problem: "has no type; set KeyInteger, KeyString or KeyBinary"}
		}
		schema := &otspb.PrimaryKeySchema{Name: &column.Name, Type: otspb.PrimaryKeyType(column.Type).Enum()}
		if column.AutoIncrement {
			schema.Option = otspb.PrimaryKeyOption_AUTO_INCREMENT.Enum()
		}
		meta.PrimaryKey = append(meta.PrimaryKey, schema)
	}
	return &otspb.CreateTableRequest{
		TableMeta: meta,
		ReservedThroughput: &otspb.ReservedThroughput{CapacityUnit: &otspb.CapacityUnit{
			Read: proto.Int32(int32(r.Reserved.Read)), Write: proto.Int32(int32(r.Reserved.Write)), //nolint:gosec // the service refuses what is out of range
		}},
		TableOptions: &otspb.TableOptions{
			TimeToLive:  proto.Int32(int32(ttl)),
			MaxVersions: proto.Int32(int32(max(r.MaxVersions, 1))), //nolint:gosec // the service refuses what is out of range
		},
	}, nil
}
