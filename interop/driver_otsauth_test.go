package interop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
)

// ours drives our client.
type ours struct{ *client.OTSClient }

func newOurs(t *testing.T) *driver {
	t.Helper()
	f := newFront(t)
	c, err := client.New(f.URL, instanceName, otsauth.Static(scenarioKey()), &client.Options{Retry: client.NoRetryPolicy{}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &driver{name: "otsauth", front: f, do: ours{c}.do}
}

func (c ours) do(ctx context.Context, s *step) *result {
	r := &result{}
	err := c.call(ctx, s, r)
	var refused *client.Error
	switch {
	case err == nil:
		return r
	case errors.As(err, &refused) && refused.Code != "":
		return &result{Error: &failure{refused.StatusCode, string(refused.Code), refused.Message}}
	}
	return &result{Refused: err.Error()}
}

func (c ours) call(ctx context.Context, s *step, r *result) error {
	switch s.Action {
	case "ListTable":
		answer, err := c.ListTable(ctx)
		if err == nil {
			r.Tables = answer.Tables
		}
		return err
	case "CreateTable":
		_, err := c.CreateTable(ctx, ourDefinition(s))
		return err
	case "DeleteTable":
		_, err := c.DeleteTable(ctx, s.Table)
		return err
	case "DescribeTable":
		return c.describe(ctx, s, r)
	case "UpdateTable":
		return c.updateTable(ctx, s, r)
	case "PutRow", "UpdateRow", "DeleteRow":
		return c.write(ctx, s, r)
	case "GetRow":
		return c.getRow(ctx, s, r)
	case "GetRange":
		return c.getRange(ctx, s, r)
	case "BatchGetRow":
		return c.batchGet(ctx, s, r)
	case "BatchWriteRow":
		return c.batchWrite(ctx, s, r)
	}
	return errors.New("no such action")
}

func ourKind(name string) client.Kind {
	return map[string]client.Kind{
		"integer": client.KindInt, "string": client.KindString, "binary": client.KindBytes, "double": client.KindFloat, "boolean": client.KindBool,
	}[name]
}

func ourKeyType(name string) client.KeyType {
	return map[string]client.KeyType{"integer": client.KeyInteger, "string": client.KeyString, "binary": client.KeyBinary}[name]
}

func ourOptions(d *definition) client.TableOptions {
	return client.TableOptions{
		TimeToLive: time.Duration(d.TTL) * time.Second, MaxVersions: d.Versions,
		MaxTimeDeviation: time.Duration(d.Deviation) * time.Second, UpdateForbidden: d.NoUpdate,
	}
}

func ourStream(d *definition) *client.Stream {
	if !d.Streamed {
		return nil
	}
	return &client.Stream{Enabled: d.Stream > 0, Expires: time.Duration(d.Stream) * time.Hour}
}

func ourDefinition(s *step) *client.CreateTableRequest {
	d := s.Definition
	o := ourOptions(d)
	request := &client.CreateTableRequest{
		Table: s.Table, TimeToLive: o.TimeToLive, MaxVersions: o.MaxVersions, MaxTimeDeviation: o.MaxTimeDeviation, UpdateForbidden: o.UpdateForbidden,
		Stream: ourStream(d),
	}
	for _, k := range d.Keys {
		request.PrimaryKey = append(request.PrimaryKey, client.KeySchema{Name: k.Name, Type: ourKeyType(k.Type), AutoIncrement: k.Auto})
	}
	for _, k := range d.Defined {
		request.DefinedColumns = append(request.DefinedColumns, client.DefinedColumn{Name: k.Name, Kind: ourKind(k.Type)})
	}
	for _, i := range d.Indexes {
		request.Indexes = append(request.Indexes, client.Index{Name: i.Name, PrimaryKey: i.Keys, Columns: i.Columns, Local: i.Local})
	}
	if d.Reserved != nil {
		request.Reserved = client.Capacity(*d.Reserved)
	}
	return request
}

func neutralOptions(o *client.TableOptions, reserved client.Capacity, stream client.Stream) *definition {
	d := &definition{
		Versions: o.MaxVersions, TTL: int(o.TimeToLive / time.Second), Deviation: int(o.MaxTimeDeviation / time.Second), NoUpdate: o.UpdateForbidden,
		Reserved: &units{reserved.Read, reserved.Write}, Streamed: stream.Enabled, Stream: int(stream.Expires / time.Hour),
	}
	d.Details.StreamID = &stream.ID
	if !d.Streamed {
		d.Details.IdleStream = &d.Stream
	}
	return d
}

func (c ours) describe(ctx context.Context, s *step, r *result) error {
	answer, err := c.DescribeTable(ctx, s.Table)
	if err != nil {
		return err
	}
	d := neutralOptions(&answer.Options, answer.Reserved, answer.Stream)
	d.Details.Name, d.Details.Status = &answer.Table, &answer.Status
	d.Details.Created, d.Details.ReservedSince = since(answer.Created, time.Microsecond), since(answer.ReservedSince, time.Second)
	for _, k := range answer.PrimaryKey {
		for _, name := range []string{"integer", "string", "binary"} {
			if ourKeyType(name) == k.Type {
				d.Keys = append(d.Keys, keyColumn{k.Name, name, k.AutoIncrement})
			}
		}
	}
	for _, k := range answer.DefinedColumns {
		for _, name := range []string{"integer", "string", "binary", "double", "boolean"} {
			if ourKind(name) == k.Kind {
				d.Defined = append(d.Defined, keyColumn{Name: k.Name, Type: name})
			}
		}
	}
	for _, i := range answer.Indexes {
		d.Indexes = append(d.Indexes, index{Name: i.Name, Keys: i.PrimaryKey, Columns: i.Columns, Local: i.Local})
	}
	r.Table = d
	return nil
}

func (c ours) updateTable(ctx context.Context, s *step, r *result) error {
	request := &client.UpdateTableRequest{Table: s.Table, Stream: ourStream(s.Definition)}
	if s.Definition.Options {
		request.Options = ourOptions(s.Definition)
	}
	if s.Definition.Reserved != nil {
		reserved := client.Capacity(*s.Definition.Reserved)
		request.Reserved = &reserved
	}
	answer, err := c.UpdateTable(ctx, request)
	if err == nil {
		r.Table = neutralOptions(&answer.Options, answer.Reserved, answer.Stream)
	}
	return err
}

func ourValue(v *value) client.Value {
	switch n := v.native().(type) {
	case int64:
		return client.Int(n)
	case float64:
		return client.Float(n)
	case bool:
		return client.Bool(n)
	case string:
		return client.String(n)
	case []byte:
		return client.Bytes(n)
	}
	return map[string]client.Value{"inf_min": client.InfMin(), "inf_max": client.InfMax(), "auto": client.AutoIncrement()}[v.Text]
}

func neutralValue(v client.Value) *value {
	switch v.Kind() {
	case client.KindInt:
		n, _ := v.Int()
		return intValue(n)
	case client.KindFloat:
		f, _ := v.Float()
		return floatValue(f)
	case client.KindBool:
		b, _ := v.Bool()
		return boolValue(b)
	case client.KindString:
		s, _ := v.Text()
		return textValue(s)
	case client.KindBytes:
		b, _ := v.Bytes()
		return bytesValue(b)
	}
	return markValue(v.String())
}

func ourKey(key []cell) client.PrimaryKey {
	var made client.PrimaryKey
	for _, c := range key {
		made = append(made, client.KeyColumn{Name: c.Name, Value: ourValue(c.Value)})
	}
	return made
}

func neutralKey(key client.PrimaryKey) []cell {
	var cells []cell
	for _, c := range key {
		cells = append(cells, cell{Name: c.Name, Value: neutralValue(c.Value)})
	}
	return cells
}

func neutralRow(r *client.Row) row {
	made := row{Key: neutralKey(r.PrimaryKey)}
	for _, c := range r.Columns {
		at := c.Timestamp.UnixMilli()
		made.Columns = append(made.Columns, cell{Name: c.Name, Value: neutralValue(c.Value), Time: &at})
	}
	return made
}

func ourFilter(f *filter) client.Filter {
	if f == nil {
		return nil
	}
	var parts []client.Filter
	for _, part := range f.Parts {
		parts = append(parts, ourFilter(part))
	}
	switch f.Op {
	case "and":
		return client.And(parts...)
	case "or":
		return client.Or(parts...)
	case "not":
		return client.Not(parts[0])
	}
	is := map[string]client.Comparator{
		"==": client.Equal, "!=": client.NotEqual, ">": client.Greater, ">=": client.GreaterOrEqual, "<": client.Less, "<=": client.LessOrEqual,
	}[f.Op]
	return client.ColumnFilter{Name: f.Name, Is: is, Value: ourValue(f.Value), FailIfMissing: f.Must, AllVersions: f.Any}
}

// ourReadFilter is the filter of a read, which may be a pagination.
func ourReadFilter(s *step) client.Filter {
	if s.Page != nil {
		return client.ColumnPagination{Offset: s.Page.Offset, Limit: s.Page.Limit}
	}
	return ourFilter(s.Where)
}

func ourTimes(r *times) *client.TimeRange {
	switch {
	case r == nil:
		return nil
	case r.At != nil:
		return &client.TimeRange{At: time.UnixMilli(*r.At)}
	}
	return &client.TimeRange{Start: time.UnixMilli(*r.From), End: time.UnixMilli(*r.To)}
}

func (c ours) getRow(ctx context.Context, s *step, r *result) error {
	answer, err := c.GetRow(ctx, &client.GetRowRequest{
		Table: s.Table, PrimaryKey: ourKey(s.Keys[0]), Columns: s.Get, MaxVersions: s.Versions, Times: ourTimes(s.Times), Filter: ourReadFilter(s),
		StartColumn: s.Begin, EndColumn: s.Until,
	})
	if err != nil {
		return err
	}
	if answer.Row != nil {
		r.Rows = []row{neutralRow(answer.Row)}
	}
	r.Consumed = &units{answer.Consumed.Read, answer.Consumed.Write}
	return nil
}

func (c ours) getRange(ctx context.Context, s *step, r *result) error {
	answer, err := c.GetRange(ctx, &client.GetRangeRequest{
		Table: s.Table, Start: ourKey(s.Keys[0]), End: ourKey(s.Keys[1]), Backward: s.Backward, Limit: s.Limit, Columns: s.Get, MaxVersions: s.Versions,
		Times: ourTimes(s.Times), Filter: ourReadFilter(s), StartColumn: s.Begin, EndColumn: s.Until,
	})
	if err != nil {
		return err
	}
	for _, one := range answer.Rows {
		r.Rows = append(r.Rows, neutralRow(one))
	}
	r.Next = neutralKey(answer.Next)
	r.Consumed = &units{answer.Consumed.Read, answer.Consumed.Write}
	return nil
}

func ourReturn(s *step) client.ReturnType {
	return map[string]client.ReturnType{"": client.ReturnNone, "key": client.ReturnPrimaryKey, "after": client.ReturnAfterModify}[s.Return]
}

// ourWrite is a write's request.
func ourWrite(s *step) client.Write {
	key := ourKey(s.Keys[0])
	condition := &client.Condition{
		RowExistence: map[string]client.RowExistence{"": client.Ignore, "exist": client.ExpectExist, "absent": client.ExpectNotExist}[s.Expect],
		Column:       ourFilter(s.Where),
	}
	switch s.Action {
	case "PutRow":
		request := &client.PutRowRequest{Table: s.Table, PrimaryKey: key, Condition: condition, Return: ourReturn(s), ReturnColumns: s.ReturnColumns}
		for _, c := range s.Cells {
			column := client.Column{Name: c.Name, Value: ourValue(c.Value)}
			if c.Time != nil {
				column.Timestamp = time.UnixMilli(*c.Time)
			}
			request.Columns = append(request.Columns, column)
		}
		return request
	case "DeleteRow":
		return &client.DeleteRowRequest{Table: s.Table, PrimaryKey: key, Condition: condition, Return: ourReturn(s), ReturnColumns: s.ReturnColumns}
	}
	request := &client.UpdateRowRequest{Table: s.Table, PrimaryKey: key, Condition: condition, Return: ourReturn(s), ReturnColumns: s.ReturnColumns}
	for _, c := range s.Cells {
		request.Changes = append(request.Changes, ourChange(c))
	}
	return request
}

func ourChange(c cell) client.Change {
	switch {
	case c.Op == "delete":
		return client.DeleteColumn(c.Name)
	case c.Op == "delete version":
		return client.DeleteVersion(c.Name, time.UnixMilli(*c.Time))
	case c.Op == "increment":
		return client.IncrementColumn(c.Name, c.Value.native().(int64))
	case c.Time != nil:
		return client.PutVersion(c.Name, ourValue(c.Value), time.UnixMilli(*c.Time))
	}
	return client.PutColumn(c.Name, ourValue(c.Value))
}

func (c ours) write(ctx context.Context, s *step, r *result) error {
	var (
		returned *client.Row
		consumed client.Capacity
	)
	switch request := ourWrite(s).(type) {
	case *client.PutRowRequest:
		answer, err := c.PutRow(ctx, request)
		if err != nil {
			return err
		}
		returned, consumed = answer.Row, answer.Consumed
	case *client.UpdateRowRequest:
		answer, err := c.UpdateRow(ctx, request)
		if err != nil {
			return err
		}
		returned, consumed = answer.Row, answer.Consumed
	case *client.DeleteRowRequest:
		answer, err := c.DeleteRow(ctx, request)
		if err != nil {
			return err
		}
		returned, consumed = answer.Row, answer.Consumed
	}
	if returned != nil {
		r.Rows = []row{neutralRow(returned)}
	}
	r.Consumed = &units{consumed.Read, consumed.Write}
	return nil
}

func ourRowResult(table string, b *client.BatchResult) (rowResult, error) {
	r := rowResult{Table: table, Consumed: &units{b.Consumed.Read, b.Consumed.Write}}
	var refused *client.Error
	switch {
	case errors.As(b.Err, &refused) && refused.Code != "":
		r.Error = &failure{Code: string(refused.Code), Message: refused.Message}
	case b.Err != nil:
		return r, b.Err
	}
	if b.Row != nil {
		read := neutralRow(b.Row)
		r.Row = &read
	}
	return r, nil
}

func (c ours) batchGet(ctx context.Context, s *step, r *result) error {
	request := &client.BatchGetRowRequest{}
	for i := range s.Parts {
		part := &s.Parts[i]
		table := client.BatchGetTable{
			Table: part.Table, Columns: part.Get, MaxVersions: part.Versions, Times: ourTimes(part.Times), Filter: ourReadFilter(part),
			StartColumn: part.Begin, EndColumn: part.Until,
		}
		for _, key := range part.Keys {
			table.PrimaryKeys = append(table.PrimaryKeys, ourKey(key))
		}
		request.Tables = append(request.Tables, table)
	}
	answer, err := c.BatchGetRow(ctx, request)
	if err != nil {
		return err
	}
	for i, results := range answer.Results {
		for j := range results {
			one, err := ourRowResult(s.Parts[i].Table, &results[j])
			if err != nil {
				return err
			}
			r.Batch = append(r.Batch, one)
		}
	}
	return nil
}

func (c ours) batchWrite(ctx context.Context, s *step, r *result) error {
	request := &client.BatchWriteRowRequest{}
	for i := range s.Parts {
		request.Rows = append(request.Rows, ourWrite(&s.Parts[i]))
	}
	answer, err := c.BatchWriteRow(ctx, request)
	if err != nil {
		return err
	}
	for _, table := range tablesOf(s) {
		for i := range s.Parts {
			if s.Parts[i].Table != table {
				continue
			}
			one, err := ourRowResult(table, &answer.Results[i])
			if err != nil {
				return err
			}
			r.Batch = append(r.Batch, one)
		}
	}
	return nil
}
