package otsauth

import (
	"math/rand/v2"
	"time"
)

const (
	// maxRefreshBefore bounds the default refresh window.
	maxRefreshBefore = 15 * time.Minute
	// sameSetInterval is how long a source that repeats itself is left alone.
	sameSetInterval = time.Minute
	// manyRejections in a row are no accident.
	manyRejections = 3
	// minBackoff and the two caps bound the wait between failed attempts:
	// one cap while a token is still good, a lower one once callers are failing.
	minBackoff        = time.Second
	maxBackoffValid   = time.Minute
	maxBackoffExpired = 10 * time.Second
	// maxLifetime is above what any service issues (STS: 12 hours, ECS: 6);
	// more means that a clock is wrong.
	maxLifetime = 48 * time.Hour
)

// never is later than any refresh.
func never() time.Time { return time.Unix(1<<62/int64(time.Second), 0) }

// refreshAt says when to refresh a set that was fetched at now and expires at
// expires: one window ahead of the expiry and, so that a fleet that started
// together spreads out, up to a fifth of the window earlier. share is a random
// number in [0, 1). before is the window; 0: a third of the lifetime, at most
// 15 minutes; negative: no window, refresh when expired. A window never takes
// more than two thirds of the lifetime, or a short-lived set would be
// refreshed without pause.
func refreshAt(now, expires time.Time, before time.Duration, share float64) time.Time {
	if expires.IsZero() {
		return never()
	}
	if before < 0 {
		return expires
	}
	lifetime := expires.Sub(now)
	if before == 0 {
		before = min(lifetime/3, maxRefreshBefore)
	}
	before = min(before, lifetime*2/3)
	return expires.Add(-before - time.Duration(share*float64(before/5)))
}

// askAgainAt says when to ask a source that answered at now with the set it
// had handed out before: after half of what remains, at least a minute later.
func askAgainAt(now, expires time.Time) time.Time {
	if expires.IsZero() {
		return never()
	}
	return now.Add(max(expires.Sub(now)/2, sameSetInterval))
}

// backoff is the wait after the failures-th failed attempt in a row (1 is the
// first), of which a random share of up to a third is taken off: 1 s, 4 s, 16 s,
// then a minute. Quadrupling keeps even a long outage to a dozen attempts.
//
// remaining is how long the current set is still good: no wait is longer than
// half of it (but for the first second), so that there is always one more
// attempt. With nothing good left (remaining is 0) callers are failing, and a
// minute after the source is back would be a minute too much: failures counts
// from there, and the waits are 1 s, 2 s, 4 s, 8 s, then 10 s.
func backoff(failures int, remaining time.Duration, share float64) time.Duration {
	limit, factor := maxBackoffExpired, time.Duration(2)
	if remaining > 0 {
		limit, factor = min(maxBackoffValid, max(remaining/2, minBackoff)), 4
	}
	wait := minBackoff
	for range failures - 1 {
		if wait >= limit {
			break
		}
		wait *= factor
	}
	wait = min(wait, limit)
	return wait - time.Duration(share*float64(wait/3))
}

// jitter returns a random share in [0, 1).
func jitter() float64 { return rand.Float64() } //nolint:gosec // spreads load; nothing secret depends on it
