package otstest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// Each bad request gets the documented error, and changes nothing.
func TestBadRequests(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), integer("x", 1))
	before := s.Dump()

	good := encoded(key("a", 1), integer("x", 1))
	putting := func(data []byte) *otspb.PutRowRequest {
		return &otspb.PutRowRequest{TableName: proto.String("t"), Row: data, Condition: ignore()}
	}
	updating := func(columns ...pb.Cell) *otspb.UpdateRowRequest {
		return &otspb.UpdateRowRequest{TableName: proto.String("t"), RowChange: encoded(key("a", 1), columns...), Condition: ignore()}
	}
	deleting := func(data []byte) *otspb.DeleteRowRequest {
		return &otspb.DeleteRowRequest{TableName: proto.String("t"), PrimaryKey: data, Condition: ignore()}
	}
	getting := func(data []byte) *otspb.GetRowRequest {
		return &otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: data, MaxVersions: proto.Int32(1)}
	}
	when := func(r *otspb.TimeRange, versions *int32) *otspb.GetRowRequest {
		return &otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: encoded(key("a", 1)), TimeRange: r, MaxVersions: versions}
	}
	forward := func(limit *int32, begin, end []pb.Cell) *otspb.GetRangeRequest {
		r := rangeRequest(otspb.Direction_FORWARD, begin, end)
		r.Limit = limit
		return r
	}
	batch := func(name string, keys ...[]byte) *otspb.TableInBatchGetRowRequest {
		return &otspb.TableInBatchGetRowRequest{TableName: &name, PrimaryKey: keys, MaxVersions: proto.Int32(1)}
	}
	reading := func(tables ...*otspb.TableInBatchGetRowRequest) *otspb.BatchGetRowRequest {
		return &otspb.BatchGetRowRequest{Tables: tables}
	}
	one := encoded(key("a", 1))
	anyRange := forward(nil, key("a", 1), key("b", 1))
	anyRange.MaxVersions = nil
	tooMuch := encoded(key("a", 1), slices.Repeat([]pb.Cell{text("x", strings.Repeat("x", 1_500_000))}, 3)...)
	broken := slices.Clone(good)
	broken[len(broken)-1]++
	exist := expects(otspb.RowExistenceExpectation_EXPECT_EXIST)
	sized := func(n int) *otspb.RowInBatchWriteRowRequest {
		return write(otspb.OperationType_PUT, encoded(key("a", int64(n)), text("x", strings.Repeat("x", n))), ignore())
	}
	large := []*otspb.RowInBatchWriteRowRequest{sized(2_000_000), sized(2_000_001), sized(200_000)}

	for name, c := range map[string]struct {
		action  string
		request proto.Message
		message string // "CODE message" where the code is not OTSParameterInvalid
	}{
		"a table name that cannot be":            {"DeleteTable", &otspb.DeleteTableRequest{TableName: proto.String("a-b")}, "Invalid table name: 'a-b'."},
		"a table that is not there":              {"DeleteTable", &otspb.DeleteTableRequest{TableName: proto.String("u")}, "OTSObjectNotExist Requested table does not exist."},
		"an update that names no option":         {"UpdateTable", &otspb.UpdateTableRequest{TableName: proto.String("t"), TableOptions: &otspb.TableOptions{}}, "No parameter is specified in table options."},
		"an update to no time to live":           {"UpdateTable", &otspb.UpdateTableRequest{TableName: proto.String("t"), TableOptions: &otspb.TableOptions{TimeToLive: proto.Int32(0)}}, "TimeToLive cannot be 0 or less than -1."},
		"an update to no versions":               {"UpdateTable", &otspb.UpdateTableRequest{TableName: proto.String("t"), TableOptions: &otspb.TableOptions{MaxVersions: proto.Int32(0)}}, "The maximum versions cannot be less than or equal to 0"},
		"an update to a deviation below zero":    {"UpdateTable", &otspb.UpdateTableRequest{TableName: proto.String("t"), TableOptions: &otspb.TableOptions{DeviationCellVersionInSec: proto.Int64(-1)}}, "The maximum deviation must be in range [0, INT64_MAX/1000000]."},
		"a put of too many bytes":                {"PutRow", putting(tooMuch), "The total data size of PutRow request exceeds the limit, limit size: 4194304 , data size: 4500015."},
		"an update of too many bytes":            {"UpdateRow", &otspb.UpdateRowRequest{TableName: proto.String("t"), RowChange: tooMuch, Condition: ignore()}, "The total data size of UpdateRow request exceeds the limit, limit size: 4194304 , data size: 4500015."},
		"an expectation that is none":            {"PutRow", &otspb.PutRowRequest{TableName: proto.String("t"), Row: good, Condition: expects(7)}, "Invalid row-existence expectation: 7."},
		"a return type that is none":             {"DeleteRow", &otspb.DeleteRowRequest{TableName: proto.String("t"), PrimaryKey: deletion(key("a", 1)), Condition: ignore(), ReturnContent: &otspb.ReturnContent{ReturnType: otspb.ReturnType(7).Enum()}}, "Invalid return type: 7."},
		"a batch that does nothing known":        {"BatchWriteRow", writes(write(7, good, ignore())), "The type of row in batch write operation is invalid."},
		"a range in no direction":                {"GetRange", rangeRequest(7, key("a", 1), key("b", 1)), "Failed to parse the ProtoBuf message."},
		"no header":                              {"PutRow", putting([]byte{1, 0, 0, 0}), "Cell data broken, mismatch header, actual: 1 , expect: 117."},
		"no row":                                 {"PutRow", putting(good[:4]), "data format is invalid."},
		"two rows":                               {"PutRow", putting(pb.Append(nil, &pb.Row{PrimaryKey: key("a", 1)}, &pb.Row{PrimaryKey: key("b", 1)})), "data format is invalid."},
		"a row that is cut":                      {"PutRow", putting(good[:9]), "Input encoded PK broken, length is shorter than expect."},
		"a tag that is none":                     {"PutRow", putting([]byte{0x75, 0, 0, 0, 9}), "Cell data broken, mismatch tag, actual tag(9), expect(1)."},
		"no key behind its tag":                  {"PutRow", putting([]byte{0x75, 0, 0, 0, 1, 9}), "Cell data broken, no PK follow PKTag."},
		"a cell without a name":                  {"PutRow", putting([]byte{0x75, 0, 0, 0, 1, 3, 5}), "Cell data broken, attr has no name."},
		"no columns behind their tag":            {"PutRow", putting(append(slices.Clone(one[:len(one)-2]), 2, 9)), "Cell data broken, no Cells follow CellTag."},
		"a cell without its checksum":            {"PutRow", putting([]byte{0x75, 0, 0, 0, 1, 3, 4, 1, 0, 0, 0, 'x', 9}), "Cell data broken, cell is not end with checksum[0x0A] tag."},
		"a row without its checksum":             {"PutRow", putting(append(slices.Clone(one[:len(one)-2]), 10)), "Cell data broken, row is not end with checksum tag."},
		"a value of no known type":               {"PutRow", putting([]byte{0x75, 0, 0, 0, 1, 3, 4, 1, 0, 0, 0, 'x', 5, 1, 0, 0, 0, 99}), "data format is invalid, unknown variant type occured."},
		"a length of no bytes":                   {"PutRow", putting([]byte{0x75, 0, 0, 0, 1, 3, 4, 1, 0, 0, 0, 'x', 5, 0, 0, 0, 0}), "Cell data broken, wrong string format, size: 0."},
		"a bool of two bytes":                    {"PutRow", putting([]byte{0x75, 0, 0, 0, 1, 3, 4, 1, 0, 0, 0, 'x', 5, 3, 0, 0, 0, 2, 1, 1}), "Invalid boolean real value, value length: 2."},
		"a cell with an operation that is none":  {"PutRow", putting(encoded(key("a", 1), with(integer("x", 1), 2))), "Invalid op type of cell: 2."},
		"a row without a key":                    {"PutRow", putting(pb.Append(nil, &pb.Row{Columns: []pb.Cell{integer("x", 1)}})), "Cell data broken, PK is empty."},
		"a key column without a name":            {"PutRow", putting(encoded([]pb.Cell{text("", "a"), integer("n", 1)})), "No name is given for primary key."},
		"a table that is not there, for a row":   {"PutRow", &otspb.PutRowRequest{TableName: proto.String("u"), Row: good, Condition: ignore()}, "OTSObjectNotExist Requested table does not exist."},
		"a table name that cannot be, for a row": {"GetRow", &otspb.GetRowRequest{TableName: proto.String("a b"), PrimaryKey: one, MaxVersions: proto.Int32(1)}, "Invalid table name: 'a b'."},
		"a read of a key too short":              {"GetRow", getting(encoded(key("a", 1)[:1])), "OTSInvalidPK Validate PK size fail. Input: 1, Meta: 2."},
		"a read of a number to choose":           {"GetRow", getting(encoded(edge("a", pb.AutoIncrement))), "PKAutoIncr can't be used for read operations."},
		"a read of a column that cannot be":      {"GetRow", &otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: one, MaxVersions: proto.Int32(1), ColumnsToGet: []string{"#x"}}, "Invalid column name: '#x'."},
		"a read of too many columns":             {"GetRow", &otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: one, MaxVersions: proto.Int32(1), ColumnsToGet: slices.Repeat([]string{"x"}, 1025)}, "The number of columns from the request exceeds the limit, limit count: 1024, column count: 1025."},
		"a range from a key too short":           {"GetRange", forward(nil, key("a", 1)[:1], key("b", 1)), "OTSInvalidPK Validate PK size fail. Input: 1, Meta: 2."},
		"a key too short":                        {"PutRow", putting(encoded(key("a", 1)[:1])), "OTSInvalidPK Validate PK size fail. Input: 1, Meta: 2."},
		"a key column of another name":           {"PutRow", putting(encoded([]pb.Cell{text("q", "a"), integer("n", 1)})), "OTSInvalidPK Validate PK name fail. Input: q, Meta: pk."},
		"a key column of another type":           {"PutRow", putting(encoded([]pb.Cell{integer("pk", 1), integer("n", 1)})), "OTSInvalidPK Validate PK type fail. Input: VT_INTEGER, Meta: VT_STRING."},
		"a key column that is infinite":          {"PutRow", putting(encoded(edge("a", pb.InfMin))), "VT_INF_MIN is an invalid type for the primary key."},
		"a key column twice":                     {"PutRow", putting(encoded([]pb.Cell{text("pk", "a"), text("pk", "a")})), "Duplicated primary key name: pk."},
		"a key column with a double":             {"PutRow", putting(encoded(keyOf("a", pb.DoubleValue(1)))), "double can not be used as primary key."},
		"a key column that is null":              {"PutRow", putting(encoded(keyOf("a", pb.MarkValue(pb.Null)))), "Cell data broken, PK value cannot be NULL, name: n."},
		"a key column with a timestamp":          {"PutRow", putting(encoded([]pb.Cell{text("pk", "a"), at(integer("n", 1), 1)})), "Timestamp cannot be given for primary key name：n."},
		"a key column that is incremented":       {"PutRow", putting(encoded([]pb.Cell{text("pk", "a"), with(integer("n", 1), pb.Increment)})), "OpType cannot be given for primary key name ：n."},
		"a key column without a value":           {"PutRow", putting(encoded([]pb.Cell{text("pk", "a"), {Name: "n", Absent: true}})), "No value is given for primary key name：n."},
		"a key column too long":                  {"PutRow", putting(encoded(key(strings.Repeat("x", 1025), 1))), "The length of primary key column: 'pk' exceeds the MaxLength:1024 with CurrentLength:1025."},
		"a key column that is not UTF-8":         {"PutRow", putting(encoded(key("\xff", 1))), "Value of column pk must be UTF8 encoding."},
		"two numbers to choose":                  {"PutRow", putting(encoded([]pb.Cell{{Name: "pk", Value: pb.MarkValue(pb.AutoIncrement)}, {Name: "n", Value: pb.MarkValue(pb.AutoIncrement)}})), "2 pk auto increment exist in row."},
		"a put with a delete marker":             {"PutRow", putting(deletion(key("a", 1))), "Invalid request of put/update row: unexpected RowDeleteMarker in request."},
		"a put that increments":                  {"PutRow", putting(encoded(key("a", 1), with(integer("x", 1), pb.Increment))), "OpType cannot be given for column name:x in PutRow."},
		"a column without a name":                {"PutRow", putting(encoded(key("a", 1), integer("", 1))), "No name is given for attribute column."},
		"a column name that cannot be":           {"PutRow", putting(encoded(key("a", 1), integer("#x", 1))), "Invalid column name: '#x'."},
		"a column with a key's name":             {"PutRow", putting(encoded(key("a", 1), integer("n", 1))), "Duplicated attribute column name with primary key column: n."},
		"a column that is not a number":          {"PutRow", putting(encoded(key("a", 1), pb.Cell{Name: "x", Value: pb.DoubleValue(math.NaN())})), "NaN can't be set to double value."},
		"a column that is infinite":              {"PutRow", putting(encoded(key("a", 1), pb.Cell{Name: "x", Value: pb.DoubleValue(math.Inf(-1))})), "Infinity can't be set to double value."},
		"a column that is null":                  {"PutRow", putting(encoded(key("a", 1), pb.Cell{Name: "x", Value: pb.MarkValue(pb.Null)})), "VT_NULL is an invalid type for the attribute column."},
		"a column that is not UTF-8":             {"PutRow", putting(encoded(key("a", 1), text("x", "\xff"))), "Value of column x must be UTF8 encoding."},
		"a column too long":                      {"PutRow", putting(encoded(key("a", 1), text("x", strings.Repeat("x", 2<<20+1)))), "The length of attribute column: 'x' exceeds the MaxLength:2097152 with CurrentLength:2097153."},
		"a timestamp before all time":            {"PutRow", putting(encoded(key("a", 1), at(integer("x", 1), -1))), "Timestamp must be in range [0, INT64_MAX/1000)."},
		"too many columns":                       {"PutRow", putting(encoded(key("a", 1), slices.Repeat([]pb.Cell{integer("x", 1)}, 1025)...)), "The number of attribute columns exceeds the limit, limit count:1024, column count: 1025."},
		"an update of nothing":                   {"UpdateRow", updating(), "Attribute column is missing."},
		"an update without a value":              {"UpdateRow", updating(pb.Cell{Name: "x", Absent: true}), "No value is given for column name."},
		"a deleted version with a value":         {"UpdateRow", updating(pb.Cell{Name: "x", Op: pb.DeleteOneVersion, Value: pb.IntValue(1), HasTimestamp: true, Timestamp: 1}), "Column value cannot be given when type is DELETE_ONE_VERSION,DELETE_ALL_VERSION."},
		"a deleted version without a timestamp":  {"UpdateRow", updating(with(integer("x", 0), pb.DeleteOneVersion)), "Timestamp must be given when type is DELETE_ONE_VERSION."},
		"all versions deleted with a timestamp":  {"UpdateRow", updating(at(with(integer("x", 0), pb.DeleteAllVersions), 1)), "Timestamp cannot be given when type is DELETE_ALL_VERSION."},
		"an increment by a text":                 {"UpdateRow", updating(with(text("x", "1"), pb.Increment)), "VT_STRING is an invalid type for the attribute column."},
		"a deletion without its marker":          {"DeleteRow", deleting(one), "Invalid request of delete row: missing RowDeleteMarker in request"},
		"a deletion of columns":                  {"DeleteRow", deleting(pb.Append(nil, &pb.Row{PrimaryKey: key("a", 1), Columns: []pb.Cell{integer("x", 1)}, Deleted: true})), "Invalid delete row request: unexpected cells in request"},
		"a read with columns":                    {"GetRow", getting(good), "Attribute column cannot be given while reading data."},
		"a read with a delete marker":            {"GetRow", getting(deletion(key("a", 1))), "Delete marker cannot be given."},
		"a read of any version":                  {"GetRow", when(nil, nil), "No version condition is specified."},
		"a range of any version":                 {"GetRange", anyRange, "No version condition is specified."},
		"a batch that reads any version":         {"BatchGetRow", reading(&otspb.TableInBatchGetRowRequest{TableName: proto.String("t"), PrimaryKey: [][]byte{one}}), "No version condition is specified while querying row."},
		"a read of no version":                   {"GetRow", when(nil, proto.Int32(0)), "Invalid max versions: 0 . Reason: Max versions must be positive."},
		"a read of half a time range":            {"GetRow", when(&otspb.TimeRange{StartTime: proto.Int64(1)}, nil), "Start and end time must be given at the same time."},
		"a read of a time and versions":          {"GetRow", when(&otspb.TimeRange{SpecificTime: proto.Int64(1)}, proto.Int32(1)), "Specific tiemstamp and max versions cannot be given at the same time."},
		"a read of a time and a range":           {"GetRow", when(&otspb.TimeRange{SpecificTime: proto.Int64(1), EndTime: proto.Int64(1)}, nil), "Specific tiemstamp and time range cannot be given at the same time."},
		"a read of a time, a range and versions": {"GetRow", when(&otspb.TimeRange{SpecificTime: proto.Int64(1), EndTime: proto.Int64(1)}, proto.Int32(1)), "Specific tiemstamp, time range and max versions cannot be given at the same time."},
		"a read of a time before all time":       {"GetRow", when(&otspb.TimeRange{SpecificTime: proto.Int64(-1)}, nil), "Specific timestamp cannot be less than 0.."},
		"a range of nothing":                     {"GetRange", forward(proto.Int32(0), everywhere(pb.InfMin), everywhere(pb.InfMax)), "The limit must be greater than 0."},
		"a range that ends before it begins":     {"GetRange", forward(nil, key("b", 1), key("a", 1)), "Begin key must less than end key in FORWARD"},
		"a range that ends where it begins":      {"GetRange", forward(nil, key("a", 1), key("a", 1)), "Begin key must less than end key in FORWARD"},
		"a range backward that goes forward":     {"GetRange", rangeRequest(otspb.Direction_BACKWARD, key("a", 1), key("b", 1)), "Begin key must more than end key in BACKWARD"},
		"a batch that reads nothing":             {"BatchGetRow", reading(), "No row specified in the request of BatchGetRow."},
		"a batch that reads nothing of a table":  {"BatchGetRow", reading(batch("t", one), batch("u")), "No operation is specified for table: 'u'."},
		"a batch that reads too many rows":       {"BatchGetRow", reading(batch("t", slices.Repeat([][]byte{one}, 101)...)), "Rows count exceeds the upper limit: 100."},
		"a batch that reads a row twice":         {"BatchGetRow", reading(batch("t", one, one)), "Duplicate rows detected in MultiGet."},
		"a batch that reads a table twice":       {"BatchGetRow", reading(batch("t", one), batch("t", one)), "Duplicated table name: t."},
		"a batch that reads a missing table":     {"BatchGetRow", reading(batch("u", one)), "OTSObjectNotExist Requested table does not exist."},
		"a batch that writes nothing":            {"BatchWriteRow", &otspb.BatchWriteRowRequest{}, "No row is specified in BatchWriteRow."},
		"a batch that writes nothing of a table": {"BatchWriteRow", writes(), "No operation is specified for table: 't'."},
		"a batch that writes too many rows":      {"BatchWriteRow", writes(slices.Repeat([]*otspb.RowInBatchWriteRowRequest{sized(1)}, 201)...), "Rows count exceeds the upper limit: 200."},
		"a batch that writes too much":           {"BatchWriteRow", writes(large...), "The total data size of BatchWriteRow request exceeds the limit, limit size: 4194304, data size: 4200040."},
		"a batch that expects a row it repeats":  {"BatchWriteRow", writes(write(otspb.OperationType_PUT, good, ignore()), write(otspb.OperationType_DELETE, deletion(key("a", 1)), exist)), "Repeated rows do not support row exist expectation check in BatchModify."},
		"a batch with a bad row behind a good":   {"BatchWriteRow", writes(sized(1), write(otspb.OperationType_UPDATE, one, ignore())), "Attribute column is missing."},
	} {
		t.Run(name, func(t *testing.T) {
			code, message := "OTSParameterInvalid", c.message
			if strings.HasPrefix(message, "OTS") {
				code, message, _ = strings.Cut(message, " ")
			}
			refused := call(t, s, c.action, c.request, &otspb.ListTableResponse{})
			require.NotNil(t, refused)
			require.Equal(t, code+" "+message, refused.Code+" "+refused.Message)
			require.Equal(t, before, s.Dump())
		})
	}

	refused := call(t, s, "PutRow", putting(broken), &otspb.PutRowResponse{})
	require.NotNil(t, refused)
	require.Regexp(t, `^Cell data broken, checksum is mismatch, \d+ ：\d+ ：$`, refused.Message)
}
