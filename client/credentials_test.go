package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

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

func TestACallWithoutADeadlineWaitsFiveMinutesForCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.STS().Provider(), client.Options{})
		server.Fail(-1, otstest.Unavailable(true))
		begin := time.Now()
		err := putRow(t.Context(), c)
		var se *otsauth.STSError
		require.ErrorAs(t, err, &se)
		require.InDelta(t, 5*time.Minute, time.Since(begin), float64(11*time.Second))
		require.Less(t, server.Stats().STSCalls, int64(60), "STS is not hammered")
	})
}

func TestCredentialsThatWillNotComeFailTheCallAtOnce(t *testing.T) {
	server := otstest.NewServer(t, nil)
	closed := otsauth.NewCache(server.Provider(), nil)
	require.NoError(t, closed.Close())
	server.STS().SetRoles("acs:ram::1:role/other")
	fails := func(err error) otsauth.Provider {
		return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { return otsauth.Credentials{}, err })
	}
	unknownHost := &net.DNSError{Err: "no such host", Name: "sts.example.com", IsNotFound: true}
	_, noFile := os.Open(filepath.Join(t.TempDir(), "token"))
	for name, c := range map[string]struct {
		provider otsauth.Provider
		want     error
	}{
		"none are configured":                            {otsauth.Chain(), otsauth.ErrNotConfigured},
		"the cache is closed":                            {closed, otsauth.ErrClosed},
		"the key cannot be right":                        {otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("a b")}), nil},
		"the role does not exist":                        {server.STS().Provider(), nil},
		"the token file does not exist":                  {fails(noFile), os.ErrNotExist},
		"the name of STS's host is unknown":              {fails(unknownHost), unknownHost},
		"a provider that never worked says nothing else": {fails(errors.New("the vault is sealed")), nil},
		"a provider says that it will not work":          {fails(retryable(false)), retryable(false)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				err := putRow(t.Context(), inProcess(t, server, c.provider, client.Options{}))
				require.Zero(t, time.Since(begin))
				var ce *client.Error
				require.ErrorAs(t, err, &ce)
				require.Zero(t, ce.Attempts)
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
				}
			})
		})
	}
}

func TestCredentialsThatDoNotComeJustNowAreWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		failure error
		worked  bool // before
	}{
		"the network fails":                         {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, false},
		"the source is too slow":                    {context.DeadlineExceeded, false},
		"the source breaks off":                     {io.ErrUnexpectedEOF, false},
		"a provider says that it will work":         {retryable(true), false},
		"a source hands out an old set":             {otsauth.ErrExpired, false},
		"a provider that worked says nothing else":  {errors.New("the vault is sealed"), true},
		"a host that was known is known no more":    {&net.DNSError{Err: "no such host", IsNotFound: true}, true},
		"a file that was there is there no more":    {&fs.PathError{Op: "open", Path: "token", Err: syscall.ENOENT}, true},
		"a provider that worked is out of its mind": {nil, true}, // it panics
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{TokenLifetime: time.Minute})
				var broken atomic.Bool
				cl := inProcess(t, server, otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
					switch {
					case !broken.Load():
						return server.STS().Provider().Retrieve(ctx)
					case c.failure == nil:
						panic("out of my mind")
					}
					return otsauth.Credentials{}, c.failure
				}), client.Options{})
				if c.worked {
					_, err := cl.ListTable(t.Context())
					require.NoError(t, err)
				}
				broken.Store(true)
				time.Sleep(2 * time.Minute) // the token has expired
				time.AfterFunc(30*time.Second, func() { broken.Store(false) })
				begin := time.Now()
				_, err := cl.ListTable(t.Context())
				require.NoError(t, err)
				require.InDelta(t, 30*time.Second, time.Since(begin), float64(11*time.Second))
			})
		})
	}
}

// retryable is an error of a provider that says whether it passes.
type retryable bool

func (r retryable) Error() string   { return "no credentials here" }
func (r retryable) Retryable() bool { return bool(r) }

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
		for range 3 { // in a row; more would be bounded
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
	t.Run("but again after a retry, and neither counts for the policy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			policy := &recordingPolicy{}
			c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: policy})
			createTable(t, c)
			policy.next = func(client.Attempt) { server.RevokeTokens() }
			server.RevokeTokens()
			server.Fail(4, otstest.Throttled(false)) // a refusal goes before it
			resp, err := c.ListTable(t.Context())
			require.NoError(t, err)
			require.Equal(t, 6, resp.Attempts, "refused, busy, refused, busy, refused, done")
			require.Len(t, policy.seen, 2)
			for i, a := range policy.seen {
				require.Equal(t, i+1, a.Number)
				require.Equal(t, client.CodeServerBusy, a.Code)
			}
		})
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
