package otsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otsauth/otsauth"
)

var errDown = errors.New("the source is down")

// source hands out numbered sets. Its fields are set before the cache starts.
type source struct {
	lifetime time.Duration // 0: the sets never expire
	takes    time.Duration // how long one fetch takes
	down     func() bool   // whether fetches fail now
	repeats  bool          // whether it hands out one set until that has expired
	fetches  atomic.Int64
	last     atomic.Pointer[otsauth.Credentials]
}

func (s *source) Retrieve(ctx context.Context) (otsauth.Credentials, error) {
	n := s.fetches.Add(1)
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return otsauth.Credentials{}, ctx.Err()
		}
	}
	if s.down != nil && s.down() {
		return otsauth.Credentials{}, errDown
	}
	if last := s.last.Load(); s.repeats && last != nil && !last.ExpiresWithin(0) {
		return *last, nil
	}
	c := numbered(n)
	if s.lifetime > 0 {
		c.Expires = time.Now().Add(s.lifetime)
	}
	s.last.Store(&c)
	return c, nil
}

// numbered is a set whose parts all carry n, so that a torn one shows.
func numbered(n int64) otsauth.Credentials {
	return otsauth.Credentials{
		AccessKeyID:     fmt.Sprintf("STS.%d", n),
		AccessKeySecret: otsauth.NewSecret(fmt.Sprintf("secret.%d", n)),
		SecurityToken:   otsauth.NewSecret(fmt.Sprintf("token.%d", n)),
		Source:          "test",
	}
}

func requireWhole(t testing.TB, c otsauth.Credentials) {
	t.Helper()
	n := strings.TrimPrefix(c.AccessKeyID, "STS.")
	if c.AccessKeySecret.Reveal() != "secret."+n || c.SecurityToken.Reveal() != "token."+n {
		t.Errorf("torn set: ID %s with another set's secret or token", c.AccessKeyID)
	}
}

// inBubble runs f in virtual time with a cache over s that is closed at the end;
// the bubble fails if a goroutine is left.
func inBubble(t *testing.T, s *source, opts *otsauth.CacheOptions, f func(t *testing.T, c *otsauth.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := otsauth.NewCache(s, opts)
		defer c.Close()
		f(t, c)
	})
}

func mustRetrieve(t testing.TB, c *otsauth.Cache) otsauth.Credentials {
	t.Helper()
	creds, err := c.Retrieve(t.Context())
	require.NoError(t, err)
	return creds
}

func TestTenThousandReadersAtExpiryCauseOneFetch(t *testing.T) {
	for name, s := range map[string]*source{
		"when the fetch succeeds at once":  {lifetime: time.Hour},
		"when the fetch takes two seconds": {lifetime: time.Hour, takes: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			// No background refresh: the readers find the set expired.
			inBubble(t, s, &otsauth.CacheOptions{RefreshBefore: -1}, func(t *testing.T, c *otsauth.Cache) {
				mustRetrieve(t, c)
				time.Sleep(time.Hour)
				var wg sync.WaitGroup
				for range 10_000 {
					wg.Go(func() {
						creds, err := c.Retrieve(t.Context())
						if err != nil || creds.AccessKeyID != "STS.2" {
							t.Errorf("got %v, %v", creds, err)
						}
					})
				}
				wg.Wait()
				require.EqualValues(t, 2, s.fetches.Load())
			})
		})
	}
}

func TestTenThousandReadersShareOneFailure(t *testing.T) {
	s := &source{takes: time.Second, down: func() bool { return true }}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() {
				if _, err := c.Retrieve(t.Context()); !errors.Is(err, errDown) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, s.fetches.Load())
	})
}

func TestASlowRefreshDelaysNoReader(t *testing.T) {
	s := &source{lifetime: 15 * time.Minute, takes: 2 * time.Second}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		mustRetrieve(t, c)
		for begin := time.Now(); time.Since(begin) < 20*time.Minute; time.Sleep(50 * time.Millisecond) {
			asked := time.Now()
			creds := mustRetrieve(t, c)
			require.Zero(t, time.Since(asked), "a reader waited")
			require.False(t, creds.ExpiresWithin(0))
		}
		require.EqualValues(t, 3, s.fetches.Load())
	})
}

func TestASetThatNobodyReadsLapses(t *testing.T) {
	s := &source{lifetime: time.Hour}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		mustRetrieve(t, c)
		time.Sleep(30 * 24 * time.Hour)
		require.EqualValues(t, 2, s.fetches.Load(), "one refresh for the set that was read, none for the next")
		mustRetrieve(t, c) // fetched anew, since the last one has expired
		require.EqualValues(t, 3, s.fetches.Load())
	})
}

func TestALapsedSetThatIsStillValidIsServedAndRefreshed(t *testing.T) {
	s := &source{lifetime: time.Hour}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		mustRetrieve(t, c)
		time.Sleep(47 * time.Minute) // STS.2 came at about 45 minutes; nobody reads it
		time.Sleep(50 * time.Minute) // due at about 90
		require.EqualValues(t, 2, s.fetches.Load())
		require.Equal(t, "STS.2", mustRetrieve(t, c).AccessKeyID)
		synctest.Wait()
		require.Equal(t, "STS.3", mustRetrieve(t, c).AccessKeyID)
	})
}

func TestASourceThatRepeatsItselfIsAskedAtHalfOfWhatRemains(t *testing.T) {
	s := &source{lifetime: 6 * time.Hour, repeats: true}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		for begin := time.Now(); time.Since(begin) < 6*time.Hour-time.Second; time.Sleep(time.Second) {
			require.False(t, mustRetrieve(t, c).ExpiresWithin(0))
		}
		// The window opens 15 to 18 minutes ahead: 18, 9, 4.5, 2.25, 1.1 minutes.
		require.LessOrEqual(t, s.fetches.Load(), int64(7))
		require.Greater(t, s.fetches.Load(), int64(3))
	})
}

func TestStaticCredentialsAreFetchedOnce(t *testing.T) {
	s := &source{}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		for range 1000 {
			mustRetrieve(t, c)
			time.Sleep(24 * time.Hour)
		}
		require.EqualValues(t, 1, s.fetches.Load())
		require.Zero(t, c.Stats().Next)
	})
}

func TestRefreshIsSpreadOverAFifthOfTheWindow(t *testing.T) {
	for name, c := range map[string]struct {
		lifetime, before     time.Duration
		earliest, latestLeft time.Duration // what is left of the lifetime at the refresh
	}{
		"a lifetime of an hour":                {time.Hour, 0, 18 * time.Minute, 15 * time.Minute},
		"a lifetime of 15 minutes":             {15 * time.Minute, 0, 6 * time.Minute, 5 * time.Minute},
		"a lifetime of 12 hours":               {12 * time.Hour, 0, 18 * time.Minute, 15 * time.Minute},
		"a window of 5 minutes":                {time.Hour, 5 * time.Minute, 6 * time.Minute, 5 * time.Minute},
		"a window that is longer than the set": {15 * time.Minute, time.Hour, 12 * time.Minute, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for range 50 {
				s := &source{lifetime: c.lifetime}
				inBubble(t, s, &otsauth.CacheOptions{RefreshBefore: c.before}, func(t *testing.T, cache *otsauth.Cache) {
					creds := mustRetrieve(t, cache)
					next := cache.Stats().Next
					left := creds.Expires.Sub(next)
					require.LessOrEqual(t, left, c.earliest)
					require.GreaterOrEqual(t, left, c.latestLeft)
					seen[left] = true
					time.Sleep(time.Until(next))
					synctest.Wait()
					require.EqualValues(t, 2, s.fetches.Load())
				})
			}
			require.Greater(t, len(seen), 40, "the refreshes of a fleet coincide")
		})
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	t.Run("while a fetch is in flight its readers get ErrClosed", func(t *testing.T) {
		s := &source{takes: time.Hour}
		inBubble(t, s, &otsauth.CacheOptions{Timeout: 2 * time.Hour}, func(t *testing.T, c *otsauth.Cache) {
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := c.Retrieve(t.Context()); !errors.Is(err, otsauth.ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
			synctest.Wait()
			begin := time.Now()
			require.NoError(t, c.Close())
			require.Zero(t, time.Since(begin))
			wg.Wait()
		})
	})
	t.Run("a closed cache answers ErrClosed and never fetches", func(t *testing.T) {
		s := &source{lifetime: time.Hour}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			mustRetrieve(t, c)
			require.NoError(t, c.Close())
			require.NoError(t, c.Close())
			_, err := c.Retrieve(t.Context())
			require.ErrorIs(t, err, otsauth.ErrClosed)
			c.Invalidate(numbered(1))
			time.Sleep(48 * time.Hour)
			require.EqualValues(t, 1, s.fetches.Load())
		})
	})
	t.Run("in real time no goroutine is left", func(t *testing.T) {
		defer goleak.VerifyNone(t)
		s := &source{lifetime: time.Hour}
		c := otsauth.NewCache(s, nil)
		mustRetrieve(t, c)
		require.NoError(t, c.Close())
	})
}

func TestAFetchHasItsOwnTimeout(t *testing.T) {
	for name, c := range map[string]struct{ option, want time.Duration }{
		"by default 90 seconds": {0, 90 * time.Second},
		"or what is asked for":  {3 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := &source{takes: time.Hour}
			inBubble(t, s, &otsauth.CacheOptions{Timeout: c.option}, func(t *testing.T, cache *otsauth.Cache) {
				begin := time.Now()
				_, err := cache.Retrieve(t.Context())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, c.want, time.Since(begin))
			})
		})
	}
}

func TestTheFetchSeesTheCallersValues(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		var seen any
		c := otsauth.NewCache(otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
			seen = ctx.Value(key{})
			return numbered(1), nil
		}), nil)
		defer c.Close()
		_, err := c.Retrieve(context.WithValue(t.Context(), key{}, "trace"))
		require.NoError(t, err)
		require.Equal(t, "trace", seen)
	})
}

func TestWhatAProviderMustNotReturnIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		provider otsauth.Provider
		want     string
	}{
		"a nil provider":          {nil, "provider is nil"},
		"a nil *Cache":            {(*otsauth.Cache)(nil), "panicked"},
		"a panic":                 {otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { panic(hiddenSecret) }), "panicked with a string"},
		"a nil ProviderFunc":      {otsauth.ProviderFunc(nil), "panicked"},
		"a set that has expired":  {expiring(-time.Second), "expired"},
		"an expiry in three days": {expiring(72 * time.Hour), "72h0m0s ahead"},
		"a secret with a newline": {otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
			return otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("secret\n")}, nil
		}), "line feed at byte 7"},
		"no key at all": {otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
			return otsauth.Credentials{}, nil
		}), "AccessKey ID is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cache := otsauth.NewCache(c.provider, nil)
				defer cache.Close()
				_, err := cache.Retrieve(t.Context())
				var re *otsauth.RefreshError
				require.ErrorAs(t, err, &re)
				require.ErrorContains(t, err, c.want)
				require.NotContains(t, err.Error(), hiddenSecret)
			})
		})
	}
}

// expiring returns sets that expire after d, without looking at them itself.
func expiring(d time.Duration) otsauth.Provider {
	return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		c := numbered(1)
		c.Expires = time.Now().Add(d)
		return c, nil
	})
}

func TestAProviderThatEndsItsGoroutineIsAnError(t *testing.T) {
	ending := otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		runtime.Goexit() // as t.FailNow does
		return otsauth.Credentials{}, nil
	})
	for name, p := range map[string]otsauth.Provider{"a provider": ending, "a chain": otsauth.Chain(ending)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := otsauth.NewCache(p, nil)
				defer c.Close()
				for range 2 {
					var wg sync.WaitGroup
					for range 10 {
						wg.Go(func() {
							_, err := c.Retrieve(t.Context())
							var pe *otsauth.ProviderError
							if !errors.As(err, &pe) || !strings.Contains(err.Error(), "runtime.Goexit") {
								t.Errorf("got %v", err)
							}
						})
					}
					wg.Wait()
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

func TestACallbackThatEndsItsGoroutineLeavesNoReaderBehind(t *testing.T) {
	opts := &otsauth.CacheOptions{OnRefresh: func(otsauth.RefreshEvent) { runtime.Goexit() }}
	inBubble(t, &source{lifetime: time.Hour}, opts, func(t *testing.T, c *otsauth.Cache) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := c.Retrieve(ctx)
		require.NoError(t, err)
	})
}

func TestANilContextIsAnErrorAndNotAPanic(t *testing.T) {
	var none context.Context
	c := otsauth.NewCache(&source{}, nil)
	defer c.Close()
	for name, p := range map[string]otsauth.Provider{
		"a cache": c, "a chain": otsauth.Chain(c), "a role": mustAssumeRole(t),
	} {
		_, err := p.Retrieve(none)
		var ce *otsauth.ConfigError
		require.ErrorAs(t, err, &ce, name)
		require.Equal(t, "context", ce.Field, name)
	}
}

func TestNewCacheOfACacheIsThatCache(t *testing.T) {
	c := otsauth.NewCache(&source{}, nil)
	require.Same(t, c, otsauth.NewCache(c, &otsauth.CacheOptions{Timeout: time.Second}))
}

func TestOnRefreshAndStatsTellWhatHappened(t *testing.T) {
	var events []otsauth.RefreshEvent
	down := false
	s := &source{lifetime: time.Hour, takes: 3 * time.Second, down: func() bool { return down }}
	var logged strings.Builder
	opts := &otsauth.CacheOptions{
		OnRefresh: func(e otsauth.RefreshEvent) { events = append(events, e) },
		Logger:    slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	inBubble(t, s, opts, func(t *testing.T, c *otsauth.Cache) {
		mustRetrieve(t, c)
		down = true
		for c.Stats().Failures < 2 {
			mustRetrieve(t, c)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		require.Len(t, events, 3)
		require.Equal(t, "STS.1", events[0].Credentials.AccessKeyID)
		require.Equal(t, 3*time.Second, events[0].Took)
		require.ErrorIs(t, events[1].Err, errDown)
		require.Equal(t, 2, events[2].Failures)
		require.WithinDuration(t, time.Now(), events[2].Next, 5*time.Second)

		stats := c.Stats()
		require.EqualValues(t, 1, stats.Refreshes)
		require.EqualValues(t, 2, stats.Failures)
		require.ErrorIs(t, stats.LastErr, errDown)
		require.Equal(t, "test", stats.Source)
		require.Equal(t, events[0].Credentials.Expires, stats.Expires)
		require.Equal(t, events[2].Next, stats.Next)

		down = false
		for c.Stats().Refreshes < 2 {
			mustRetrieve(t, c)
			time.Sleep(time.Second)
		}
		require.NoError(t, c.Stats().LastErr)
	})
	require.Contains(t, logged.String(), "credentials refresh failed")
	require.Contains(t, logged.String(), "STS.1")
	require.False(t, leaks(logged.String(), "secret.1") || leaks(logged.String(), "token.1"))
}

// TestConcurrentUse gives the race detector all methods at once, in real time.
func TestConcurrentUse(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &source{lifetime: 3 * time.Millisecond}
	c := otsauth.NewCache(s, &otsauth.CacheOptions{OnRefresh: func(otsauth.RefreshEvent) {}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				creds, err := c.Retrieve(t.Context())
				if err != nil && !errors.Is(err, otsauth.ErrExpired) {
					t.Error(err)
					return
				}
				if err == nil {
					requireWhole(t, creds)
				}
				if i%100 == 0 {
					c.Invalidate(creds)
					_ = c.Stats()
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.Close())
}
