package otsauth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// scripted answers with one outcome after the other, the last one for ever.
type scripted struct {
	name     string
	outcomes []error // nil: credentials
	takes    time.Duration
	calls    atomic.Int64
}

func (s *scripted) Retrieve(ctx context.Context) (otsauth.Credentials, error) {
	n := int(s.calls.Add(1))
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return otsauth.Credentials{}, ctx.Err()
		}
	}
	if err := s.outcomes[min(n, len(s.outcomes))-1]; err != nil {
		return otsauth.Credentials{}, &otsauth.ProviderError{Provider: s.name, Err: err}
	}
	return otsauth.Credentials{AccessKeyID: s.name, AccessKeySecret: otsauth.NewSecret("sk"), Source: s.name}, nil
}

var (
	errAbsent = fmt.Errorf("%w: test", otsauth.ErrNotConfigured)
	errBroken = errors.New("configured but broken")
)

func script(name string, outcomes ...error) *scripted {
	return &scripted{name: name, outcomes: outcomes}
}

func TestChainStaysWithTheFirstProviderThatSucceeds(t *testing.T) {
	first, second, third := script("first", errAbsent, nil), script("second", nil, errBroken, nil), script("third", nil)
	c := otsauth.Chain(first, second, third)
	creds, err := c.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "chain/second", creds.Source)

	// It fails once: the chain neither falls to the third nor returns to the first.
	_, err = c.Retrieve(t.Context())
	require.ErrorIs(t, err, errBroken)
	creds, err = c.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "second", creds.AccessKeyID)
	require.EqualValues(t, 1, first.calls.Load())
	require.Zero(t, third.calls.Load())
}

func TestChainStopsAtAProviderThatIsSetUpButBroken(t *testing.T) {
	second := script("second", nil)
	c := otsauth.Chain(script("absent", errAbsent), script("first", errBroken, nil), second)
	_, err := c.Retrieve(t.Context())
	require.ErrorIs(t, err, errBroken)
	require.NotErrorIs(t, err, otsauth.ErrNotConfigured, "an outer chain would move on")
	require.ErrorContains(t, err, "first")
	require.Zero(t, second.calls.Load(), "another identity was asked")

	// The failed walk is forgotten.
	creds, err := c.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "first", creds.AccessKeyID)
}

// credentials-go's chain is stuck on its last member after one total failure.
func TestChainStartsAnewAfterATotalFailure(t *testing.T) {
	c := otsauth.Chain(script("first", errAbsent, nil), script("second", errAbsent))
	_, err := c.Retrieve(t.Context())
	var ce *otsauth.ChainError
	require.ErrorAs(t, err, &ce)
	require.Len(t, ce.Errors, 2)
	require.ErrorIs(t, err, otsauth.ErrNotConfigured)
	require.EqualError(t, err, "otsauth: chain: no provider is configured [first: not configured: test; second: not configured: test]")

	creds, err := c.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "first", creds.AccessKeyID)
}

func TestConcurrentCallersShareOneWalk(t *testing.T) {
	for name, outcome := range map[string]error{"that succeeds": nil, "that fails": errBroken} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := script("first", errAbsent), script("second", outcome)
				first.takes, second.takes = time.Second, time.Second
				c := otsauth.Chain(first, second)
				var wg sync.WaitGroup
				for range 1000 {
					wg.Go(func() {
						if _, err := c.Retrieve(t.Context()); !errors.Is(err, outcome) {
							t.Errorf("got %v", err)
						}
					})
				}
				wg.Wait()
				require.EqualValues(t, 1, first.calls.Load())
				require.EqualValues(t, 1, second.calls.Load())
			})
		})
	}
}

func TestAWalkSurvivesTheCallerThatStartedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := script("slow", nil)
		slow.takes = 2 * time.Second
		c := otsauth.Chain(slow)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			begin := time.Now()
			_, err := c.Retrieve(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("got %v after %s", err, time.Since(begin))
			}
		})
		synctest.Wait()
		_, err := c.Retrieve(t.Context())
		require.NoError(t, err)
		wg.Wait()
		require.EqualValues(t, 1, slow.calls.Load())
	})
}

func TestAWalkEndsWhenNobodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := script("slow", nil)
		slow.takes = time.Hour
		c := otsauth.Chain(slow)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Retrieve(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait() // the bubble would end with a blocked goroutine, and fail

		slow.takes = 0
		_, err = c.Retrieve(t.Context())
		require.NoError(t, err, "the abandoned walk's outcome is nobody's")
	})
}

func TestAWalkThatEverybodyLeftChoosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impatient := true
		first := otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
			if impatient { // takes the end of its context for its own absence
				<-ctx.Done()
				return otsauth.Credentials{}, errAbsent
			}
			return script("first", nil).Retrieve(ctx)
		})
		second := script("second", nil)
		c := otsauth.Chain(first, second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Retrieve(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		require.Zero(t, second.calls.Load(), "nobody waits for the second one")

		impatient = false
		creds, err := c.Retrieve(t.Context())
		require.NoError(t, err)
		require.Equal(t, "chain/first", creds.Source)
	})
}

func TestChainNamesProvidersThatDoNotNameThemselves(t *testing.T) {
	c := otsauth.Chain(
		otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { return otsauth.Credentials{}, errAbsent }),
		nil,
	)
	_, err := c.Retrieve(t.Context())
	require.ErrorContains(t, err, "chain[1]: provider is nil")
	require.NotErrorIs(t, err, otsauth.ErrNotConfigured)

	_, err = otsauth.Chain(otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { return otsauth.Credentials{}, errBroken })).Retrieve(t.Context())
	require.ErrorContains(t, err, "chain[0] otsauth.ProviderFunc: configured but broken")
}

func TestAnEmptyChainIsNotConfigured(t *testing.T) {
	_, err := otsauth.Chain().Retrieve(t.Context())
	require.ErrorIs(t, err, otsauth.ErrNotConfigured)
}

func TestChainsNest(t *testing.T) {
	c := otsauth.Chain(otsauth.Chain(script("a", errAbsent), script("b", errAbsent)), script("c", nil))
	creds, err := c.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "chain/c", creds.Source)
}

func TestAWalkNeverRunsOnACallersContext(t *testing.T) {
	// Callers that come and go make walks begin and end at all times; a walk that
	// ran on one caller's context would fail the others with its cancellation.
	var n atomic.Int64
	chain := otsauth.Chain(otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
		if n.Add(1)%2 == 0 {
			runtime.Gosched()
		}
		if ctx.Done() == nil || ctx.Err() != nil {
			return otsauth.Credentials{}, ctx.Err()
		}
		if ctx.Value(callerKey{}) == nil {
			return otsauth.Credentials{}, errors.New("the caller's values are gone")
		}
		if _, ok := ctx.Deadline(); ok {
			return otsauth.Credentials{}, errors.New("the walk runs on a caller's context")
		}
		return otsauth.Credentials{}, errAbsent
	}))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 500 {
				ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), callerKey{}, 1), time.Hour)
				if _, err := chain.Retrieve(ctx); !errors.Is(err, otsauth.ErrNotConfigured) {
					t.Errorf("got %v", err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

type callerKey struct{}

func TestErrorValuesThatAreEmptyCanBePrinted(t *testing.T) {
	for _, err := range []error{
		&otsauth.ProviderError{}, &otsauth.RefreshError{}, &otsauth.ChainError{}, &otsauth.ChainError{Errors: []error{nil}},
		&otsauth.ConfigError{}, &otsauth.STSError{},
	} {
		require.NotPanics(t, func() { require.NotEmpty(t, err.Error()) }, "%T", err)
	}
}

func TestACallerThatComesAsTheLastOneLeavesIsServed(t *testing.T) {
	chain := otsauth.Chain(otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
		runtime.Gosched()
		if err := ctx.Err(); err != nil {
			return otsauth.Credentials{}, err
		}
		return otsauth.Credentials{}, errAbsent
	}))
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 3000 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%2 == 0 {
					go cancel() // an impatient one
				}
				_, err := chain.Retrieve(ctx)
				if n%2 == 1 && !errors.Is(err, otsauth.ErrNotConfigured) {
					t.Errorf("a patient caller got %v", err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}
