package tablestoresdk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/common"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/adapters/tablestoresdk"
	"github.com/otsauth/otsauth/otstest"
)

const region = "cn-hangzhou"

// client returns the SDK's client of server, in process and without retries: a
// bubble of synctest stops at a socket.
func client(server *otstest.Server, p common.CredentialsProvider, transport http.RoundTripper) *tablestore.TableStoreClient {
	config := tablestore.NewDefaultTableStoreConfig()
	config.RetryTimes = 0
	config.Transport = transport
	return tablestore.NewClientWithCredentialsProvider("https://otstest.invalid", server.Instance(), p, config)
}

func newProvider(t *testing.T, p otsauth.Provider, opts *tablestoresdk.Options) *tablestoresdk.Provider {
	t.Helper()
	provider, err := tablestoresdk.New(p, opts)
	require.NoError(t, err)
	return provider
}

// roundTripFunc makes a function an http.RoundTripper.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheSDKWritesAndReads(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for _, c := range []struct {
		name, region string
		source       otsauth.Provider
	}{
		{"v2 with a long-lived key", "", server.Provider()},
		{"v2 with a token", "", server.STS().Provider()},
		{"v4 with a long-lived key", region, server.Provider()},
		{"v4 with a token", region, server.STS().Provider()},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []http.Header
			sdk := client(server, newProvider(t, c.source, &tablestoresdk.Options{Region: c.region}), roundTripFunc(func(r *http.Request) (*http.Response, error) {
				headers = append(headers, r.Header.Clone())
				return server.Transport().RoundTrip(r)
			}))
			table := strings.ReplaceAll(c.name, " ", "_")
			table = strings.ReplaceAll(table, "-", "_")
			meta := &tablestore.TableMeta{TableName: table}
			meta.AddPrimaryKeyColumn("pk", tablestore.PrimaryKeyType_STRING)
			_, err := sdk.CreateTable(&tablestore.CreateTableRequest{
				TableMeta: meta, TableOption: &tablestore.TableOption{TimeToAlive: -1, MaxVersion: 1}, ReservedThroughput: &tablestore.ReservedThroughput{},
			})
			require.NoError(t, err)

			key := &tablestore.PrimaryKey{}
			key.AddPrimaryKeyColumn("pk", "a")
			change := &tablestore.PutRowChange{TableName: table, PrimaryKey: key}
			change.AddColumn("text", "云")
			change.SetCondition(tablestore.RowExistenceExpectation_IGNORE)
			_, err = sdk.PutRow(&tablestore.PutRowRequest{PutRowChange: change})
			require.NoError(t, err)
			got, err := sdk.GetRow(&tablestore.GetRowRequest{SingleRowQueryCriteria: &tablestore.SingleRowQueryCriteria{TableName: table, PrimaryKey: key, MaxVersion: 1}})
			require.NoError(t, err)
			require.Equal(t, "云", got.Columns[0].Value)

			require.Len(t, headers, 3)
			for _, h := range headers {
				require.Equal(t, c.region != "", h.Get("x-ots-signaturev4") != "")
				require.Equal(t, c.region == "", h.Get("x-ots-signature") != "")
				require.Equal(t, strings.HasPrefix(h.Get("x-ots-accesskeyid"), "STS."), h.Get("x-ots-ststoken") != "")
			}
		})
	}
}

// Each of 8 goroutines of a client gets tokens that were replaced moments ago.
func TestNoRequestFailsWhileTokensRotate(t *testing.T) {
	for _, r := range []string{"", region} {
		t.Run("region "+r, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, nil)
				cache := otsauth.NewCache(server.STS().Provider(), nil)
				defer cache.Close()
				sdk := client(server, newProvider(t, cache, &tablestoresdk.Options{Region: r}), server.Transport())
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						for range 25 {
							if _, err := sdk.ListTable(); err != nil {
								t.Error(err)
							}
							used, err := cache.Retrieve(t.Context())
							if err != nil {
								t.Error(err)
							}
							cache.Invalidate(used)
							<-time.After(2 * time.Minute) // a cache takes few rejections in a row
						}
					})
				}
				wg.Wait()
				require.Greater(t, server.Stats().TokensIssued, int64(20))
				require.Zero(t, server.Stats().Refused)
			})
		})
	}
}

// In the bubble the SDK's, the adapter's and the service's clocks all pass
// midnight in UTC while 8 goroutines send.
func TestV4AtMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := otstest.Start(nil)
		require.NoError(t, err)
		defer server.Close()
		cache := otsauth.NewCache(server.STS().Provider(), nil)
		defer cache.Close()
		var mu sync.Mutex
		sent := map[string]int{}
		sdk := client(server, newProvider(t, cache, &tablestoresdk.Options{Region: region}), roundTripFunc(func(r *http.Request) (*http.Response, error) {
			day := r.Header.Get("x-ots-signdate")
			if date := strings.ReplaceAll(r.Header.Get("x-ots-date"), "-", ""); !strings.HasPrefix(date, day+"T") {
				t.Errorf("x-ots-signdate is %s, x-ots-date %s", day, date)
			}
			mu.Lock()
			sent[day]++
			mu.Unlock()
			return server.Transport().RoundTrip(r)
		}))

		now := time.Now().UTC()
		midnight := now.Truncate(24*time.Hour).AddDate(0, 0, 1)
		<-time.After(midnight.Sub(now) - 50*time.Millisecond)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if _, err := sdk.ListTable(); err != nil {
						t.Error(err)
					}
					<-time.After(5 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		require.Equal(t, map[string]int{
			midnight.Add(-time.Second).Format("20060102"): 80,
			midnight.Format("20060102"):                   80,
		}, sent)
	})
}

func TestDayKeyAndTokenAreOfOneSet(t *testing.T) {
	var now atomic.Pointer[time.Time]
	start := time.Date(2024, 8, 8, 23, 59, 0, 0, time.UTC)
	now.Store(&start)
	set := otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("credentials_test_secret"), SecurityToken: otsauth.NewSecret("token")}
	p := newProvider(t, otsauth.Static(set), &tablestoresdk.Options{Region: region, Now: func() time.Time { return *now.Load() }})
	// The first key is the one in the SDK's own test.
	keys := map[string]string{
		"20240808": "RNN1/s8/m45SdD+EzXlvpyGxc4Enu0RiODs1Lg+xFpo=",
		"20240809": common.FinalSigningKeyString("credentials_test_secret", "20240809", region, "ots", "HmacSHA256"),
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				if i == 0 {
					later := start.Add(time.Duration(j) * time.Minute)
					now.Store(&later)
				}
				c, ok := p.GetCredentials().(common.CredentialsV4)
				if !ok {
					t.Error("not V4: the SDK would sign with V2")
					return
				}
				s := c.GetSnapshot()
				if s.GetAccessKeySecret() != keys[s.GetSigningDate()] || s.GetSecurityToken() != "token" || s.GetAccessKeyID() != "STS.a" || s.GetRegion() != region {
					t.Errorf("mixed: %s of %s", s.GetAccessKeySecret(), s.GetSigningDate())
				}
				if s.AccessKeySecret != "" {
					t.Error("the secret itself is handed out")
				}
			}
		})
	}
	wg.Wait()
	last, ok := p.GetCredentials().(common.CredentialsV4)
	require.True(t, ok)
	require.Equal(t, "20240809", last.GetSigningDate())
}

func TestTheLastGoodCredentialsGoOn(t *testing.T) {
	for _, r := range []string{"", region} {
		t.Run("region "+r, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, err := otstest.Start(&otstest.Options{TokenLifetime: 15 * time.Minute})
				require.NoError(t, err)
				defer server.Close()
				cache := otsauth.NewCache(server.STS().Provider(), nil)
				defer cache.Close()
				var log bytes.Buffer
				var errs []error
				sdk := client(server, newProvider(t, cache, &tablestoresdk.Options{
					Region: r, Logger: slog.New(slog.NewTextHandler(&log, nil)), OnError: func(err error) { errs = append(errs, err) },
				}), server.Transport())
				_, err = sdk.ListTable()
				require.NoError(t, err)
				require.Empty(t, errs)

				server.Fail(1_000_000, otstest.Unavailable(true))
				<-time.After(16 * time.Minute)
				for i := range 3 {
					_, err = sdk.ListTable()
					require.ErrorContains(t, err, "The security token has expired.")
					require.Len(t, errs, i+1)
					var re *otsauth.RefreshError
					require.ErrorAs(t, errs[i], &re)
				}
				require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())

				server.Heal()
				<-time.After(time.Minute)
				for range 3 {
					_, err = sdk.ListTable()
					require.NoError(t, err)
				}
				require.Len(t, errs, 3)
				require.Equal(t, 1, strings.Count(log.String(), "valid again"), log.String())
			})
		})
	}
}

func TestTheDayOfTheLastGoodCredentialsMovesOn(t *testing.T) {
	now := time.Date(2024, 8, 8, 23, 59, 0, 0, time.UTC)
	healthy := true
	cache := otsauth.NewCache(otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		if !healthy {
			return otsauth.Credentials{}, errors.New("down")
		}
		return otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("secret"), Source: "test"}, nil
	}), nil)
	defer cache.Close()
	p := newProvider(t, cache, &tablestoresdk.Options{Region: region, Now: func() time.Time { return now }})
	signingDate := func() string {
		c, ok := p.GetCredentials().(common.CredentialsV4)
		require.True(t, ok)
		return c.GetSigningDate()
	}
	require.Equal(t, "20240808", signingDate())

	healthy = false
	used, err := cache.Retrieve(t.Context())
	require.NoError(t, err)
	cache.Invalidate(used)
	now = now.Add(time.Minute)
	require.Equal(t, "20240809", signingDate())
}

func TestNothingIsSentBeforeThereAreCredentials(t *testing.T) {
	for _, r := range []string{"", region} {
		t.Run("region "+r, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			down := errors.New("down")
			var errs []error
			sdk := client(server, newProvider(t, otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
				return otsauth.Credentials{}, down
			}), &tablestoresdk.Options{Region: r, OnError: func(err error) { errs = append(errs, err) }}), server.Transport())
			_, err := sdk.ListTable()
			require.ErrorContains(t, err, "x-ots-accesskeyid")
			require.NotEmpty(t, errs) // the SDK tries again
			for _, err := range errs {
				require.ErrorIs(t, err, down)
			}
			require.Zero(t, server.Stats().Requests)
		})
	}
}

func TestARequestWaitsNoLongerThanTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 2 * time.Second: 2 * time.Second} {
			hanging := otsauth.NewCache(otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
				<-ctx.Done()
				return otsauth.Credentials{}, ctx.Err()
			}), &otsauth.CacheOptions{Timeout: time.Minute})
			var failure error
			p := newProvider(t, hanging, &tablestoresdk.Options{Timeout: timeout, OnError: func(err error) { failure = err }})
			begun := time.Now()
			require.Empty(t, p.GetCredentials().GetAccessKeyID())
			require.Equal(t, want, time.Since(begun))
			require.ErrorIs(t, failure, context.DeadlineExceeded)
			require.NoError(t, hanging.Close())
		}
	})
}

func TestArgumentsThatCannotWork(t *testing.T) {
	for name, c := range map[string]struct {
		provider otsauth.Provider
		opts     *tablestoresdk.Options
		field    string
	}{
		"no provider":        {nil, nil, "provider"},
		"a region with a \\": {otsauth.Env(nil), &tablestoresdk.Options{Region: "cn\\hangzhou"}, "Region"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tablestoresdk.New(c.provider, c.opts)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, c.field, ce.Field)
		})
	}
}

func TestAProviderPrintsNoSecret(t *testing.T) {
	for _, r := range []string{"", region} {
		p := newProvider(t, otsauth.Static(otsauth.Credentials{
			AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("the-secret"), SecurityToken: otsauth.NewSecret("the-token"),
		}), &tablestoresdk.Options{Region: r})
		key := p.GetCredentials().GetAccessKeySecret()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			for _, v := range []any{p, struct{ p *tablestoresdk.Provider }{p}} {
				text := fmt.Sprintf(verb, v)
				require.NotContains(t, text, "the-")
				require.NotContains(t, text, key)
			}
		}
	}
}
