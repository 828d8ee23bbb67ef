package otsauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/singleflight"
)

// A ChainProvider asks providers in order and stays with the first one that
// is set up. It is safe for concurrent use. Make one with [Chain].
type ChainProvider struct {
	providers []Provider
	winner    atomic.Pointer[Provider] // the provider that succeeded first

	walks singleflight.Group

	mu      sync.Mutex // guards current and its waiters; never held while a provider runs
	current *chainWalk // the walk that callers can join; nil: there is none
}

// chainWalk is one walk along the chain, which its callers share.
type chainWalk struct {
	ctx     context.Context //nolint:containedctx // it belongs to the walk, and to none of the callers
	cancel  context.CancelFunc
	waiters int
}

// Chain returns a provider that asks providers in order. It moves on to the
// next one only for an error that wraps [ErrNotConfigured]; any other error is
// returned as it is, because falling through would silently make the service
// somebody else.
//
// The first success decides: from then on only that provider is asked, also
// when it fails later. A walk that failed is forgotten, and the next Retrieve
// starts at the first provider. Concurrent callers share one walk; each still
// returns when its own context is done. If no provider is set up the error is
// a [*ChainError] with every provider's reason.
func Chain(providers ...Provider) *ChainProvider {
	return &ChainProvider{providers: append([]Provider(nil), providers...)}
}

// Retrieve returns the chosen provider's credentials, with "chain/" before
// their Source.
func (c *ChainProvider) Retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	if p := c.winner.Load(); p != nil {
		creds, err := retrieveFrom(ctx, *p)
		return chained(creds), err
	}
	if ctx.Err() != nil {
		return Credentials{}, waitError(ctx)
	}
	walk, result := c.join(ctx)
	defer c.leave(walk)
	select {
	case r := <-result:
		creds, _ := r.Val.(Credentials)
		return creds, r.Err
	case <-ctx.Done():
		return Credentials{}, waitError(ctx)
	}
}

// Invalidate hands a rejection on to the chosen provider, if that has a method
// Invalidate, as a [Cache] has.
func (c *ChainProvider) Invalidate(used Credentials) {
	if p := c.winner.Load(); p != nil {
		if source, ok := (*p).(interface{ Invalidate(used Credentials) }); ok {
			source.Invalidate(used)
		}
	}
}

// A ChainStep is what one provider of a chain said to [ChainProvider.Explain].
type ChainStep struct {
	// Provider is the provider's name, as far as it told it.
	Provider string
	// Credentials is the set that it has; zero if Err is not nil.
	Credentials Credentials
	// Err is why it has none; one that matches ErrNotConfigured lets the chain
	// move on.
	Err error
}

// Explain asks the providers in order, until the one that a new chain would
// choose or stop at, and returns what each said. It chooses nothing: Retrieve
// goes on as before. Printing a step shows no secret.
func (c *ChainProvider) Explain(ctx context.Context) []ChainStep {
	if ctx == nil {
		return []ChainStep{{Provider: "chain", Err: errNilContext()}}
	}
	var steps []ChainStep
	for i, p := range c.providers {
		creds, err := retrieveFrom(ctx, p)
		step := ChainStep{Provider: creds.Source, Credentials: creds}
		if err != nil {
			err = named(err, i, p)
			step = ChainStep{Provider: nameIn(err), Err: err}
		}
		steps = append(steps, step)
		if !errors.Is(err, ErrNotConfigured) {
			break
		}
	}
	return steps
}

// nameIn returns the name of the provider that an error comes from.
func nameIn(err error) string {
	if pe := (*ProviderError)(nil); errors.As(err, &pe) {
		return pe.Provider
	}
	return ""
}

// Format writes the number of providers, for every verb: reading the fields of
// a chain in use by reflection would be a data race.
func (c *ChainProvider) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "otsauth.Chain{%d providers}", len(c.providers))
}

// join starts a walk, or joins the one under way. The walk has the values of
// its first caller's context but not its cancellation.
func (c *ChainProvider) join(ctx context.Context) (*chainWalk, <-chan singleflight.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		c.current = &chainWalk{}
		c.current.ctx, c.current.cancel = context.WithCancel(context.WithoutCancel(ctx))
		c.walks.Forget("") // a walk that everybody left, and that may not have noticed yet
	}
	w := c.current
	w.waiters++
	return w, c.walks.DoChan("", func() (any, error) {
		defer c.end(w)
		return c.walk(w.ctx)
	})
}

// leave ends the walk w if nobody waits for it any more.
func (c *ChainProvider) leave(w *chainWalk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.waiters--; w.waiters == 0 {
		c.endLocked(w)
	}
}

// end is what the walk w does last.
func (c *ChainProvider) end(w *chainWalk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(w)
}

// endLocked makes sure that nobody joins the walk w any more, and cancels it.
func (c *ChainProvider) endLocked(w *chainWalk) {
	w.cancel()
	if c.current == w {
		c.current = nil
	}
}

// walk asks each provider once, in order.
func (c *ChainProvider) walk(ctx context.Context) (Credentials, error) {
	reasons := &ChainError{}
	for i, p := range c.providers {
		creds, err := retrieveApart(ctx, p)
		switch {
		case ctx.Err() != nil:
			// Everybody left, and a provider may have said so by being not configured.
			return Credentials{}, waitError(ctx)
		case err == nil:
			c.winner.CompareAndSwap(nil, &c.providers[i])
			return chained(creds), nil
		case errors.Is(err, ErrNotConfigured):
			reasons.Errors = append(reasons.Errors, named(err, i, p))
		default:
			return Credentials{}, named(err, i, p)
		}
	}
	return Credentials{}, reasons
}

// named makes sure that err says which provider of the chain it comes from.
func named(err error, i int, p Provider) error {
	if nameIn(err) != "" {
		return err
	}
	name := fmt.Sprintf("chain[%d]", i)
	if p != nil {
		name += " " + strings.TrimPrefix(fmt.Sprintf("%T", p), "*")
	}
	return &ProviderError{Provider: name, Err: err}
}

// chained marks where the credentials came through.
func chained(creds Credentials) Credentials {
	if creds.AccessKeyID != "" {
		creds.Source = "chain/" + creds.Source
	}
	return creds
}
