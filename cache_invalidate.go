package otsauth

import "time"

// Invalidate says that a service has just rejected used. If that is the current
// set, the next readers wait for another one; if another one is current already
// nothing happens, so a late rejection never throws away newer credentials.
//
// A rejection can be an error. While the source is out of order the rejected set
// goes on until it expires, and attempts follow each other as they do with nothing
// valid left; if the source says that it will hand out no more, the set is dropped.
// And a service that rejects every set does not make each of its answers a call of
// the source: after the third rejection within a minute of the one before, the next
// is ignored for 1 s, then for 2, 4, 8 and 10 s. A source that hands out the rejected
// set again is believed for a minute. A source that has a method Invalidate itself,
// as a Cache and a chain have, is told.
func (c *Cache) Invalidate(used Credentials) {
	if source, ok := c.source.(interface{ Invalidate(used Credentials) }); ok {
		source.Invalidate(used) // first, or it could hand the set out again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	s := c.current.Load()
	if !s.valid(now) || s.refused || !s.creds.Equal(used) || now.Before(c.believedUntil) ||
		s.repeats && now.Sub(s.fetched) < sameSetInterval && s.creds.Equal(c.rejected) {
		return
	}
	c.forgetOldRejectionLocked(now)
	c.rejections++
	c.rejected, c.rejectedAt = s.creds, now
	if c.rejections >= manyRejections {
		c.believedUntil = now.Add(backoff(c.rejections-manyRejections+1, 0, jitter()))
	}
	c.stats.Invalidations++
	s.refused = true
	s.check.Store(0)
	c.retryAt = time.Time{}
}

// forgetOldRejectionLocked forgets the set that was rejected more than a minute
// ago, and that there were others before. The service may have been wrong: a source
// that still hands the set out is then treated as any other.
func (c *Cache) forgetOldRejectionLocked(now time.Time) {
	if now.Sub(c.rejectedAt) > sameSetInterval {
		c.rejected, c.rejections = Credentials{}, 0
	}
}
