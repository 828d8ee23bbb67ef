package client

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
)

// A GetRangeRequest is the argument of [OTSClient.GetRange] and
// [OTSClient.Rows].
type GetRangeRequest struct {
	Table string
	// Start is the first primary key that is read, and End is the first that is
	// not. Columns may be InfMin and InfMax.
	Start, End PrimaryKey
	// Backward reads from high to low; Start is then higher than End.
	Backward bool
	// Limit is how many rows to read at most: of GetRange in one answer, of Rows
	// in all. Zero: GetRange as many as fit an answer, Rows all.
	Limit int
	// Columns are the columns to get. None: all.
	Columns []string
	// MaxVersions is how many versions of a column to get. Zero: 1.
	MaxVersions int
	// Times chooses versions by their timestamps. Nil: any.
	Times *TimeRange
	// Filter must pass a row for it to be read. Nil: none.
	Filter Filter
	// StartColumn and EndColumn bound the columns to get by their names, from
	// StartColumn, exclusive of EndColumn. Empty: no bound.
	StartColumn, EndColumn string
	// Token is NextToken of the answer before. Nil: none.
	Token []byte
}

// A GetRangeResponse is the result of [OTSClient.GetRange].
type GetRangeResponse struct {
	ResponseMeta
	Consumed Capacity
	// Rows are in the order that was asked for.
	Rows []*Row
	// Next is the Start of the request for the rows that follow. Nil: there are
	// none. It may be set though Rows is empty, if Filter passed none.
	Next PrimaryKey
	// NextToken is set if the last row has more columns than the answer holds.
	NextToken []byte
}

// GetRange reads one page of the rows in a range: up to 5,000 rows or 4 MB,
// whatever comes first. (Source: the documentation's limits.) [OTSClient.Rows]
// reads them all. The error is a [*otsauth.ConfigError] for a request that
// cannot be encoded, or an [*Error].
func (c *OTSClient) GetRange(ctx context.Context, req *GetRangeRequest) (*GetRangeResponse, error) {
	if req == nil {
		return nil, errNilRequest()
	}
	message, err := req.message(c.text)
	if err != nil {
		return nil, err
	}
	body, err := proto.Marshal(message)
	if err != nil {
		return nil, unencodable("GetRange", err)
	}
	var response *GetRangeResponse
	k := c.begin("GetRange")
	meta, err := k.send(ctx, body, func(body []byte) (err error) {
		response, err = c.text.decodeRange(body)
		return err
	})
	if err != nil {
		return nil, err
	}
	response.ResponseMeta = meta
	return response, nil
}

// Rows reads all rows in a range, page by page, as the loop asks for them:
//
//	for row, err := range c.Rows(ctx, req) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// An error, which is one of GetRange's, is the last thing it yields; when ctx
// ends, it is the context's, even if rows of a page are left. A row that is larger
// than a page is put together. No row is used again, but those of a page share memory:
// see [Row.Clone]. Each loop over the sequence reads the range anew; req
// must not change meanwhile.
func (c *OTSClient) Rows(ctx context.Context, req *GetRangeRequest) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		if req == nil {
			yield(nil, errNilRequest())
			return
		}
		var part *Row // the beginning of a row that the next page goes on with
		for page := *req; ; {
			answer, err := c.GetRange(ctx, &page)
			if err != nil {
				yield(nil, err)
				return
			}
			rows := joined(part, answer.Rows)
			if part = nil; len(answer.NextToken) > 0 && len(rows) > 0 {
				if answer.Next == nil {
					yield(nil, answer.broken("GetRange", errors.New("a row is not complete, and there is no next page")))
					return
				}
				part, rows = rows[len(rows)-1], rows[:len(rows)-1]
			}
			for _, row := range rows {
				if err := ctx.Err(); err != nil {
					yield(nil, &Error{Action: "GetRange", RequestID: answer.RequestID, Attempts: answer.Attempts, Err: err})
					return
				}
				if !yield(row, nil) {
					return
				}
			}
			if page.Limit > 0 {
				if page.Limit -= len(rows); page.Limit <= 0 {
					return
				}
			}
			if answer.Next == nil {
				return
			}
			if slices.Equal(answer.Next, page.Start) && bytes.Equal(answer.NextToken, page.Token) {
				yield(nil, answer.broken("GetRange", errors.New("the next page begins where this one did")))
				return
			}
			page.Start, page.Token = answer.Next, answer.NextToken
		}
	}
}

// message checks the request and returns it on the wire.
func (r *GetRangeRequest) message(t text) (*otspb.GetRangeRequest, error) {
	table, err := t.table(r.Table)
	if err != nil {
		return nil, err
	}
	start, err := t.encodeKey(r.Start)
	if err != nil {
		return nil, err
	}
	end, err := t.encodeKey(r.End)
	if err != nil {
		return nil, err
	}
	limit := int32(0)
	if r.Limit != 0 {
		if limit, err = atLeastOne("Limit", r.Limit); err != nil {
			return nil, err
		}
	}
	chosen, err := (&choice{r.Columns, r.MaxVersions, r.Times, r.Filter, r.StartColumn, r.EndColumn}).message(t)
	if err != nil {
		return nil, err
	}
	message := &otspb.GetRangeRequest{
		TableName: &table, Direction: otspb.Direction_FORWARD.Enum(), InclusiveStartPrimaryKey: start, ExclusiveEndPrimaryKey: end,
		ColumnsToGet: chosen.columns, MaxVersions: orNil(chosen.maxVersions), TimeRange: chosen.times,
		Filter: chosen.filter, StartColumn: chosen.start, EndColumn: chosen.end, Token: r.Token, Limit: orNil(limit),
	}
	if r.Backward {
		message.Direction = otspb.Direction_BACKWARD.Enum()
	}
	return message, nil
}

// joined returns rows, the first of which begins with part if that is set.
func joined(part *Row, rows []*Row) []*Row {
	switch {
	case part == nil:
		return rows
	case len(rows) > 0 && slices.Equal(rows[0].PrimaryKey, part.PrimaryKey):
		whole := &Row{PrimaryKey: part.PrimaryKey, Columns: slices.Concat(part.Columns, rows[0].Columns)}
		return append([]*Row{whole}, rows[1:]...)
	}
	return append([]*Row{part}, rows...)
}
