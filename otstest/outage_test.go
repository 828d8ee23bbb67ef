package otstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// How to test an outage: hours of virtual time pass at once, because the server
// answers in the caller's goroutine. STS is down for the quarter of an hour in which
// the cache wants its next token; no read fails, since the old one is still good.
func TestAnOutageOfSTS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: time.Hour})
		cache := otsauth.NewCache(server.STS().Provider(), nil)
		defer cache.Close()
		first, err := cache.Retrieve(t.Context())
		require.NoError(t, err)

		ids := map[string]bool{}
		read := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); <-time.After(time.Second) {
				c, err := cache.Retrieve(t.Context())
				require.NoError(t, err)
				require.False(t, c.ExpiresWithin(0))
				ids[c.AccessKeyID] = true
			}
		}
		read(40 * time.Minute) // a refresh begins 15 to 18 minutes before the end
		server.Fail(-1, otstest.Unavailable(true))
		read(15 * time.Minute)
		require.Equal(t, map[string]bool{first.AccessKeyID: true}, ids)
		failed := server.Stats().STSCalls - server.Stats().TokensIssued
		require.NotZero(t, failed, "the cache tried")

		server.Heal()
		read(2 * time.Hour)
		require.Equal(t, failed, server.Stats().STSCalls-server.Stats().TokensIssued)
		require.GreaterOrEqual(t, len(ids), 3, "tokens are renewed")
		require.EqualValues(t, len(ids), server.Stats().TokensIssued)
	})
}

// When the token ends during the outage, readers are told so at once.
func TestAnOutageThatOutlivesTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		server.STS().SetLifetime(5 * time.Second)
		cache := otsauth.NewCache(server.STS().Provider(), nil)
		defer cache.Close()
		_, err := cache.Retrieve(t.Context())
		require.NoError(t, err)

		server.Fail(-1, otstest.Fault{STS: true, Reset: true})
		<-time.After(6 * time.Second)
		_, err = cache.Retrieve(t.Context())
		require.Error(t, err)

		server.Heal()
		<-time.After(time.Minute)
		_, err = cache.Retrieve(t.Context())
		require.NoError(t, err)
	})
}
