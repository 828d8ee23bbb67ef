package otsauth_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

func TestInvalidate(t *testing.T) {
	t.Run("the current set is fetched anew once, for all", func(t *testing.T) {
		s := &source{lifetime: time.Hour, takes: time.Second}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			used := mustRetrieve(t, c)
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					c.Invalidate(used)
					if creds := mustRetrieve(t, c); creds.Equal(used) {
						t.Error("got the rejected set again")
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 2, s.fetches.Load())
			require.EqualValues(t, 1, c.Stats().Invalidations)
		})
	})
	t.Run("a late rejection keeps the newer set", func(t *testing.T) {
		s := &source{lifetime: time.Hour}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			old := mustRetrieve(t, c)
			c.Invalidate(old)
			current := mustRetrieve(t, c)
			c.Invalidate(old)
			require.True(t, mustRetrieve(t, c).Equal(current))
			require.EqualValues(t, 2, s.fetches.Load())
		})
	})
	t.Run("a source that insists is not asked for every rejection", func(t *testing.T) {
		s := &source{lifetime: time.Hour, repeats: true}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			for range 600 {
				c.Invalidate(mustRetrieve(t, c))
				time.Sleep(100 * time.Millisecond)
			}
			require.LessOrEqual(t, s.fetches.Load(), int64(3), "one minute of rejections")
		})
	})
	t.Run("a source that insists on a set with an expiry that moves is refreshed as before", func(t *testing.T) {
		for name, lifetime := range map[string]time.Duration{
			"as credentialsgo's":                  50 * time.Second,
			"as a program's without expiration":   time.Minute,
			"as one's that extends a longer life": 90 * time.Second,
		} {
			s := &source{}
			p := otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
				s.fetches.Add(1)
				time.Sleep(2 * time.Second)
				creds := numbered(1)
				creds.Expires = time.Now().Add(lifetime)
				return creds, nil
			})
			synctest.Test(t, func(t *testing.T) {
				c := otsauth.NewCache(p, nil)
				defer c.Close()
				c.Invalidate(mustRetrieve(t, c))
				mustRetrieve(t, c)
				for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(time.Second) {
					before := time.Now()
					mustRetrieve(t, c)
					require.Zero(t, time.Since(before), "a reader waited for a set %s, %s after the rejection", name, before.Sub(begun))
				}
				require.LessOrEqual(t, s.fetches.Load(), int64(time.Hour/(lifetime/2)), "and it is asked no more often")
			})
		}
	})
	t.Run("a pending backoff does not delay the fetch", func(t *testing.T) {
		var down atomic.Bool
		s := &source{lifetime: 15 * time.Minute, down: down.Load}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			used := mustRetrieve(t, c)
			down.Store(true)
			for c.Stats().Failures < 4 {
				mustRetrieve(t, c)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			down.Store(false)
			c.Invalidate(used)
			require.False(t, mustRetrieve(t, c).Equal(used))
		})
	})
	t.Run("while every set is rejected the source is asked as rarely as while it is down", func(t *testing.T) {
		s := &source{lifetime: time.Hour}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			for range 6000 {
				c.Invalidate(mustRetrieve(t, c))
				time.Sleep(10 * time.Millisecond)
			}
			require.Greater(t, s.fetches.Load(), int64(5))
			require.LessOrEqual(t, s.fetches.Load(), int64(15), "one minute with 6,000 rejections")

			time.Sleep(2 * time.Minute)
			used := mustRetrieve(t, c)
			c.Invalidate(used)
			require.False(t, mustRetrieve(t, c).Equal(used), "after a quiet minute a rejection counts at once")
		})
	})
	t.Run("a rejected set goes on while no other can be fetched", func(t *testing.T) {
		var down atomic.Bool
		s := &source{lifetime: 15 * time.Minute, takes: 100 * time.Millisecond, down: down.Load}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			used := mustRetrieve(t, c)
			down.Store(true)
			c.Invalidate(used)
			begun := time.Now()
			require.True(t, mustRetrieve(t, c).Equal(used))
			require.Equal(t, 100*time.Millisecond, time.Since(begun), "the first reader waits for the attempt")
			begun = time.Now()
			for range 100 {
				require.True(t, mustRetrieve(t, c).Equal(used))
			}
			require.Zero(t, time.Since(begun), "the others do not")
			require.ErrorIs(t, c.Stats().LastErr, errDown)

			time.Sleep(time.Minute)
			down.Store(false)
			time.Sleep(11 * time.Second)
			require.False(t, mustRetrieve(t, c).Equal(used), "the source is asked every 10 s at least")
		})
	})
	t.Run("a rejected set that has expired goes no further", func(t *testing.T) {
		var down atomic.Bool
		s := &source{lifetime: 15 * time.Minute, down: down.Load}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			used := mustRetrieve(t, c)
			down.Store(true)
			c.Invalidate(used)
			mustRetrieve(t, c)
			time.Sleep(time.Until(used.Expires))
			_, err := c.Retrieve(t.Context())
			var re *otsauth.RefreshError
			require.ErrorAs(t, err, &re)
			attempts := s.fetches.Load()
			c.Invalidate(used)
			_, err = c.Retrieve(t.Context())
			require.ErrorAs(t, err, &re)
			require.Equal(t, attempts, s.fetches.Load(), "a rejected set that is gone is no reason to ask at once")
		})
	})
	t.Run("a reader that gives up leaves the attempt to the others", func(t *testing.T) {
		s := &source{lifetime: time.Hour, takes: time.Second}
		inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
			used := mustRetrieve(t, c)
			c.Invalidate(used)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := c.Retrieve(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, mustRetrieve(t, c).Equal(used))
			require.EqualValues(t, 2, s.fetches.Load())
		})
	})
	t.Run("a set is dropped if its source says that there will be no other", func(t *testing.T) {
		var down atomic.Bool
		s := &source{lifetime: time.Hour}
		p := otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
			if down.Load() {
				return otsauth.Credentials{}, &otsauth.STSError{Code: "NoPermission", StatusCode: 403}
			}
			return s.Retrieve(ctx)
		})
		synctest.Test(t, func(t *testing.T) {
			c := otsauth.NewCache(p, nil)
			defer c.Close()
			used := mustRetrieve(t, c)
			down.Store(true)
			c.Invalidate(used)
			for range 2 {
				_, err := c.Retrieve(t.Context())
				var se *otsauth.STSError
				require.ErrorAs(t, err, &se)
			}
			require.Empty(t, c.Stats().Source)
			time.Sleep(10 * time.Second)
			down.Store(false)
			require.False(t, mustRetrieve(t, c).Equal(used))
		})
	})
	t.Run("a cache in a chain in a cache hears of it", func(t *testing.T) {
		s := &source{lifetime: time.Hour}
		synctest.Test(t, func(t *testing.T) {
			inner := otsauth.NewCache(s, nil)
			defer inner.Close()
			outer := otsauth.NewCache(otsauth.Chain(inner), nil)
			defer outer.Close()
			used := mustRetrieve(t, outer)
			outer.Invalidate(used)
			require.False(t, mustRetrieve(t, outer).Equal(used))
		})
	})
}
