package client_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func consumed() *otspb.ConsumedCapacity {
	return &otspb.ConsumedCapacity{CapacityUnit: &otspb.CapacityUnit{Read: proto.Int32(1), Write: proto.Int32(2)}}
}

// The bytes are those of the official Go SDK for the same changes.
func TestUpdateRowSendsTheBytesOfTheOfficialSDK(t *testing.T) {
	var request otspb.UpdateRowRequest
	c := recorder(t, "UpdateRow", &request, &otspb.UpdateRowResponse{Consumed: consumed(), Row: answered(onWire("a", 7))}).client(t, client.Options{})
	got, err := c.UpdateRow(t.Context(), &client.UpdateRowRequest{
		Table: "table", PrimaryKey: client.PrimaryKey{{Name: "pk1", Value: client.String("iampk")}, {Name: "pk2", Value: client.Int(100)}},
		Changes: []client.Change{
			client.PutColumn("column1", client.String("bad")), client.DeleteColumn("column4"),
			client.DeleteVersion("column5", time.UnixMilli(1003)), client.IncrementColumn("cnt", 1),
		},
		Condition: &client.Condition{RowExistence: client.ExpectExist, Column: client.ColumnFilter{Name: "n", Is: client.Less, Value: client.Int(8)}},
		Return:    client.ReturnAfterModify, ReturnColumns: []string{"n"},
	})
	require.NoError(t, err)
	require.Equal(t, "7500000001030403000000706b31050a000000030500000069616d706b0a98030403000000706b3205090000000064000000000000000a05"+
		"02030407000000636f6c756d6e31050800000003030000006261640a2a030407000000636f6c756d6e3406010aa7030407000000636f6c756d6e35060307eb03000000000000"+
		"0aec030403000000636e74050900000000010000000000000006040af70951", hex.EncodeToString(request.GetRowChange()))
	require.Equal(t, otspb.RowExistenceExpectation_EXPECT_EXIST, request.GetCondition().GetRowExistence())
	require.Equal(t, otspb.ReturnType_RT_AFTER_MODIFY, request.GetReturnContent().GetReturnType())
	require.Equal(t, []string{"n"}, request.GetReturnContent().GetReturnColumnNames())
	require.Equal(t, client.Capacity{Read: 1, Write: 2}, got.Consumed)
	n, err := got.Row.Int("n")
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	require.Equal(t, time.UnixMilli(1000), got.Row.Columns[0].Timestamp)
}

func TestDeleteRowSendsTheBytesOfTheOfficialSDK(t *testing.T) {
	var request otspb.DeleteRowRequest
	c := recorder(t, "DeleteRow", &request, &otspb.DeleteRowResponse{Consumed: consumed()}).client(t, client.Options{})
	got, err := c.DeleteRow(t.Context(), &client.DeleteRowRequest{
		Table: "table", PrimaryKey: client.PrimaryKey{{Name: "pk1", Value: client.String("iampk")}, {Name: "pk2", Value: client.Int(100)}},
	})
	require.NoError(t, err)
	require.Nil(t, got.Row)
	require.Equal(t, "7500000001030403000000706b31050a000000030500000069616d706b0a98030403000000706b3205090000000064000000000000000a050809be",
		hex.EncodeToString(request.GetPrimaryKey()))
	require.Nil(t, request.ReturnContent)
}

func TestFiltersOnTheWire(t *testing.T) {
	age := client.ColumnFilter{Name: "age", Is: client.GreaterOrEqual, Value: client.Int(18)}
	name := client.ColumnFilter{Name: "name", Is: client.NotEqual, Value: client.String("x"), FailIfMissing: true, AllVersions: true}
	const (
		ageText  = `comparator:CT_GREATER_EQUAL column_name:"age" column_value:"\x00\x12\x00\x00\x00\x00\x00\x00\x00" filter_if_missing:false latest_version_only:true`
		nameText = `comparator:CT_NOT_EQUAL column_name:"name" column_value:"\x03\x01\x00\x00\x00x" filter_if_missing:true latest_version_only:false`
	)
	for what, c := range map[string]struct {
		filter client.Filter
		want   string // each part's text after its parent's
		parts  []string
	}{
		"a column":                        {age, ageText, nil},
		"a column that must be there":     {name, nameText, nil},
		"some columns of a row":           {client.ColumnPagination{Offset: 2, Limit: 3}, "offset:2 limit:3", nil},
		"a negation":                      {client.Not(age), "combinator:LO_NOT", []string{ageText}},
		"both of two":                     {client.And(age, name), "combinator:LO_AND", []string{ageText, nameText}},
		"either of two, one a negation":   {client.Or(name, client.Not(age)), "combinator:LO_OR", []string{nameText, "combinator:LO_NOT", ageText}},
		"one filter alone":                {client.And(client.Or(age)), ageText, nil},
		"a combination in a combination ": {client.And(client.Or(age, name), name), "combinator:LO_AND", []string{"combinator:LO_OR", ageText, nameText, nameText}},
	} {
		t.Run(what, func(t *testing.T) {
			var request otspb.GetRowRequest
			cl := recorder(t, "GetRow", &request, &otspb.GetRowResponse{Consumed: consumed(), Row: answered(nil)}).client(t, client.Options{})
			_, err := cl.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: idKey("a"), Filter: c.filter})
			require.NoError(t, err)
			require.Equal(t, canonical(t, append([]string{c.want}, c.parts...)), flatten(t, request.GetFilter()))
		})
	}
}

// flatten returns the messages of a filter, each before its parts.
func flatten(t *testing.T, content []byte) []string {
	t.Helper()
	var filter otspb.Filter
	require.NoError(t, proto.Unmarshal(content, &filter))
	switch filter.GetType() {
	case otspb.FilterType_FT_SINGLE_COLUMN_VALUE:
		return []string{reprint(t, filter.GetFilter(), &otspb.SingleColumnValueFilter{})}
	case otspb.FilterType_FT_COLUMN_PAGINATION:
		return []string{reprint(t, filter.GetFilter(), &otspb.ColumnPaginationFilter{})}
	}
	var composite otspb.CompositeColumnValueFilter
	require.NoError(t, proto.Unmarshal(filter.GetFilter(), &composite))
	all := []string{"combinator:" + composite.GetCombinator().String()}
	for _, part := range composite.GetSubFilters() {
		content, err := proto.Marshal(part)
		require.NoError(t, err)
		all = append(all, flatten(t, content)...)
	}
	return all
}

func reprint(t *testing.T, content []byte, m proto.Message) string {
	t.Helper()
	require.NoError(t, proto.Unmarshal(content, m))
	return prototext.MarshalOptions{}.Format(m)
}

// canonical prints texts as this build of prototext does, whose spaces vary.
func canonical(t *testing.T, texts []string) []string {
	t.Helper()
	for i, text := range texts {
		for _, m := range []proto.Message{&otspb.SingleColumnValueFilter{}, &otspb.ColumnPaginationFilter{}} {
			if prototext.Unmarshal([]byte(text), m) == nil {
				texts[i] = prototext.MarshalOptions{}.Format(m)
			}
		}
	}
	return texts
}

func TestRequestsThatCannotBeEncodedAreRefused(t *testing.T) {
	c := stub(func(string, []byte) (int, proto.Message) { panic("nothing is sent") }).client(t, client.Options{})
	ctx := t.Context()
	put := func(r client.PutRowRequest) error {
		r.Table, r.PrimaryKey = "table", idKey("a")
		_, err := c.PutRow(ctx, &r)
		return err
	}
	update := func(changes ...client.Change) error {
		_, err := c.UpdateRow(ctx, &client.UpdateRowRequest{Table: "table", PrimaryKey: idKey("a"), Changes: changes})
		return err
	}
	get := func(r client.GetRowRequest) error {
		r.Table, r.PrimaryKey = "table", idKey("a")
		_, err := c.GetRow(ctx, &r)
		return err
	}
	scan := func(r client.GetRangeRequest) error {
		r.Table = "table"
		_, err := c.GetRange(ctx, &r)
		return err
	}
	batchGet := func(tables ...client.BatchGetTable) error {
		_, err := c.BatchGetRow(ctx, &client.BatchGetRowRequest{Tables: tables})
		return err
	}
	batchWrite := func(rows ...client.Write) error {
		_, err := c.BatchWriteRow(ctx, &client.BatchWriteRowRequest{Rows: rows})
		return err
	}
	change := func(r client.UpdateTableRequest) error {
		r.Table = "table"
		_, err := c.UpdateTable(ctx, &r)
		return err
	}
	create := func(r client.CreateTableRequest) error {
		r.Table, r.PrimaryKey = "table", []client.KeySchema{{Name: "id", Type: client.KeyString}}
		_, err := c.CreateTable(ctx, &r)
		return err
	}
	now := time.Now()
	filter := client.ColumnFilter{Name: "a", Is: client.Equal, Value: client.Int(1)}
	one := client.BatchGetTable{Table: "table", PrimaryKeys: []client.PrimaryKey{idKey("a")}}
	var nilPut *client.PutRowRequest
	for what, got := range map[string]struct {
		err  error
		want string
	}{
		"a filter without comparator":          {get(client.GetRowRequest{Filter: client.ColumnFilter{Name: "a", Value: client.Int(1)}}), "no comparator"},
		"a filter without value":               {get(client.GetRowRequest{Filter: client.ColumnFilter{Name: "a", Is: client.Equal}}), "no value"},
		"a filter without column":              {get(client.GetRowRequest{Filter: client.ColumnFilter{Is: client.Equal, Value: client.Int(1)}}), "empty name"},
		"a filter with a mark":                 {get(client.GetRowRequest{Filter: client.ColumnFilter{Name: "a", Is: client.Equal, Value: client.InfMin()}}), "compares with InfMin"},
		"And of nothing":                       {get(client.GetRowRequest{Filter: client.And()}), "need a filter at least"},
		"And of a pagination alone":            {get(client.GetRowRequest{Filter: client.And(client.ColumnPagination{Limit: 1})}), "cannot be a part"},
		"a filter that embeds none":            {get(client.GetRowRequest{Filter: struct{ client.Filter }{}}), "is a struct"},
		"a write that embeds none":             {batchWrite(struct{ client.Write }{}), "Rows[0]: request is a struct"},
		"Not of nothing":                       {get(client.GetRowRequest{Filter: client.Not(nil)}), "is nil"},
		"a pagination in a combination":        {get(client.GetRowRequest{Filter: client.And(filter, client.ColumnPagination{Limit: 1})}), "cannot be a part"},
		"a pagination as condition":            {put(client.PutRowRequest{Condition: &client.Condition{Column: client.ColumnPagination{Limit: 1}}}), "cannot be a condition"},
		"a pagination's pointer as condition":  {put(client.PutRowRequest{Condition: &client.Condition{Column: &client.ColumnPagination{Limit: 1}}}), "cannot be a condition"},
		"a filter that is a nil pointer":       {get(client.GetRowRequest{Filter: (*client.ColumnFilter)(nil)}), "is nil"},
		"a condition that is a nil pointer":    {put(client.PutRowRequest{Condition: &client.Condition{Column: (*client.ColumnPagination)(nil)}}), "is nil"},
		"a pagination of no columns":           {get(client.GetRowRequest{Filter: client.ColumnPagination{}}), "limit 0"},
		"a time range that is empty":           {get(client.GetRowRequest{Times: &client.TimeRange{Start: now, End: now}}), "is empty"},
		"a time range that starts before 1970": {get(client.GetRowRequest{Times: &client.TimeRange{Start: time.UnixMilli(-1)}}), "before 1970"},
		"a time range with At and a bound":     {get(client.GetRowRequest{Times: &client.TimeRange{At: now, End: now}}), "set either"},
		"a number of versions beside At":       {get(client.GetRowRequest{MaxVersions: 2, Times: &client.TimeRange{At: now}}), "beside TimeRange.At"},
		"a negative number of versions":        {get(client.GetRowRequest{MaxVersions: -1}), "MaxVersions is -1"},
		"a column to get without name":         {get(client.GetRowRequest{Columns: []string{""}}), "empty name"},
		"a start column that is no text":       {get(client.GetRowRequest{StartColumn: "\xff"}), "not UTF-8"},
		"a return type that is none":           {put(client.PutRowRequest{Return: 9}), "none of ReturnNone"},
		"return columns without a return type": {put(client.PutRowRequest{ReturnColumns: []string{"a"}}), "needs Return"},
		"an update of nothing":                 {update(), "Changes is empty"},
		"a deleted version without timestamp":  {update(client.DeleteVersion("a", time.Time{})), "no timestamp"},
		"a put version without timestamp":      {update(client.PutVersion("a", client.Int(1), time.Time{})), "no timestamp"},
		"a change of a column without name":    {update(client.DeleteColumn("")), "empty name"},
		"a put without value":                  {update(client.PutColumn("a", client.Value{})), "no value"},
		"a range without start":                {scan(client.GetRangeRequest{End: idKey("a")}), "primary key is empty"},
		"a range with a negative limit":        {scan(client.GetRangeRequest{Start: idKey("a"), End: idKey("b"), Limit: -1}), "Limit is -1"},
		"a batch that reads nothing":           {batchGet(), "Tables is empty"},
		"a batch with a table of no keys":      {batchGet(client.BatchGetTable{Table: "table"}), "Tables[0]: PrimaryKeys is empty"},
		"a batch with a key that is none":      {batchGet(client.BatchGetTable{Table: "table", PrimaryKeys: []client.PrimaryKey{idKey("a"), nil}}), "Tables[0]: PrimaryKeys[1]: primary key is empty"},
		"a batch with a row that cannot be":    {batchWrite(&client.DeleteRowRequest{Table: "table", PrimaryKey: idKey("a")}, &client.PutRowRequest{PrimaryKey: idKey("a")}), "Rows[1]: table name is empty"},
		"a batch with a table twice":           {batchGet(one, one), "a table twice"},
		"a batch that writes nothing":          {batchWrite(), "Rows is empty"},
		"a batch with a nil write":             {batchWrite(nil), "Rows[0]: request is nil"},
		"a batch with a nil request":           {batchWrite(nilPut), "Rows[0]: request is nil"},
		"a change of nothing in a table":       {change(client.UpdateTableRequest{}), "changes nothing"},
		"a negative throughput":                {change(client.UpdateTableRequest{Reserved: &client.Capacity{Read: -1}}), "may be negative"},
		"a time to live of half a second":      {change(client.UpdateTableRequest{Options: client.TableOptions{TimeToLive: time.Second / 2}}), "whole seconds"},
		"a stream of half an hour":             {change(client.UpdateTableRequest{Stream: &client.Stream{Expires: time.Hour / 2}}), "whole hours"},
		"a time deviation that is negative":    {create(client.CreateTableRequest{MaxTimeDeviation: -1}), "whole seconds"},
		"a defined column without kind":        {create(client.CreateTableRequest{DefinedColumns: []client.DefinedColumn{{Name: "a"}}}), "kind none"},
		"an index without name":                {create(client.CreateTableRequest{Indexes: []client.Index{{}}}), "index name is empty"},
		"an index whose name is no text":       {create(client.CreateTableRequest{Indexes: []client.Index{{Name: "\xff"}}}), "index name is not UTF-8"},
		"updates forbidden and allowed":        {change(client.UpdateTableRequest{AllowUpdate: true, Options: client.TableOptions{UpdateForbidden: true}}), "set either"},
		"an index with an empty column":        {create(client.CreateTableRequest{Indexes: []client.Index{{Name: "i", PrimaryKey: []string{""}}}}), "empty name"},
	} {
		t.Run(what, func(t *testing.T) {
			var ce *otsauth.ConfigError
			require.ErrorAs(t, got.err, &ce)
			require.ErrorContains(t, got.err, got.want)
		})
	}
}

// rowAnswer is the answer of GetRow with a row that has a column.
func rowAnswer(column pb.Cell) []byte {
	row := pb.Append(nil, &pb.Row{PrimaryKey: []pb.Cell{{Name: "id", Value: pb.StringValue("a")}}, Columns: []pb.Cell{column}})
	return append([]byte{0x0a, 2, 0x0a, 0, 0x12, byte(len(row))}, row...)
}

func TestAFilterIsWhatItWasWhenItWasMade(t *testing.T) {
	parts := []client.Filter{
		client.ColumnFilter{Name: "a", Is: client.Equal, Value: client.Int(1)},
		client.ColumnFilter{Name: "b", Is: client.Equal, Value: client.Int(2)},
	}
	all, any := client.And(parts...), client.Or(parts...)
	sent := func(f client.Filter) []string {
		var request otspb.GetRowRequest
		cl := recorder(t, "GetRow", &request, &otspb.GetRowResponse{Consumed: consumed(), Row: answered(nil)}).client(t, client.Options{})
		_, err := cl.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: idKey("a"), Filter: f})
		require.NoError(t, err)
		return flatten(t, request.GetFilter())
	}
	wantAll, wantAny := sent(all), sent(any)
	parts[0], parts[1] = all, any // the filter would be a part of itself
	require.Equal(t, wantAll, sent(all))
	require.Equal(t, wantAny, sent(any))
	require.Len(t, sent(client.And(parts...)), 7)
}

func TestAnAnswerOfOneRowThatIsNoneIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		answer []byte
		want   string
	}{
		"nothing":                       {nil, "does not say what was consumed"},
		"no capacity units":             {[]byte{0x0a, 0}, "does not say what was consumed"},
		"a field that is cut":           {[]byte{0x0a, 9}, "unexpected EOF"},
		"capacity units that are cut":   {[]byte{0x0a, 4, 0x0a, 2, 0x08, 0x80}, "unexpected EOF"},
		"a consumption that is cut":     {[]byte{0x0a, 2, 0x0a, 9}, "unexpected EOF"},
		"a row that is no PlainBuffer":  {[]byte{0x0a, 2, 0x0a, 0, 0x12, 1, 'x'}, "header"},
		"a column without a value":      {rowAnswer(pb.Cell{Name: "c", Absent: true}), "a column without a value"},
		"a column that is null":         {rowAnswer(pb.Cell{Name: "c", Value: pb.MarkValue(pb.Null)}), "a column without a value"},
		"a column that is changed":      {rowAnswer(pb.Cell{Name: "c", Op: pb.Increment, Value: pb.IntValue(1)}), "mark of a stream record"},
		"a row that is another message": {[]byte{0x0a, 2, 0x0a, 0, 0x12, 6, 0x75, 0, 0, 0, 9, 9}, "tag"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := roundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(c.answer)), Body: io.NopCloser(bytes.NewReader(c.answer)), Header: http.Header{"X-Ots-Requestid": {"r-1"}}}, nil
			})
			p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
			cl, err := client.New("https://stub.invalid", "stub", p, &client.Options{Transport: answer, InsecureSkipResponseCheck: true})
			require.NoError(t, err)
			defer cl.Close()
			_, getErr := cl.GetRow(t.Context(), &client.GetRowRequest{Table: "t", PrimaryKey: idKey("a")})
			_, putErr := cl.PutRow(t.Context(), &client.PutRowRequest{Table: "t", PrimaryKey: idKey("a")})
			for _, err := range []error{getErr, putErr} {
				var e *client.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, "r-1", e.RequestID)
				require.Equal(t, 1, e.Attempts)
				require.ErrorContains(t, err, "the answer cannot be decoded")
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// Bodies are cut from larger pieces of memory: one that is kept must not change.
func TestTheBodiesOfRequestsShareNothing(t *testing.T) {
	var kept [][]byte
	var want []string
	c := stub(func(_ string, body []byte) (int, proto.Message) {
		want = append(want, string(body))
		return http.StatusOK, &otspb.PutRowResponse{Consumed: consumed()}
	})
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	keep := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		again, err := req.GetBody()
		require.NoError(t, err)
		body, is := again.(io.WriterTo)
		require.True(t, is, "the reader of the body that was made")
		var seen viewer
		_, err = body.WriteTo(&seen)
		require.NoError(t, err)
		kept = append(kept, seen.view)
		return c.RoundTrip(req)
	})
	cl, err := client.New("https://stub.invalid", "stub", p, &client.Options{Transport: keep, InsecureSkipResponseCheck: true})
	require.NoError(t, err)
	defer cl.Close()
	for i := range 300 {
		_, err := cl.PutRow(t.Context(), &client.PutRowRequest{
			Table: "table", PrimaryKey: idKey(strings.Repeat("x", i%7)), Columns: []client.Column{{Name: "n", Value: client.Int(int64(i))}, {Name: "s", Value: client.String(strings.Repeat("y", 5*i))}},
		})
		require.NoError(t, err)
	}
	for i := range kept {
		require.Equal(t, want[i], string(kept[i]), "the body of request %d", i)
	}
}

// viewer keeps what is written to it without a copy.
type viewer struct{ view []byte }

func (v *viewer) Write(p []byte) (int, error) {
	v.view = p
	return len(p), nil
}
