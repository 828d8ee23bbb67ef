package client_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/otstest"
)

func increment(ctx context.Context, c *client.OTSClient) error {
	_, err := c.UpdateRow(ctx, &client.UpdateRowRequest{Table: "table", PrimaryKey: rowKey("a"), Changes: []client.Change{client.IncrementColumn("c", 1)}})
	return err
}

func putIfAbsent(ctx context.Context, c *client.OTSClient) error {
	_, err := c.PutRow(ctx, &client.PutRowRequest{
		Table: "table", PrimaryKey: rowKey("new"), Condition: &client.Condition{RowExistence: client.ExpectNotExist},
	})
	return err
}

func TestAWriteThatFailedSaysWhetherItMayHaveBeenDone(t *testing.T) {
	const read, condition = "it may have been done; read what is there", "may have written the row itself"
	for name, c := range map[string]struct {
		policy client.RetryPolicy
		call   func(context.Context, *client.OTSClient) error
		fault  otstest.Fault
		maybe  bool
		hint   string
		sent   int
	}{
		"the connection broke":                {nil, putRow, otstest.Fault{ResetAfter: true}, true, read, 1},
		"a read's connection broke":           {client.NoRetryPolicy{}, getRow, otstest.Fault{ResetAfter: true}, false, "", 1},
		"the answer was cut off":              {nil, putRow, otstest.Fault{Truncate: true}, true, read, 1},
		"the answer cannot be believed":       {nil, putRow, otstest.Fault{WrongSignature: true}, true, read, 1},
		"the service took too long":           {nil, putRow, otstest.Fault{StatusCode: 503, Code: "OTSTimeout", Message: "Operation timeout."}, true, read, 1},
		"a proxy gave up":                     {nil, putRow, otstest.Fault{StatusCode: 504, PlainBody: "timeout"}, true, read, 1},
		"the service was busy":                {client.NoRetryPolicy{}, putRow, otstest.Throttled(false), false, "send less", 1},
		"the service refused it":              {nil, putRow, otstest.Fault{StatusCode: 400, Code: "OTSParameterInvalid", Message: "x"}, false, "", 1},
		"an increment is not sent twice":      {client.WriteRetryPolicy{}, increment, otstest.Fault{ResetAfter: true}, true, read, 1},
		"its own first attempt is in its way": {client.WriteRetryPolicy{}, putIfAbsent, otstest.Fault{ResetAfter: true}, true, condition, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, nil)
				cl := inProcess(t, server, server.Provider(), client.Options{Retry: c.policy})
				createTable(t, cl)
				require.NoError(t, putRow(t.Context(), cl))
				server.Fail(1, c.fault)
				err := c.call(t.Context(), cl)
				var e *client.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, c.maybe, e.MaybeExecuted)
				require.Contains(t, e.Hint, c.hint)
				require.Equal(t, c.sent, e.Attempts)
			})
		})
	}
	t.Run("no connection was made", func(t *testing.T) {
		refused := roundTripFunc(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		})
		server := otstest.NewServer(t, nil)
		err := putRow(t.Context(), inProcess(t, server, server.Provider(), client.Options{Transport: refused, Retry: client.NoRetryPolicy{}}))
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.False(t, e.MaybeExecuted)
		require.Contains(t, e.Hint, "check the endpoint's host and port")
	})
	t.Run("the answer cannot be decoded", func(t *testing.T) {
		c := stub(func(string, []byte) (int, proto.Message) { return http.StatusOK, &otspb.ListTableResponse{} }).client(t, client.Options{})
		var e *client.Error
		require.ErrorAs(t, putRow(t.Context(), c), &e)
		require.True(t, e.MaybeExecuted)
		require.ErrorAs(t, getRow(t.Context(), c), &e)
		require.False(t, e.MaybeExecuted)
	})
}

func TestARowOfABatchSaysWhetherItMayHaveBeenDone(t *testing.T) {
	for name, c := range map[string]struct {
		answers []string // to row b, one after the other
		maybe   bool
		hint    string
	}{
		"it took too long":                        {[]string{"OTSTimeout"}, true, "it may have been done"},
		"the service met an error":                {[]string{"OTSInternalServerError"}, true, "it may have been done"},
		"the service went away":                   {[]string{"OTSServerUnavailable"}, true, "it may have been done"},
		"the service was busy":                    {[]string{"OTSServerBusy"}, false, "send less"},
		"its own first round is in its way":       {[]string{"OTSTimeout", "OTSConditionCheckFail"}, true, "may have written the row itself"},
		"a round that refused is in nobody's way": {[]string{"OTSServerBusy", "OTSConditionCheckFail"}, false, "read the row again"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got asked
				cl := batchWriter(t, &got, func(id string, before int) string {
					if id != "b" {
						return ""
					}
					return c.answers[min(before, len(c.answers)-1)]
				}).client(t, client.Options{Retry: client.WriteRetryPolicy{}})
				answer, err := cl.BatchWriteRow(t.Context(), writes())
				require.NoError(t, err)
				require.NoError(t, answer.Results[0].Err)
				var e *client.Error
				require.ErrorAs(t, answer.Results[1].Err, &e)
				require.Equal(t, c.maybe, e.MaybeExecuted)
				require.Contains(t, e.Hint, c.hint)
			})
		})
	}
}

func TestARowThatTheServiceNumbersIsNotPutTwice(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{Retry: client.WriteRetryPolicy{}})
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}, {Name: "n", Type: client.KeyInteger, AutoIncrement: true}},
	})
	require.NoError(t, err)
	key := client.PrimaryKey{{Name: "id", Value: client.String("a")}, {Name: "n", Value: client.AutoIncrement()}}
	put := &client.PutRowRequest{Table: "table", PrimaryKey: key}
	server.Fail(2, otstest.Fault{ResetAfter: true})
	_, err = c.PutRow(t.Context(), put)
	require.Error(t, err)
	_, err = c.BatchWriteRow(t.Context(), &client.BatchWriteRowRequest{Rows: []client.Write{put}})
	require.Error(t, err)
	require.Equal(t, 2, strings.Count(server.Dump(), `"a"`), server.Dump())
}
