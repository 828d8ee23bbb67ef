package otsauth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// The outage that fails 600 and 2,400 reads of
// aws-sdk-go-v2's CredentialsCache: one token of 15 minutes, and the source is
// down from the moment of the first background refresh.
func TestOutageWhileTheTokenIsValidFailsNoRead(t *testing.T) {
	for _, outage := range []time.Duration{60 * time.Second, 4 * time.Minute} {
		for _, every := range []time.Duration{100 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("down for %s and read every %s", outage, every), func(t *testing.T) {
				for range 20 { // the waits are random
					var began time.Time
					s := &source{lifetime: 15 * time.Minute}
					s.down = func() bool {
						if s.fetches.Load() == 1 {
							return false
						}
						if began.IsZero() {
							began = time.Now()
						}
						return time.Since(began) < outage
					}
					inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
						for begin := time.Now(); time.Since(begin) < 15*time.Minute+30*time.Second; time.Sleep(every) {
							creds := mustRetrieve(t, c)
							require.False(t, creds.ExpiresWithin(0))
						}
						require.LessOrEqual(t, s.fetches.Load()-1, int64(12))
						require.Greater(t, s.fetches.Load(), int64(3), "the outage was not noticed")
					})
				}
			})
		}
	}
}

func TestImpatientCallersDoNotKillTheFetch(t *testing.T) {
	s := &source{lifetime: time.Hour, takes: 500 * time.Millisecond}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				asked := time.Now()
				_, err := c.Retrieve(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(asked) != 100*time.Millisecond {
					t.Errorf("got %v after %s", err, time.Since(asked))
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		mustRetrieve(t, c)
		require.EqualValues(t, 1, s.fetches.Load())
	})
}

func TestACancelledCallerLeavesTheFetchToTheOthers(t *testing.T) {
	s := &source{lifetime: time.Hour, takes: 2 * time.Second}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			asked := time.Now()
			_, err := c.Retrieve(ctx) // the caller that started the fetch
			if !errors.Is(err, context.Canceled) || !errors.Is(err, errDown) || time.Since(asked) != time.Second {
				t.Errorf("got %v after %s", err, time.Since(asked))
			}
		})
		synctest.Wait()
		wg.Go(func() { mustRetrieve(t, c) })
		time.Sleep(time.Second)
		cancel(errDown)
		wg.Wait()
		require.EqualValues(t, 1, s.fetches.Load())
	})
}

func TestACancelledContextStartsNoFetch(t *testing.T) {
	s := &source{}
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Retrieve(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, s.fetches.Load())
	})
}

func TestAfterExpiryInAnOutageReadersFailFastWithTheLastCause(t *testing.T) {
	first := true
	s := &source{lifetime: time.Minute, takes: time.Second}
	s.down = func() bool { defer func() { first = false }(); return !first }
	inBubble(t, s, nil, func(t *testing.T, c *otsauth.Cache) {
		begin := time.Now()
		for c.Stats().Failures == 0 || time.Since(begin) < 5*time.Minute {
			_, _ = c.Retrieve(t.Context())
			time.Sleep(10 * time.Millisecond)
		}
		for time.Until(c.Stats().Next) < time.Second { // an attempt is under way, or near
			time.Sleep(10 * time.Millisecond)
			_, _ = c.Retrieve(t.Context())
		}
		// Between two attempts: the error is there at once and no fetch starts.
		attempts := s.fetches.Load()
		asked := time.Now()
		_, err := c.Retrieve(t.Context())
		var re *otsauth.RefreshError
		require.ErrorAs(t, err, &re)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, attempts, s.fetches.Load())
		require.Zero(t, time.Since(asked))
		require.LessOrEqual(t, time.Until(re.RetryAt), 10*time.Second)
		// 4 minutes of callers every 10 ms against a source that needs 1 s to fail.
		require.Less(t, attempts, int64(40))
	})
}

func TestReadersSucceedSoonAfterAnOutageThatOutlivedTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(40 * time.Minute)
		s := &source{lifetime: 5 * time.Minute}
		s.down = func() bool { return s.fetches.Load() > 1 && time.Now().Before(back) }
		c := otsauth.NewCache(s, nil)
		defer c.Close()
		mustRetrieve(t, c)
		for time.Now().Before(back) {
			_, _ = c.Retrieve(t.Context())
			time.Sleep(100 * time.Millisecond)
		}
		for {
			if _, err := c.Retrieve(t.Context()); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, time.Since(back), 10*time.Second+100*time.Millisecond)
	})
}
