package otstest

import (
	"errors"
	"net/http"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

const (
	maxAttributes  = 1024
	maxStringKey   = 1024 // bytes
	maxReadColumns = 128
)

func (s *Server) putRow(req *otspb.PutRowRequest) (proto.Message, *refusal) {
	change, refused := decodeRow(req.GetRow())
	if refused != nil {
		return nil, refused
	}
	if change.Deleted {
		return nil, invalid("Invalid request of put/update row: unexpected RowDeleteMarker in request.")
	}
	var response proto.Message
	s.store.write(req.GetTableName(), func(t *table) {
		if refused = checkKey(t, change.PrimaryKey); refused != nil {
			return
		}
		if refused = checkPut(t, change.Columns); refused != nil {
			return
		}
		key := keyValues(change.PrimaryKey)
		if refused = checkCondition(req.GetCondition(), t.get(key)); refused != nil {
			return
		}
		made := &row{key: key, columns: map[string][]version{}}
		now := s.opts.Now().UnixMilli()
		for i := range change.Columns {
			c := &change.Columns[i]
			at := now
			if c.HasTimestamp {
				at = c.Timestamp
			}
			t.addVersion(made, c.Name, version{at, c.Value})
		}
		t.put(made)
		answer := &otspb.PutRowResponse{Consumed: consumedByWrite(req.GetCondition())}
		if req.GetReturnContent().GetReturnType() == otspb.ReturnType_RT_PK {
			answer.Row = pb.Append(nil, &pb.Row{PrimaryKey: change.PrimaryKey})
		}
		response = answer
	})
	return response, refused
}

func (s *Server) getRow(req *otspb.GetRowRequest) (proto.Message, *refusal) {
	key, refused := decodeRow(req.GetPrimaryKey())
	if refused != nil {
		return nil, refused
	}
	if len(key.Columns) > 0 {
		return nil, invalid("Attribute column cannot be given while reading data.")
	}
	selected, refused := newSelection(req.GetColumnsToGet(), req.GetTimeRange(), req.MaxVersions)
	if refused != nil {
		return nil, refused
	}
	var response proto.Message
	s.store.read(req.GetTableName(), func(t *table) {
		if refused = checkKey(t, key.PrimaryKey); refused != nil {
			return
		}
		answer := &otspb.GetRowResponse{Consumed: consumed(1, 0), Row: []byte{}}
		if found := selected.of(t, t.get(keyValues(key.PrimaryKey))); found != nil {
			answer.Row = pb.Append(nil, found)
		}
		response = answer
	})
	return response, refused
}

// decodeRow parses the one row of a request.
func decodeRow(data []byte) (*pb.Row, *refusal) {
	rows, err := pb.Decode(data)
	switch {
	case err == nil && len(rows) == 1:
		return &rows[0], nil
	case err == nil:
		return nil, invalid("data format is invalid.")
	}
	message := "data format is invalid."
	switch {
	case errors.Is(err, pb.ErrChecksum):
		message = "Cell data broken, checksum is mismatch."
	case errors.Is(err, pb.ErrTag):
		message = "Cell data broken, mismatch tag."
	case errors.Is(err, pb.ErrTruncated):
		message = "Input encoded PK broken, length is shorter than expect."
	}
	return nil, refuse(http.StatusBadRequest, codeParameterInvalid, message, "%v", err)
}

// checkKey checks a primary key against the table's schema.
func checkKey(t *table, key []pb.Cell) *refusal {
	if t == nil {
		return refuse(http.StatusNotFound, "OTSObjectNotExist", "Requested table does not exist.", "there is no such table")
	}
	schema := t.meta.GetPrimaryKey()
	if len(key) != len(schema) {
		return invalidKey("Validate PK size fail. Input: %d, Meta: %d.", len(key), len(schema))
	}
	for i := range key {
		c, column := &key[i], schema[i]
		want := keyKind(column.GetType())
		switch {
		case c.Name != column.GetName():
			return invalidKey("Validate PK name fail. Input: %s, Meta: %s.", c.Name, column.GetName())
		case c.Absent:
			return invalid("No value is given for primary key name：%s.", c.Name)
		case c.Op != pb.Put:
			return invalid("OpType cannot be given for primary key name ：%s.", c.Name)
		case c.HasTimestamp:
			return invalid("Timestamp cannot be given for primary key name：%s.", c.Name)
		case c.Value.Kind() != want:
			return invalidKey("Validate PK type fail. Input: %s, Meta: %s.", c.Value.Kind(), want)
		case len(c.Value.Text()) > maxStringKey:
			return invalid("The length of primary key column: %s exceeds the MaxLength: %d with CurrentLength: %d.", c.Name, maxStringKey, len(c.Value.Text()))
		case want == pb.String && !utf8.ValidString(c.Value.Text()):
			return invalid("Value of column %s must be UTF8 encoding.", c.Name)
		}
	}
	return nil
}

func invalidKey(message string, args ...any) *refusal {
	refused := invalid(message, args...)
	refused.Code = "OTSInvalidPK"
	return refused
}

func keyKind(t otspb.PrimaryKeyType) pb.Kind {
	switch t {
	case otspb.PrimaryKeyType_INTEGER:
		return pb.Integer
	case otspb.PrimaryKeyType_STRING:
		return pb.String
	}
	return pb.Blob
}

// checkPut checks the attribute columns of PutRow.
func checkPut(t *table, columns []pb.Cell) *refusal {
	if len(columns) > maxAttributes {
		return invalid("The number of attribute columns exceeds the limit, limit count:%d, column count: %d.", maxAttributes, len(columns))
	}
	for i := range columns {
		c := &columns[i]
		switch {
		case !validName(c.Name):
			return invalid("Invalid column name: '%s'.", c.Name)
		case isKey(t, c.Name):
			return invalid("Duplicated attribute column name with primary key column: %s.", c.Name)
		case c.Op != pb.Put:
			return invalid("OpType cannot be given for column name:%s in PutRow.", c.Name)
		case c.Absent:
			return invalid("No value is given for column name.")
		case c.Value.Kind() > pb.Blob || c.Value.Kind() == pb.Null:
			return invalid("%s is an invalid type for the attribute column.", c.Value.Kind())
		case c.Value.Kind() == pb.String && !utf8.ValidString(c.Value.Text()):
			return invalid("Value of column %s must be UTF8 encoding.", c.Name)
		}
	}
	return nil
}

func isKey(t *table, name string) bool {
	return slices.ContainsFunc(t.meta.GetPrimaryKey(), func(c *otspb.PrimaryKeySchema) bool { return c.GetName() == name })
}

func keyValues(key []pb.Cell) []pb.Value {
	values := make([]pb.Value, len(key))
	for i := range key {
		values[i] = key[i].Value
	}
	return values
}

// checkCondition checks a write's condition against the row as it is; nil: absent.
func checkCondition(c *otspb.Condition, existing *row) *refusal {
	if c.GetColumnCondition() != nil {
		return invalid("Deserialize filter failed.") // this server has no column conditions yet
	}
	switch c.GetRowExistence() {
	case otspb.RowExistenceExpectation_EXPECT_EXIST:
		if existing == nil {
			return conditionFailed("the row does not exist")
		}
	case otspb.RowExistenceExpectation_EXPECT_NOT_EXIST:
		if existing != nil {
			return conditionFailed("the row exists")
		}
	}
	return nil
}

func conditionFailed(reason string) *refusal {
	return refuse(http.StatusForbidden, "OTSConditionCheckFail", "Condition check failed.", "%s", reason)
}

// selection is what a read asks for of a row.
type selection struct {
	columns  []string // none: all
	versions int      // none: all
	from, to int64    // milliseconds; to is exclusive, 0: no limit
}

func newSelection(columns []string, within *otspb.TimeRange, maxVersions *int32) (selection, *refusal) {
	s := selection{columns: columns}
	if len(columns) > maxReadColumns {
		return s, invalid("The number of columns from the request exceeds the limit, limit count: %d , column count:%d.", maxReadColumns, len(columns))
	}
	switch {
	case within == nil && maxVersions == nil:
		return s, invalid("No version condition is specified while querying row.")
	case maxVersions != nil && *maxVersions <= 0:
		return s, invalid("Invalid max versions: %d . Reason: Max versions must be positive.", *maxVersions)
	case maxVersions != nil:
		s.versions = int(*maxVersions)
	}
	switch {
	case within == nil:
	case within.SpecificTime != nil && maxVersions != nil:
		return s, invalid("Specific tiemstamp and max versions cannot be given at the same time.")
	case within.SpecificTime != nil && (within.StartTime != nil || within.EndTime != nil):
		return s, invalid("Specific tiemstamp and time range cannot be given at the same time.")
	case within.SpecificTime != nil:
		s.from, s.to = within.GetSpecificTime(), within.GetSpecificTime()+1
	case within.StartTime == nil || within.EndTime == nil:
		return s, invalid("Start and end time must be given at the same time.")
	default:
		s.from, s.to = within.GetStartTime(), within.GetEndTime()
	}
	return s, nil
}

// of returns the selected part of r, or nil if r is nil or has none of the
// columns that were asked for.
func (s selection) of(t *table, r *row) *pb.Row {
	if r == nil {
		return nil
	}
	selected, keyWanted := &pb.Row{}, len(s.columns) == 0
	for i, column := range t.meta.GetPrimaryKey() {
		selected.PrimaryKey = append(selected.PrimaryKey, pb.Cell{Name: column.GetName(), Value: r.key[i]})
		keyWanted = keyWanted || slices.Contains(s.columns, column.GetName())
	}
	names := make([]string, 0, len(r.columns))
	for name := range r.columns {
		if len(s.columns) == 0 || slices.Contains(s.columns, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		taken := 0
		for _, v := range r.columns[name] {
			if v.timestamp < s.from || s.to > 0 && v.timestamp >= s.to || s.versions > 0 && taken == s.versions {
				continue
			}
			taken++
			selected.Columns = append(selected.Columns, pb.Cell{Name: name, Value: v.value, HasTimestamp: true, Timestamp: v.timestamp})
		}
	}
	if !keyWanted && len(selected.Columns) == 0 {
		return nil
	}
	return selected
}

func consumed(read, write int32) *otspb.ConsumedCapacity {
	return &otspb.ConsumedCapacity{CapacityUnit: &otspb.CapacityUnit{Read: &read, Write: &write}}
}

// consumedByWrite is one write unit, and a read unit for the condition's look.
func consumedByWrite(c *otspb.Condition) *otspb.ConsumedCapacity {
	if c.GetRowExistence() == otspb.RowExistenceExpectation_IGNORE {
		return consumed(0, 1)
	}
	return consumed(1, 1)
}
