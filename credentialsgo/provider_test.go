package credentialsgo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/credentialsgo"
	"github.com/otsauth/otsauth/otstest"
)

// fake is a Credential whose GetCredential is a function.
type fake struct {
	credentials.Credential
	get func() (*credentials.CredentialModel, error)
}

func (f fake) GetCredential() (*credentials.CredentialModel, error) { return f.get() }

func (f fake) GetType() *string { return ptr("fake") }

func ptr(s string) *string { return &s }

func model(n int64) *credentials.CredentialModel {
	return &credentials.CredentialModel{
		AccessKeyId: ptr(fmt.Sprint("STS.", n)), AccessKeySecret: ptr(fmt.Sprint("secret-", n)),
		SecurityToken: ptr(fmt.Sprint("token-", n)), ProviderName: ptr("fake"),
	}
}

// service starts a credentials URI that answers as its handler does, and
// returns credentials-go's Credential of it.
func service(t *testing.T, handler http.HandlerFunc) credentials.Credential {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return fromURI(t, server.URL+"/?key=in-the-query")
}

func fromURI(t *testing.T, uri string) credentials.Credential {
	t.Helper()
	c, err := credentials.NewCredential(&credentials.Config{Type: ptr("credentials_uri"), Url: &uri})
	require.NoError(t, err)
	return c
}

// rotating answers each request with another set.
func rotating(lifetime time.Duration) http.HandlerFunc {
	var issued atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		n := issued.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"Code": "Success", "AccessKeyId": fmt.Sprint("STS.", n), "AccessKeySecret": fmt.Sprint("secret-", n),
			"SecurityToken": fmt.Sprint("token-", n), "Expiration": time.Now().Add(lifetime).UTC().Format(time.RFC3339),
		})
	}
}

func TestProviderKeepsTheContract(t *testing.T) {
	otstest.TestProvider(t, func() otsauth.Provider {
		return credentialsgo.Provider(service(t, rotating(time.Hour)))
	})
}

func TestAllTypesOfCredential(t *testing.T) {
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "env-id")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "env-secret")
	t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "")
	for name, c := range map[string]struct {
		config            *credentials.Config
		id, token, source string
	}{
		"a long-lived key": {&credentials.Config{Type: ptr("access_key"), AccessKeyId: ptr("id"), AccessKeySecret: ptr("sk")}, "id", "", "credentials-go/static_ak"},
		"a temporary set":  {&credentials.Config{Type: ptr("sts"), AccessKeyId: ptr("STS.id"), AccessKeySecret: ptr("sk"), SecurityToken: ptr("token")}, "STS.id", "token", "credentials-go/static_sts"},
		"its own chain":    {nil, "env-id", "", "credentials-go/default/env"},
	} {
		t.Run(name, func(t *testing.T) {
			credential, err := credentials.NewCredential(c.config)
			require.NoError(t, err)
			got, err := credentialsgo.Provider(credential).Retrieve(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.id, got.AccessKeyID)
			require.Equal(t, c.token, got.SecurityToken.Reveal())
			require.Equal(t, c.source, got.Source)
			require.WithinDuration(t, time.Now().Add(50*time.Second), got.Expires, 5*time.Second)
		})
	}
}

// Tokens shorter than credentials-go's window of 180 seconds make it fetch at
// each call, so that a second call at a time is a data race in it.
func TestManyCallersGetWholeSetsOfAnUnsafeCredential(t *testing.T) {
	p := credentialsgo.Provider(service(t, rotating(2*time.Minute)))
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			got, err := p.Retrieve(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			n := strings.TrimPrefix(got.AccessKeyID, "STS.")
			if got.AccessKeySecret.Reveal() != "secret-"+n || got.SecurityToken.Reveal() != "token-"+n {
				t.Errorf("torn: %s, %s, %s", got.AccessKeyID, got.AccessKeySecret.Reveal(), got.SecurityToken.Reveal())
			}
		})
	}
	wg.Wait()
}

func TestTheCacheAsksEvery30SecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []time.Time
		cache := otsauth.NewCache(credentialsgo.Provider(fake{get: func() (*credentials.CredentialModel, error) {
			calls = append(calls, time.Now())
			return model(int64(len(calls) / 10)), nil // the same set ten times, then another
		}}), nil)
		defer cache.Close()
		for end := time.Now().Add(time.Hour); time.Now().Before(end); <-time.After(time.Second) {
			_, err := cache.Retrieve(t.Context())
			require.NoError(t, err)
		}
		synctest.Wait()
		for i := range calls[1:] {
			require.GreaterOrEqual(t, calls[i+1].Sub(calls[i]), 30*time.Second)
			require.LessOrEqual(t, calls[i+1].Sub(calls[i]), 35*time.Second)
		}
		require.Greater(t, len(calls), 100)
	})
}

func TestAContextReleasesItsCallerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		p := credentialsgo.Provider(fake{get: func() (*credentials.CredentialModel, error) {
			<-time.After(15 * time.Second)
			return model(calls.Add(1)), nil
		}})
		begun := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			got, err := p.Retrieve(t.Context())
			if err != nil || got.AccessKeyID != "STS.1" || time.Since(begun) != 15*time.Second {
				t.Errorf("%v, %v after %s", got, err, time.Since(begun))
			}
		})
		for range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := p.Retrieve(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
					t.Errorf("%v after %s", err, time.Since(begun))
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, calls.Load(), "callers share one call")

		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := p.Retrieve(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.EqualValues(t, 1, calls.Load(), "no call for a context that is done")
	})
}

func TestWhatIsNotCredentialsIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		credential credentials.Credential
		want       string
	}{
		"a nil Credential": {nil, "otsauth: credential is nil; pass what credentials.NewCredential returns"},
		"a nil model":      {fake{get: func() (*credentials.CredentialModel, error) { return nil, nil }}, "credentials-go: returned neither"},
		"an empty model":   {fake{get: func() (*credentials.CredentialModel, error) { return &credentials.CredentialModel{}, nil }}, "credentials-go: AccessKey ID is empty"},
		"a bearer token": {fake{get: func() (*credentials.CredentialModel, error) {
			return &credentials.CredentialModel{BearerToken: ptr("b")}, nil
		}}, "holds a bearer token"},
		"a key with a space": {fake{get: func() (*credentials.CredentialModel, error) {
			m := model(1)
			m.AccessKeySecret = ptr("s k")
			return m, nil
		}}, "credentials-go/fake: AccessKey secret has a space"},
		"a panic": {fake{get: func() (*credentials.CredentialModel, error) { panic("secret") }}, "panicked with a string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := credentialsgo.Provider(c.credential).Retrieve(t.Context())
			require.ErrorContains(t, err, c.want)
			requireNoSecret(t, err)
			require.NotErrorIs(t, err, otsauth.ErrNotConfigured, "a chain must stop here")
		})
	}
	_, err := credentialsgo.Provider(fake{}).Retrieve(nil) //nolint:staticcheck // a nil context is the test
	var ce *otsauth.ConfigError
	require.ErrorAs(t, err, &ce)
}

func TestErrorsOfCredentialsGoLoseTheirSecrets(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	answer := func(status int, body string) credentials.Credential {
		return service(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	for name, c := range map[string]struct {
		credential credentials.Credential
		want       string
	}{
		"a partial answer":            {answer(200, `{"AccessKeyId": "id", "AccessKeySecret": "secret-1"}`), "credentials-go/credentials_uri: failed; its error may hold keys"},
		"an answer that is not JSON":  {answer(200, "secret-1"), "failed; its error may hold keys"},
		"a refusal with a code":       {answer(403, `{"Code": "NoPermission", "RequestId": "0A-1", "Message": "secret-1"}`), "the service answered NoPermission (request 0A-1)"},
		"a code that cannot be one":   {answer(403, `{"Code": "secret-1 !", "Message": "secret-1"}`), "failed; its error may hold keys"},
		"a request ID that is a text": {answer(403, `{"Code": "NoPermission", "RequestId": "secret-1 !"}`), "the service answered NoPermission (request )"},
		"a proxy's page":              {answer(502, "<html>secret-1</html>"), "failed; its error may hold keys"},
		"nobody there":                {fromURI(t, closed.URL+"/?key=in-the-query"), "cannot reach its service"},
		"a host that cannot be":       {fromURI(t, "http://otsauth.invalid:x/?key=in-the-query"), "failed; its error may hold keys"},
		"a dead connection":           {service(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "failed; its error may hold keys"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := credentialsgo.Provider(c.credential).Retrieve(t.Context())
			require.ErrorContains(t, err, c.want)
			requireNoSecret(t, err)
			var pe *otsauth.ProviderError
			require.ErrorAs(t, err, &pe)
		})
	}
}

func TestWhichRefusalsPass(t *testing.T) {
	for code, want := range map[string]bool{
		"Throttling.User": true, "ServiceUnavailable": true, "InternalError": true,
		"NoPermission": false, "InvalidAccessKeyId.NotFound": false,
	} {
		t.Run(code, func(t *testing.T) {
			p := credentialsgo.Provider(fake{get: func() (*credentials.CredentialModel, error) {
				return nil, fmt.Errorf(`refresh session token failed: {"RequestId":"1","Code":%q}`, code)
			}})
			_, err := p.Retrieve(t.Context())
			var se *credentialsgo.ServiceError
			require.ErrorAs(t, err, &se)
			require.Equal(t, code, se.Code)
			require.Equal(t, want, se.Retryable())
		})
	}
}

// requireNoSecret looks at err and at all that it wraps.
func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, secret := range []string{"secret-1", "in-the-query", "s k"} {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
		}
	}
}

// FuzzErrors checks that nothing of an error passes but a code and a request ID.
func FuzzErrors(f *testing.F) {
	f.Add(`failed: {"Code":"NoPermission","RequestId":"0A"}`)
	f.Add(`failed: {"AccessKeySecret":"sk"`)
	f.Add("failed\nstderr: {{}")
	f.Fuzz(func(t *testing.T, text string) {
		p := credentialsgo.Provider(fake{get: func() (*credentials.CredentialModel, error) { return nil, errors.New(text) }})
		_, err := p.Retrieve(t.Context())
		var se *credentialsgo.ServiceError
		if errors.As(err, &se) {
			require.NotEmpty(t, se.Code)
			require.NotContains(t, se.Code+se.RequestID, " ")
			require.LessOrEqual(t, len(se.Code)+len(se.RequestID), 128)
			return
		}
		require.EqualError(t, err, "otsauth: credentials-go/fake: failed; its error may hold keys and is not shown, call GetCredential to see it")
	})
}
