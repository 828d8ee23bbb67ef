package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

// inProcess returns a client of server without a socket. Its provider is p.
func inProcess(t testing.TB, server *otstest.Server, p otsauth.Provider, opts client.Options) *client.OTSClient {
	t.Helper()
	if opts.Transport == nil {
		opts.Transport = server.Transport()
	}
	c, err := client.New("https://otstest.invalid", server.Instance(), p, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func createTable(t testing.TB, c *client.OTSClient) {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}, {Name: "n", Type: client.KeyInteger}},
	})
	require.NoError(t, err)
}

func rowKey(id string) client.PrimaryKey {
	return client.PrimaryKey{{Name: "id", Value: client.String(id)}, {Name: "n", Value: client.Int(1)}}
}

func putRow(ctx context.Context, c *client.OTSClient) error {
	_, err := c.PutRow(ctx, &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "c", Value: client.Int(1)}}})
	return err
}

func getRow(ctx context.Context, c *client.OTSClient) error {
	got, err := c.GetRow(ctx, &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")})
	if err == nil && got.Row == nil {
		err = errors.New("the row is not there")
	}
	return err
}

// TestNoRequestFailsForADay is the promise: a service that runs for a day on
// tokens of 15 minutes, with an outage of STS an hour, and a revoked token an
// hour.
func TestNoRequestFailsForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 15 * time.Minute})
		c := inProcess(t, server, server.STS().Provider(), client.Options{})
		createTable(t, c)
		require.NoError(t, putRow(t.Context(), c))
		begin := time.Now()
		for n := 0; time.Since(begin) < 24*time.Hour; n++ {
			switch n % 720 { // one request every 5 seconds
			case 100:
				server.Fail(-1, otstest.Fault{STS: true, Reset: true})
			case 124: // two minutes later
				server.Heal()
			case 500:
				require.Positive(t, server.RevokeTokens())
			}
			require.NoError(t, putRow(t.Context(), c))
			require.NoError(t, getRow(t.Context(), c))
			time.Sleep(5 * time.Second)
		}
		stats := server.Stats()
		require.Less(t, stats.STSCalls, int64(24*20))
		require.EqualValues(t, 24, stats.Refused, "one rejected token an hour")
	})
}

func TestAnSTSOutageThatOutlivesTheTokenMakesRequestsSlowNotFailed(t *testing.T) {
	for _, policy := range []client.RetryPolicy{client.DefaultRetryPolicy{}, client.WriteRetryPolicy{}, client.NoDelayRetryPolicy{}} {
		t.Run(fmt.Sprintf("%T", policy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 5 * time.Minute})
				c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: policy})
				createTable(t, c)
				server.Fail(-1, otstest.Unavailable(true))
				time.Sleep(6 * time.Minute) // the token has expired
				time.AfterFunc(time.Minute, server.Heal)
				begin := time.Now()
				require.NoError(t, putRow(t.Context(), c))
				require.InDelta(t, time.Minute, time.Since(begin), float64(11*time.Second))
			})
		})
	}
}

func TestTheContextEndsTheWaitForCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.STS().Provider(), client.Options{})
		server.Fail(-1, otstest.Unavailable(true))
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		begin := time.Now()
		err := putRow(ctx, c)
		require.Equal(t, 7*time.Second, time.Since(begin))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var se *otsauth.STSError
		require.ErrorAs(t, err, &se, "the error says why there were no credentials")
		require.Zero(t, server.Stats().Requests)
	})
}

func TestCredentialsThatWillNotComeFailTheCallAtOnce(t *testing.T) {
	server := otstest.NewServer(t, nil)
	closed := otsauth.NewCache(server.Provider(), nil)
	require.NoError(t, closed.Close())
	server.STS().SetRoles("acs:ram::1:role/other")
	for name, c := range map[string]struct {
		provider otsauth.Provider
		want     error
	}{
		"none are configured":     {otsauth.Chain(), otsauth.ErrNotConfigured},
		"the cache is closed":     {closed, otsauth.ErrClosed},
		"the key cannot be right": {otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("a b")}), nil},
		"the role does not exist": {server.STS().Provider(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := putRow(t.Context(), inProcess(t, server, c.provider, client.Options{}))
			var ce *client.Error
			require.ErrorAs(t, err, &ce)
			require.Zero(t, ce.Attempts)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
		})
	}
}

func TestARejectedTokenIsReplacedAndTheRequestSentOnceMore(t *testing.T) {
	for name, opts := range map[string]*otstest.Options{
		"rejected as OTSAuthFailed":           nil,
		"rejected as OTSNoPermissionAccess":   {ExpiredToken: otstest.Refusal{StatusCode: 403, Code: "OTSNoPermissionAccess", Message: "The security token is invalid."}},
		"rejected with an unexpected message": {ExpiredToken: otstest.Refusal{StatusCode: 403, Code: "OTSAuthFailed", Message: "Something new."}},
	} {
		t.Run(name, func(t *testing.T) {
			server := otstest.NewServer(t, opts)
			c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: client.NoRetryPolicy{}})
			createTable(t, c)
			require.Equal(t, 1, server.RevokeTokens())
			resp, err := c.ListTable(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, resp.Attempts)
			require.EqualValues(t, 2, server.Stats().STSCalls)
		})
	}
	t.Run("also when it is revoked under way", func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: client.NoRetryPolicy{}})
		for range 10 {
			server.Fail(1, otstest.Fault{Revoke: true})
			resp, err := c.ListTable(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, resp.Attempts)
		}
	})
	t.Run("but not a third time", func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		provider := otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
			creds, err := server.STS().Provider().Retrieve(ctx)
			server.Revoke(creds.AccessKeyID)
			return creds, err
		})
		_, err := inProcess(t, server, provider, client.Options{}).ListTable(t.Context())
		require.ErrorIs(t, err, client.CodeAuthFailed)
		require.EqualValues(t, 2, server.Stats().Requests)
	})
	t.Run("and a hundred callers cause one fetch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			c := inProcess(t, server, server.STS().Provider(), client.Options{})
			createTable(t, c)
			server.RevokeTokens()
			server.Fail(1, otstest.Fault{STS: true, Delay: time.Second})
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if err := putRow(t.Context(), c); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 2, server.Stats().STSCalls)
		})
	})
	t.Run("a refusal that new credentials cannot mend is final", func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c, err := client.New("https://otstest.invalid", "other", server.STS().Provider(), &client.Options{Transport: server.Transport()})
		require.NoError(t, err)
		defer c.Close()
		_, err = c.ListTable(t.Context())
		require.ErrorIs(t, err, client.CodeAuthFailed)
		require.ErrorContains(t, err, "check the instance name")
		require.EqualValues(t, 1, server.Stats().STSCalls)
	})
}

func TestAClockThatIsOffIsLearnedAndTheRequestSentOnceMore(t *testing.T) {
	for _, region := range []string{"", "cn-hangzhou"} {
		for _, off := range []time.Duration{20 * time.Minute, -48 * time.Hour} {
			t.Run(fmt.Sprintf("off by %s, region %q", off, region), func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{Now: func() time.Time { return time.Now().Add(off) }})
				c := inProcess(t, server, server.Provider(), client.Options{Region: region, Retry: client.NoRetryPolicy{}})
				resp, err := c.ListTable(t.Context())
				require.NoError(t, err)
				require.Equal(t, 2, resp.Attempts)
				resp, err = c.ListTable(t.Context())
				require.NoError(t, err)
				require.Equal(t, 1, resp.Attempts, "the offset is kept")
			})
		}
	}
}

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

func TestErrors(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{Retry: client.NoRetryPolicy{}})

	t.Run("of the service compare with their code", func(t *testing.T) {
		err := putRow(t.Context(), c)
		require.ErrorIs(t, err, client.CodeObjectNotExist)
		require.NotErrorIs(t, err, client.CodeAuthFailed)
		var ce *client.Error
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "PutRow", ce.Action)
		require.Equal(t, 404, ce.StatusCode)
		require.Equal(t, server.Requests()[0].RequestID, ce.RequestID)
		require.Equal(t, "client: PutRow: OTSObjectNotExist: Requested table does not exist. (HTTP 404), request "+ce.RequestID+"; create the table, or check its name", err.Error())
	})
	t.Run("of the network keep their cause", func(t *testing.T) {
		server.Fail(1, otstest.Fault{Reset: true})
		require.ErrorIs(t, putRow(t.Context(), c), syscall.ECONNRESET)
	})
	t.Run("of a cancelled context keep it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, putRow(ctx, c), context.Canceled)
	})
	for check, fault := range map[signer.Check]otstest.Fault{
		signer.CheckMD5:       {WrongMD5: true},
		signer.CheckSignature: {WrongSignature: true},
		signer.CheckDate:      {ClockOffset: 16 * time.Minute},
		signer.CheckHeader:    {PlainBody: "hello", StatusCode: 200},
	} {
		t.Run("of an answer that fails the "+string(check)+" check are of their own type", func(t *testing.T) {
			server.Fail(1, fault)
			_, err := c.ListTable(t.Context())
			var re *signer.ResponseError
			require.ErrorAs(t, err, &re)
			require.Equal(t, check, re.Check)

			server.Fail(1, fault)
			unchecked := inProcess(t, server, server.Provider(), client.Options{InsecureSkipResponseCheck: true})
			_, err = unchecked.Do(t.Context(), "ListTable", nil)
			require.NoError(t, err)
		})
	}
	t.Run("of a nil argument are no panic", func(t *testing.T) {
		var none context.Context
		var ce *otsauth.ConfigError
		require.ErrorAs(t, putRow(none, c), &ce)
		_, err := c.PutRow(t.Context(), nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.GetRow(t.Context(), nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.CreateTable(t.Context(), nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.Do(t.Context(), "Get Row", nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.Do(t.Context(), "", nil)
		require.ErrorAs(t, err, &ce)
	})
	t.Run("of a row that cannot be sent name the column", func(t *testing.T) {
		for want, req := range map[string]*client.PutRowRequest{
			"table name is empty":                     {PrimaryKey: rowKey("a")},
			"primary key is empty":                    {Table: "t"},
			"column has an empty name":                {Table: "t", PrimaryKey: client.PrimaryKey{{Value: client.Int(1)}}},
			"column a has no value":                   {Table: "t", PrimaryKey: client.PrimaryKey{{Name: "a"}}},
			"column b has a string that is not UTF-8": {Table: "t", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "b", Value: client.String("\xff")}}},
			"has a name that is not UTF-8":            {Table: "t", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "\xff", Value: client.Int(1)}}},
			"table name is not UTF-8":                 {Table: "\xff", PrimaryKey: rowKey("a")},
		} {
			_, err := c.PutRow(t.Context(), req)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce, want)
			require.ErrorContains(t, err, want)
		}
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

func TestEveryValueComesBackAsItWasWritten(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{Region: "cn-hangzhou"}) // V4
	createTable(t, c)
	columns := []client.Column{
		{Name: "bool", Value: client.Bool(true)},
		{Name: "bytes", Value: client.Bytes([]byte{0, 1, 255})},
		{Name: "empty", Value: client.String("")},
		{Name: "float", Value: client.Float(-2.5)},
		{Name: "int", Value: client.Int(-1 << 63)},
		{Name: "text", Value: client.String("云 \"x\"")},
	}
	put, err := c.PutRow(t.Context(), &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: columns, Condition: &client.Condition{RowExistence: client.ExpectNotExist}})
	require.NoError(t, err)
	require.Equal(t, client.Capacity{Read: 1, Write: 1}, put.Consumed)
	require.NotEmpty(t, put.RequestID)

	got, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")})
	require.NoError(t, err)
	require.Equal(t, rowKey("a"), got.Row.PrimaryKey)
	require.Len(t, got.Row.Columns, len(columns))
	for i, column := range got.Row.Columns {
		require.Equal(t, columns[i].Name, column.Name)
		require.True(t, columns[i].Value.Equal(column.Value), column.Name)
		require.WithinDuration(t, time.Now(), column.Timestamp, time.Minute)
	}
	id, ok := got.Row.Get("id")
	require.True(t, ok)
	require.Equal(t, `"a"`, id.String())
	_, ok = got.Row.Get("none")
	require.False(t, ok)

	some, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: []string{"int"}})
	require.NoError(t, err)
	require.Len(t, some.Row.Columns, 1)

	absent, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("b")})
	require.NoError(t, err)
	require.Nil(t, absent.Row)

	_, err = c.PutRow(t.Context(), &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Condition: &client.Condition{RowExistence: client.ExpectNotExist}})
	require.ErrorIs(t, err, client.CodeConditionCheckFail)
}

func TestOverSockets(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, err := otstest.Start(nil)
	require.NoError(t, err)
	defer server.Close()

	t.Run("plain HTTP, with no more connections than allowed", func(t *testing.T) {
		var open, most atomic.Int64
		c, err := client.New(server.URL()+"/", server.Instance(), server.STS().Provider(), &client.Options{MaxConnections: 3})
		require.NoError(t, err)
		client.SetDialer(c, countingDialer(&open, &most))
		createTable(t, c)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 10 {
					if err := putRow(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, most.Load())
		require.NoError(t, c.Close())
		require.ErrorIs(t, putRow(t.Context(), c), otsauth.ErrClosed)
	})
	t.Run("TLS, of a version in the bounds", func(t *testing.T) {
		trusted, ok := server.Client().Transport.(*http.Transport)
		require.True(t, ok)
		for name, c := range map[string]struct {
			min, max uint16
			want     uint16
		}{"by default": {0, 0, tls.VersionTLS13}, "at most 1.2": {0, tls.VersionTLS12, tls.VersionTLS12}} {
			cl, err := client.New(server.TLSURL(), server.Instance(), server.Provider(), &client.Options{TLSMinVersion: c.min, TLSMaxVersion: c.max})
			require.NoError(t, err)
			var got uint16
			client.SetRoots(cl, trusted.TLSClientConfig.RootCAs, func(s tls.ConnectionState) { got = s.Version })
			_, err = cl.ListTable(t.Context())
			require.NoError(t, err, name)
			require.Equal(t, c.want, got, name)
			require.NoError(t, cl.Close())
		}
		untrusting, err := client.New(server.TLSURL(), server.Instance(), server.Provider(), nil)
		require.NoError(t, err)
		_, err = untrusting.ListTable(t.Context())
		require.ErrorContains(t, err, "certificate")
		require.NoError(t, untrusting.Close())
	})
	t.Run("a reset connection", func(t *testing.T) {
		c, err := client.New(server.URL(), server.Instance(), server.Provider(), &client.Options{Retry: client.NoRetryPolicy{}})
		require.NoError(t, err)
		defer c.Close()
		server.Fail(1, otstest.Fault{Reset: true})
		_, err = c.ListTable(t.Context())
		require.ErrorIs(t, err, syscall.ECONNRESET)
		server.Fail(1, otstest.Fault{Truncate: true})
		_, err = c.ListTable(t.Context())
		require.Error(t, err)
		_, err = c.ListTable(t.Context())
		require.NoError(t, err)
	})
	t.Run("nobody listens, which a write may retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, err := client.New("http://127.0.0.1:1", "instance", server.Provider(), nil)
			require.NoError(t, err)
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err = putRow(ctx, c)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			var ce *client.Error
			require.ErrorAs(t, err, &ce)
			require.Greater(t, ce.Attempts, 3)
		})
	})
}

func TestLogsHaveTheFactsAndNoSecret(t *testing.T) {
	server := otstest.NewServer(t, nil)
	var out bytes.Buffer
	c := inProcess(t, server, server.STS().Provider(), client.Options{Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	createTable(t, c)
	require.NoError(t, putRow(t.Context(), c))
	_, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "none", PrimaryKey: rowKey("a")})
	require.Error(t, err)

	var records []map[string]any
	for line := range strings.Lines(out.String()) {
		record := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		records = append(records, record)
	}
	require.Len(t, records, 4) // three attempts, one failed call
	requests := server.Requests()
	for i, action := range []string{"CreateTable", "PutRow", "GetRow"} {
		require.Equal(t, "DEBUG", records[i]["level"])
		require.Equal(t, action, records[i]["action"])
		require.EqualValues(t, 1, records[i]["attempt"])
		require.Equal(t, requests[i+1].RequestID, records[i]["request_id"])
		require.EqualValues(t, requests[i+1].StatusCode, records[i]["status"])
		require.Contains(t, records[i], "took")
		require.Positive(t, records[i]["request_bytes"])
	}
	require.Equal(t, "ERROR", records[3]["level"])
	require.Contains(t, records[3]["error"], "OTSObjectNotExist")

	creds, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	require.NotContains(t, out.String(), creds.SecurityToken.Reveal()[:10], "all tokens of the server begin alike")
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	for name, c := range map[string]struct {
		endpoint, instance string
		provider           otsauth.Provider
		opts               *client.Options
		want               string
	}{
		"no endpoint":                 {"", "i", p, nil, `endpoint is empty; it looks like "https://`},
		"no scheme":                   {"i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "has no scheme"},
		"http":                        {"http://i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "set InsecureHTTP"},
		"another scheme":              {"ftp://i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, `scheme "ftp"`},
		"no host":                     {"https://", "i", p, nil, "has no host name"},
		"only a port":                 {"https://:443", "i", p, nil, "has no host name"},
		"an action in the path":       {"https://i.cn-hangzhou.ots.aliyuncs.com/GetRow", "i", p, nil, "something after the host"},
		"a query":                     {"https://i.cn-hangzhou.ots.aliyuncs.com?a=b", "i", p, nil, "something after the host"},
		"a fragment":                  {"https://i.cn-hangzhou.ots.aliyuncs.com#a", "i", p, nil, "something after the host"},
		"a password":                  {"https://user:hunter2@i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "has a user name"},
		"white space":                 {" https://i.cn-hangzhou.ots.aliyuncs.com\n", "i", p, nil, "white space around"},
		"a bad escape":                {"https://hunter2%zz.com", "i", p, nil, "is not a URL"},
		"a port that is none":         {"https://i.cn-hangzhou.ots.aliyuncs.com:hunter2", "i", p, nil, "is not a URL"},
		"no instance":                 {"https://example.com", "", p, nil, "instance name is empty"},
		"another instance's endpoint": {"https://a.cn-hangzhou.ots.aliyuncs.com", "b", p, nil, `is "b", but the endpoint is that of "a"`},
		"an instance with a dot":      {"https://example.com", "a.b", p, nil, "'.' at byte 2"},
		"no provider":                 {"https://example.com", "i", nil, nil, "provider is nil"},
		"a region that is a host":     {"https://example.com", "i", p, &client.Options{Region: "a.b"}, "a region looks like"},
		"TLS bounds the wrong way":    {"https://example.com", "i", p, &client.Options{TLSMinVersion: tls.VersionTLS13, TLSMaxVersion: tls.VersionTLS12}, "TLSMaxVersion is lower"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.New(c.endpoint, c.instance, c.provider, c.opts)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestNewAcceptsTheUsualForms(t *testing.T) {
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	for _, c := range []struct {
		endpoint, instance string
		opts               *client.Options
	}{
		{"https://i.cn-hangzhou.ots.aliyuncs.com", "i", nil},
		{"https://i.cn-hangzhou.ots.aliyuncs.com/", "", nil},
		{"https://i.cn-hangzhou.ots.aliyuncs.com:443", "i", nil},
		{"https://I.cn-hangzhou.OTS.aliyuncs.com", "i", nil},
		{"https://i.cn-hangzhou.vpc.tablestore.aliyuncs.com", "", nil},
		{"https://i.cn-hangzhou.ots-internal.aliyuncs.com", "", nil},
		{"http://i.cn-hangzhou.vpc.tablestore.aliyuncs.com", "i", &client.Options{InsecureHTTP: true}},
		{"http://localhost:8080", "i", nil},
		{"http://127.0.0.1:8080/", "i", nil},
		{"http://[::1]:8080", "i", nil},
		{"https://proxy.example.com", "i", &client.Options{Region: "cn-hangzhou"}},
	} {
		cl, err := client.New(c.endpoint, c.instance, p, c.opts)
		require.NoError(t, err, c.endpoint)
		require.NoError(t, cl.Close())
	}
}

func TestASecretThatIsSentNeverReachesAnError(t *testing.T) {
	server := otstest.NewServer(t, nil)
	creds, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	c := inProcess(t, server, otsauth.Static(creds), client.Options{Retry: client.NoRetryPolicy{}})
	for _, fault := range []otstest.Fault{
		{Reset: true},
		{Truncate: true},
		{WrongMD5: true},
		{PlainBody: creds.SecurityToken.Reveal(), StatusCode: 400},
		{StatusCode: 403, Code: "OTSAuthFailed", Message: "Signature mismatch."},
	} {
		server.Fail(1, fault)
		err := putRow(t.Context(), c)
		require.Error(t, err)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
			require.False(t, strings.Contains(text, creds.SecurityToken.Reveal()) || strings.Contains(text, creds.AccessKeySecret.Reveal()), text)
		}
	}
}

// countingDialer counts the connections that are open, and the most at a time.
func countingDialer(open, most *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		n := open.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			continue
		}
		return &countedConn{Conn: conn, open: open}, nil
	}
}

type countedConn struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}
