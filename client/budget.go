package client

import "sync/atomic"

// budgetSize is how many repetitions a client's calls may have ahead of their
// successes.
const budgetSize = 500

// A budget is what all calls of a client share for repeating requests, so that
// a sick service does not get many times the requests of a healthy one. A
// repetition takes one unit, a call that succeeds puts one back. It is safe for
// concurrent use; the zero budget is full.
type budget struct{ spent atomic.Int64 }

// take takes units and reports whether a request may be repeated.
func (b *budget) take(units int64) bool {
	if b.spent.Add(units) <= budgetSize {
		return true
	}
	b.spent.Add(-units)
	return false
}

// put records a success. A plain load first lets all cores share the line while
// nothing is wrong.
func (b *budget) put() {
	for {
		spent := b.spent.Load()
		if spent <= 0 || b.spent.CompareAndSwap(spent, spent-1) {
			return
		}
	}
}

// hintBudget is the next step of a call that was not repeated for want of it.
const hintBudget = "it was not repeated: this client's calls have had 500 repetitions more than successes; wait for the service to recover"
