package otsauth

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// defaultFetchTimeout bounds one fetch when CacheOptions.Timeout is zero. It is above
// what any source takes by itself, a program's minute too, and bounds a provider that
// has no timeout of its own.
const defaultFetchTimeout = 90 * time.Second

// CacheOptions are the options of [NewCache]. Nil means all defaults.
type CacheOptions struct {
	// RefreshBefore is how long before the expiry a background refresh starts at
	// the latest; a random share of up to a fifth of it earlier, so that a fleet
	// that started together spreads out. At most two thirds of the lifetime count.
	// Zero: a third of the lifetime, at most 15 minutes. Negative: no background
	// refresh; the set is fetched again when a reader finds it expired. Set it when
	// outages of the source can last longer than that.
	RefreshBefore time.Duration
	// Timeout bounds one fetch, through the context that the provider gets.
	// Zero or less: 90 seconds, more than a source takes by its own timeouts.
	// Set it when a provider of your own can hang, or a program needs longer.
	Timeout time.Duration
	// Logger gets a debug record for each refresh and a warning for each
	// failed one. Nil: nothing is logged.
	Logger *slog.Logger
	// OnRefresh is called after each fetch, successful or not, before the
	// readers that wait for it go on. It must return soon, be safe for
	// concurrent use and not call Close. Nil: nobody is told.
	OnRefresh func(RefreshEvent)
}

// A RefreshEvent tells how one fetch went.
type RefreshEvent struct {
	// Credentials is the set that was fetched; zero if Err is not nil.
	Credentials Credentials
	// Err is why the fetch failed, or nil.
	Err error
	// Took is how long the provider needed.
	Took time.Duration
	// Failures counts the failed fetches in a row, this one included; 0 after
	// a success.
	Failures int
	// Next is when the next fetch is planned; zero: none is.
	Next time.Time
}

// Stats is a snapshot of a [Cache]'s counters.
type Stats struct {
	// Refreshes, Failures and Invalidations count since NewCache.
	Refreshes, Failures, Invalidations uint64
	// Source and Expires are those of the current set; zero without one.
	Source  string
	Expires time.Time
	// Next is when the next fetch is planned; zero: none is.
	Next time.Time
	// LastErr is the error of the last fetch, nil if it succeeded.
	LastErr error
}

// A Cache keeps the credentials of one [Provider] and refreshes them before
// they expire. It is itself a Provider, safe for concurrent use by any number
// of goroutines.
//
// Reading valid credentials takes no lock and allocates nothing. One fetch is
// in flight at most; it has its own timeout, and goes on when the reader that
// caused it gives up. A failed background refresh keeps the current set while
// that is valid and is tried again, with growing, random waits of 1 s to 1
// min. Only with nothing valid left do readers wait; they share one fetch and
// its outcome, and between attempts (at most 10 s apart) they get a
// [*RefreshError] at once. A source that hands out the same set again is asked
// again after half of what remains, at least a minute later.
//
// A timer does the waiting, not a goroutine. A set that nobody read since it
// was fetched is not refreshed, so a forgotten cache stops calling its source
// by itself; [Cache.Close] makes sure.
type Cache struct {
	source    Provider
	before    time.Duration
	timeout   time.Duration
	logger    *slog.Logger
	onRefresh func(RefreshEvent)

	current atomic.Pointer[snapshot] // nil: nothing was fetched yet, or it was invalidated
	fetches singleflight.Group
	running sync.WaitGroup // the fetch in flight; Add only under mu and before closed

	mu       sync.Mutex         // guards the fields below; never held while a provider or callback runs
	cancel   context.CancelFunc // cancels the fetch in flight; nil: there is none
	timer    *time.Timer        // starts the next background fetch; nil: none is planned
	plan     uint64             // counts the timers, so that a stopped one that fired all the same is known
	closed   bool
	failures int       // failed fetches in a row
	urgent   int       // those of them without a set that is valid and not rejected
	retryAt  time.Time // no fetch before, when nothing valid is left
	stats    Stats

	rejected      Credentials // the set that Invalidate took last; zero: none in the last minute
	rejections    int         // how many it took, each within a minute of the one before
	rejectedAt    time.Time   // when it took the last one
	believedUntil time.Time   // until then it takes none
}

// snapshot is one set with what a reader needs to judge it.
type snapshot struct {
	creds   Credentials
	expires int64 // Unix nanoseconds
	repeats bool  // the source handed out the same set before
	fetched time.Time
	refused bool         // the service rejected it; guarded by Cache.mu
	check   atomic.Int64 // Unix nanoseconds; a reader before that needs no second look
	used    atomic.Bool
}

// NewCache returns a Cache over p. A *Cache is returned as it is, and opts are
// then ignored: the first wrapping decides. A nil p gives a Cache whose
// Retrieve returns a [*ConfigError].
func NewCache(p Provider, opts *CacheOptions) *Cache {
	if c, ok := p.(*Cache); ok && c != nil {
		return c
	}
	if opts == nil {
		opts = &CacheOptions{}
	}
	c := &Cache{
		source:    p,
		before:    opts.RefreshBefore,
		timeout:   opts.Timeout,
		logger:    opts.Logger,
		onRefresh: opts.OnRefresh,
	}
	if c.timeout <= 0 {
		c.timeout = defaultFetchTimeout
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Retrieve returns valid credentials. It waits for a fetch only when the cache
// has none, and then no longer than ctx allows. Errors: [*RefreshError] around
// the source's error, [ErrClosed], or one that wraps ctx's error.
func (c *Cache) Retrieve(ctx context.Context) (Credentials, error) {
	if s := c.current.Load(); s.fresh(time.Now().UnixNano()) {
		return s.creds, nil
	}
	return c.retrieve(ctx)
}

// RetrieveAt is Retrieve for a caller that has just read the wall clock and
// hands the reading in as now: reading the clock is most of Retrieve's cost.
func (c *Cache) RetrieveAt(ctx context.Context, now time.Time) (Credentials, error) {
	if s := c.current.Load(); s.fresh(now.UnixNano()) {
		return s.creds, nil
	}
	return c.retrieve(ctx)
}

// fresh reports whether a reader at now (Unix nanoseconds) can take s as it is,
// and remembers that one did. It is small enough to be inlined.
func (s *snapshot) fresh(now int64) bool {
	if s == nil || now >= s.check.Load() {
		return false
	}
	if !s.used.Load() { // a plain load lets all cores share the line
		s.used.Store(true)
	}
	return true
}

// valid reports whether s has not expired at now.
func (s *snapshot) valid(now time.Time) bool { return s != nil && now.UnixNano() < s.expires }

// mustReplaceLocked reports whether readers wait for another set than s: the
// service rejected it, and since then no fetch has failed.
func (c *Cache) mustReplaceLocked(s *snapshot) bool { return s.refused && c.urgent == 0 }

// retrieve is the path of a reader that has to look twice.
func (c *Cache) retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	now := time.Now()
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return Credentials{}, ErrClosed
	}
	if s := c.current.Load(); s.valid(now) && !c.mustReplaceLocked(s) {
		s.used.Store(true)
		// A refresh is due and no timer did it: the cache had lapsed, or the
		// machine was suspended and its timers are late.
		if c.cancel == nil && now.UnixNano() >= s.check.Load() {
			c.fetchLocked(context.WithoutCancel(ctx))
		}
		c.mu.Unlock()
		return s.creds, nil
	}
	if err := ctx.Err(); err != nil {
		c.mu.Unlock()
		return Credentials{}, waitError(ctx)
	}
	if c.cancel == nil && now.Before(c.retryAt) {
		err := c.refreshErrorLocked()
		c.mu.Unlock()
		return Credentials{}, err
	}
	result := c.fetchLocked(context.WithoutCancel(ctx))
	c.mu.Unlock()

	select {
	case r := <-result:
		return c.deliver(r)
	case <-ctx.Done():
	}
	select {
	case r := <-result: // both were ready: what was fetched is worth more than the cancellation
		return c.deliver(r)
	default:
		return Credentials{}, waitError(ctx)
	}
}

// deliver unpacks the outcome of a shared fetch for one of its waiters.
func (c *Cache) deliver(r singleflight.Result) (Credentials, error) {
	if r.Err != nil {
		return Credentials{}, r.Err
	}
	if s := c.current.Load(); s != nil {
		s.used.Store(true)
	}
	creds, _ := r.Val.(Credentials)
	return creds, nil
}

// Stats returns the counters.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	if s := c.current.Load(); s != nil {
		stats.Source, stats.Expires = s.creds.Source, s.creds.Expires
	}
	return stats
}

// Format writes the current credentials as they print themselves, for every
// verb: reading the fields of a live cache by reflection would be a data race.
func (c *Cache) Format(f fmt.State, _ rune) {
	text := "empty"
	if s := c.current.Load(); s != nil {
		text = s.creds.String()
	}
	_, _ = fmt.Fprintf(f, "otsauth.Cache{%s}", text)
}

// Close stops the background refresh, cancels a fetch in flight and waits for
// it to return. Readers get [ErrClosed] from then on. Close may be called more
// than once and always returns nil; it does not close the provider.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.current.Store(nil)
	c.stopTimerLocked()
	if c.cancel != nil {
		c.cancel()
	}
	c.mu.Unlock()
	c.running.Wait()
	return nil
}

// fetchLocked starts a fetch or joins the one in flight.
func (c *Cache) fetchLocked(ctx context.Context) <-chan singleflight.Result {
	if c.cancel == nil {
		ctx, c.cancel = context.WithTimeout(ctx, c.timeout)
		c.stopTimerLocked()
		if s := c.current.Load(); s != nil && !c.mustReplaceLocked(s) {
			s.check.Store(s.expires)
		}
		c.running.Add(1)
	}
	return c.fetches.DoChan("", func() (any, error) {
		defer c.running.Done()
		return c.fetch(ctx)
	})
}

// fetch asks the source once and publishes the outcome.
func (c *Cache) fetch(ctx context.Context) (Credentials, error) {
	start := time.Now()
	creds, err := retrieveApart(ctx, c.source)
	now := time.Now()
	if err == nil {
		err = checkFetched(creds, now)
	}

	c.mu.Lock()
	c.cancel()
	c.cancel = nil
	c.fetches.Forget("") // from here on a reader starts a new fetch
	if c.closed {
		c.mu.Unlock()
		return Credentials{}, ErrClosed
	}
	event := RefreshEvent{Took: now.Sub(start), Err: err}
	if err == nil {
		event.Credentials = creds
		c.storeLocked(creds, now) //nolint:contextcheck // the timer outlives the reader that starts it
	} else {
		c.failLocked(err, now) //nolint:contextcheck // the timer outlives the reader that starts it
		err = c.refreshErrorLocked()
		if s := c.current.Load(); s.valid(now) { // rejected perhaps, but all there is
			creds, err = s.creds, nil
		}
	}
	event.Failures, event.Next = c.failures, c.stats.Next
	c.mu.Unlock()

	apart(func() { c.report(ctx, event) })
	return creds, err
}

// storeLocked makes creds the current set and plans its refresh.
func (c *Cache) storeLocked(creds Credentials, now time.Time) {
	s := &snapshot{creds: creds, expires: math.MaxInt64, fetched: now}
	if !creds.Expires.IsZero() {
		s.expires = creds.Expires.UnixNano()
	}
	previous := c.current.Load()
	c.forgetOldRejectionLocked(now)
	same := previous != nil && creds.Equal(previous.creds) && creds.Expires.Equal(previous.creds.Expires)
	s.repeats = same || creds.Equal(c.rejected)

	due := refreshAt(now, creds.Expires, c.before, jitter())
	switch again := askAgainAt(now, creds.Expires); {
	case c.before < 0:
	case same:
		due = again
	case s.repeats && again.Before(due): // the later of the two could be behind the expiry
		due = again
	}
	s.check.Store(min(due.UnixNano(), s.expires))
	c.current.Store(s)
	c.failures, c.urgent, c.retryAt, c.stats.LastErr = 0, 0, time.Time{}, nil
	c.stats.Refreshes++
	c.startTimerLocked(due, now)
}

// failLocked counts a failure and plans the next attempt: by the timer while
// the current set is valid, else by the first reader after retryAt.
func (c *Cache) failLocked(err error, now time.Time) {
	c.failures++
	c.stats.Failures++
	c.stats.LastErr = err
	s := c.current.Load()
	if s != nil && s.refused && isFinal(err) {
		s = nil
		c.current.Store(nil)
	}
	if s.valid(now) && !s.refused {
		remaining := time.Duration(s.expires - now.UnixNano())
		c.retryAt = now.Add(backoff(c.failures, remaining, jitter()))
	} else {
		c.urgent++
		c.retryAt = now.Add(backoff(c.urgent, 0, jitter()))
	}
	c.stats.Next = c.retryAt
	if s.valid(now) {
		s.check.Store(min(c.retryAt.UnixNano(), s.expires))
		c.startTimerLocked(c.retryAt, now)
	}
}

// startTimerLocked plans a background fetch, unless there is nothing to wait for.
func (c *Cache) startTimerLocked(due, now time.Time) {
	c.stopTimerLocked()
	if !due.Before(never()) || c.before < 0 {
		return
	}
	c.stats.Next = due
	c.plan++
	plan := c.plan
	c.timer = time.AfterFunc(due.Sub(now), func() { c.refreshInBackground(plan) })
}

func (c *Cache) stopTimerLocked() {
	c.stats.Next = time.Time{}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// refreshInBackground is the function of the plan-th timer.
func (c *Cache) refreshInBackground(plan uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.current.Load()
	if s == nil || c.timer == nil || plan != c.plan {
		return // stopped while this function was starting
	}
	c.timer, c.stats.Next = nil, time.Time{}
	if !s.used.Load() {
		return // lapsed; the next reader finds the refresh due and starts it
	}
	c.fetchLocked(context.Background())
}

// refreshErrorLocked is what readers get while nothing valid is left.
func (c *Cache) refreshErrorLocked() error {
	return &RefreshError{Failures: c.failures, RetryAt: c.retryAt, Err: c.stats.LastErr}
}

// report tells the log and the callback.
func (c *Cache) report(ctx context.Context, e RefreshEvent) {
	if e.Err != nil {
		c.logger.WarnContext(ctx, "otsauth: credentials refresh failed",
			"error", e.Err, "took", e.Took, "failures", e.Failures, "next", e.Next)
	} else {
		c.logger.DebugContext(ctx, "otsauth: credentials refreshed",
			"credentials", e.Credentials, "took", e.Took, "next", e.Next)
	}
	if c.onRefresh != nil {
		c.onRefresh(e)
	}
}

// checkFetched refuses a set that would be rejected, or fetched again at once.
func checkFetched(creds Credentials, now time.Time) error {
	err := checkFresh(creds, now)
	if err == nil && creds.Expires.Sub(now) > maxLifetime {
		err = &ConfigError{Field: "Expires", Problem: fmt.Sprintf(
			"lies %s ahead, longer than any token lives; check the source and this machine's clock",
			creds.Expires.Sub(now).Round(time.Hour))}
	}
	if err == nil {
		return nil
	}
	name := creds.Source
	if name == "" {
		name = "cache"
	}
	return &ProviderError{Provider: name, Err: err}
}

// waitError says that ctx ended before a fetch did.
func waitError(ctx context.Context) error {
	return fmt.Errorf("otsauth: gave up waiting for credentials: %w", endOf(ctx))
}
