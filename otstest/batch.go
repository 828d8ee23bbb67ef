package otstest

import (
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// The limits of a batch and of a write. (Source: the documentation of the actions.)
const (
	maxBatchReads  = 100
	maxBatchWrites = 200
	maxWriteBytes  = 4 << 20
)

// batchGetRow reads rows. What is wrong with the request fails all of it.
func (s *Server) batchGetRow(req *otspb.BatchGetRowRequest) (proto.Message, *refusal) {
	var names []string
	total := 0
	for _, m := range req.GetTables() {
		names = append(names, m.GetTableName())
		total += len(m.GetPrimaryKey())
	}
	switch {
	case total == 0:
		return nil, invalid("No row specified in the request of BatchGetRow.")
	case total > maxBatchReads:
		return nil, invalid("Rows count exceeds the upper limit: %d.", maxBatchReads)
	}
	if refused := checkNames(names); refused != nil {
		return nil, refused
	}
	answer := &otspb.BatchGetRowResponse{}
	for _, m := range req.GetTables() {
		one, refused := s.getRows(m)
		if refused != nil {
			return nil, refused
		}
		answer.Tables = append(answer.Tables, one)
	}
	return answer, nil
}

// getRows reads a batch's rows of one table.
func (s *Server) getRows(req *otspb.TableInBatchGetRowRequest) (*otspb.TableInBatchGetRowResponse, *refusal) {
	answer := &otspb.TableInBatchGetRowResponse{TableName: proto.String(req.GetTableName())}
	if len(req.GetPrimaryKey()) == 0 {
		return nil, invalid("No operation is specified for table: '%s'.", req.GetTableName())
	}
	selected, refused := newSelection(req, req.MaxVersions)
	if refused != nil {
		return nil, refused
	}
	var keys []*pb.Row
	for _, data := range req.GetPrimaryKey() {
		key, refused := decodeKey(data, noMarks)
		if refused != nil {
			return nil, refused
		}
		keys = append(keys, key)
	}
	s.store.read(req.GetTableName(), func(t *table) {
		if refused = checkTable(t, req.GetTableName()); refused != nil {
			return
		}
		seen := map[string]bool{}
		for _, key := range keys {
			if refused = checkKey(t, key.PrimaryKey, noMarks); refused != nil {
				return
			}
			if seen[identity(key)] {
				refused = invalid("Duplicate rows detected in MultiGet.")
				return
			}
			seen[identity(key)] = true
			data, used := s.readRow(t, key, selected)
			answer.Rows = append(answer.Rows, &otspb.RowInBatchGetRowResponse{IsOk: proto.Bool(true), Consumed: used, Row: data})
		}
	})
	return answer, refused
}

// identity is the primary key of a row as a map's key.
func identity(r *pb.Row) string {
	return string(pb.Append(nil, &pb.Row{PrimaryKey: r.PrimaryKey}))
}

// batchWriteRow checks all rows before it writes the first: what is wrong with
// the request fails all of it. A row whose condition fails, fails alone.
func (s *Server) batchWriteRow(req *otspb.BatchWriteRowRequest) (proto.Message, *refusal) {
	var names []string
	total, size := 0, 0
	for _, m := range req.GetTables() {
		names = append(names, m.GetTableName())
		total += len(m.GetRows())
		for _, r := range m.GetRows() {
			size += len(r.GetRowChange())
		}
	}
	switch {
	case len(names) == 0:
		return nil, invalid("No row is specified in BatchWriteRow.")
	case total > maxBatchWrites:
		return nil, invalid("Rows count exceeds the upper limit: %d.", maxBatchWrites)
	case size > maxWriteBytes:
		return nil, invalid("The total data size of BatchWriteRow request exceeds the limit, limit size: %d, data size:%d.", maxWriteBytes, size)
	}
	if refused := checkNames(names); refused != nil {
		return nil, refused
	}
	batches := make([][]*change, len(names))
	for i, m := range req.GetTables() {
		var refused *refusal
		if batches[i], refused = decodeChanges(m); refused != nil {
			return nil, refused
		}
	}
	var (
		answer  *otspb.BatchWriteRowResponse
		refused *refusal
	)
	s.store.writeAll(names, func(tables []*table) {
		for i, t := range tables {
			if refused = checkChanges(t, names[i], batches[i]); refused != nil {
				return
			}
		}
		answer = &otspb.BatchWriteRowResponse{}
		for i, t := range tables {
			answer.Tables = append(answer.Tables, s.applyAll(t, names[i], batches[i]))
		}
	})
	return answer, refused
}

func decodeChanges(m *otspb.TableInBatchWriteRowRequest) ([]*change, *refusal) {
	if len(m.GetRows()) == 0 {
		return nil, invalid("No operation is specified for table: '%s'.", m.GetTableName())
	}
	var changes []*change
	for _, r := range m.GetRows() {
		c, refused := decodeChange(r.GetType(), r.GetRowChange(), r.GetCondition(), r.GetReturnContent())
		if refused != nil {
			return nil, refused
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// checkChanges checks a batch's rows of one table. A row that occurs again
// must not have a condition: its order would decide.
func checkChanges(t *table, name string, changes []*change) *refusal {
	if refused := checkTable(t, name); refused != nil {
		return refused
	}
	count := map[string]int{}
	for _, c := range changes {
		if refused := c.check(t); refused != nil {
			return refused
		}
		if countAutomatic(c.row.PrimaryKey) == 0 {
			count[identity(c.row)]++
		}
	}
	for _, c := range changes {
		switch {
		case count[identity(c.row)] < 2:
		case c.condition.expect != otspb.RowExistenceExpectation_IGNORE:
			return invalid("Repeated rows do not support row exist expectation check in BatchModify.")
		case c.condition.columns != nil:
			return invalid("Repeated rows do not support row condition check in BatchModify.")
		}
	}
	return nil
}

// applyAll does the changes in their order, each with its own result.
func (s *Server) applyAll(t *table, name string, changes []*change) *otspb.TableInBatchWriteRowResponse {
	answer := &otspb.TableInBatchWriteRowResponse{TableName: proto.String(name)}
	for _, c := range changes {
		result := &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(true)}
		if done, refused := s.apply(t, c); refused != nil {
			result.IsOk = proto.Bool(false)
			result.Error = &otspb.Error{Code: proto.String(refused.Code), Message: proto.String(refused.Message)}
		} else {
			result.Consumed, result.Row = done.consumed, done.row
		}
		answer.Rows = append(answer.Rows, result)
	}
	return answer
}

// checkNames checks the names of a batch's tables, each of which occurs once.
func checkNames(names []string) *refusal {
	seen := map[string]bool{}
	for _, name := range names {
		if refused := checkName(name); refused != nil {
			return refused
		}
		if seen[name] {
			return invalid("Duplicated table name: %s.", name)
		}
		seen[name] = true
	}
	return nil
}
