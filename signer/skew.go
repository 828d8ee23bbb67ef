package signer

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/otsauth/otsauth"
)

// minSkew is the smallest difference that is kept. The service accepts 15
// minutes, so what the network's delay looks like needs no correction.
const minSkew = time.Minute

// skew is how far the service's clock is ahead of this machine's. The zero
// skew is none. It is safe for concurrent use.
type skew struct {
	offset  atomic.Int64 // nanoseconds
	changes atomic.Uint64
	logger  *slog.Logger
}

// correct returns the service's time for a reading of this machine's clock.
func (k *skew) correct(now time.Time) time.Time {
	return now.UTC().Add(time.Duration(k.offset.Load()))
}

// learn takes over that the service's clock was at served when ours was at now.
func (k *skew) learn(served, now time.Time) {
	measured := served.Sub(now).Round(time.Second)
	if measured.Abs() < minSkew {
		measured = 0
	}
	for {
		old := k.offset.Load()
		// Many requests learn the same at once; the first of them is enough.
		if change := measured - time.Duration(old); change.Abs() < minSkew && measured != 0 || change == 0 {
			return
		}
		if k.offset.CompareAndSwap(old, int64(measured)) {
			k.changed(time.Duration(old), measured)
			return
		}
	}
}

// confirm drops the offset if the clocks agree without it, because somebody
// has set this machine's.
func (k *skew) confirm(served, now time.Time) {
	if old := k.offset.Load(); old != 0 && served.Sub(now).Abs() < minSkew && k.offset.CompareAndSwap(old, 0) {
		k.changed(time.Duration(old), 0)
	}
}

func (k *skew) changed(from, to time.Duration) {
	k.changes.Add(1)
	if k.logger != nil {
		k.logger.Warn("signer: the clock skew changed; requests are dated with the new one",
			slog.Duration("from", from), slog.Duration("to", to))
	}
}

// Stats is a snapshot of what a [Signer] has learned.
type Stats struct {
	// Skew is how far the service's clock is ahead of this machine's, as far
	// as requests are corrected for it; zero: they are not.
	Skew time.Duration
	// SkewChanges counts the changes of Skew since New.
	SkewChanges uint64
}

// Stats returns the learned clock skew.
func (s *Signer) Stats() Stats {
	return Stats{Skew: time.Duration(s.skew.offset.Load()), SkewChanges: s.skew.changes.Load()}
}

// LearnSkew looks at the answer to a request that Sign signed with used, and
// reports whether it makes sense to sign that request once more: the service
// answered 403, and its own date shows that the request's is more than 15
// minutes off. The Signer then dates all requests by the service's clock, until
// the two clocks agree without that. Call it for any 403: with V4, a date that
// is a day off is answered like a wrong signature.
//
// resp.Request must be the request that was sent; the body is not read. An
// answer whose signature is wrong teaches nothing, nor does one without a
// signature that came over plain HTTP from another machine: who can make
// this machine sign for a date to come can keep that request until then.
func (s *Signer) LearnSkew(used otsauth.Credentials, resp *http.Response) bool {
	if resp == nil || resp.StatusCode != http.StatusForbidden || resp.Request == nil || resp.Request.URL == nil {
		return false
	}
	sent, err := time.Parse(time.RFC3339, resp.Request.Header.Get(headerDate))
	if err != nil {
		return false
	}
	served, ok := servedAt(resp.Header)
	if !ok || served.Sub(sent).Abs() <= maxDateDifference || !s.trusted(used, resp) {
		return false
	}
	s.skew.learn(served, s.clock())
	return true
}

// servedAt returns when an answer was made. A front end that answers in the
// service's place sets Date only.
func servedAt(h http.Header) (time.Time, bool) {
	if served, err := time.Parse(time.RFC3339, h.Get(headerDate)); err == nil {
		return served, true
	}
	served, err := http.ParseTime(h.Get("Date"))
	return served, err == nil
}

// trusted reports whether an answer is the service's, as far as a 403 can show.
func (s *Signer) trusted(used otsauth.Credentials, resp *http.Response) bool {
	if resp.Header.Get(headerAuthorization) != "" {
		_, problem := s.checkAuthorization(used, resp)
		return problem == ""
	}
	return resp.Request.URL.Scheme == "https" || isLoopback(resp.Request.URL)
}
