package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

// A BatchResult is what became of one row of a batch.
type BatchResult struct {
	Consumed Capacity
	// Row is the row that was read, or what a write's Return asked for; else nil.
	Row *Row
	// NextToken is set if a row that was read has more columns; GetRow gets them.
	NextToken []byte
	// Err is why this row failed, an [*Error], or nil. The other rows are not
	// concerned.
	Err error
}

// A BatchGetRowRequest is the argument of [OTSClient.BatchGetRow]: up to 100
// rows in all. (Source: the documentation's limits; the service checks them.)
type BatchGetRowRequest struct {
	// Tables are each in a place of their own, with another name each.
	Tables []BatchGetTable
}

// A BatchGetTable asks for rows of one table.
type BatchGetTable struct {
	Table       string
	PrimaryKeys []PrimaryKey
	// Columns are the columns to get. None: all.
	Columns []string
	// MaxVersions is how many versions of a column to get. Zero: 1.
	MaxVersions int
	// Times chooses versions by their timestamps. Nil: any.
	Times *TimeRange
	// Filter must pass a row, else it counts as absent. Nil: none.
	Filter Filter
	// StartColumn and EndColumn bound the columns to get by their names, from
	// StartColumn, exclusive of EndColumn. Empty: no bound.
	StartColumn, EndColumn string
}

// A BatchGetRowResponse is the result of [OTSClient.BatchGetRow].
type BatchGetRowResponse struct {
	// ResponseMeta is the last request's; Attempts counts all.
	ResponseMeta
	// Results[i][j] is the row Tables[i].PrimaryKeys[j] of the request.
	Results [][]BatchResult
}

// BatchGetRow reads rows of any tables. Rows that fail and may be repeated under
// the retry policy are asked for again, they alone; each result stays in its
// place. The error is a [*otsauth.ConfigError] for a request that cannot be
// encoded, or an [*Error] if no row was answered; look at each result's Err
// besides.
func (c *OTSClient) BatchGetRow(ctx context.Context, req *BatchGetRowRequest) (*BatchGetRowResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	b := batch{call: c.begin("BatchGetRow")}
	message := &otspb.BatchGetRowRequest{}
	results := make([][]BatchResult, len(req.Tables))
	for i := range req.Tables {
		table, err := req.Tables[i].message(c.text)
		if err != nil {
			return nil, inPlace(err, "Tables[%d]", i)
		}
		message.Tables = append(message.Tables, table)
		b.rows += len(table.GetPrimaryKey())
	}
	if err := b.checkTables(len(message.GetTables()), func(i int) string { return message.GetTables()[i].GetTableName() }); err != nil {
		return nil, err
	}
	b.send = func(pending []int) (ResponseMeta, []rowAnswer, error) {
		part := getTables(message, pending)
		var (
			answer otspb.BatchGetRowResponse
			all    []rowAnswer
		)
		meta, err := b.call.sendMessage(ctx, part, &answer, func() (err error) { all, err = readAnswers(part, &answer); return err })
		return meta, all, err
	}
	meta, flat, err := b.run(ctx)
	if err != nil {
		return nil, err
	}
	for i, table := range message.GetTables() {
		n := len(table.GetPrimaryKey())
		results[i], flat = flat[:n:n], flat[n:]
	}
	return &BatchGetRowResponse{ResponseMeta: meta, Results: results}, nil
}

// getTables returns the part of a request that asks for the pending rows.
func getTables(all *otspb.BatchGetRowRequest, pending []int) *otspb.BatchGetRowRequest {
	part := &otspb.BatchGetRowRequest{}
	first := 0 // the number of the table's first row
	for _, table := range all.GetTables() {
		keys := table.GetPrimaryKey()
		var chosen [][]byte
		for len(pending) > 0 && pending[0] < first+len(keys) {
			chosen = append(chosen, keys[pending[0]-first])
			pending = pending[1:]
		}
		if first += len(keys); len(chosen) == 0 {
			continue
		}
		part.Tables = append(part.Tables, &otspb.TableInBatchGetRowRequest{
			TableName: table.TableName, PrimaryKey: chosen, ColumnsToGet: table.GetColumnsToGet(), TimeRange: table.GetTimeRange(),
			MaxVersions: table.MaxVersions, Filter: table.GetFilter(), StartColumn: table.StartColumn, EndColumn: table.EndColumn,
		})
	}
	return part
}

// message checks the table's part and returns it on the wire.
func (g *BatchGetTable) message(t text) (*otspb.TableInBatchGetRowRequest, error) {
	table, err := t.table(g.Table)
	if err != nil {
		return nil, err
	}
	if len(g.PrimaryKeys) == 0 {
		return nil, &otsauth.ConfigError{Field: "PrimaryKeys", Problem: "is empty; leave the table out"}
	}
	chosen, err := (&choice{g.Columns, g.MaxVersions, g.Times, g.Filter, g.StartColumn, g.EndColumn}).message(t)
	if err != nil {
		return nil, err
	}
	message := &otspb.TableInBatchGetRowRequest{
		TableName: &table, PrimaryKey: make([][]byte, len(g.PrimaryKeys)), ColumnsToGet: chosen.columns, TimeRange: chosen.times,
		MaxVersions: orNil(chosen.maxVersions), Filter: chosen.filter, StartColumn: chosen.start, EndColumn: chosen.end,
	}
	for i, key := range g.PrimaryKeys {
		if message.PrimaryKey[i], err = t.encodeKey(key); err != nil {
			return nil, inPlace(err, "PrimaryKeys[%d]", i)
		}
	}
	return message, nil
}

// inPlace says where in a request a mistake is.
func inPlace(err error, format string, i int) error {
	if ce := (*otsauth.ConfigError)(nil); errors.As(err, &ce) {
		return &otsauth.ConfigError{Field: fmt.Sprintf(format, i) + ": " + ce.Field, Problem: ce.Problem}
	}
	return err
}

// A BatchWriteRowRequest is the argument of [OTSClient.BatchWriteRow]: up to
// 200 rows. (Source: the documentation's limits; the service checks them.)
type BatchWriteRowRequest struct {
	// Rows are of any tables, in any order.
	Rows []Write
}

// A BatchWriteRowResponse is the result of [OTSClient.BatchWriteRow].
type BatchWriteRowResponse struct {
	// ResponseMeta is the last request's; Attempts counts all.
	ResponseMeta
	// Results[i] is that of Rows[i] of the request.
	Results []BatchResult
}

// BatchWriteRow writes rows of any tables, each for itself: one may fail where
// others succeed. Rows that fail and may be repeated under the retry policy are
// sent again, they alone; each result stays in its place. One that would undo what a
// later row of the batch has written since is not. (The service may refuse a batch
// that names a row twice.) The
// error is a [*otsauth.ConfigError] for a request that cannot be encoded, or an
// [*Error] if no row was answered; look at each result's Err besides.
func (c *OTSClient) BatchWriteRow(ctx context.Context, req *BatchWriteRowRequest) (*BatchWriteRowResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	writes := make([]batchWrite, len(req.Rows))
	b := batch{call: c.begin("BatchWriteRow"), rows: len(req.Rows), writes: writes}
	for i, row := range req.Rows {
		var err error
		if writes[i], err = encodeInBatch(c.text, row); err != nil {
			return nil, inPlace(err, "Rows[%d]", i)
		}
	}
	if b.rows == 0 {
		return nil, &otsauth.ConfigError{Field: "Rows", Problem: "is empty; give one at least"}
	}
	b.send = func(pending []int) (ResponseMeta, []rowAnswer, error) {
		message, order := writeTables(writes, pending)
		var (
			answer otspb.BatchWriteRowResponse
			all    []rowAnswer
		)
		meta, err := b.call.sendMessage(ctx, message, &answer, func() (err error) { all, err = writeAnswers(message, &answer, order); return err })
		return meta, all, err
	}
	meta, results, err := b.run(ctx)
	if err != nil {
		return nil, err
	}
	return &BatchWriteRowResponse{ResponseMeta: meta, Results: results}, nil
}

// writeTables returns the request for the pending rows, grouped by table, and
// for each row in that order its place in pending.
func writeTables(writes []batchWrite, pending []int) (*otspb.BatchWriteRowRequest, []int) {
	message := &otspb.BatchWriteRowRequest{}
	tables := make(map[string]*otspb.TableInBatchWriteRowRequest)
	places := make(map[string][]int)
	for place, row := range pending {
		w := writes[row]
		table := tables[w.table]
		if table == nil {
			table = &otspb.TableInBatchWriteRowRequest{TableName: &w.table}
			tables[w.table] = table
			message.Tables = append(message.Tables, table)
		}
		table.Rows = append(table.Rows, w.row)
		places[w.table] = append(places[w.table], place)
	}
	order := make([]int, 0, len(pending))
	for _, table := range message.GetTables() {
		order = append(order, places[table.GetTableName()]...)
	}
	return message, order
}
