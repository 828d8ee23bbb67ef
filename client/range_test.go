package client_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// pages answers GetRange with rows 0 to total-1, size of them a page at most,
// and counts the pages.
func pages(t testing.TB, total, size int, served *int) stub {
	return func(_ string, body []byte) (int, proto.Message) {
		*served++
		var request otspb.GetRangeRequest
		require.NoError(t, proto.Unmarshal(body, &request))
		start, err := pb.Decode(request.GetInclusiveStartPrimaryKey())
		require.NoError(t, err)
		first := 0
		if v := start[0].PrimaryKey[0].Value; v.Kind() == pb.Integer {
			first = int(v.Int())
		}
		n := min(size, total-first)
		answer := &otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(nil)}
		if request.Limit != nil {
			n = min(n, int(request.GetLimit()))
		}
		rows := make([]*pb.Row, n)
		for i := range rows {
			rows[i] = numbered(first + i)
		}
		if n > 0 {
			answer.Rows = answered(pb.Append(nil, rows...))
		}
		if first+n < total {
			answer.NextStartPrimaryKey = answered(pb.Append(nil, &pb.Row{PrimaryKey: numbered(first + n).PrimaryKey}))
		}
		return http.StatusOK, answer
	}
}

// numbered returns a row with the key n, and n%3 columns.
func numbered(n int) *pb.Row {
	row := &pb.Row{PrimaryKey: []pb.Cell{{Name: "n", Value: pb.IntValue(int64(n))}}}
	for i := range n % 3 {
		row.Columns = append(row.Columns, pb.Cell{Name: fmt.Sprint("c", i), Value: pb.IntValue(int64(n)), HasTimestamp: true, Timestamp: int64(n)})
	}
	return row
}

func allRows() *client.GetRangeRequest {
	return &client.GetRangeRequest{
		Table: "table", Start: client.PrimaryKey{{Name: "n", Value: client.InfMin()}}, End: client.PrimaryKey{{Name: "n", Value: client.InfMax()}},
	}
}

func TestRowsReadsPageByPage(t *testing.T) {
	for name, c := range map[string]struct {
		total, size, limit, stop int
		want, pages              int
	}{
		"no rows":                         {total: 0, size: 10, want: 0, pages: 1},
		"one page":                        {total: 10, size: 10, want: 10, pages: 1},
		"many pages, the last one short":  {total: 95, size: 10, want: 95, pages: 10},
		"a limit in the first page":       {total: 95, size: 10, limit: 7, want: 7, pages: 1},
		"a limit of whole pages":          {total: 95, size: 10, limit: 20, want: 20, pages: 2},
		"a limit beyond the rows":         {total: 15, size: 10, limit: 99, want: 15, pages: 2},
		"a loop that stops in a page":     {total: 95, size: 10, stop: 13, want: 13, pages: 2},
		"a loop that stops at a page end": {total: 95, size: 10, stop: 10, want: 10, pages: 1},
	} {
		t.Run(name, func(t *testing.T) {
			served := 0
			cl := pages(t, c.total, c.size, &served).client(t, client.Options{})
			request := allRows()
			request.Limit = c.limit
			got := 0
			for row, err := range cl.Rows(t.Context(), request) {
				require.NoError(t, err)
				n, err := row.Int("n")
				require.NoError(t, err)
				require.EqualValues(t, got, n)
				require.Len(t, row.Columns, got%3)
				for _, column := range row.Columns {
					require.Equal(t, client.Int(n), column.Value)
				}
				if got++; got == c.stop {
					break
				}
			}
			require.Equal(t, c.want, got)
			require.Equal(t, c.pages, served)
			require.Equal(t, c.limit, request.Limit, "the request is the caller's")
		})
	}
}

func TestRowsEndsWithAnError(t *testing.T) {
	collect := func(c *client.OTSClient, ctx context.Context, r *client.GetRangeRequest) (rows int, last error) {
		for row, err := range c.Rows(ctx, r) {
			require.NoError(t, last, "an error is the last thing")
			if last = err; err != nil {
				require.Nil(t, row)
				continue
			}
			rows++
		}
		return rows, last
	}
	t.Run("its context's", func(t *testing.T) {
		served := 0
		ctx, cancel := context.WithCancel(t.Context())
		page := pages(t, 100, 10, &served)
		c := stub(func(action string, body []byte) (int, proto.Message) {
			if served == 2 {
				cancel()
			}
			return page(action, body)
		}).client(t, client.Options{})
		rows, err := collect(c, ctx, allRows())
		require.Equal(t, 20, rows, "the third page is not looked at")
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("the service's, on a later page", func(t *testing.T) {
		served := 0
		page := pages(t, 100, 10, &served)
		c := stub(func(action string, body []byte) (int, proto.Message) {
			if served == 3 {
				return http.StatusForbidden, &otspb.Error{Code: proto.String("OTSNoPermissionAccess"), Message: proto.String("no")}
			}
			return page(action, body)
		}).client(t, client.Options{})
		rows, err := collect(c, t.Context(), allRows())
		require.Equal(t, 30, rows)
		require.ErrorIs(t, err, client.CodeNoPermissionAccess)
	})
	t.Run("that of a service that does not go on", func(t *testing.T) {
		c := stub(func(string, []byte) (int, proto.Message) {
			return http.StatusOK, &otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(nil), NextStartPrimaryKey: answered(pb.Append(nil, numbered(0)))}
		}).client(t, client.Options{})
		rows, err := collect(c, t.Context(), allRows())
		require.Zero(t, rows)
		require.ErrorContains(t, err, "begins where this one did")
	})
	t.Run("that of a service that goes on with the same part of a row", func(t *testing.T) {
		c := stub(func(string, []byte) (int, proto.Message) {
			return http.StatusOK, &otspb.GetRangeResponse{
				Consumed: consumed(), Rows: answered(pb.Append(nil, numbered(1))), NextStartPrimaryKey: answered(pb.Append(nil, numbered(0))), NextToken: []byte("more"),
			}
		}).client(t, client.Options{})
		rows, err := collect(c, t.Context(), allRows())
		require.Zero(t, rows)
		require.ErrorContains(t, err, "begins where this one did")
	})
	t.Run("that of a request that is nil", func(t *testing.T) {
		served := 0
		_, err := collect(pages(t, 1, 1, &served).client(t, client.Options{}), t.Context(), nil)
		require.ErrorContains(t, err, "is nil")
	})
}

func TestGetRangeSendsWhatWasAskedFor(t *testing.T) {
	var request otspb.GetRangeRequest
	c := recorder(t, "GetRange", &request, &otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(nil)}).client(t, client.Options{})
	r := allRows()
	r.Start, r.End = r.End, r.Start
	r.Backward, r.Limit, r.Columns, r.MaxVersions, r.StartColumn, r.EndColumn = true, 5, []string{"a", "b"}, 2, "a", "c"
	r.Token = []byte("token")
	got, err := c.GetRange(t.Context(), r)
	require.NoError(t, err)
	require.Nil(t, got.Next)
	require.Empty(t, got.Rows)
	require.Equal(t, otspb.Direction_BACKWARD, request.GetDirection())
	require.EqualValues(t, 5, request.GetLimit())
	require.EqualValues(t, 2, request.GetMaxVersions())
	require.Equal(t, []string{"a", "b"}, request.GetColumnsToGet())
	require.Equal(t, "a", request.GetStartColumn())
	require.Equal(t, "c", request.GetEndColumn())
	require.Equal(t, "token", string(request.GetToken()))
	start, err := pb.Decode(request.GetInclusiveStartPrimaryKey())
	require.NoError(t, err)
	require.Equal(t, pb.InfMax, start[0].PrimaryKey[0].Value.Kind())
}

func TestAnswersThatAreBrokenAreErrors(t *testing.T) {
	good := pb.Append(nil, numbered(1), numbered(2))
	damaged := slices.Clone(good)
	damaged[len(damaged)-1]++
	for name, answer := range map[string]*otspb.GetRangeResponse{
		"a wrong checksum": {Consumed: consumed(), Rows: answered(damaged)},
		"half a row":       {Consumed: consumed(), Rows: answered(good[:len(good)-5])},
		"two next keys":    {Consumed: consumed(), Rows: answered(nil), NextStartPrimaryKey: answered(good)},
		"another format":   {Consumed: consumed(), Rows: answered(good), DataBlockType: otspb.DataBlockType_DBT_SIMPLE_ROW_MATRIX.Enum()},
		"a stream record":  {Consumed: consumed(), Rows: answered(pb.Append(nil, &pb.Row{PrimaryKey: numbered(1).PrimaryKey, Deleted: true}))},
	} {
		t.Run(name, func(t *testing.T) {
			c := stub(func(string, []byte) (int, proto.Message) { return http.StatusOK, answer }).client(t, client.Options{})
			_, err := c.GetRange(t.Context(), allRows())
			var ce *client.Error
			require.ErrorAs(t, err, &ce)
			require.ErrorContains(t, err, "the answer cannot be decoded")
			require.Equal(t, "id", ce.RequestID)
		})
	}
}

func TestRowsGettersReportAbsenceAndKind(t *testing.T) {
	row := &client.Row{
		PrimaryKey: idKey("a"),
		Columns: []client.Column{
			{Name: "int", Value: client.Int(1)},
			{Name: "float", Value: client.Float(2.5)},
			{Name: "bool", Value: client.Bool(true)},
			{Name: "text", Value: client.String("x")},
			{Name: "bytes", Value: client.Bytes([]byte("y"))},
		},
	}
	get := map[string]func(name string) (any, error){
		"int":   func(name string) (any, error) { return row.Int(name) },
		"float": func(name string) (any, error) { return row.Float(name) },
		"bool":  func(name string) (any, error) { return row.Bool(name) },
		"text":  func(name string) (any, error) { return row.Text(name) },
		"bytes": func(name string) (any, error) { return row.Bytes(name) },
	}
	want := map[string]any{"int": int64(1), "float": 2.5, "bool": true, "text": "x", "bytes": []byte("y")}
	for kind, getter := range get {
		for column := range want {
			got, err := getter(column)
			if column == kind {
				require.NoError(t, err)
				require.Equal(t, want[kind], got)
				continue
			}
			var ce *client.ColumnError
			require.ErrorAs(t, err, &ce, "%s of %s", kind, column)
			require.False(t, ce.Missing())
			require.NotEqual(t, ce.Want, ce.Got)
			require.ErrorContains(t, err, "is of kind")
		}
		_, err := getter("none")
		var ce *client.ColumnError
		require.ErrorAs(t, err, &ce)
		require.True(t, ce.Missing())
		require.ErrorContains(t, err, `has no column "none"`)
	}
	id, err := row.Text("id")
	require.NoError(t, err)
	require.Equal(t, "a", id, "also a primary key column")

	var none *client.Row // what a read of no row returns
	_, ok := none.Get("id")
	require.False(t, ok)
	_, err = none.Int("id")
	var ce *client.ColumnError
	require.ErrorAs(t, err, &ce)
	require.True(t, ce.Missing())
}

func TestRowsPutsARowTogetherThatIsLargerThanAPage(t *testing.T) {
	answers := []*otspb.GetRangeResponse{
		{Rows: rowsOnWire("a", 1, "b", 1), NextStartPrimaryKey: answered(onWire("b")), NextToken: []byte("b2")},
		{Rows: rowsOnWire("b", 2), NextStartPrimaryKey: answered(onWire("b")), NextToken: []byte("b3")},
		{Rows: rowsOnWire("b", 3, "c", 1), NextStartPrimaryKey: answered(onWire("d"))},
		{Rows: rowsOnWire("d", 1)},
	}
	serve := func(t *testing.T, answers []*otspb.GetRangeResponse) *client.OTSClient {
		var tokens []string
		return stub(func(_ string, body []byte) (int, proto.Message) {
			var request otspb.GetRangeRequest
			require.NoError(t, proto.Unmarshal(body, &request))
			tokens = append(tokens, string(request.GetToken()))
			require.Equal(t, []string{"", "b2", "b3", ""}[:len(tokens)], tokens)
			answer := answers[len(tokens)-1]
			answer.Consumed = &otspb.ConsumedCapacity{CapacityUnit: &otspb.CapacityUnit{}}
			answer.DataBlockType, answer.CompressType = otspb.DataBlockType_DBT_PLAIN_BUFFER.Enum(), otspb.CompressType_CPT_NONE.Enum()
			return http.StatusOK, answer
		}).client(t, client.Options{})
	}
	one := []*otspb.GetRangeResponse{
		{Rows: rowsOnWire("b", 1), NextStartPrimaryKey: answered(onWire("b")), NextToken: []byte("b2")},
		{Rows: rowsOnWire("b", 2), NextStartPrimaryKey: answered(onWire("b")), NextToken: []byte("b3")},
		{Rows: rowsOnWire("b", 3), NextStartPrimaryKey: answered(onWire("c"))},
	}
	for limit, c := range map[int]struct {
		answers []*otspb.GetRangeResponse
		want    map[string]int
	}{0: {answers, map[string]int{"a": 1, "b": 3, "c": 1, "d": 1}}, 1: {one, map[string]int{"b": 3}}} {
		request := allRows()
		request.Limit = limit
		got := map[string]int{}
		for row, err := range serve(t, c.answers).Rows(t.Context(), request) {
			require.NoError(t, err)
			id, err := row.Text("id")
			require.NoError(t, err)
			require.NotContains(t, got, id, "a row comes once")
			got[id] = len(row.Columns)
		}
		require.Equal(t, c.want, got)
	}
	for _, err := range serve(t, []*otspb.GetRangeResponse{{Rows: rowsOnWire("a", 1), NextToken: []byte("a2")}}).Rows(t.Context(), allRows()) {
		require.ErrorContains(t, err, "a row is not complete")
	}
}

// rowsOnWire returns rows of one column each, by name and value.
func rowsOnWire(namesAndValues ...any) *string {
	var rows []*pb.Row
	for i := 0; i < len(namesAndValues); i += 2 {
		rows = append(rows, &pb.Row{
			PrimaryKey: []pb.Cell{{Name: "id", Value: pb.StringValue(namesAndValues[i].(string))}},
			Columns:    []pb.Cell{{Name: "n", Value: pb.IntValue(int64(namesAndValues[i+1].(int))), HasTimestamp: true, Timestamp: 1000}},
		})
	}
	return answered(pb.Append(nil, rows...))
}
