package client_test

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// asked is what a batch service was asked for: each request as tables with the
// rows' ids.
type asked []map[string][]string

// batchWriter answers BatchWriteRow with what fail says of a row, given by its
// id and how often it was sent before; "" is success.
func batchWriter(t testing.TB, got *asked, fail func(id string, before int) string) stub {
	sent := make(map[string]int)
	return func(action string, body []byte) (int, proto.Message) {
		require.Equal(t, "BatchWriteRow", action)
		var request otspb.BatchWriteRowRequest
		require.NoError(t, proto.Unmarshal(body, &request))
		tables := make(map[string][]string)
		answer := &otspb.BatchWriteRowResponse{}
		for _, table := range request.GetTables() {
			part := &otspb.TableInBatchWriteRowResponse{TableName: table.TableName}
			for _, row := range table.GetRows() {
				id := idOf(t, row.GetRowChange())
				tables[table.GetTableName()] = append(tables[table.GetTableName()], id)
				one := &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(true), Consumed: consumed(), Row: answered(onWire(id))}
				if code := fail(id, sent[id]); code != "" {
					one = &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(false), Error: &otspb.Error{Code: &code, Message: proto.String("message")}}
				}
				sent[id]++
				part.Rows = append(part.Rows, one)
			}
			answer.Tables = append(answer.Tables, part)
		}
		*got = append(*got, tables)
		return http.StatusOK, answer
	}
}

func idOf(t testing.TB, row []byte) string {
	t.Helper()
	rows, err := pb.Decode(row)
	require.NoError(t, err)
	return rows[0].PrimaryKey[0].Value.Text()
}

// writes are five rows of two tables, in turns and of all kinds.
func writes() *client.BatchWriteRowRequest {
	return &client.BatchWriteRowRequest{Rows: []client.Write{
		&client.PutRowRequest{Table: "one", PrimaryKey: idKey("a"), Columns: []client.Column{{Name: "n", Value: client.Int(1)}}},
		&client.DeleteRowRequest{Table: "two", PrimaryKey: idKey("b")},
		&client.UpdateRowRequest{Table: "one", PrimaryKey: idKey("c"), Changes: []client.Change{client.PutColumn("n", client.Int(1))}},
		&client.PutRowRequest{Table: "two", PrimaryKey: idKey("d"), Return: client.ReturnPrimaryKey},
		&client.PutRowRequest{Table: "one", PrimaryKey: idKey("e")},
	}}
}

func TestBatchWriteRowKeepsEachResultInItsPlace(t *testing.T) {
	var got asked
	c := batchWriter(t, &got, func(id string, _ int) string {
		return map[string]string{"b": "OTSConditionCheckFail", "e": "OTSInvalidPK"}[id]
	}).client(t, client.Options{})
	answer, err := c.BatchWriteRow(t.Context(), writes())
	require.NoError(t, err)
	require.Equal(t, asked{{"one": {"a", "c", "e"}, "two": {"b", "d"}}}, got, "rows that cannot succeed are not sent again")
	require.Equal(t, 1, answer.Attempts)
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		result := answer.Results[i]
		switch id {
		case "b":
			require.ErrorIs(t, result.Err, client.CodeConditionCheckFail)
		case "e":
			require.ErrorIs(t, result.Err, client.CodeInvalidPK)
			require.ErrorContains(t, result.Err, "give all primary key columns")
		default:
			require.NoError(t, result.Err)
			got, err := result.Row.Text("id")
			require.NoError(t, err)
			require.Equal(t, id, got)
			require.Equal(t, client.Capacity{Read: 1, Write: 2}, result.Consumed)
		}
	}
}

func TestBatchWriteRowSendsOnlyTheRowsAgainThatMayBeRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		policy client.RetryPolicy
		want   asked // after the first request
		fails  []string
	}{
		"default":  {client.DefaultRetryPolicy{}, asked{{"two": {"d"}, "one": {"e"}}, {"two": {"d"}}}, []string{"b", "c"}},
		"write":    {client.WriteRetryPolicy{}, asked{{"one": {"c", "e"}, "two": {"d"}}, {"two": {"d"}}}, []string{"b"}},
		"none":     {client.NoRetryPolicy{}, asked{}, []string{"b", "c", "d", "e"}},
		"no delay": {client.NoDelayRetryPolicy{}, asked{{"two": {"d"}, "one": {"e"}}, {"two": {"d"}}}, []string{"b", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got asked
				cl := batchWriter(t, &got, func(id string, before int) string {
					switch {
					case id == "b":
						return "OTSConditionCheckFail"
					case id == "c" && before < 1:
						return "OTSInternalServerError" // it may have been executed
					case id == "d" && before < 2:
						return "OTSServerBusy"
					case id == "e" && before < 1:
						return "OTSRowOperationConflict"
					}
					return ""
				}).client(t, client.Options{Retry: c.policy})
				answer, err := cl.BatchWriteRow(t.Context(), writes())
				require.NoError(t, err)
				require.Equal(t, len(c.want)+1, answer.Attempts)
				require.Equal(t, c.want, got[1:])
				var failed []string
				for i, id := range []string{"a", "b", "c", "d", "e"} {
					if answer.Results[i].Err != nil {
						failed = append(failed, id)
					}
				}
				require.Equal(t, c.fails, failed)
			})
		})
	}
}

func TestARepeatedBatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got asked
		c := batchWriter(t, &got, func(id string, _ int) string {
			return map[string]string{"b": "OTSServerBusy"}[id]
		}).client(t, client.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		answer, err := c.BatchWriteRow(ctx, writes())
		require.NoError(t, err, "four rows are written")
		require.ErrorIs(t, answer.Results[1].Err, context.DeadlineExceeded)
		require.ErrorIs(t, answer.Results[1].Err, client.CodeServerBusy)
		require.NoError(t, answer.Results[0].Err)
		require.Greater(t, len(got), 1)
	})
}

func TestBatchGetRowAsksAgainForTheRowsThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests []*otspb.BatchGetRowRequest
		c := stub(func(_ string, body []byte) (int, proto.Message) {
			request := &otspb.BatchGetRowRequest{}
			require.NoError(t, proto.Unmarshal(body, request))
			requests = append(requests, request)
			answer := &otspb.BatchGetRowResponse{}
			for _, table := range request.GetTables() {
				part := &otspb.TableInBatchGetRowResponse{TableName: table.TableName}
				for _, key := range table.GetPrimaryKey() {
					row := &otspb.RowInBatchGetRowResponse{IsOk: proto.Bool(true), Consumed: consumed(), Row: answered(onWire(idOf(t, key), 1))}
					switch id := idOf(t, key); {
					case id == "none":
						row.Row = nil
					case id == "busy" && len(requests) < 3:
						row = &otspb.RowInBatchGetRowResponse{IsOk: proto.Bool(false), Error: &otspb.Error{Code: proto.String("OTSTimeout")}}
					}
					part.Rows = append(part.Rows, row)
				}
				answer.Tables = append(answer.Tables, part)
			}
			return http.StatusOK, answer
		}).client(t, client.Options{})
		answer, err := c.BatchGetRow(t.Context(), &client.BatchGetRowRequest{Tables: []client.BatchGetTable{
			{Table: "one", PrimaryKeys: []client.PrimaryKey{idKey("a"), idKey("none")}},
			{Table: "two", PrimaryKeys: []client.PrimaryKey{idKey("b"), idKey("busy"), idKey("c")}, Columns: []string{"n"}, MaxVersions: 3},
		}})
		require.NoError(t, err)
		require.Equal(t, 3, answer.Attempts)
		require.Len(t, requests, 3)
		for _, again := range requests[1:] {
			require.Len(t, again.GetTables(), 1)
			table := again.GetTables()[0]
			require.Equal(t, "two", table.GetTableName())
			require.Equal(t, []string{"n"}, table.GetColumnsToGet())
			require.EqualValues(t, 3, table.GetMaxVersions())
			require.Len(t, table.GetPrimaryKey(), 1)
			require.Equal(t, "busy", idOf(t, table.GetPrimaryKey()[0]))
		}
		require.Len(t, answer.Results, 2)
		require.Nil(t, answer.Results[0][1].Row)
		require.NoError(t, answer.Results[0][1].Err)
		for j, id := range []string{"b", "busy", "c"} {
			require.NoError(t, answer.Results[1][j].Err)
			got, err := answer.Results[1][j].Row.Text("id")
			require.NoError(t, err)
			require.Equal(t, id, got)
		}
	})
}

func TestABatchAnswerWithoutAllRowsIsAnError(t *testing.T) {
	c := stub(func(action string, _ []byte) (int, proto.Message) {
		if action == "BatchGetRow" {
			return http.StatusOK, &otspb.BatchGetRowResponse{}
		}
		return http.StatusOK, &otspb.BatchWriteRowResponse{}
	}).client(t, client.Options{})
	_, err := c.BatchWriteRow(t.Context(), writes())
	require.ErrorContains(t, err, `it has 0 rows of the table "one", not 3`)
	_, err = c.BatchGetRow(t.Context(), &client.BatchGetRowRequest{Tables: []client.BatchGetTable{{Table: "one", PrimaryKeys: []client.PrimaryKey{idKey("a")}}}})
	require.ErrorContains(t, err, `it has 0 rows of the table "one", not 1`)
}

func TestABatchThatFailsLaterKeepsTheRowsThatAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got asked
		service := batchWriter(t, &got, func(id string, _ int) string {
			return map[string]string{"b": "OTSServerBusy"}[id]
		})
		c := stub(func(action string, body []byte) (int, proto.Message) {
			if len(got) == 1 {
				return http.StatusForbidden, &otspb.Error{Code: proto.String("OTSNoPermissionAccess")}
			}
			return service(action, body)
		}).client(t, client.Options{})
		answer, err := c.BatchWriteRow(t.Context(), writes())
		require.NoError(t, err)
		require.ErrorIs(t, answer.Results[1].Err, client.CodeNoPermissionAccess)
		require.ErrorIs(t, answer.Results[1].Err, client.CodeServerBusy, "what was wrong with the row is not lost")
		var e *client.Error
		require.ErrorAs(t, answer.Results[1].Err, &e)
		require.Equal(t, client.CodeNoPermissionAccess, e.Code)
		require.Equal(t, 2, e.Attempts)
		require.NoError(t, answer.Results[0].Err)
		require.Equal(t, 2, answer.Attempts)
	})
}

func TestARowThatALaterOneHasOverwrittenIsNotRepeated(t *testing.T) {
	put := func(table, id string, n int64) client.Write {
		return &client.PutRowRequest{Table: table, PrimaryKey: idKey(id), Columns: []client.Column{{Name: "n", Value: client.Int(n)}}}
	}
	numbered := func() client.Write {
		return &client.PutRowRequest{Table: "one", PrimaryKey: client.PrimaryKey{{Name: "id", Value: client.String("a")}, {Name: "n", Value: client.AutoIncrement()}}}
	}
	update := func(changes ...client.Change) client.Write {
		return &client.UpdateRowRequest{Table: "one", PrimaryKey: idKey("a"), Changes: changes}
	}
	add, other := client.IncrementColumn("n", 1), client.PutColumn("other", client.Int(1))
	for name, c := range map[string]struct {
		rows  []client.Write
		fails []string // the codes of the first request's rows
		again []int    // the rows that are sent again
	}{
		"a later write of the same row":            {[]client.Write{put("one", "a", 1), put("one", "a", 2)}, []string{"OTSServerBusy", ""}, nil},
		"a later write that may have been done":    {[]client.Write{put("one", "a", 1), put("one", "a", 2)}, []string{"OTSServerBusy", "OTSTimeout"}, nil},
		"a later write that met an error":          {[]client.Write{put("one", "a", 1), put("one", "a", 2)}, []string{"OTSServerBusy", "OTSInternalServerError"}, nil},
		"an earlier write of the same row":         {[]client.Write{put("one", "a", 1), put("one", "a", 2)}, []string{"", "OTSServerBusy"}, []int{1}},
		"both failed, and keep their order":        {[]client.Write{put("one", "a", 1), put("one", "a", 2)}, []string{"OTSServerBusy", "OTSServerBusy"}, []int{0, 1}},
		"the later one failed for good":            {[]client.Write{put("one", "a", 1), put("one", "a", 2)}, []string{"OTSServerBusy", "OTSParameterInvalid"}, []int{0}},
		"another row, and another table's":         {[]client.Write{put("one", "a", 1), put("one", "b", 2), put("two", "a", 3)}, []string{"OTSServerBusy", "", ""}, []int{0}},
		"a later update of the same column":        {[]client.Write{update(add), update(client.DeleteColumn("n"))}, []string{"OTSServerBusy", ""}, nil},
		"a later update of another column":         {[]client.Write{update(add), update(other)}, []string{"OTSServerBusy", ""}, []int{0}},
		"a later increment of the same column":     {[]client.Write{update(other, add), update(add)}, []string{"OTSServerBusy", ""}, []int{0}},
		"an update before a later put":             {[]client.Write{update(other), put("one", "a", 1)}, []string{"OTSServerBusy", ""}, nil},
		"rows that the service numbers are others": {[]client.Write{numbered(), numbered()}, []string{"OTSServerBusy", ""}, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent [][]byte
				cl := stub(func(_ string, body []byte) (int, proto.Message) {
					var request otspb.BatchWriteRowRequest
					require.NoError(t, proto.Unmarshal(body, &request))
					answer := &otspb.BatchWriteRowResponse{}
					first := len(sent) == 0
					for _, table := range request.GetTables() {
						part := &otspb.TableInBatchWriteRowResponse{TableName: table.TableName}
						for _, row := range table.GetRows() {
							one := &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(true)}
							if first && c.fails[len(sent)] != "" {
								one = &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(false), Error: &otspb.Error{Code: proto.String(c.fails[len(sent)])}}
							}
							sent = append(sent, row.GetRowChange())
							part.Rows = append(part.Rows, one)
						}
						answer.Tables = append(answer.Tables, part)
					}
					return http.StatusOK, answer
				}).client(t, client.Options{})
				answer, err := cl.BatchWriteRow(t.Context(), &client.BatchWriteRowRequest{Rows: c.rows})
				require.NoError(t, err)
				require.Len(t, sent, len(c.rows)+len(c.again))
				for place, i := range c.again {
					require.Equal(t, sent[i], sent[len(c.rows)+place])
				}
				if c.again == nil {
					require.ErrorIs(t, answer.Results[0].Err, client.CodeServerBusy)
					require.ErrorContains(t, answer.Results[0].Err, "a later row of the batch has written the same row")
				}
			})
		})
	}
}

func TestABatchThatFailsLaterWithoutAnAnswerNamesTheLastOneThatCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got asked
		service := batchWriter(t, &got, func(id string, _ int) string {
			return map[string]string{"b": "OTSServerBusy"}[id]
		})
		transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if len(got) == 1 {
				return nil, syscall.ECONNRESET
			}
			return service.RoundTrip(req)
		})
		p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
		c, err := client.New("https://stub.invalid", "stub", p, &client.Options{Transport: transport, InsecureSkipResponseCheck: true})
		require.NoError(t, err)
		defer c.Close()
		answer, err := c.BatchWriteRow(t.Context(), writes())
		require.NoError(t, err)
		require.ErrorIs(t, answer.Results[1].Err, syscall.ECONNRESET)
		require.Equal(t, "id", answer.RequestID)
		require.Equal(t, 2, answer.Attempts)
	})
}

func TestABatchAnswerIsMatchedByTable(t *testing.T) {
	row := func(id string) *otspb.RowInBatchGetRowResponse {
		return &otspb.RowInBatchGetRowResponse{IsOk: proto.Bool(true), Row: answered(onWire(id))}
	}
	table := func(name string, rows ...*otspb.RowInBatchGetRowResponse) *otspb.TableInBatchGetRowResponse {
		return &otspb.TableInBatchGetRowResponse{TableName: proto.String(name), Rows: rows}
	}
	request := &client.BatchGetRowRequest{Tables: []client.BatchGetTable{
		{Table: "one", PrimaryKeys: []client.PrimaryKey{idKey("a"), idKey("b")}}, {Table: "two", PrimaryKeys: []client.PrimaryKey{idKey("c"), idKey("d")}},
	}}
	for name, c := range map[string]struct {
		answer []*otspb.TableInBatchGetRowResponse
		want   string
	}{
		"tables in another order":     {[]*otspb.TableInBatchGetRowResponse{table("two", row("c"), row("d")), table("one", row("a"), row("b"))}, ""},
		"a row in another table":      {[]*otspb.TableInBatchGetRowResponse{table("one", row("a")), table("two", row("b"), row("c"), row("d"))}, `1 rows of the table "one", not 2`},
		"a table that was not wanted": {[]*otspb.TableInBatchGetRowResponse{table("one", row("a"), row("b")), table("three", row("c"), row("d"))}, `0 rows of the table "two", not 2`},
	} {
		t.Run(name, func(t *testing.T) {
			cl := stub(func(string, []byte) (int, proto.Message) {
				return http.StatusOK, &otspb.BatchGetRowResponse{Tables: c.answer}
			}).client(t, client.Options{})
			got, err := cl.BatchGetRow(t.Context(), request)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			for i, ids := range [][]string{{"a", "b"}, {"c", "d"}} {
				for j, id := range ids {
					text, err := got.Results[i][j].Row.Text("id")
					require.NoError(t, err)
					require.Equal(t, id, text)
				}
			}
		})
	}
}

func TestABatchWithARowThatIsNilIsAnError(t *testing.T) {
	c := stub(nil).client(t, client.Options{})
	for _, row := range []client.Write{nil, (*client.PutRowRequest)(nil), (*client.UpdateRowRequest)(nil), (*client.DeleteRowRequest)(nil)} {
		_, err := c.BatchWriteRow(t.Context(), &client.BatchWriteRowRequest{Rows: []client.Write{row}})
		var ce *otsauth.ConfigError
		require.ErrorAs(t, err, &ce)
	}
}

func TestABatchsRoundsAndAttemptsAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got asked
		service := batchWriter(t, &got, func(id string, before int) string {
			if id == "b" && before == 0 {
				return "OTSServerBusy"
			}
			return ""
		})
		requests := 0
		flaky := stub(func(action string, body []byte) (int, proto.Message) {
			if requests++; requests%2 == 1 {
				return http.StatusServiceUnavailable, &otspb.Error{Code: proto.String("OTSServerBusy"), Message: proto.String("Server is busy.")}
			}
			return service(action, body)
		})
		policy := &recordingPolicy{}
		answer, err := flaky.client(t, client.Options{Retry: policy}).BatchWriteRow(t.Context(), writes())
		require.NoError(t, err)
		for _, result := range answer.Results {
			require.NoError(t, result.Err)
		}
		var numbers []int
		for _, a := range policy.seen {
			numbers = append(numbers, a.Number)
		}
		require.Equal(t, []int{1, 2, 3}, numbers, "refused, a row failed, refused")
		require.Equal(t, 4, answer.Attempts)
	})
}
