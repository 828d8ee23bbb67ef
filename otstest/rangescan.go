package otstest

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// After so many rows or bytes that it read, those that a filter leaves out too, a
// range ends early. (Source: the documentation of GetRange.)
const (
	maxScannedRows  = 5000
	maxScannedBytes = 4 << 20
)

func (s *Server) getRange(req *otspb.GetRangeRequest) (proto.Message, *refusal) {
	if refused := checkTarget(req.GetTableName(), req.GetTransactionId()); refused != nil {
		return nil, refused
	}
	begin, refused := decodeKey(req.GetInclusiveStartPrimaryKey(), rangeMarks)
	if refused != nil {
		return nil, refused
	}
	end, refused := decodeKey(req.GetExclusiveEndPrimaryKey(), rangeMarks)
	if refused != nil {
		return nil, refused
	}
	if d := req.GetDirection(); !isKnown(d) {
		return nil, refuseMessage("the direction is %d", d)
	}
	if req.Limit != nil && req.GetLimit() <= 0 {
		return nil, invalid("The limit must be greater than 0.")
	}
	selected, refused := newSelection(req, req.MaxVersions, noVersion)
	if refused != nil {
		return nil, refused
	}
	answer := &otspb.GetRangeResponse{DataBlockType: otspb.DataBlockType_DBT_PLAIN_BUFFER.Enum(), CompressType: otspb.CompressType_CPT_NONE.Enum()}
	s.store.read(req.GetTableName(), func(t *table) {
		if refused = checkRead(t, req.GetTableName(), begin, end); refused != nil {
			return
		}
		for _, key := range []*pb.Row{begin, end} {
			if refused = checkKey(t, key.PrimaryKey, rangeMarks); refused != nil {
				return
			}
		}
		refused = s.scan(t, req, keyValues(begin.PrimaryKey), keyValues(end.PrimaryKey), selected, answer)
	})
	return answer, refused
}

// scan walks from begin until end, and fills answer.
func (s *Server) scan(t *table, req *otspb.GetRangeRequest, begin, end []pb.Value, selected selection, answer *otspb.GetRangeResponse) *refusal {
	step, order := 1, compareKeys(begin, end)
	if req.GetDirection() == otspb.Direction_BACKWARD {
		step, order = -1, -order
	}
	if order >= 0 && step > 0 {
		return invalid("Begin key must less than end key in FORWARD")
	}
	if order >= 0 {
		return invalid("Begin key must more than end key in BACKWARD")
	}
	at, found := t.find(begin)
	if step < 0 && !found {
		at-- // find returns the row behind
	}
	var (
		now            = s.opts.Now()
		limit          = int(req.GetLimit())
		rows           []*pb.Row
		scanned, bytes int
	)
	for ; at >= 0 && at < len(t.rows) && step*compareKeys(t.rows[at].key, end) < 0; at += step {
		live := t.live(t.rows[at], now)
		if live == nil {
			continue
		}
		if scanned == maxScannedRows || bytes >= maxScannedBytes || limit > 0 && len(rows) == limit {
			answer.NextStartPrimaryKey = encodeRows(&pb.Row{PrimaryKey: t.keyCells(live.key)})
			break
		}
		scanned++
		row, size := selected.of(t, live)
		if bytes += size; row != nil {
			if !req.GetReturnEntirePrimaryKeys() && len(selected.columns) > 0 {
				row.PrimaryKey = slices.DeleteFunc(row.PrimaryKey, func(c pb.Cell) bool { return !slices.Contains(selected.columns, c.Name) })
			}
			rows = append(rows, row)
		}
	}
	answer.Rows = encodeRows(rows...)
	answer.Consumed = consumed(units(bytes), 0)
	return nil
}
