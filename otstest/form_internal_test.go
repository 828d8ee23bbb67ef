package otstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// rowRequests returns a request of each action on rows, with the same table and key.
func rowRequests(table string, key []pb.Cell) map[string]proto.Message {
	row, plain, marked := encoded(key, integer("x", 1)), encoded(key), deletion(key)
	return map[string]proto.Message{
		"PutRow":    &otspb.PutRowRequest{TableName: &table, Row: row, Condition: ignore()},
		"UpdateRow": &otspb.UpdateRowRequest{TableName: &table, RowChange: row, Condition: ignore()},
		"DeleteRow": &otspb.DeleteRowRequest{TableName: &table, PrimaryKey: marked, Condition: ignore()},
		"GetRow":    &otspb.GetRowRequest{TableName: &table, PrimaryKey: plain, MaxVersions: proto.Int32(1)},
		"GetRange": &otspb.GetRangeRequest{
			TableName: &table, Direction: otspb.Direction_FORWARD.Enum(), MaxVersions: proto.Int32(1),
			InclusiveStartPrimaryKey: plain, ExclusiveEndPrimaryKey: plain,
		},
		"BatchGetRow": &otspb.BatchGetRowRequest{Tables: []*otspb.TableInBatchGetRowRequest{
			{TableName: &table, PrimaryKey: [][]byte{plain}, MaxVersions: proto.Int32(1)},
		}},
		"BatchWriteRow": &otspb.BatchWriteRowRequest{Tables: []*otspb.TableInBatchWriteRowRequest{
			{TableName: &table, Rows: []*otspb.RowInBatchWriteRowRequest{write(otspb.OperationType_PUT, row, ignore())}},
		}},
	}
}

// The form of a key is the request's: it is checked before the table is looked
// for, and fails all of a batch. How many columns it may have is known of writes only:
// an index has more of them than a table.
func TestTheFormOfAKeyComesBeforeTheTable(t *testing.T) {
	var five []pb.Cell
	for i := range 5 {
		five = append(five, text(fmt.Sprint("pk", i), "a"))
	}
	s, _ := newTable(t, nil)
	for name, c := range map[string]struct {
		key     []pb.Cell
		not     []string // the actions that do not refuse it then
		message string
	}{
		"five columns":      {five, []string{"GetRow", "GetRange", "BatchGetRow"}, "The number of primary key columns must be in range: [1, 4]."},
		"a column twice":    {[]pb.Cell{text("pk", "a"), text("pk", "a")}, nil, "Duplicated primary key name: pk."},
		"below all others":  {everywhere(pb.InfMin), []string{"GetRange"}, "VT_INF_MIN is an invalid type for the primary key."},
		"behind all others": {edge("a", pb.InfMax), []string{"GetRange"}, "VT_INF_MAX is an invalid type for the primary key."},
		"a double":          {keyOf("a", pb.DoubleValue(1)), nil, "double can not be used as primary key."},
	} {
		for action, request := range rowRequests("missing", c.key) {
			if slices.Contains(c.not, action) {
				continue
			}
			t.Run(name+": "+action, func(t *testing.T) {
				require.Equal(t, &Refusal{400, "OTSParameterInvalid", c.message}, call(t, s, action, request, &otspb.ListTableResponse{}))
			})
		}
	}
}

func TestTheNameOfTheTableIsCheckedFirst(t *testing.T) {
	s, _ := newTable(t, nil)
	name := proto.String("3t")
	requests := rowRequests("3t", []pb.Cell{{Name: "pk", Absent: true}})
	requests["CreateTable"] = &otspb.CreateTableRequest{TableMeta: &otspb.TableMeta{TableName: name}, ReservedThroughput: tableRequest("u", nil, nil).ReservedThroughput}
	requests["DescribeTable"] = &otspb.DescribeTableRequest{TableName: name}
	requests["UpdateTable"] = &otspb.UpdateTableRequest{TableName: name, TableOptions: &otspb.TableOptions{}}
	requests["DeleteTable"] = &otspb.DeleteTableRequest{TableName: name}
	for action, request := range requests {
		t.Run(action, func(t *testing.T) {
			require.Equal(t, &Refusal{400, "OTSParameterInvalid", "Invalid table name: '3t'."}, call(t, s, action, request, &otspb.ListTableResponse{}))
		})
	}
}

// There are no transactions: nothing is done of a request that belongs to one.
func TestARequestOfATransactionIsRefused(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), integer("x", 1))
	before := s.Dump()
	for action, request := range rowRequests("t", key("a", 1)) {
		field := request.ProtoReflect().Descriptor().Fields().ByName("transaction_id")
		if field == nil {
			require.Equal(t, "BatchGetRow", action)
			continue
		}
		request.ProtoReflect().Set(field, protoreflect.ValueOfString("1"))
		refused := call(t, s, action, request, &otspb.ListTableResponse{})
		require.Equal(t, &Refusal{400, "OTSParameterInvalid", "Try to call method using explicit transaction on explicit-transaction-disabled table."}, refused, action)
		require.Equal(t, before, s.Dump(), action)
	}
}

// The names are those of the official Java SDK's tests, ParameterLegalityTest.
func TestNamesOfAttributeColumns(t *testing.T) {
	names := []string{strings.Repeat("a", 255), "公司"}
	for _, special := range `.:'"$&*()/\` + "\n\r " {
		c := string(special)
		names = append(names, c, c+"abc", "abc"+c, "a"+c+"b")
	}
	for _, name := range names {
		require.Nil(t, checkColumn(name), name)
	}
	for _, name := range []string{"", strings.Repeat("a", 256), "#", "#abc", "#公司", "# "} {
		refused := checkColumn(name)
		require.NotNil(t, refused, name)
		require.Equal(t, "Invalid column name: '"+name+"'.", refused.Message)
	}
}
