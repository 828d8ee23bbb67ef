package client_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/otstest"
)

func TestAClientsCallsShareABudgetOfRepetitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		var healthy atomic.Bool
		c := stub(func(string, []byte) (int, proto.Message) {
			sent.Add(1)
			if healthy.Load() {
				return http.StatusOK, &otspb.ListTableResponse{}
			}
			return http.StatusServiceUnavailable, &otspb.Error{Code: proto.String("OTSServerBusy")}
		}).client(t, client.Options{})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := c.ListTable(t.Context()); err == nil {
					t.Error("a call succeeded")
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 100+500, sent.Load(), "not the 2,100 that the policy allows")
		_, err := c.ListTable(t.Context())
		require.ErrorIs(t, err, client.CodeServerBusy)
		require.ErrorContains(t, err, "it was not repeated")
		require.EqualValues(t, 601, sent.Load())

		healthy.Store(true)
		for range 3 { // each success puts a repetition back
			_, err := c.ListTable(t.Context())
			require.NoError(t, err)
		}
		healthy.Store(false)
		_, err = c.ListTable(t.Context())
		require.ErrorContains(t, err, "it was not repeated")
		require.EqualValues(t, 601+3+1+3, sent.Load())
	})
}

func TestRowsOfBatchesDrawOnTheBudgetToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		c := stub(func(string, []byte) (int, proto.Message) {
			sent.Add(1)
			row := &otspb.RowInBatchGetRowResponse{IsOk: proto.Bool(false), Error: &otspb.Error{Code: proto.String("OTSServerBusy")}}
			return http.StatusOK, &otspb.BatchGetRowResponse{Tables: []*otspb.TableInBatchGetRowResponse{
				{TableName: proto.String("t"), Rows: []*otspb.RowInBatchGetRowResponse{row}},
			}}
		}).client(t, client.Options{})
		request := &client.BatchGetRowRequest{Tables: []client.BatchGetTable{{Table: "t", PrimaryKeys: []client.PrimaryKey{idKey("a")}}}}
		var spared atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				got, err := c.BatchGetRow(t.Context(), request)
				if err != nil || got.Results[0][0].Err == nil {
					t.Error("the rows did not fail")
					return
				}
				if strings.Contains(got.Results[0][0].Err.Error(), "it was not repeated") {
					spared.Add(1)
				}
			})
		}
		wg.Wait()
		require.Less(t, sent.Load(), int64(1000), "not the 2,100 that the policy allows")
		require.Positive(t, spared.Load())
	})
}

func TestATraceIDIsSentAndSigned(t *testing.T) {
	type key struct{}
	server := otstest.NewServer(t, nil)
	var seen []string
	watch := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, req.Header.Get("x-ots-sdk-traceid"))
		return server.Transport().RoundTrip(req)
	})
	c := inProcess(t, server, server.Provider(), client.Options{Transport: watch, TraceID: func(ctx context.Context) string {
		id, _ := ctx.Value(key{}).(string)
		return id
	}})
	_, err := c.ListTable(t.Context())
	require.NoError(t, err)
	_, err = c.ListTable(context.WithValue(t.Context(), key{}, "trace-1"))
	require.NoError(t, err, "the server checks the signature over it")
	require.Equal(t, []string{"", "trace-1"}, seen)
	for _, id := range []string{"line\nbreak", "nul\x00"} {
		_, err = c.ListTable(context.WithValue(t.Context(), key{}, id))
		var ce *otsauth.ConfigError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "TraceID", ce.Field)
		require.NotContains(t, err.Error(), "no credentials")
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, 0, e.Attempts)
	}
	require.Len(t, seen, 2, "what no header can have is not sent, nor tried again")
}

func TestATraceIDThatCannotBeIsNotPutToThePolicy(t *testing.T) {
	policy := &recordingPolicy{}
	c := stub(nil).client(t, client.Options{Retry: policy, TraceID: func(context.Context) string { return "a\nb" }})
	_, err := c.ListTable(t.Context())
	require.ErrorContains(t, err, "TraceID has a line end")
	require.Empty(t, policy.seen)
}

func TestAnAnswerThatIsNotRepeatedShowsThatTheServiceWorks(t *testing.T) {
	code, status := "OTSServerBusy", http.StatusServiceUnavailable
	c := stub(func(string, []byte) (int, proto.Message) { return status, &otspb.Error{Code: &code} }).client(t, client.Options{Retry: client.NoDelayRetryPolicy{}})
	for range 30 { // more than the budget has
		_, err := c.ListTable(t.Context())
		require.Error(t, err)
	}
	_, err := c.ListTable(t.Context())
	require.ErrorContains(t, err, "it was not repeated")
	code, status = "OTSConditionCheckFail", http.StatusForbidden
	require.Error(t, putRow(t.Context(), c))
	code, status = "OTSServerBusy", http.StatusServiceUnavailable
	_, err = c.ListTable(t.Context())
	require.ErrorContains(t, err, ", 2 attempts")
}
