package client_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/otstest"
)

func TestARevokedTokenInAnOutageOfSTSMakesRequestsSlowNotFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 15 * time.Minute})
		c := inProcess(t, server, server.STS().Provider(), client.Options{})
		createTable(t, c)
		server.Fail(-1, otstest.Fault{STS: true, Reset: true})
		require.Equal(t, 1, server.RevokeTokens())
		time.AfterFunc(time.Minute, server.Heal)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := putRow(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.InDelta(t, time.Minute, time.Since(begin), float64(14*time.Second))
		require.LessOrEqual(t, server.Stats().STSCalls, int64(20))
	})
}

func TestAWrongRefusalInAnOutageOfSTSCostsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: time.Hour})
		c := inProcess(t, server, server.STS().Provider(), client.Options{})
		createTable(t, c)
		server.Fail(-1, otstest.Fault{STS: true, Reset: true})
		server.Fail(1, otstest.Fault{StatusCode: 403, Code: "OTSAuthFailed", Message: "Something went wrong."})
		for range 100 {
			begin := time.Now()
			require.NoError(t, putRow(t.Context(), c))
			require.Zero(t, time.Since(begin))
			time.Sleep(time.Second)
		}
	})
}

func TestAServiceThatRejectsEveryTokenCausesFewCallsOfSTS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: client.NoRetryPolicy{}})
		server.Fail(-1, otstest.Fault{StatusCode: 403, Code: "OTSAuthFailed", Message: "The security token is not accepted."})
		for range 1000 {
			require.ErrorIs(t, putRow(t.Context(), c), client.CodeAuthFailed)
			time.Sleep(60 * time.Millisecond)
		}
		require.LessOrEqual(t, server.Stats().STSCalls, int64(16), "in a minute")
	})
}

func TestAnExpiredStaticSetFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		creds, err := server.STS().Provider().Retrieve(t.Context())
		require.NoError(t, err)
		c := inProcess(t, server, otsauth.Static(creds), client.Options{})
		createTable(t, c)
		time.Sleep(time.Until(creds.Expires))
		begin := time.Now()
		err = putRow(t.Context(), c)
		require.Zero(t, time.Since(begin))
		require.ErrorIs(t, err, otsauth.ErrExpired)
		require.ErrorContains(t, err, "a static set is never renewed")
	})
}

func TestARequestThatWaitsForAConnectionIsSignedWhenItIsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 10 * time.Second})
		c := inProcess(t, server, server.STS().Provider(), client.Options{MaxConnections: 2, Retry: client.NoRetryPolicy{}})
		createTable(t, c)
		server.Fail(-1, otstest.Fault{Delay: time.Second})
		begin := time.Now()
		var wg sync.WaitGroup
		for range 80 {
			wg.Go(func() {
				if err := putRow(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 40*time.Second, time.Since(begin), "two at a time")
		require.Zero(t, server.Stats().Refused, "none carried a token that had expired in the queue")
	})
}

func TestTheWaitForAConnectionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.Provider(), client.Options{MaxConnections: 1, Timeout: time.Minute, Retry: client.NoRetryPolicy{}})
		createTable(t, c)
		server.Fail(1, otstest.Fault{Delay: 30 * time.Second})
		var wg sync.WaitGroup
		wg.Go(func() { _ = putRow(t.Context(), c) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := putRow(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "waiting for one of 1 connections")
		require.Len(t, server.Requests(), 1, "the one that waited was not sent")
		wg.Wait()
	})
}

func TestAPolicyWithoutDelaysDoesNotHammerWithARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 15 * time.Minute})
		c := inProcess(t, server, server.STS().Provider(), client.Options{Retry: client.NoDelayRetryPolicy{}})
		createTable(t, c)
		server.Fail(-1, otstest.Fault{STS: true, Reset: true})
		server.RevokeTokens()
		time.AfterFunc(time.Minute, server.Heal)
		require.NoError(t, putRow(t.Context(), c))
		require.LessOrEqual(t, server.Stats().Requests, int64(150), "two a second")
	})
}

func TestWhatWaitingCannotMendFailsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		provider func(*testing.T, *otstest.Server) otsauth.Provider // nil: STS
		trouble  func(*otstest.Server)
		attempts int
		want     string
	}{
		"a revoked token that nobody renews": {
			func(t *testing.T, server *otstest.Server) otsauth.Provider {
				creds, err := server.STS().Provider().Retrieve(t.Context())
				require.NoError(t, err)
				creds.Expires = time.Time{}
				return otsauth.Static(creds)
			},
			func(server *otstest.Server) { server.RevokeTokens() }, 2, "refused twice",
		},
		"a service that rejects each token": {
			nil, func(server *otstest.Server) {
				server.Fail(-1, otstest.Fault{StatusCode: 403, Code: "OTSAuthFailed", Message: "The account is in arrears."})
			}, 2, "The account is in arrears.",
		},
		"a revoked token where STS gives no other": {
			nil, func(server *otstest.Server) {
				server.RevokeTokens()
				server.STS().SetRoles("acs:ram::1:role/other")
			}, 1, "no credentials",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, nil)
				provider := server.STS().Provider()
				if c.provider != nil {
					provider = c.provider(t, server)
				}
				cl := inProcess(t, server, provider, client.Options{})
				createTable(t, cl)
				c.trouble(server)
				begin := time.Now()
				err := putRow(t.Context(), cl)
				require.Zero(t, time.Since(begin))
				require.ErrorContains(t, err, c.want)
				var ce *client.Error
				require.ErrorAs(t, err, &ce)
				require.Equal(t, c.attempts, ce.Attempts)
			})
		})
	}
}

func TestAnExpiredTokenIsKnownInEveryWording(t *testing.T) {
	for _, message := range []string{"You have no permission to access the requested resource, please contact the resource owner", "The security token has expired."} {
		t.Run(message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{
					TokenLifetime: 15 * time.Minute, ExpiredToken: otstest.Refusal{StatusCode: 403, Code: "OTSNoPermissionAccess", Message: message},
				})
				c := inProcess(t, server, server.STS().Provider(), client.Options{})
				createTable(t, c)
				server.Fail(-1, otstest.Fault{STS: true, Reset: true})
				time.Sleep(15*time.Minute - 500*time.Millisecond)
				time.AfterFunc(5*time.Second, server.Heal)
				server.Fail(1, otstest.Fault{Delay: time.Second}) // the token expires on the way
				require.NoError(t, putRow(t.Context(), c))
			})
		})
	}
}

func TestAnOutageOfSTSBehindAProxyIsWaitedFor(t *testing.T) {
	for _, status := range []int{200, 302, 403, 404, 408, 502} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 5 * time.Minute})
				c := inProcess(t, server, server.STS().Provider(), client.Options{})
				createTable(t, c)
				server.Fail(-1, otstest.Fault{STS: true, StatusCode: status, PlainBody: "<html>no backend</html>"})
				time.Sleep(6 * time.Minute)
				time.AfterFunc(20*time.Second, server.Heal)
				require.NoError(t, putRow(t.Context(), c))
			})
		})
	}
}

func TestTheWaitForAConnectionTakesNothingFromTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.STS().Provider(), client.Options{MaxConnections: 1, Timeout: 15 * time.Second})
		createTable(t, c)
		server.Fail(-1, otstest.Fault{Delay: 10 * time.Second})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := putRow(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestCloseEndsWhatWaits(t *testing.T) {
	for name, trouble := range map[string]otstest.Fault{
		"for credentials":  {STS: true, Reset: true},
		"for a connection": {Delay: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{TokenLifetime: 5 * time.Minute})
				c := inProcess(t, server, server.STS().Provider(), client.Options{MaxConnections: 1})
				createTable(t, c)
				time.Sleep(10 * time.Minute)
				if !trouble.STS {
					require.NoError(t, putRow(t.Context(), c))
				}
				server.Fail(-1, trouble)
				ended := make(chan error, 3)
				for range cap(ended) {
					go func() { ended <- putRow(t.Context(), c) }()
				}
				time.Sleep(1500 * time.Millisecond)
				begin := time.Now()
				require.NoError(t, c.Close())
				for range 2 { // the third may have its connection
					require.ErrorIs(t, <-ended, otsauth.ErrClosed)
				}
				require.Zero(t, time.Since(begin))
				server.Heal()
				<-ended
			})
		})
	}
}

func TestWaitingForANewTokenLeavesTheRetriesToTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, sent, busy := time.Now(), 0, false
		service := stub(func(string, []byte) (int, proto.Message) {
			row := &otspb.GetRowResponse{Consumed: consumed(), Row: answered(onWire("a"))}
			switch sent++; {
			case sent == 1:
				return http.StatusOK, row
			case time.Since(began) < time.Minute:
				return http.StatusForbidden, &otspb.Error{Code: proto.String("OTSAuthFailed"), Message: proto.String("The token has expired.")}
			case !busy:
				busy = true
				return http.StatusServiceUnavailable, &otspb.Error{Code: proto.String("OTSServerBusy")}
			}
			return http.StatusOK, row
		})
		same := otsauth.Credentials{
			AccessKeyID: "STS.id", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: began.Add(time.Hour),
		}
		policy := &recordingPolicy{}
		c, err := client.New("https://stub.invalid", "stub", otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { return same, nil }),
			&client.Options{Transport: service, InsecureSkipResponseCheck: true, Retry: policy})
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, getRow(t.Context(), c))
		require.NoError(t, getRow(t.Context(), c))
		last := policy.seen[len(policy.seen)-1]
		require.Greater(t, len(policy.seen), 20)
		require.Equal(t, client.CodeServerBusy, last.Code)
		require.Equal(t, 1, last.Number, "it is the first that failed so")
	})
}
