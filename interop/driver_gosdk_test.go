package interop_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
)

// goSDK drives the official Go SDK.
type goSDK struct{ *tablestore.TableStoreClient }

func newGoSDK(t *testing.T) *driver {
	t.Helper()
	f, key := newFront(t), scenarioKey()
	c := tablestore.NewClientWithConfig(f.URL, instanceName, key.AccessKeyID, key.AccessKeySecret.Reveal(), "", sdkConfig())
	return &driver{name: "gosdk", front: f, do: goSDK{c}.do}
}

func (c goSDK) do(_ context.Context, s *step) *result {
	r := &result{}
	err := c.call(s, r)
	var refused *tablestore.OtsError
	switch {
	case err == nil:
		return r
	case errors.As(err, &refused):
		return &result{Error: &failure{refused.HttpStatusCode, refused.Code, refused.Message}}
	}
	return &result{Refused: err.Error()}
}

func (c goSDK) call(s *step, r *result) error {
	switch s.Action {
	case "ListTable":
		answer, err := c.ListTable()
		if err == nil {
			r.Tables = answer.TableNames
		}
		return err
	case "CreateTable":
		_, err := c.CreateTable(sdkDefinition(s))
		return err
	case "DeleteTable":
		_, err := c.DeleteTable(&tablestore.DeleteTableRequest{TableName: s.Table})
		return err
	case "DescribeTable":
		return c.describe(s, r)
	case "UpdateTable":
		return c.updateTable(s, r)
	case "PutRow":
		answer, err := c.PutRow(&tablestore.PutRowRequest{PutRowChange: sdkPut(s)})
		if err == nil {
			r.Consumed = sdkUnits(answer.ConsumedCapacityUnit)
			r.Rows = sdkReturned(s, "key", row{Key: fromSDKKey(answer.PrimaryKey.PrimaryKeys)})
		}
		return err
	case "UpdateRow":
		answer, err := c.UpdateRow(&tablestore.UpdateRowRequest{UpdateRowChange: sdkUpdateChange(s)})
		if err == nil {
			r.Consumed = sdkUnits(answer.ConsumedCapacityUnit)
			r.Rows = sdkReturned(s, "after", row{Key: s.Keys[0], Columns: fromSDKColumns(answer.Columns)})
		}
		return err
	case "DeleteRow":
		answer, err := c.DeleteRow(&tablestore.DeleteRowRequest{DeleteRowChange: sdkDelete(s)})
		if err == nil {
			r.Consumed = sdkUnits(answer.ConsumedCapacityUnit)
		}
		return err
	case "GetRow":
		return c.getRow(s, r)
	case "GetRange":
		return c.getRange(s, r)
	case "BatchGetRow":
		return c.batchGet(s, r)
	case "BatchWriteRow":
		return c.batchWrite(s, r)
	}
	return errors.New("no such action")
}

func sdkUnits(u *tablestore.ConsumedCapacityUnit) *units {
	return &units{int(u.Read), int(u.Write)}
}

// sdkReturned is what a write returned, if it was asked to and the SDK can ask.
// It keeps the key or the columns; the usual stands for the other.
func sdkReturned(s *step, can string, returned row) []row {
	if s.Return != can {
		return nil
	}
	return []row{returned}
}

func sdkDefinedType(name string) tablestore.DefinedColumnType {
	return map[string]tablestore.DefinedColumnType{
		"integer": tablestore.DefinedColumn_INTEGER, "string": tablestore.DefinedColumn_STRING, "binary": tablestore.DefinedColumn_BINARY,
		"double": tablestore.DefinedColumn_DOUBLE, "boolean": tablestore.DefinedColumn_BOOLEAN,
	}[name]
}

func sdkKeyType(name string) tablestore.PrimaryKeyType {
	return map[string]tablestore.PrimaryKeyType{
		"integer": tablestore.PrimaryKeyType_INTEGER, "string": tablestore.PrimaryKeyType_STRING, "binary": tablestore.PrimaryKeyType_BINARY,
	}[name]
}

func sdkOptions(d *definition) *tablestore.TableOption {
	options := &tablestore.TableOption{TimeToAlive: d.TTL, MaxVersion: d.Versions, DeviationCellVersionInSec: int64(d.Deviation)}
	if d.NoUpdate {
		options.AllowUpdate = new(bool)
	}
	return options
}

func sdkStream(d *definition) *tablestore.StreamSpecification {
	if !d.Streamed {
		return nil
	}
	return &tablestore.StreamSpecification{EnableStream: d.Stream > 0, ExpirationTime: int32(d.Stream)}
}

func sdkDefinition(s *step) *tablestore.CreateTableRequest {
	d := s.Definition
	meta := &tablestore.TableMeta{TableName: s.Table}
	for _, k := range d.Keys {
		if k.Auto {
			meta.AddPrimaryKeyColumnOption(k.Name, sdkKeyType(k.Type), tablestore.AUTO_INCREMENT)
		} else {
			meta.AddPrimaryKeyColumn(k.Name, sdkKeyType(k.Type))
		}
	}
	for _, k := range d.Defined {
		meta.AddDefinedColumn(k.Name, sdkDefinedType(k.Type))
	}
	request := &tablestore.CreateTableRequest{
		TableMeta: meta, TableOption: sdkOptions(d), ReservedThroughput: &tablestore.ReservedThroughput{}, StreamSpec: sdkStream(d),
	}
	if d.Reserved != nil {
		request.ReservedThroughput = &tablestore.ReservedThroughput{Readcap: d.Reserved.Read, Writecap: d.Reserved.Write}
	}
	for _, i := range d.Indexes {
		made := &tablestore.IndexMeta{IndexName: i.Name, Primarykey: i.Keys, DefinedColumns: i.Columns, IndexType: tablestore.IT_GLOBAL_INDEX}
		if i.Local {
			made.SetAsLocalIndex()
		}
		request.AddIndexMeta(made)
	}
	return request
}

func fromSDKOptions(o *tablestore.TableOption, reserved *tablestore.ReservedThroughput, stream *tablestore.StreamDetails) *definition {
	d := &definition{
		Versions: o.MaxVersion, TTL: o.TimeToAlive, Deviation: int(o.DeviationCellVersionInSec), NoUpdate: o.AllowUpdate != nil && !*o.AllowUpdate,
		Reserved: &units{reserved.Readcap, reserved.Writecap}, Streamed: stream.EnableStream, Stream: int(stream.ExpirationTime),
	}
	if d.Streamed {
		id := ""
		if stream.StreamId != nil {
			id = string(*stream.StreamId)
		}
		d.Details.StreamID, d.Details.StreamSince = &id, &stream.LastEnableTime
	}
	return d
}

func (c goSDK) describe(s *step, r *result) error {
	answer, err := c.DescribeTable(&tablestore.DescribeTableRequest{TableName: s.Table})
	if err != nil {
		return err
	}
	d := fromSDKOptions(answer.TableOption, answer.ReservedThroughput, answer.StreamDetails)
	d.Details.Name = &answer.TableMeta.TableName
	// v1.9.3 loses it with protobuf 1.4 and later: its descriptor lacks the field.
	if answer.CreationTime != 0 {
		d.Details.Created = &answer.CreationTime
	}
	for _, k := range answer.TableMeta.SchemaEntry {
		for _, name := range []string{"integer", "string", "binary"} {
			if sdkKeyType(name) == *k.Type {
				d.Keys = append(d.Keys, keyColumn{*k.Name, name, k.Option != nil && *k.Option == tablestore.AUTO_INCREMENT})
			}
		}
	}
	for _, k := range answer.TableMeta.DefinedColumns {
		for _, name := range []string{"integer", "string", "binary", "double", "boolean"} {
			if sdkDefinedType(name) == k.ColumnType {
				d.Defined = append(d.Defined, keyColumn{Name: k.Name, Type: name})
			}
		}
	}
	for _, i := range answer.IndexMetas {
		d.Indexes = append(d.Indexes, index{Name: i.IndexName, Keys: i.Primarykey, Columns: i.DefinedColumns, Local: i.IndexType == tablestore.IT_LOCAL_INDEX})
	}
	r.Table = d
	return nil
}

func (c goSDK) updateTable(s *step, r *result) error {
	request := &tablestore.UpdateTableRequest{TableName: s.Table, StreamSpec: sdkStream(s.Definition)}
	if s.Definition.Options {
		request.TableOption = sdkOptions(s.Definition)
	}
	if reserved := s.Definition.Reserved; reserved != nil {
		request.ReservedThroughput = &tablestore.ReservedThroughput{Readcap: reserved.Read, Writecap: reserved.Write}
	}
	answer, err := c.UpdateTable(request)
	if err == nil {
		r.Table = fromSDKOptions(answer.TableOption, answer.ReservedThroughput, answer.StreamDetails)
	}
	return err
}

func toSDKKey(key []cell) *tablestore.PrimaryKey {
	made := &tablestore.PrimaryKey{}
	for _, c := range key {
		switch c.Value.Text {
		case "inf_min":
			made.AddPrimaryKeyColumnWithMinValue(c.Name)
		case "inf_max":
			made.AddPrimaryKeyColumnWithMaxValue(c.Name)
		case "auto":
			made.AddPrimaryKeyColumnWithAutoIncrement(c.Name)
		default:
			made.AddPrimaryKeyColumn(c.Name, c.Value.native())
		}
	}
	return made
}

func fromSDKKey(key []*tablestore.PrimaryKeyColumn) []cell {
	var cells []cell
	for _, c := range key {
		cells = append(cells, cell{Name: c.ColumnName, Value: valueOf(c.Value)})
	}
	return cells
}

func fromSDKColumns(columns []*tablestore.AttributeColumn) []cell {
	var cells []cell
	for _, c := range columns {
		cells = append(cells, cell{Name: c.ColumnName, Value: valueOf(c.Value), Time: &c.Timestamp})
	}
	return cells
}

func sdkFilter(f *filter) tablestore.ColumnFilter {
	if operator, is := map[string]tablestore.LogicalOperator{"and": tablestore.LO_AND, "or": tablestore.LO_OR, "not": tablestore.LO_NOT}[f.Op]; is {
		made := tablestore.NewCompositeColumnCondition(operator)
		for _, part := range f.Parts {
			made.AddFilter(sdkFilter(part))
		}
		return made
	}
	is := map[string]tablestore.ComparatorType{
		"==": tablestore.CT_EQUAL, "!=": tablestore.CT_NOT_EQUAL, ">": tablestore.CT_GREATER_THAN, ">=": tablestore.CT_GREATER_EQUAL,
		"<": tablestore.CT_LESS_THAN, "<=": tablestore.CT_LESS_EQUAL,
	}[f.Op]
	made := tablestore.NewSingleColumnCondition(f.Name, is, f.Value.native())
	made.FilterIfMissing, made.LatestVersionOnly = f.Must, !f.Any
	return made
}

func sdkReadFilter(s *step) tablestore.ColumnFilter {
	switch {
	case s.Page != nil:
		return &tablestore.PaginationFilter{Limit: int32(s.Page.Limit), Offset: int32(s.Page.Offset)}
	case s.Where != nil:
		return sdkFilter(s.Where)
	}
	return nil
}

func sdkTimes(r *times) *tablestore.TimeRange {
	switch {
	case r == nil:
		return nil
	case r.At != nil:
		return &tablestore.TimeRange{Specific: *r.At}
	}
	return &tablestore.TimeRange{Start: *r.From, End: *r.To}
}

// sdkVersions is what our client and the Node SDK send by themselves: one
// version, unless a version's time is given.
func sdkVersions(s *step) int32 {
	if s.Versions == 0 && (s.Times == nil || s.Times.At == nil) {
		return 1
	}
	return int32(s.Versions)
}

func optional(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}

func (c goSDK) getRow(s *step, r *result) error {
	answer, err := c.GetRow(&tablestore.GetRowRequest{SingleRowQueryCriteria: &tablestore.SingleRowQueryCriteria{
		TableName: s.Table, PrimaryKey: toSDKKey(s.Keys[0]), ColumnsToGet: s.Get, MaxVersion: sdkVersions(s), TimeRange: sdkTimes(s.Times),
		Filter: sdkReadFilter(s), StartColumn: optional(s.Begin), EndColumn: optional(s.Until),
	}})
	if err != nil {
		return err
	}
	if len(answer.PrimaryKey.PrimaryKeys) > 0 {
		r.Rows = []row{{fromSDKKey(answer.PrimaryKey.PrimaryKeys), fromSDKColumns(answer.Columns)}}
	}
	r.Consumed = sdkUnits(answer.ConsumedCapacityUnit)
	return nil
}

func (c goSDK) getRange(s *step, r *result) error {
	criteria := &tablestore.RangeRowQueryCriteria{
		TableName: s.Table, StartPrimaryKey: toSDKKey(s.Keys[0]), EndPrimaryKey: toSDKKey(s.Keys[1]), ColumnsToGet: s.Get, MaxVersion: sdkVersions(s),
		TimeRange: sdkTimes(s.Times), Filter: sdkReadFilter(s), Limit: int32(s.Limit), StartColumn: optional(s.Begin), EndColumn: optional(s.Until),
	}
	if s.Backward {
		criteria.Direction = tablestore.BACKWARD
	}
	answer, err := c.GetRange(&tablestore.GetRangeRequest{RangeRowQueryCriteria: criteria})
	if err != nil {
		return err
	}
	for _, one := range answer.Rows {
		r.Rows = append(r.Rows, row{fromSDKKey(one.PrimaryKey.PrimaryKeys), fromSDKColumns(one.Columns)})
	}
	if answer.NextStartPrimaryKey != nil {
		r.Next = fromSDKKey(answer.NextStartPrimaryKey.PrimaryKeys)
	}
	r.Consumed = sdkUnits(answer.ConsumedCapacityUnit)
	return nil
}

func sdkCondition(s *step) *tablestore.RowCondition {
	made := &tablestore.RowCondition{RowExistenceExpectation: map[string]tablestore.RowExistenceExpectation{
		"":       tablestore.RowExistenceExpectation_IGNORE,
		"exist":  tablestore.RowExistenceExpectation_EXPECT_EXIST,
		"absent": tablestore.RowExistenceExpectation_EXPECT_NOT_EXIST,
	}[s.Expect]}
	if s.Where != nil {
		made.ColumnCondition = sdkFilter(s.Where)
	}
	return made
}

func sdkPut(s *step) *tablestore.PutRowChange {
	change := &tablestore.PutRowChange{TableName: s.Table, PrimaryKey: toSDKKey(s.Keys[0]), Condition: sdkCondition(s)}
	for _, c := range s.Cells {
		if c.Time != nil {
			change.AddColumnWithTimestamp(c.Name, c.Value.native(), *c.Time)
		} else {
			change.AddColumn(c.Name, c.Value.native())
		}
	}
	if s.Return == "key" {
		change.SetReturnPk()
	}
	return change
}

func sdkUpdateChange(s *step) *tablestore.UpdateRowChange {
	change := &tablestore.UpdateRowChange{TableName: s.Table, PrimaryKey: toSDKKey(s.Keys[0]), Condition: sdkCondition(s)}
	for _, c := range s.Cells {
		switch {
		case c.Op == "delete":
			change.DeleteColumn(c.Name)
		case c.Op == "delete version":
			change.DeleteColumnWithTimestamp(c.Name, *c.Time)
		case c.Op == "increment":
			change.IncrementColumn(c.Name, c.Value.native().(int64))
		case c.Time != nil:
			change.PutColumnWithTimestamp(c.Name, c.Value.native(), *c.Time)
		default:
			change.PutColumn(c.Name, c.Value.native())
		}
	}
	if s.Return == "after" {
		change.SetReturnIncrementValue()
		change.ColumnNamesToReturn = s.ReturnColumns
	}
	return change
}

func sdkDelete(s *step) *tablestore.DeleteRowChange {
	return &tablestore.DeleteRowChange{TableName: s.Table, PrimaryKey: toSDKKey(s.Keys[0]), Condition: sdkCondition(s)}
}

// sdkResults puts the results of a batch, which the SDK has by table, in order.
func sdkResults(s *step, results map[string][]tablestore.RowResult) []rowResult {
	var all []rowResult
	for _, table := range tablesOf(s) {
		for _, one := range results[table] {
			made := rowResult{Table: table, Consumed: sdkUnits(one.ConsumedCapacityUnit)}
			if !one.IsSucceed {
				made.Error = &failure{Code: one.Error.Code, Message: one.Error.Message}
			}
			if len(one.PrimaryKey.PrimaryKeys)+len(one.Columns) > 0 {
				made.Row = &row{fromSDKKey(one.PrimaryKey.PrimaryKeys), fromSDKColumns(one.Columns)}
			}
			all = append(all, made)
		}
	}
	return all
}

func (c goSDK) batchGet(s *step, r *result) error {
	request := &tablestore.BatchGetRowRequest{}
	for i := range s.Parts {
		part := &s.Parts[i]
		criteria := &tablestore.MultiRowQueryCriteria{
			TableName: part.Table, ColumnsToGet: part.Get, MaxVersion: int(sdkVersions(part)), TimeRange: sdkTimes(part.Times), Filter: sdkReadFilter(part),
			StartColumn: optional(part.Begin), EndColumn: optional(part.Until),
		}
		for _, key := range part.Keys {
			criteria.AddRow(toSDKKey(key))
		}
		request.MultiRowQueryCriteria = append(request.MultiRowQueryCriteria, criteria)
	}
	answer, err := c.BatchGetRow(request)
	if err == nil {
		r.Batch = sdkResults(s, answer.TableToRowsResult)
	}
	return err
}

func (c goSDK) batchWrite(s *step, r *result) error {
	request := &tablestore.BatchWriteRowRequest{}
	for i := range s.Parts {
		switch part := &s.Parts[i]; part.Action {
		case "PutRow":
			request.AddRowChange(sdkPut(part))
		case "UpdateRow":
			request.AddRowChange(sdkUpdateChange(part))
		case "DeleteRow":
			request.AddRowChange(sdkDelete(part))
		}
	}
	answer, err := c.BatchWriteRow(request)
	if err == nil {
		r.Batch = sdkResults(s, answer.TableToRowsResult)
		parts := partsByTable(s)
		for i := range min(len(parts), len(r.Batch)) {
			if returned := r.Batch[i].Row; returned != nil && parts[i].Return == "after" {
				returned.Key = parts[i].Keys[0] // the usual, as in sdkReturned
			}
		}
	}
	return err
}
