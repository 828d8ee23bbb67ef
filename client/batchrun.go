package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

// A batch is one call of a batch action with the repetition of its rows.
type batch struct {
	call call
	rows int
	// send asks for the pending rows, given by number, and returns an answer for
	// each, in that order.
	send   func(pending []int) (ResponseMeta, []rowAnswer, error)
	writes []batchWrite // of the rows; nil: they are read
}

// rowAnswer is the service's answer to one row.
type rowAnswer struct {
	ok       bool
	err      *otspb.Error
	consumed *otspb.ConsumedCapacity
	row      string
	token    []byte
}

// checkTables refuses tables that the answer could not tell apart.
func (b *batch) checkTables(n int, name func(int) string) error {
	if b.rows == 0 {
		return &otsauth.ConfigError{Field: "Tables", Problem: "is empty; give one at least"}
	}
	seen := make(map[string]bool, n)
	for i := range n {
		if seen[name(i)] {
			return &otsauth.ConfigError{Field: "Tables", Problem: "has a table twice; give all its primary keys in one place"}
		}
		seen[name(i)] = true
	}
	return nil
}

// run sends the batch, and those rows again that failed and may be repeated, and
// logs which failed in the end.
func (b *batch) run(ctx context.Context) (ResponseMeta, []BatchResult, error) {
	meta, results, err := b.rounds(ctx)
	var first error
	failed := 0
	for i := range results {
		if results[i].Err != nil {
			if failed++; first == nil {
				first = results[i].Err
			}
		}
	}
	if failed > 0 {
		b.call.client.opts.Logger.ErrorContext(ctx, "otsauth: rows of a batch failed", "action", b.call.action,
			"failed", failed, "rows", b.rows, "request_id", meta.RequestID, "error", first)
	}
	return meta, results, err
}

// rounds sends the batch, and those rows again that failed and may be repeated.
func (b *batch) rounds(ctx context.Context) (ResponseMeta, []BatchResult, error) {
	var (
		results = make([]BatchResult, b.rows)
		pending = make([]int, b.rows)
		last    ResponseMeta
	)
	for i := range pending {
		pending[i] = i
	}
	for first := true; ; first = false {
		b.call.cumulative = slices.ContainsFunc(pending, b.isCumulative)
		meta, answers, err := b.send(pending)
		if err != nil {
			if first {
				return ResponseMeta{}, nil, err
			}
			if e := (*Error)(nil); errors.As(err, &e) {
				last = ResponseMeta{RequestID: cmp.Or(e.RequestID, last.RequestID), Attempts: e.Attempts}
			}
			for _, i := range pending { // the rows that are done stay done
				results[i].Err = after(results[i].Err, err)
			}
			return last, results, nil
		}
		last, b.call.logsRows = meta, true
		for place, i := range pending {
			mayBeDone := isUnclear(results[i].Err)
			results[i] = b.result(meta, &answers[place], mayBeDone)
		}
		var delay time.Duration
		pending, delay = b.again(results, pending)
		if len(pending) == 0 {
			return last, results, nil
		}
		if !b.call.client.wait(ctx, delay) {
			for _, i := range pending {
				results[i].Err = after(results[i].Err, ctx.Err())
			}
			return last, results, nil
		}
	}
}

// again returns the rows that are to be repeated, and after which delay.
func (b *batch) again(results []BatchResult, pending []int) ([]int, time.Duration) {
	var delay time.Duration
	again := slices.DeleteFunc(slices.Clone(pending), func(i int) bool {
		var e *Error
		if !errors.As(results[i].Err, &e) || e.StatusCode == 0 {
			return true
		}
		if b.isOverwritten(results, i) {
			e.Hint = hintOverwritten
			return true
		}
		failed := b.call.failure(e)
		failed.Cumulative = b.isCumulative(i)
		d, retry := b.call.client.opts.Retry.Next(failed)
		delay = max(delay, d)
		return !retry
	})
	// One unit is for the repetition, and one for the success that the answer
	// with the failed rows counted as.
	if len(again) > 0 && !b.call.client.budget.take(2) {
		for _, i := range again {
			var e *Error
			if errors.As(results[i].Err, &e) {
				e.Hint = hintBudget
			}
		}
		return nil, 0
	}
	return again, delay
}

// hintOverwritten is the next step of a row that was not repeated because that
// would undo a later one.
const hintOverwritten = "it was not repeated: a later row of the batch has written the same row since, or may have; send it again if it is to be the last"

// isCumulative reports whether a row, written twice, is more than written once.
func (b *batch) isCumulative(i int) bool { return b.writes != nil && b.writes[i].cumulative }

// isOverwritten reports whether a later row of the batch has written the same row, or
// may have.
func (b *batch) isOverwritten(results []BatchResult, i int) bool {
	for later := i + 1; later < len(b.writes); later++ {
		if err := results[later].Err; b.writes[i].undoes(&b.writes[later]) && (err == nil || isUnclear(err)) {
			return true
		}
	}
	return false
}

// isUnclear reports whether a row may have been written though it has an error.
func isUnclear(err error) bool {
	e := (*Error)(nil)
	return errors.As(err, &e) && e.MaybeExecuted
}

// result returns one row's answer in its public form. An earlier round may have done
// it.
func (b *batch) result(meta ResponseMeta, answer *rowAnswer, mayBeDone bool) BatchResult {
	result := BatchResult{Consumed: capacityOf(answer.consumed.GetCapacityUnit())}
	if !answer.ok {
		e := &Error{Action: b.call.action, RequestID: meta.RequestID, StatusCode: statusOfRow, Attempts: meta.Attempts}
		b.call.explain(e, answer.err)
		failed := b.call.failure(e)
		e.mark(mayBeDone || b.call.unclear || failed.mayHaveWritten())
		result.Err = e
		return result
	}
	row, err := b.call.client.text.decodeOptional(answer.row)
	if err != nil {
		result.Err = meta.broken(b.call.action, err)
		return result
	}
	result.Row, result.NextToken = row, answer.token
	return result
}

// statusOfRow is the HTTP status of an answer with errors of rows.
const statusOfRow = 200

// after is the error of a row that failed, and whose repetition then failed with
// why.
func after(row, why error) error {
	var before, e *Error
	if !errors.As(row, &before) {
		return why
	}
	last := *before
	if errors.As(why, &e) {
		last, why = *e, reason{e}
	}
	last.Err = fmt.Errorf("%w; the row's answer before: %w", why, reason{before})
	last.mark(before.MaybeExecuted)
	return &last
}

// A tableOf is one table's part of a batch or of its answer.
type tableOf[Row any] interface {
	GetTableName() string
	GetRows() []Row
}

// byTable returns the rows of an answer in the order of the tables that were asked
// for, of which each has so many rows: no answer may end up as another row's.
func byTable[Row any, T tableOf[Row]](answer []T, asked []string, rows func(i int) int) ([]Row, error) {
	answered := make(map[string][]Row, len(answer))
	for _, table := range answer {
		answered[table.GetTableName()] = append(answered[table.GetTableName()], table.GetRows()...)
	}
	var all []Row
	for i, name := range asked {
		if got := len(answered[name]); got != rows(i) {
			return nil, fmt.Errorf("it has %d rows of the table %q, not %d", got, name, rows(i))
		}
		all = append(all, answered[name]...)
	}
	return all, nil
}

// readAnswers returns the answers in the request's order.
func readAnswers(request *otspb.BatchGetRowRequest, answer *otspb.BatchGetRowResponse) ([]rowAnswer, error) {
	asked := request.GetTables()
	rows, err := byTable(answer.GetTables(), names(asked), func(i int) int { return len(asked[i].GetPrimaryKey()) })
	all := make([]rowAnswer, len(rows))
	for i, row := range rows {
		all[i] = rowAnswer{row.GetIsOk(), row.GetError(), row.GetConsumed(), row.GetRow(), row.GetNextToken()}
	}
	return all, err
}

// writeAnswers returns the answers in their places; order is the request's.
func writeAnswers(request *otspb.BatchWriteRowRequest, answer *otspb.BatchWriteRowResponse, order []int) ([]rowAnswer, error) {
	asked := request.GetTables()
	rows, err := byTable(answer.GetTables(), names(asked), func(i int) int { return len(asked[i].GetRows()) })
	all := make([]rowAnswer, len(rows))
	for i, row := range rows {
		all[order[i]] = rowAnswer{ok: row.GetIsOk(), err: row.GetError(), consumed: row.GetConsumed(), row: row.GetRow()}
	}
	return all, err
}

// names returns the tables' names.
func names[T interface{ GetTableName() string }](tables []T) []string {
	all := make([]string, len(tables))
	for i, table := range tables {
		all[i] = table.GetTableName()
	}
	return all
}
