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

// A DescribeTableResponse is the result of [OTSClient.DescribeTable].
type DescribeTableResponse struct {
	ResponseMeta
	Table          string
	PrimaryKey     []KeySchema
	DefinedColumns []DefinedColumn
	Indexes        []Index
	Options        TableOptions
	Reserved       Capacity
	// ReservedSince is when Reserved was last raised; zero if the service does not say.
	ReservedSince time.Time
	Stream        Stream
	// Status is the service's word, such as "ACTIVE"; empty if it sent none.
	Status string
	// Created is when the table was made; zero if the service does not say.
	Created time.Time
}

// DescribeTable returns what a table is. The error is a [*otsauth.ConfigError]
// for a name that cannot be one, or an [*Error].
func (c *OTSClient) DescribeTable(ctx context.Context, table string) (*DescribeTableResponse, error) {
	name, err := c.text.table(table)
	if err != nil {
		return nil, err
	}
	var (
		answer   otspb.DescribeTableResponse
		response *DescribeTableResponse
	)
	meta, err := c.do(ctx, "DescribeTable", &otspb.DescribeTableRequest{TableName: &name}, &answer, func() (err error) {
		response, err = c.text.decodeTable(&answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	response.ResponseMeta = meta
	return response, nil
}

// decodeTable returns a description in its public form.
func (t text) decodeTable(answer *otspb.DescribeTableResponse) (*DescribeTableResponse, error) {
	reserved := answer.GetReservedThroughputDetails()
	response := &DescribeTableResponse{
		Options:  optionsOf(answer.GetTableOptions()),
		Reserved: capacityOf(reserved.GetCapacityUnit()),
		Stream:   streamOf(answer.GetStreamDetails()),
	}
	if since := reserved.GetLastIncreaseTime(); since != 0 {
		response.ReservedSince = time.Unix(since, 0)
	}
	if answer.TableStatus != nil {
		response.Status = answer.GetTableStatus().String()
	}
	if answer.CreationTime != nil {
		response.Created = time.UnixMicro(answer.GetCreationTime())
	}
	table := answer.GetTableMeta()
	var err error
	if response.Table, err = t.in(table.GetTableName()); err != nil {
		return nil, err
	}
	for _, column := range table.GetPrimaryKey() {
		key := KeySchema{Type: KeyType(column.GetType()), AutoIncrement: column.GetOption() == otspb.PrimaryKeyOption_AUTO_INCREMENT && column.Option != nil}
		if key.Name, err = t.in(column.GetName()); err != nil {
			return nil, err
		}
		response.PrimaryKey = append(response.PrimaryKey, key)
	}
	if response.DefinedColumns, err = t.definedColumnsOf(table.GetDefinedColumn()); err != nil {
		return nil, err
	}
	metas := answer.GetIndexMetas()
	if len(metas) == 0 {
		metas = table.GetIndexMeta()
	}
	response.Indexes, err = t.indexesOf(metas)
	return response, err
}

func (t text) definedColumnsOf(schemas []*otspb.DefinedColumnSchema) ([]DefinedColumn, error) {
	var columns []DefinedColumn
	types := columnTypes()
	for _, schema := range schemas {
		name, err := t.in(schema.GetName())
		if err != nil {
			return nil, err
		}
		column := DefinedColumn{Name: name}
		for kind, onWire := range types {
			if onWire == schema.GetType() {
				column.Kind = kind
			}
		}
		columns = append(columns, column)
	}
	return columns, nil
}

func (t text) indexesOf(metas []*otspb.IndexMeta) ([]Index, error) {
	var all []Index
	for _, meta := range metas {
		index := Index{Local: meta.GetIndexType() == otspb.IndexType_IT_LOCAL_INDEX}
		var err error
		if index.Name, err = t.in(meta.GetName()); err != nil {
			return nil, err
		}
		if index.PrimaryKey, err = t.namesIn(meta.GetPrimaryKey()); err != nil {
			return nil, err
		}
		if index.Columns, err = t.namesIn(meta.GetDefinedColumn()); err != nil {
			return nil, err
		}
		all = append(all, index)
	}
	return all, nil
}

// An UpdateTableRequest is the argument of [OTSClient.UpdateTable]. What is zero
// stays as it is; one thing at least is not.
type UpdateTableRequest struct {
	Table string
	// Options change the table's, but for those that are zero.
	Options TableOptions
	// AllowUpdate lets rows be updated again where Options.UpdateForbidden was set.
	AllowUpdate bool
	// Reserved is the throughput that is paid for whether used or not.
	Reserved *Capacity
	// Stream turns the record of changes on or off.
	Stream *Stream
}

// An UpdateTableResponse is the result of [OTSClient.UpdateTable]: the table as
// it is now.
type UpdateTableResponse struct {
	ResponseMeta
	Options  TableOptions
	Reserved Capacity
	Stream   Stream
}

// UpdateTable changes a table. The error is a [*otsauth.ConfigError] for a
// request that cannot be encoded, or an [*Error].
func (c *OTSClient) UpdateTable(ctx context.Context, req *UpdateTableRequest) (*UpdateTableResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	message, err := req.message(c.text)
	if err != nil {
		return nil, err
	}
	var answer otspb.UpdateTableResponse
	meta, err := c.do(ctx, "UpdateTable", message, &answer, asItIs)
	if err != nil {
		return nil, err
	}
	return &UpdateTableResponse{
		ResponseMeta: meta, Options: optionsOf(answer.GetTableOptions()), Stream: streamOf(answer.GetStreamDetails()),
		Reserved: capacityOf(answer.GetReservedThroughputDetails().GetCapacityUnit()),
	}, nil
}

// message checks the request and returns it on the wire.
func (r *UpdateTableRequest) message(t text) (*otspb.UpdateTableRequest, error) {
	table, err := t.table(r.Table)
	if err != nil {
		return nil, err
	}
	message := &otspb.UpdateTableRequest{TableName: &table}
	switch {
	case r.AllowUpdate && r.Options.UpdateForbidden:
		return nil, &otsauth.ConfigError{Field: "AllowUpdate", Problem: "is set beside Options.UpdateForbidden; set either"}
	case r.AllowUpdate || r.Options != TableOptions{}:
		if message.TableOptions, err = r.Options.message(); err != nil {
			return nil, err
		}
		if r.AllowUpdate {
			message.TableOptions.AllowUpdate = proto.Bool(true)
		}
	case r.Reserved == nil && r.Stream == nil:
		return nil, &otsauth.ConfigError{Field: "request", Problem: "changes nothing; set Options, AllowUpdate, Reserved or Stream"}
	}
	if r.Reserved != nil {
		reserved, err := r.Reserved.message("Reserved")
		if err != nil {
			return nil, err
		}
		message.ReservedThroughput = &otspb.ReservedThroughput{CapacityUnit: reserved}
	}
	message.StreamSpec, err = r.Stream.message()
	return message, err
}

// message checks the options and returns those that are not zero on the wire.
func (o *TableOptions) message() (*otspb.TableOptions, error) {
	message := &otspb.TableOptions{}
	if d := o.TimeToLive; d != 0 {
		if d%time.Second != 0 || d < Forever || d/time.Second > math.MaxInt32 {
			return nil, &otsauth.ConfigError{Field: "TimeToLive", Problem: fmt.Sprintf("is %s; it must be whole seconds, or client.Forever", d)}
		}
		message.TimeToLive = proto.Int32(int32(d / time.Second))
	}
	if o.MaxVersions != 0 {
		versions, err := atLeastOne("MaxVersions", o.MaxVersions)
		if err != nil {
			return nil, err
		}
		message.MaxVersions = &versions
	}
	if d := o.MaxTimeDeviation; d != 0 {
		if d < 0 || d%time.Second != 0 {
			return nil, &otsauth.ConfigError{Field: "MaxTimeDeviation", Problem: fmt.Sprintf("is %s; it must be whole seconds", d)}
		}
		message.DeviationCellVersionInSec = proto.Int64(int64(d / time.Second))
	}
	if o.UpdateForbidden {
		message.AllowUpdate = proto.Bool(false)
	}
	return message, nil
}

// A DeleteTableResponse is the result of [OTSClient.DeleteTable].
type DeleteTableResponse struct{ ResponseMeta }

// DeleteTable deletes a table with all its rows. The error is a
// [*otsauth.ConfigError] for a name that cannot be one, or an [*Error].
func (c *OTSClient) DeleteTable(ctx context.Context, table string) (*DeleteTableResponse, error) {
	name, err := c.text.table(table)
	if err != nil {
		return nil, err
	}
	meta, err := c.do(ctx, "DeleteTable", &otspb.DeleteTableRequest{TableName: &name}, &otspb.DeleteTableResponse{}, asItIs)
	if err != nil {
		return nil, err
	}
	return &DeleteTableResponse{meta}, nil
}
