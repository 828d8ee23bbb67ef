package credentialsgo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/credentialsgo"
	"github.com/otsauth/otsauth/otstest"
)

// tokens is a source of numbered sets that live for a minute.
func tokens() otsauth.Provider {
	var issued atomic.Int64
	return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		n := issued.Add(1)
		return otsauth.Credentials{
			AccessKeyID: fmt.Sprint("STS.", n), AccessKeySecret: otsauth.NewSecret(fmt.Sprint("secret-", n)),
			SecurityToken: otsauth.NewSecret(fmt.Sprint("token-", n)), Expires: time.Now().Add(time.Minute), Source: "test",
		}, nil
	})
}

func TestCredentialHandsOutTheChainsCredentials(t *testing.T) {
	server := otstest.NewServer(t, nil)
	want, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		source otsauth.Provider
		token  bool
	}{"a long-lived key": {server.Provider(), false}, "a role": {server.STS().Provider(), true}} {
		t.Run(name, func(t *testing.T) {
			credential := credentialsgo.Credential(c.source)
			var old getters = credential
			got, err := credential.GetCredential()
			require.NoError(t, err)
			require.Equal(t, c.token, *got.SecurityToken != "")
			require.Equal(t, c.token, strings.HasPrefix(*got.AccessKeyId, "STS."))
			require.Equal(t, "default", *got.Type)
			require.NotEmpty(t, *got.ProviderName)
			require.Empty(t, *got.BearerToken)
			if !c.token {
				require.Equal(t, want.AccessKeySecret.Reveal(), *got.AccessKeySecret)
			}

			id, err := old.GetAccessKeyId()
			require.NoError(t, err)
			secret, err := old.GetAccessKeySecret()
			require.NoError(t, err)
			token, err := old.GetSecurityToken()
			require.NoError(t, err)
			require.Equal(t, []string{*got.AccessKeyId, *got.AccessKeySecret, *got.SecurityToken}, []string{*id, *secret, *token})
			require.Equal(t, "default", *credential.GetType())
			require.Empty(t, *credential.GetBearerToken())
		})
	}
}

func TestWholeSetsWhileTheyRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := otsauth.NewCache(tokens(), nil)
		defer cache.Close()
		credential := credentialsgo.Credential(cache)
		seen := map[string]bool{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 600 {
					got, err := credential.GetCredential()
					if err != nil {
						t.Error(err)
						return
					}
					n := strings.TrimPrefix(*got.AccessKeyId, "STS.")
					if *got.AccessKeySecret != "secret-"+n || *got.SecurityToken != "token-"+n {
						t.Errorf("torn: %s %s %s", *got.AccessKeyId, *got.AccessKeySecret, *got.SecurityToken)
					}
					mu.Lock()
					seen[n] = true
					mu.Unlock()
					<-time.After(time.Second)
				}
			})
		}
		wg.Wait()
		require.Greater(t, len(seen), 10)
	})
}

func TestTheDeprecatedGettersKeepToTheSetOfTheID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := otsauth.NewCache(tokens(), nil)
		defer cache.Close()
		credential := credentialsgo.Credential(cache)
		var old getters = credential
		id, err := old.GetAccessKeyId()
		require.NoError(t, err)
		require.Equal(t, "STS.1", *id)

		<-time.After(50 * time.Second) // the cache has another set by now
		synctest.Wait()
		whole, err := credential.GetCredential()
		require.NoError(t, err)
		require.Equal(t, "STS.2", *whole.AccessKeyId)
		secret, err := old.GetAccessKeySecret()
		require.NoError(t, err)
		require.Equal(t, "secret-1", *secret)
		token, err := old.GetSecurityToken()
		require.NoError(t, err)
		require.Equal(t, "token-1", *token)

		<-time.After(11 * time.Second) // the first set has expired
		secret, err = old.GetAccessKeySecret()
		require.NoError(t, err)
		require.Equal(t, "secret-2", *secret)
	})
}

func TestErrorsOfTheProviderReachTheSDK(t *testing.T) {
	down := errors.New("down")
	credential := credentialsgo.Credential(otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		return otsauth.Credentials{}, down
	}))
	var old getters = credential
	for name, call := range map[string]func() error{
		"GetCredential":      func() error { _, err := credential.GetCredential(); return err },
		"GetAccessKeyId":     func() error { _, err := old.GetAccessKeyId(); return err },
		"GetAccessKeySecret": func() error { _, err := old.GetAccessKeySecret(); return err },
		"GetSecurityToken":   func() error { _, err := old.GetSecurityToken(); return err },
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, call(), down) })
	}
	_, err := credentialsgo.Credential(nil).GetCredential()
	var ce *otsauth.ConfigError
	require.ErrorAs(t, err, &ce)
}

func TestACallEndsThoughTheSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := otsauth.NewCache(otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
			<-ctx.Done()
			return otsauth.Credentials{}, ctx.Err()
		}), nil)
		defer cache.Close() // the fetch goes on
		credential := credentialsgo.Credential(cache)
		begun := time.Now()
		_, err := credential.GetCredential()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, time.Since(begun))
	})
}

func TestThereAndBackAgain(t *testing.T) {
	server := otstest.NewServer(t, nil)
	p := credentialsgo.Provider(credentialsgo.Credential(server.Provider()))
	got, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	want, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	require.True(t, got.Equal(want))
	require.Equal(t, "credentials-go/otstest", got.Source)
}

// getters are the methods that older SDKs call, without their deprecation.
type getters interface {
	GetAccessKeyId() (*string, error)
	GetAccessKeySecret() (*string, error)
	GetSecurityToken() (*string, error)
}
