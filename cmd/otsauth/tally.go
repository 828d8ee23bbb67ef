package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// tally counts what happens in a demo. Its methods are safe for concurrent use.
type tally struct {
	begun time.Time

	mu        sync.Mutex // guards the fields below
	latencies histogram
	failed    int
	firstErr  error
	rotations int
	worstWait time.Duration
	wasDown   time.Duration // how long STS was down
	expired   bool          // whether a token expired meanwhile
	revoked   int           // tokens revoked
	notes     []string      // events not shown yet
}

func newTally() *tally { return &tally{begun: time.Now(), rotations: -1} } // the first set is no rotation

// request counts a request.
func (t *tally) request(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies.add(took)
	if err != nil {
		t.failed++
		if t.firstErr == nil {
			t.firstErr = err
		}
	}
}

// refreshed counts a new set of credentials.
func (t *tally) refreshed(e otsauth.RefreshEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Err == nil {
		t.rotations++
	}
}

func (t *tally) waited(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.worstWait = max(t.worstWait, d)
}

func (t *tally) outage(took time.Duration, expired bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wasDown, t.expired = took, expired
}

func (t *tally) revocation() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked++
}

// note remembers an event for the progress display.
func (t *tally) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// progress returns the line to show and the events since the last call.
func (t *tally) progress(server *otstest.Server) (line string, notes []string) {
	calls := server.Stats().STSCalls
	t.mu.Lock()
	defer t.mu.Unlock()
	notes, t.notes = t.notes, nil
	return fmt.Sprintf("%5.1fs  requests %d  rotations %d  STS calls %d  failures %d",
		time.Since(t.begun).Seconds(), t.latencies.total, max(t.rotations, 0), calls, t.failed), notes
}

// report writes the table, and returns an error if a request failed, or if
// nothing happened that could have made one fail.
func (t *tally) report(out io.Writer, server *otstest.Server) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	outage := "none"
	if t.wasDown > 0 {
		outage = t.wasDown.Round(100 * time.Millisecond).String()
		if t.expired {
			outage += ", a token expired meanwhile"
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]any{
		{"requests sent", t.latencies.total},
		{"failed", t.failed},
		{"rotations", max(t.rotations, 0)},
		{"STS calls", server.Stats().STSCalls},
		{"STS outage", outage},
		{"tokens revoked", t.revoked},
		{"latency p50", t.latencies.percentile(0.50)},
		{"latency p99", t.latencies.percentile(0.99)},
		{"worst wait for credentials", t.worstWait.Round(time.Millisecond)},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row[0], row[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case t.latencies.total == 0:
		return errors.New("no request was sent")
	case t.failed > 0:
		return fmt.Errorf("%d of %d requests failed, the first with: %w", t.failed, t.latencies.total, t.firstErr)
	case !t.expired || t.revoked == 0:
		return errors.New("no request failed, but there was no time for an outage that outlives a token and for a revocation; give a longer --duration")
	}
	return nil
}
