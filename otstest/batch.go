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

// batchGetRow reads rows. What is wrong with the request fails all of it; a key
// that the table's schema does not have, fails alone. (Source: the official Java
// SDK's tests, DataOperationTest, testCase1 to testCase3.)
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
	reads := make([]*tableRead, len(names))
	for i, m := range req.GetTables() {
		var refused *refusal
		if reads[i], refused = decodeReads(m); refused != nil {
			return nil, refused
		}
	}
	answer := &otspb.BatchGetRowResponse{}
	for _, r := range reads {
		one, refused := s.getRows(r)
		if refused != nil {
			return nil, refused
		}
		answer.Tables = append(answer.Tables, one)
	}
	return answer, nil
}

// tableRead is what a batch reads of one table.
type tableRead struct {
	name     string
	keys     []*pb.Row
	selected selection
}

func decodeReads(m *otspb.TableInBatchGetRowRequest) (*tableRead, *refusal) {
	r := &tableRead{name: m.GetTableName()}
	if len(m.GetPrimaryKey()) == 0 {
		return nil, invalid("No operation is specified for table: '%s'.", r.name)
	}
	var refused *refusal
	if r.selected, refused = newSelection(m, m.MaxVersions, noVersionInBatch); refused != nil {
		return nil, refused
	}
	seen := map[string]bool{}
	for _, data := range m.GetPrimaryKey() {
		key, refused := decodeKey(data, noMarks)
		switch {
		case refused != nil:
			return nil, refused
		case seen[identity(key)]:
			return nil, invalid("Duplicate rows detected in MultiGet.")
		}
		seen[identity(key)] = true
		r.keys = append(r.keys, key)
	}
	return r, checkKeySizes(r.name, r.keys)
}

// getRows reads a batch's rows of one table.
func (s *Server) getRows(r *tableRead) (answer *otspb.TableInBatchGetRowResponse, refused *refusal) {
	answer = &otspb.TableInBatchGetRowResponse{TableName: proto.String(r.name)}
	s.store.read(r.name, func(t *table) {
		if refused = checkRead(t, r.name, r.keys...); refused != nil {
			return
		}
		for _, key := range r.keys {
			result := &otspb.RowInBatchGetRowResponse{IsOk: proto.Bool(true)}
			if wrong := checkKey(t, key.PrimaryKey, noMarks); wrong != nil {
				result.IsOk, result.Error = proto.Bool(false), wrong.encoded()
			} else {
				result.Row, result.Consumed = s.readRow(t, key, r.selected)
			}
			answer.Rows = append(answer.Rows, result)
		}
	})
	return answer, refused
}

// identity is the primary key of a row as a map's key.
func identity(r *pb.Row) string {
	return string(pb.Append(nil, &pb.Row{PrimaryKey: r.PrimaryKey}))
}

// batchWriteRow decodes all rows before it writes the first: what is wrong with
// the request fails all of it. A row whose condition fails or whose key the table's
// schema does not have, fails alone. (Source: the official Java SDK's tests,
// DataOperationTest, testCase1 to testCase3.)
func (s *Server) batchWriteRow(req *otspb.BatchWriteRowRequest) (proto.Message, *refusal) {
	batches, refused := decodeWrites(req)
	if refused != nil {
		return nil, refused
	}
	var answer *otspb.BatchWriteRowResponse
	s.store.writeAll(tableNames(req), func(tables []*table) {
		for i, t := range tables {
			if refused = checkWritable(t, batches[i].name); refused != nil {
				return
			}
			batches[i].table = t
		}
		if req.GetIsAtomic() {
			answer = s.applyAtomic(batches)
		} else {
			answer = s.applyAll(batches)
		}
	})
	return answer, refused
}

func tableNames(req *otspb.BatchWriteRowRequest) []string {
	var names []string
	for _, m := range req.GetTables() {
		names = append(names, m.GetTableName())
	}
	return names
}

// decodeWrites parses a batch, and checks what the tables are not needed for.
func decodeWrites(req *otspb.BatchWriteRowRequest) ([]*tableWrite, *refusal) {
	rows := 0
	for _, m := range req.GetTables() {
		rows += len(m.GetRows())
	}
	switch {
	case len(req.GetTables()) == 0:
		return nil, invalid("No row is specified in BatchWriteRow.")
	case rows > maxBatchWrites:
		return nil, invalid("Rows count exceeds the upper limit: %d.", maxBatchWrites)
	}
	if refused := checkNames(tableNames(req)); refused != nil {
		return nil, refused
	}
	if refused := checkTransaction(req.GetTransactionId()); refused != nil {
		return nil, refused
	}
	var batches []*tableWrite
	size := 0
	for _, m := range req.GetTables() {
		w, refused := decodeChanges(m)
		if refused != nil {
			return nil, refused
		}
		batches, size = append(batches, w), size+w.size
	}
	if size > maxWriteBytes {
		return nil, invalid("The total data size of BatchWriteRow request exceeds the limit, limit size: %d, data size: %d.", maxWriteBytes, size)
	}
	return batches, nil
}

// tableWrite is what a batch writes of one table.
type tableWrite struct {
	name    string
	changes []*change
	size    int // bytes
	table   *table
}

func decodeChanges(m *otspb.TableInBatchWriteRowRequest) (*tableWrite, *refusal) {
	w := &tableWrite{name: m.GetTableName()}
	if len(m.GetRows()) == 0 {
		return nil, invalid("No operation is specified for table: '%s'.", w.name)
	}
	var keys []*pb.Row
	for _, r := range m.GetRows() {
		c, refused := decodeChange(r.GetType(), r.GetRowChange(), r.GetCondition(), r.GetReturnContent())
		if refused != nil {
			return nil, refused
		}
		w.changes, keys = append(w.changes, c), append(keys, c.row)
		w.size += sentSize(c.row)
	}
	if refused := checkKeySizes(w.name, keys); refused != nil {
		return nil, refused
	}
	return w, checkRepeated(w.changes)
}

// checkRepeated checks the rows that a batch writes more than once: they must
// not have a condition, for their order would decide.
func checkRepeated(changes []*change) *refusal {
	count := map[string]int{}
	for _, c := range changes {
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
func (s *Server) applyAll(batches []*tableWrite) *otspb.BatchWriteRowResponse {
	answer := &otspb.BatchWriteRowResponse{}
	for _, w := range batches {
		one := &otspb.TableInBatchWriteRowResponse{TableName: proto.String(w.name)}
		for _, c := range w.changes {
			result := &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(true)}
			if done, refused := s.apply(w.table, c); refused != nil {
				result.IsOk, result.Error = proto.Bool(false), refused.encoded()
			} else {
				result.Consumed, result.Row = done.consumed, done.row
			}
			one.Rows = append(one.Rows, result)
		}
		answer.Tables = append(answer.Tables, one)
	}
	return answer
}

// checkKeySizes checks that a batch's keys of one table have as many columns each.
func checkKeySizes(name string, keys []*pb.Row) *refusal {
	for _, key := range keys {
		if len(key.PrimaryKey) != len(keys[0].PrimaryKey) {
			return invalid("PK column size not the same for all rows in table: %s.", name)
		}
	}
	return nil
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
