package client_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

func TestRetriesFollowThePolicy(t *testing.T) {
	busy := otstest.Throttled(false)
	internal := otstest.Fault{StatusCode: 500, Code: "OTSInternalServerError", Message: "Internal server error."}
	for name, c := range map[string]struct {
		policy   client.RetryPolicy
		fault    otstest.Fault
		faults   int
		call     func(context.Context, *client.OTSClient) error
		requests int64
		fails    bool
	}{
		"a busy service and a read":        {nil, busy, 3, getRow, 4, false},
		"a busy service and a write":       {nil, busy, 3, putRow, 4, false},
		"an internal error and a read":     {nil, internal, 3, getRow, 4, false},
		"an internal error and a write":    {nil, internal, 3, putRow, 1, true},
		"the write policy and a write":     {client.WriteRetryPolicy{}, internal, 3, putRow, 4, false},
		"no retries":                       {client.NoRetryPolicy{}, busy, 3, getRow, 1, true},
		"no delays":                        {client.NoDelayRetryPolicy{}, busy, 3, getRow, 4, false},
		"a service that stays busy":        {nil, busy, 100, getRow, 21, true},
		"a reset connection and a read":    {nil, otstest.Fault{Reset: true}, 2, getRow, 3, false},
		"a reset connection and a write":   {nil, otstest.Fault{Reset: true}, 2, putRow, 1, true},
		"a truncated answer and a read":    {nil, otstest.Fault{Truncate: true}, 2, getRow, 3, false},
		"a proxy's 502 and a read":         {nil, otstest.Fault{StatusCode: 502, PlainBody: "<html>"}, 2, getRow, 3, false},
		"a proxy's 502 and a write":        {nil, otstest.Fault{StatusCode: 502, PlainBody: "<html>"}, 2, putRow, 1, true},
		"a proxy's 403":                    {nil, otstest.Fault{StatusCode: 403, PlainBody: "<html>"}, 2, getRow, 1, true},
		"a condition that fails":           {nil, otstest.Fault{StatusCode: 403, Code: "OTSConditionCheckFail", Message: "Condition check failed."}, 2, getRow, 1, true},
		"an answer with a wrong MD5":       {nil, otstest.Fault{WrongMD5: true}, 1, getRow, 1, true},
		"a slow answer within the timeout": {nil, otstest.Fault{Delay: 49 * time.Second}, 1, getRow, 1, false},
		"a read slower than the timeout":   {nil, otstest.Fault{Delay: 51 * time.Second}, 1, getRow, 2, false},
		"a write slower than the timeout":  {nil, otstest.Fault{Delay: 51 * time.Second}, 1, putRow, 1, true},
		"a read that is done and cut off":  {nil, otstest.Fault{ResetAfter: true}, 1, getRow, 2, false},
		"a write that is done and cut off": {nil, otstest.Fault{ResetAfter: true}, 1, putRow, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, nil)
				cl := inProcess(t, server, server.Provider(), client.Options{Retry: c.policy})
				createTable(t, cl)
				require.NoError(t, putRow(t.Context(), cl))
				before := server.Stats().Requests
				server.Fail(c.faults, c.fault)
				err := c.call(t.Context(), cl)
				require.Equal(t, c.requests, server.Stats().Requests-before)
				if !c.fails {
					require.NoError(t, err)
					return
				}
				var ce *client.Error
				require.ErrorAs(t, err, &ce)
				require.EqualValues(t, c.requests, ce.Attempts)
			})
		})
	}
}

func TestTheContextEndsADelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.Provider(), client.Options{})
		server.Fail(-1, otstest.Throttled(false))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := c.ListTable(ctx)
		require.Equal(t, 100*time.Millisecond, time.Since(begin))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, client.CodeServerBusy, "the error says what it was waiting for")
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var hosts []string
	transport := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		hosts = append(hosts, req.URL.Host)
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example.com/"}}, Body: http.NoBody}, nil
	})
	server := otstest.NewServer(t, nil)
	_, err := inProcess(t, server, server.Provider(), client.Options{Transport: transport}).ListTable(t.Context())
	var ce *client.Error
	require.ErrorAs(t, err, &ce)
	require.Equal(t, http.StatusTemporaryRedirect, ce.StatusCode)
	require.Equal(t, []string{"otstest.invalid"}, hosts)
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// recordingPolicy is DefaultRetryPolicy that remembers what it was asked.
type recordingPolicy struct {
	seen []client.Attempt
	next func(client.Attempt)
}

func (p *recordingPolicy) Next(a client.Attempt) (time.Duration, bool) {
	p.seen = append(p.seen, a)
	if p.next != nil {
		p.next(a)
	}
	return client.DefaultRetryPolicy{}.Next(a)
}

func TestAPolicyIsToldWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		policy := &recordingPolicy{}
		c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: policy})
		createTable(t, c)
		server.Fail(1, otstest.Fault{Reset: true})
		server.Fail(1, otstest.Throttled(false))
		server.Fail(1, otstest.Fault{Truncate: true})
		require.NoError(t, c.Close())

		c = inProcess(t, server, server.STS().Provider(), client.Options{Retry: policy})
		server.Fail(1, otstest.Unavailable(true))
		_, err := c.ListTable(t.Context())
		require.NoError(t, err)
		require.Len(t, policy.seen, 4)
		for i, want := range []client.Attempt{
			{Number: 1, NoCredentials: true, Temporary: true},
			{Number: 1, Executed: true, Temporary: true},
			{Number: 2, Code: client.CodeServerBusy, Message: "Server is busy.", StatusCode: 503},
			{Number: 3, Executed: true, Temporary: true},
		} {
			got := policy.seen[i]
			require.Error(t, got.Err)
			require.True(t, i == 0 || got.Elapsed > policy.seen[i-1].Elapsed)
			want.Action, want.Err, want.Elapsed = "ListTable", got.Err, got.Elapsed
			require.Equal(t, want, got)
		}
	})
}

func TestAClosedClientFails(t *testing.T) {
	server := otstest.NewServer(t, nil)
	shared := otsauth.NewCache(server.Provider(), nil)
	defer shared.Close()
	for name, p := range map[string]otsauth.Provider{"with a cache of its own": server.Provider(), "with a shared cache": shared} {
		t.Run(name, func(t *testing.T) {
			c := inProcess(t, server, p, client.Options{})
			_, err := c.ListTable(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.Close())
			require.NoError(t, c.Close(), "twice")
			_, err = c.ListTable(t.Context())
			require.ErrorIs(t, err, otsauth.ErrClosed)
			require.EqualError(t, err, "client: ListTable: the client is closed; make another with New, 0 attempts")
		})
	}
	_, err := shared.Retrieve(t.Context())
	require.NoError(t, err, "a cache that the client was given stays open")
}

func TestAnAnswerIsBounded(t *testing.T) {
	const limit = 64 << 20
	server := otstest.NewServer(t, nil)
	for name, resp := range map[string]*http.Response{
		"whose length is known":   {ContentLength: limit + 1, Body: io.NopCloser(zeros{})},
		"whose length is unknown": {ContentLength: -1, Body: io.NopCloser(zeros{})},
	} {
		t.Run(name, func(t *testing.T) {
			resp.StatusCode = http.StatusOK
			requests := 0
			transport := roundTripFunc(func(*http.Request) (*http.Response, error) { requests++; return resp, nil })
			_, err := inProcess(t, server, server.Provider(), client.Options{Transport: transport}).ListTable(t.Context())
			require.ErrorContains(t, err, "no more than 67108864 are read")
			require.Equal(t, 1, requests, "it would be as large again")
		})
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
