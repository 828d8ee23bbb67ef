package otstest

import (
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// change is one row that is put, updated or deleted.
type change struct {
	kind      otspb.OperationType
	row       *pb.Row
	condition condition
	content   *otspb.ReturnContent
}

// written is the answer to a change.
type written struct {
	consumed *otspb.ConsumedCapacity
	row      *string // nil: nothing was asked for
}

func (s *Server) putRow(req *otspb.PutRowRequest) (proto.Message, *refusal) {
	done, refused := s.change("PutRow", req, otspb.OperationType_PUT, req.GetRow())
	return &otspb.PutRowResponse{Consumed: done.consumed, Row: done.row}, refused
}

func (s *Server) updateRow(req *otspb.UpdateRowRequest) (proto.Message, *refusal) {
	done, refused := s.change("UpdateRow", req, otspb.OperationType_UPDATE, req.GetRowChange())
	return &otspb.UpdateRowResponse{Consumed: done.consumed, Row: done.row}, refused
}

func (s *Server) deleteRow(req *otspb.DeleteRowRequest) (proto.Message, *refusal) {
	done, refused := s.change("DeleteRow", req, otspb.OperationType_DELETE, req.GetPrimaryKey())
	return &otspb.DeleteRowResponse{Consumed: done.consumed, Row: done.row}, refused
}

// writeRequest is what the three writes of one row have in common.
type writeRequest interface {
	GetTableName() string
	GetCondition() *otspb.Condition
	GetReturnContent() *otspb.ReturnContent
	GetTransactionId() string
}

// change does the one change of a request.
func (s *Server) change(action string, req writeRequest, kind otspb.OperationType, data []byte) (done written, refused *refusal) {
	name := req.GetTableName()
	if refused = checkTarget(name, req.GetTransactionId()); refused != nil {
		return done, refused
	}
	wanted, refused := decodeChange(kind, data, req.GetCondition(), req.GetReturnContent())
	if refused != nil {
		return done, refused
	}
	if size := sentSize(wanted.row); size > maxWriteBytes {
		return done, invalid("The total data size of %s request exceeds the limit, limit size: %d , data size: %d.", action, maxWriteBytes, size)
	}
	s.store.write(name, func(t *table) {
		if refused = checkWritable(t, name); refused != nil {
			return
		}
		done, refused = s.apply(t, wanted)
	})
	return done, refused
}

// decodeChange parses a change and checks what the table is not needed for.
func decodeChange(kind otspb.OperationType, data []byte, c *otspb.Condition, content *otspb.ReturnContent) (*change, *refusal) {
	row, refused := decodeRow(data)
	if refused != nil {
		return nil, refused
	}
	made := &change{kind: kind, row: row, content: content}
	switch what := content.GetReturnType(); {
	case !isKnown(kind):
		return nil, invalid("The type of row in batch write operation is invalid.")
	case !isKnown(what):
		return nil, invalid("Invalid return type: %d.", what)
	}
	if kind == otspb.OperationType_DELETE {
		switch {
		case !row.Deleted:
			return nil, invalid("Invalid request of delete row: missing RowDeleteMarker in request")
		case len(row.Columns) > 0:
			return nil, invalid("Invalid delete row request: unexpected cells in request")
		}
	} else if row.Deleted {
		return nil, invalid("Invalid request of put/update row: unexpected RowDeleteMarker in request.")
	}
	if refused = made.checkForm(); refused != nil {
		return nil, refused
	}
	made.condition, refused = decodeCondition(c)
	return made, refused
}

// check checks a change against the table, before any row is looked at.
func (c *change) check(t *table) *refusal {
	if refused := checkKey(t, c.row.PrimaryKey, autoMarks); refused != nil {
		return refused
	}
	return c.condition.checkAutomatic(t, c)
}

// checkForm checks of a change what the table is not needed for; the service does
// so first. (Source: the official Java SDK's tests, RestrictedItemTest,
// testCase12, which sends a bad column name with a wrong key.)
func (c *change) checkForm() *refusal {
	if n := countAutomatic(c.row.PrimaryKey); n > 1 {
		return invalid("%d pk auto increment exist in row.", n)
	}
	if refused := checkKeyCount(c.row.PrimaryKey, maxPrimaryKeys); refused != nil {
		return refused
	}
	if refused := checkKeyForm(c.row.PrimaryKey, autoMarks); refused != nil {
		return refused
	}
	columns := c.row.Columns
	switch {
	case c.kind == otspb.OperationType_UPDATE && len(columns) == 0:
		return invalid("Attribute column is missing.")
	case len(columns) > maxAttributes:
		return invalid("The number of attribute columns exceeds the limit, limit count:%d, column count: %d.", maxAttributes, len(columns))
	}
	for i := range columns {
		if refused := c.checkCell(&columns[i]); refused != nil {
			return refused
		}
	}
	return nil
}

func (c *change) checkCell(cell *pb.Cell) *refusal {
	if cell.Name == "" {
		return invalid("No name is given for attribute column.")
	}
	if refused := checkColumn(cell.Name); refused != nil {
		return refused
	}
	switch {
	case slices.ContainsFunc(c.row.PrimaryKey, func(k pb.Cell) bool { return k.Name == cell.Name }):
		return invalid("Duplicated attribute column name with primary key column: %s.", cell.Name)
	case c.kind == otspb.OperationType_PUT && cell.Op != pb.Put:
		return invalid("OpType cannot be given for column name:%s in PutRow.", cell.Name)
	case deletes(cell) && !cell.Absent:
		return invalid("Column value cannot be given when type is DELETE_ONE_VERSION,DELETE_ALL_VERSION.")
	case cell.Op == pb.DeleteOneVersion && !cell.HasTimestamp:
		return invalid("Timestamp must be given when type is DELETE_ONE_VERSION.")
	case cell.Op == pb.DeleteAllVersions && cell.HasTimestamp:
		return invalid("Timestamp cannot be given when type is DELETE_ALL_VERSION.")
	case cell.HasTimestamp && (cell.Timestamp < 0 || cell.Timestamp >= math.MaxInt64/1000):
		return invalid("Timestamp must be in range [0, INT64_MAX/1000).")
	case deletes(cell):
		return nil
	case cell.Absent:
		return invalid("No value is given for column name.")
	}
	return checkValue(cell)
}

// checkValue checks the value that a column gets. (Source of the message for its
// length: the official Java SDK's tests, RestrictedItemTest, testCase23.)
func checkValue(cell *pb.Cell) *refusal {
	v := cell.Value
	switch kind := v.Kind(); {
	case kind > pb.Blob || kind == pb.Null, cell.Op == pb.Increment && kind != pb.Integer:
		return invalid("%s is an invalid type for the attribute column.", kind)
	case kind == pb.Double && math.IsNaN(v.Double()):
		return invalid("NaN can't be set to double value.")
	case kind == pb.Double && math.IsInf(v.Double(), 0):
		return invalid("Infinity can't be set to double value.")
	case len(v.Text()) > maxTextCell:
		return invalid("The length of attribute column: '%s' exceeds the MaxLength:%d with CurrentLength:%d.", cell.Name, maxTextCell, len(v.Text()))
	case kind == pb.String && !utf8.ValidString(v.Text()):
		return invalid("Value of column %s must be UTF8 encoding.", cell.Name)
	}
	return nil
}

// apply checks the change against the table and its row, and does it. A refused
// change changes nothing.
func (s *Server) apply(t *table, c *change) (written, *refusal) {
	if refused := c.check(t); refused != nil {
		return written{}, refused
	}
	now := s.opts.Now()
	key := keyValues(c.row.PrimaryKey)
	existing := t.get(key, now)
	if refused := c.condition.check(existing); refused != nil {
		return written{}, refused
	}
	if i := slices.IndexFunc(key, func(v pb.Value) bool { return v.Kind() == pb.AutoIncrement }); i >= 0 {
		t.sequence = max(t.sequence+1, now.UnixMicro()) // unique and growing, not dense, as the service's
		key[i] = pb.IntValue(t.sequence)
	}
	made := &row{key: key, columns: map[string][]version{}}
	switch {
	case c.kind == otspb.OperationType_DELETE:
		t.remove(key)
	case c.kind == otspb.OperationType_UPDATE && existing != nil:
		made = existing.clone()
	}
	if c.kind != otspb.OperationType_DELETE {
		made.written = now.UnixMilli()
		for i := range c.row.Columns {
			if refused := t.applyCell(made, &c.row.Columns[i], made.written); refused != nil {
				return written{}, refused
			}
		}
		if existing != nil || !c.onlyDeletes() {
			t.put(made, now)
		}
	}
	read := int32(0)
	if !c.condition.isNone() {
		read = 1
	}
	return written{consumed(read, units(dataSize(c.row))), c.returned(t, made, now)}, nil
}

// onlyDeletes reports whether the change is an update that deletes and does
// nothing else: it makes no row where there is none. (Source: the official
// Python SDK's tests, row_op_test.py, test_all_delete_in_update.)
func (c *change) onlyDeletes() bool {
	return c.kind == otspb.OperationType_UPDATE && !slices.ContainsFunc(c.row.Columns, func(cell pb.Cell) bool { return !deletes(&cell) })
}

func deletes(cell *pb.Cell) bool {
	return cell.Op == pb.DeleteAllVersions || cell.Op == pb.DeleteOneVersion
}

// applyCell changes one column of r.
func (t *table) applyCell(r *row, cell *pb.Cell, now int64) *refusal {
	at := now
	if cell.HasTimestamp {
		at = cell.Timestamp
	}
	value := cell.Value
	switch cell.Op {
	case pb.DeleteAllVersions:
		delete(r.columns, cell.Name)
		return nil
	case pb.DeleteOneVersion:
		r.columns[cell.Name] = slices.DeleteFunc(r.columns[cell.Name], func(v version) bool { return v.timestamp == at })
		if len(r.columns[cell.Name]) == 0 {
			delete(r.columns, cell.Name)
		}
		return nil
	case pb.Increment:
		if versions := r.columns[cell.Name]; len(versions) > 0 {
			if kind := versions[0].value.Kind(); kind != pb.Integer {
				return invalid("%s is an invalid type for the attribute column.", kind)
			}
			value = pb.IntValue(value.Int() + versions[0].value.Int())
			if !cell.HasTimestamp { // a clock that went back must not hide the sum
				at = max(at, versions[0].timestamp)
			}
		}
	}
	t.addVersion(r, cell.Name, version{at, value})
	return nil
}

// returned is what the change's return type asks for: the key, or the newest
// versions of the named columns, if none is named of those that it changed.
func (c *change) returned(t *table, made *row, now time.Time) *string {
	answer := &pb.Row{PrimaryKey: t.keyCells(made.key)}
	if made = t.live(made, now); made == nil {
		made = &row{}
	}
	switch c.content.GetReturnType() {
	case otspb.ReturnType_RT_PK:
	case otspb.ReturnType_RT_AFTER_MODIFY:
		names := c.content.GetReturnColumnNames()
		for i := 0; i < len(c.row.Columns) && len(c.content.GetReturnColumnNames()) == 0; i++ {
			names = append(names, c.row.Columns[i].Name)
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
			if versions := made.columns[name]; len(versions) > 0 {
				answer.Columns = append(answer.Columns, pb.Cell{Name: name, Value: versions[0].value, HasTimestamp: true, Timestamp: versions[0].timestamp})
			}
		}
	default:
		return nil
	}
	return encodeRows(answer)
}
