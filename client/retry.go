package client

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// The figures of the reference client. (Source: the official Python SDK, retry.py.)
const (
	maxRetries       = 20
	maxRetryDelay    = 3 * time.Second
	baseDelay        = 200 * time.Millisecond
	baseDelayBusy    = 500 * time.Millisecond
	retryDelayFactor = 2
)

// maxCredentialsWait is how long a call waits for credentials: longer than most
// outages of STS, and shorter than a caller without a deadline takes for ever.
const maxCredentialsWait = 5 * time.Minute

// An Attempt is one that failed, for a [RetryPolicy] to judge.
type Attempt struct {
	// Action is the Tablestore action, such as "GetRow".
	Action string
	// Number counts the attempts of this call that failed the same way: sent
	// and failed, or not sent for want of credentials. The first is 1. An attempt
	// whose rejected token or date the client mended by itself does not count.
	Number int
	// Err is why it failed.
	Err error
	// Code, Message and StatusCode are those of the service's answer; zero if
	// there was none.
	Code       Code
	Message    string
	StatusCode int
	// Executed says whether the service may have done what the request asks
	// for without an answer having arrived: the connection broke or timed out
	// after something had been written. An answer that is an error leaves it false.
	// For an action that only reads it may be true though nothing was written: it does
	// no harm, and nobody looks.
	Executed bool
	// NoCredentials says that nothing was sent, for want of credentials, or that
	// the service rejected the token though it took one before, and there is no
	// other yet. The client then waits at least until the cache will ask for one,
	// about a second.
	NoCredentials bool
	// Cumulative says that the request done twice does more than done once: it
	// increments a column, or puts a row whose key the service numbers. [OTSClient.Do]
	// does not look into a body, and leaves it false.
	Cumulative bool
	// Temporary says of an attempt without an answer whether it can succeed
	// later: credentials were not to be had just now, or the network failed.
	Temporary bool
	// Elapsed is the time since the call began.
	Elapsed time.Duration
}

// A RetryPolicy decides whether a failed attempt is repeated, and after which
// delay. The context of the call ends any delay. Implementations must be safe
// for concurrent use. The first answer that rejects a temporary token is not put to
// the policy: the client repeats the request once, with new credentials.
//
// Whatever a policy says, all calls of a client together repeat no more than 500
// requests beyond the number of calls that succeeded; waiting for credentials
// does not count. A service that is ill for long is thus spared.
type RetryPolicy interface {
	Next(a Attempt) (delay time.Duration, retry bool)
}

// DefaultRetryPolicy is the reference client's default. It repeats a request up
// to 20 times: any action when the service is busy or throttles, or a row or
// table is not ready; actions that only read also after a timeout, an internal
// error, HTTP 500, 502 or 503, or a broken connection. A connection that could
// not be made, or that was found closed before anything was written, is no
// reason to spare a write: the service cannot have executed it.
//
// The actions that only read are ListTable, DescribeTable, GetRow, BatchGetRow,
// GetRange, GetTimeseriesData, ListTimeseriesTable, DescribeTimeseriesTable and
// QueryTimeseriesMeta, as for the reference client, and Search, ParallelScan,
// ComputeSplits, ListSearchIndex, DescribeSearchIndex, ListStream, DescribeStream and
// GetStreamRecord, as for the official Go SDK, with ComputeSplitPointsBySize and
// GetShardIterator. SQLQuery is not one: it may write.
//
// While credentials cannot be had for a temporary reason, a call waits for up to
// 5 minutes since it began, however many attempts that takes.
//
// The delay before the n-th retry is random between half and all of
// min(3 s, b·2ⁿ⁻¹), where b is 500 ms when the service throttles, else 200 ms.
type DefaultRetryPolicy struct{}

// Next implements [RetryPolicy].
func (DefaultRetryPolicy) Next(a Attempt) (time.Duration, bool) {
	return retryDelay(a), shouldRetry(a, isRead(a.Action))
}

// WriteRetryPolicy is DefaultRetryPolicy that takes PutRow, UpdateRow,
// DeleteRow and BatchWriteRow for repeatable as well, unless they are cumulative: an
// increment is not counted twice, nor a row put twice under two numbers. Use it if
// it does no harm to do each write twice, perhaps after another writer's. A write
// with a condition that was done by an attempt without an answer may then fail with
// CodeConditionCheckFail; the error's MaybeExecuted says so. (The reference client
// misspells UpdateRow and so never repeats it.)
type WriteRetryPolicy struct{}

// Next implements [RetryPolicy].
func (WriteRetryPolicy) Next(a Attempt) (time.Duration, bool) {
	return retryDelay(a), shouldRetry(a, isRead(a.Action) || isRowWrite(a.Action) && !a.Cumulative)
}

// NoRetryPolicy never repeats a request, nor waits for credentials longer than
// fetching them takes. A rejected token is replaced all the same.
type NoRetryPolicy struct{}

// Next implements [RetryPolicy].
func (NoRetryPolicy) Next(Attempt) (time.Duration, bool) { return 0, false }

// NoDelayRetryPolicy is DefaultRetryPolicy without delays. While there are no
// credentials to be had the client waits all the same until some can be.
type NoDelayRetryPolicy struct{}

// Next implements [RetryPolicy].
func (NoDelayRetryPolicy) Next(a Attempt) (time.Duration, bool) {
	return 0, shouldRetry(a, isRead(a.Action))
}

func isRead(action string) bool {
	switch action {
	case "ListTable", "DescribeTable", "GetRow", "BatchGetRow", "GetRange",
		"GetTimeseriesData", "ListTimeseriesTable", "DescribeTimeseriesTable", "QueryTimeseriesMeta",
		"Search", "ParallelScan", "ComputeSplits", "ListSearchIndex", "DescribeSearchIndex",
		"ListStream", "DescribeStream", "GetStreamRecord", "ComputeSplitPointsBySize", "GetShardIterator":
		return true
	}
	return false
}

func isRowWrite(action string) bool {
	switch action {
	case "PutRow", "UpdateRow", "DeleteRow", "BatchWriteRow":
		return true
	}
	return false
}

// shouldRetry holds the reference client's rules.
func shouldRetry(a Attempt, repeatable bool) bool {
	if a.NoCredentials {
		return a.Temporary && a.Elapsed < maxCredentialsWait
	}
	if a.Number > maxRetries {
		return false
	}
	if a.StatusCode == 0 {
		return a.Temporary && (repeatable || !a.Executed)
	}
	if a.isRefusedForNow() {
		return true
	}
	switch a.Code {
	case CodeTimeout, CodeInternalServerError, CodeServerUnavailable:
		return repeatable
	}
	switch a.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable:
		return repeatable
	}
	return false
}

// isRefusedForNow reports whether the service did nothing, and may later.
func (a *Attempt) isRefusedForNow() bool {
	switch a.Code {
	case CodeRowOperationConflict, CodeNotEnoughCapacityUnit, CodeTableNotReady, CodePartitionUnavailable,
		CodeServerBusy, CodeOperationThrottled:
		return true
	case CodeQuotaExhausted:
		return tooFrequent(a)
	}
	return false
}

// isRefusedForGood reports whether the service did nothing, though it is well.
func (a *Attempt) isRefusedForGood() bool {
	switch a.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return a.StatusCode >= 400 && a.StatusCode < 500 && !a.isRefusedForNow()
}

// mayHaveWritten reports whether the service may have done what a request that does
// not only read asks for.
func (a *Attempt) mayHaveWritten() bool {
	if isRead(a.Action) {
		return false
	}
	switch a.Code {
	case CodeTimeout, CodeInternalServerError, CodeServerUnavailable: // of a row, whose status is 200
		return true
	}
	return a.Executed || a.StatusCode >= 500 && !a.isRefusedForNow()
}

// retryDelay is the reference client's: exponential, the second half random.
func retryDelay(a Attempt) time.Duration {
	base := baseDelay
	switch a.Code {
	case CodeServerBusy, CodeNotEnoughCapacityUnit, CodeOperationThrottled:
		base = baseDelayBusy
	case CodeQuotaExhausted:
		if tooFrequent(&a) {
			base = baseDelayBusy
		}
	}
	limit := base
	for n := 1; n < a.Number && limit < maxRetryDelay; n++ {
		limit *= retryDelayFactor
	}
	limit = min(limit, maxRetryDelay)
	return limit/2 + time.Duration(rand.Float64()*float64(limit/2)) //nolint:gosec // spreads load; nothing secret depends on it
}

// tooFrequent tells the quota that passes from those that do not.
func tooFrequent(a *Attempt) bool { return a.Message == "Too frequent table operations." }
