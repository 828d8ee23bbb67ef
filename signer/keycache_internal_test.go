package signer

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

func set(n int) *otsauth.Credentials {
	return &otsauth.Credentials{AccessKeyID: fmt.Sprintf("id%d", n), AccessKeySecret: otsauth.NewSecret(fmt.Sprintf("secret%d", n))}
}

func TestKeyCacheKeepsTheLastFewSets(t *testing.T) {
	var cache keyCache
	first := cache.of(set(1))
	require.Same(t, first, cache.of(set(1)))
	second := cache.of(set(2))
	require.Same(t, first, cache.of(set(1)), "a request under way finds the keys it was signed with")
	for n := 3; n < 1000; n++ {
		cache.of(set(n))
	}
	require.Len(t, cache.sets.Load(), keptSets)
	for _, kept := range cache.sets.Load() {
		require.NotSame(t, first, kept)
		require.NotSame(t, second, kept)
	}
}

func TestKeyCacheTellsSetsApartByIDAndSecret(t *testing.T) {
	var cache keyCache
	a := cache.of(&otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("a")})
	b := cache.of(&otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("b")})
	c := cache.of(&otsauth.Credentials{AccessKeyID: "di", AccessKeySecret: otsauth.NewSecret("a")})
	require.NotSame(t, a, b)
	require.NotSame(t, a, c)
	same := otsauth.NewSecret(strings.Clone("b")) // equal text at another address
	require.Same(t, b, cache.of(&otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: same}))
}

func TestKeyCacheUnderConcurrentRotation(t *testing.T) {
	var cache keyCache
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 200 {
				c := set(n / 10)
				got := cache.of(c)
				if got.id != c.AccessKeyID || !got.secret.Equal(c.AccessKeySecret) {
					t.Errorf("asked for %s, got %s", c.AccessKeyID, got.id)
				}
			}
		})
	}
	wg.Wait()
}

// An answer to a request of yesterday needs yesterday's key, and leaves today's
// where the next request finds it.
func TestYesterdaysKeyDoesNotDisplaceTodays(t *testing.T) {
	k := newKeys(set(1))
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	yesterday := k.signing(midnight.Add(-time.Nanosecond), "cn-hangzhou")
	today := k.signing(midnight, "cn-hangzhou")
	require.Equal(t, "20261122", yesterday.date)
	require.Equal(t, "20261123", today.date)
	require.Equal(t, "20261122", k.signed("20261122", "cn-hangzhou").date)
	require.Same(t, today, k.signing(midnight.Add(24*time.Hour-1), "cn-hangzhou"))
	require.Same(t, today, k.signed("20261123", "cn-hangzhou"))
}

func TestNothingOfASignerPrintsASecret(t *testing.T) {
	creds := otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("hush-hush-secret"), SecurityToken: otsauth.NewSecret("hush-hush-token")}
	for _, region := range []string{"", "cn-hangzhou"} {
		s, err := New(otsauth.Static(creds), "my-instance", &Options{Region: region})
		require.NoError(t, err)
		_, err = s.Sign(t.Context(), benchRequest(), nil)
		require.NoError(t, err)
		nested := struct {
			s *Signer
			k *keys
		}{s, s.keys.of(&creds)}
		derived := deriveV4Key(creds.AccessKeySecret, "20261123", "cn-hangzhou").Reveal()
		text := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", s, s, s, s, nested, nested, nested)
		require.NotContains(t, text, "hush-hush")
		require.NotContains(t, text, derived)
		require.Contains(t, text, "signer.Signer{my-instance, V")
		require.NoError(t, s.Close())
	}
}
