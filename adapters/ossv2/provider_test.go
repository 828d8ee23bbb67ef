package ossv2_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/adapters/ossv2"
	"github.com/otsauth/otsauth/otstest"
)

// A seen is what a request proved its sender with.
type seen struct{ authorization, token string }

// service starts an OSS that lets everything pass and keeps what it saw.
func service(t *testing.T) (url string, requests func() []seen) {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, seen{r.Header.Get("Authorization"), r.Header.Get("x-oss-security-token")})
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []seen {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func client(url string, p otsauth.Provider) *oss.Client {
	return oss.NewClient(oss.LoadDefaultConfig().WithRegion("cn-hangzhou").WithEndpoint(url).WithUsePathStyle(true).
		WithRetryMaxAttempts(1).WithCredentialsProvider(ossv2.New(p)))
}

func head(ctx context.Context, c *oss.Client) error {
	_, err := c.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: oss.Ptr("bucket"), Key: oss.Ptr("key")})
	return err
}

// rotating hands out numbered sets.
func rotating() otsauth.Provider {
	var issued atomic.Int64
	return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		n := issued.Add(1)
		return otsauth.Credentials{
			AccessKeyID: fmt.Sprint("STS.", n), AccessKeySecret: otsauth.NewSecret(fmt.Sprint("secret-", n)),
			SecurityToken: otsauth.NewSecret(fmt.Sprint("token-", n)), Expires: time.Now().Add(time.Hour), Source: "test",
		}, nil
	})
}

func TestTheSDKSendsOurCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		source    otsauth.Provider
		id, token string
	}{
		"a long-lived key": {otsauth.Static(otsauth.Credentials{AccessKeyID: "LTAI5t", AccessKeySecret: otsauth.NewSecret("sk")}), "LTAI5t", ""},
		"a token":          {rotating(), "STS.1", "token-1"},
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := service(t)
			require.NoError(t, head(t.Context(), client(url, c.source)))
			got := requests()
			require.Len(t, got, 1)
			require.Contains(t, got[0].authorization, "OSS4-HMAC-SHA256 Credential="+c.id+"/")
			require.Equal(t, c.token, got[0].token)
		})
	}
}

func TestIDAndTokenBelongTogetherWhileTheyRotate(t *testing.T) {
	url, requests := service(t)
	source := rotating()
	for range 10 { // a cache takes few rejections in a row
		cache := otsauth.NewCache(source, nil)
		defer cache.Close()
		c := client(url, cache)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if err := head(t.Context(), c); err != nil {
						t.Error(err)
					}
					used, err := cache.Retrieve(t.Context())
					if err != nil {
						t.Error(err)
					}
					cache.Invalidate(used)
				}
			})
		}
		wg.Wait()
	}
	tokens := map[string]bool{}
	for _, r := range requests() {
		require.Contains(t, r.authorization, "Credential=STS."+strings.TrimPrefix(r.token, "token-")+"/")
		tokens[r.token] = true
	}
	require.Len(t, requests(), 200)
	require.Greater(t, len(tokens), 20)
}

func TestGetCredentialsReturnsWholeSets(t *testing.T) {
	server := otstest.NewServer(t, nil)
	cache := otsauth.NewCache(server.STS().Provider(), nil)
	defer cache.Close()
	want, err := cache.Retrieve(t.Context())
	require.NoError(t, err)
	p := ossv2.New(cache)
	got, err := p.GetCredentials(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.AccessKeyID, got.AccessKeyID)
	require.Equal(t, want.AccessKeySecret.Reveal(), got.AccessKeySecret)
	require.Equal(t, want.SecurityToken.Reveal(), got.SecurityToken)
	require.True(t, want.Expires.Equal(*got.Expires))

	// Who changes the expiry changes it for nobody else.
	*got.Expires = time.Time{}
	again, err := p.GetCredentials(t.Context())
	require.NoError(t, err)
	require.True(t, want.Expires.Equal(*again.Expires))

	forever, err := ossv2.New(server.Provider()).GetCredentials(t.Context())
	require.NoError(t, err)
	require.Nil(t, forever.Expires)
}

func TestErrorsReachTheCallerOfTheSDK(t *testing.T) {
	url, requests := service(t)
	down := errors.New("down")
	failing := otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { return otsauth.Credentials{}, down })
	hanging := otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
		<-ctx.Done()
		return otsauth.Credentials{}, ctx.Err()
	})
	require.ErrorIs(t, head(t.Context(), client(url, failing)), down)
	var ce *otsauth.ConfigError
	require.ErrorAs(t, head(t.Context(), client(url, nil)), &ce)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	cache := otsauth.NewCache(hanging, nil)
	defer cache.Close()
	require.ErrorIs(t, head(ctx, client(url, cache)), context.DeadlineExceeded)
	require.Empty(t, requests(), "nothing is sent without credentials")
}
