package otstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func rangeRequest(direction otspb.Direction, begin, end []pb.Cell) *otspb.GetRangeRequest {
	return &otspb.GetRangeRequest{
		TableName: proto.String("t"), Direction: direction.Enum(), MaxVersions: proto.Int32(1),
		InclusiveStartPrimaryKey: encoded(begin), ExclusiveEndPrimaryKey: encoded(end),
	}
}

// edge is a key below or above all others of its first column.
func edge(pk string, kind pb.Kind) []pb.Cell { return keyOf(pk, pb.MarkValue(kind)) }

func everywhere(kind pb.Kind) []pb.Cell {
	return []pb.Cell{{Name: "pk", Value: pb.MarkValue(kind)}, {Name: "n", Value: pb.MarkValue(kind)}}
}

func TestGetRange(t *testing.T) {
	s, _ := newTable(t, nil)
	for _, pk := range []string{"b", "a"} {
		for _, n := range []int64{3, -1, 2} {
			put(t, s, key(pk, n), integer("x", n))
		}
	}
	const forward, backward = otspb.Direction_FORWARD, otspb.Direction_BACKWARD
	limited := func(r *otspb.GetRangeRequest, limit int32) *otspb.GetRangeRequest { r.Limit = &limit; return r }
	filtered := func(r *otspb.GetRangeRequest, f *otspb.Filter) *otspb.GetRangeRequest { r.Filter = wire(f); return r }
	for name, c := range map[string]struct {
		request *otspb.GetRangeRequest
		want    []string
		next    []string
	}{
		"all rows in order":                     {rangeRequest(forward, everywhere(pb.InfMin), everywhere(pb.InfMax)), []string{"a/-1 x=-1", "a/2 x=2", "a/3 x=3", "b/-1 x=-1", "b/2 x=2", "b/3 x=3"}, nil},
		"all rows backward":                     {rangeRequest(backward, everywhere(pb.InfMax), everywhere(pb.InfMin)), []string{"b/3 x=3", "b/2 x=2", "b/-1 x=-1", "a/3 x=3", "a/2 x=2", "a/-1 x=-1"}, nil},
		"the rows of one partition":             {rangeRequest(forward, edge("a", pb.InfMin), edge("a", pb.InfMax)), []string{"a/-1 x=-1", "a/2 x=2", "a/3 x=3"}, nil},
		"the begin is in, the end is out":       {rangeRequest(forward, key("a", 2), key("b", -1)), []string{"a/2 x=2", "a/3 x=3"}, nil},
		"backward the begin is in as well":      {rangeRequest(backward, key("b", -1), key("a", 2)), []string{"b/-1 x=-1", "a/3 x=3"}, nil},
		"backward from where there is no row":   {rangeRequest(backward, key("b", 0), key("a", 3)), []string{"b/-1 x=-1"}, nil},
		"a limit, and where to go on":           {limited(rangeRequest(forward, key("a", 2), everywhere(pb.InfMax)), 2), []string{"a/2 x=2", "a/3 x=3"}, []string{"b/-1"}},
		"a limit backward, and where to go on":  {limited(rangeRequest(backward, key("a", 3), everywhere(pb.InfMin)), 2), []string{"a/3 x=3", "a/2 x=2"}, []string{"a/-1"}},
		"a limit that is not reached":           {limited(rangeRequest(forward, key("a", 2), key("b", -1)), 2), []string{"a/2 x=2", "a/3 x=3"}, nil},
		"a filter, whose rows the limit counts": {limited(filtered(rangeRequest(forward, everywhere(pb.InfMin), everywhere(pb.InfMax)), compare("x", otspb.ComparatorType_CT_GREATER_THAN, pb.IntValue(2))), 2), []string{"a/3 x=3", "b/3 x=3"}, nil},
		"no row":                                {rangeRequest(forward, key("x", 1), everywhere(pb.InfMax)), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := &otspb.GetRangeResponse{}
			require.Nil(t, call(t, s, "GetRange", c.request, got))
			require.Equal(t, c.want, cells(t, got.GetRows()))
			require.Equal(t, c.next, cells(t, got.GetNextStartPrimaryKey()))
		})
	}
}

// The official Node SDK sends zeros behind keys that are infinite.
func TestARowMayBePaddedWithZeros(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), integer("x", 1))
	r := rangeRequest(otspb.Direction_FORWARD, everywhere(pb.InfMin), everywhere(pb.InfMax))
	r.InclusiveStartPrimaryKey = append(r.InclusiveStartPrimaryKey, 0, 0)
	r.ExclusiveEndPrimaryKey = append(r.ExclusiveEndPrimaryKey, 0, 0)
	got := &otspb.GetRangeResponse{}
	require.Nil(t, call(t, s, "GetRange", r, got))
	require.Equal(t, []string{"a/1 x=1"}, cells(t, got.GetRows()))
}

func TestARangeReturnsTheChosenKeyColumns(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), integer("x", 2))
	for name, c := range map[string]struct {
		entire  *bool
		columns []string
		want    []string
	}{
		"all by default":               {nil, []string{"x"}, []string{"pk", "n"}},
		"the chosen ones":              {proto.Bool(false), []string{"x", "n"}, []string{"n"}},
		"all if no columns are chosen": {proto.Bool(false), nil, []string{"pk", "n"}},
	} {
		t.Run(name, func(t *testing.T) {
			request := rangeRequest(otspb.Direction_FORWARD, everywhere(pb.InfMin), everywhere(pb.InfMax))
			request.ReturnEntirePrimaryKeys, request.ColumnsToGet = c.entire, c.columns
			got := &otspb.GetRangeResponse{}
			require.Nil(t, call(t, s, "GetRange", request, got))
			rows, err := pb.Decode(got.GetRows())
			require.NoError(t, err)
			require.Len(t, rows, 1)
			var names []string
			for _, cell := range rows[0].PrimaryKey {
				names = append(names, cell.Name)
			}
			require.Equal(t, c.want, names)
		})
	}
}

func TestARangeEndsEarly(t *testing.T) {
	for name, c := range map[string]struct {
		rows, size int // size: of each row's only value
		want       int
	}{
		"after 5000 rows": {5001, 0, 5000},
		"after 4 MB":      {6, 1 << 20, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newTable(t, nil)
			value := pb.BlobValue(string(make([]byte, c.size)))
			s.store.write("t", func(table *table) {
				for i := range c.rows {
					table.put(&row{key: keyValues(key("a", int64(i))), columns: map[string][]version{"x": {{1, value}}}}, time.Unix(1000, 0))
				}
			})
			got := &otspb.GetRangeResponse{}
			require.Nil(t, call(t, s, "GetRange", rangeRequest(otspb.Direction_FORWARD, everywhere(pb.InfMin), everywhere(pb.InfMax)), got))
			require.Len(t, cells(t, got.GetRows()), c.want)
			require.Equal(t, []string{"a/" + valueText(pb.IntValue(int64(c.want)))}, cells(t, got.GetNextStartPrimaryKey()))
		})
	}
}

func TestBatchGetRow(t *testing.T) {
	s, _ := newTable(t, nil)
	require.Nil(t, call(t, s, "CreateTable", tableRequest("u", nil, nil), &otspb.CreateTableResponse{}))
	put(t, s, key("a", 1), integer("x", 1), integer("y", 2))
	put(t, s, key("c", 1), integer("x", 3))
	got := &otspb.BatchGetRowResponse{}
	require.Nil(t, call(t, s, "BatchGetRow", &otspb.BatchGetRowRequest{Tables: []*otspb.TableInBatchGetRowRequest{
		{TableName: proto.String("u"), PrimaryKey: [][]byte{encoded(key("a", 1))}, MaxVersions: proto.Int32(1)},
		{TableName: proto.String("t"), PrimaryKey: [][]byte{encoded(key("c", 1)), encoded(key("b", 1)), encoded(key("a", 1))}, MaxVersions: proto.Int32(1), ColumnsToGet: []string{"x"}},
	}}, got))
	require.Equal(t, "u", got.GetTables()[0].GetTableName())
	require.Empty(t, got.GetTables()[0].GetRows()[0].GetRow())
	var texts [][]string
	for _, r := range got.GetTables()[1].GetRows() {
		require.True(t, r.GetIsOk())
		texts = append(texts, cells(t, r.GetRow()))
	}
	require.Equal(t, [][]string{{"c/1 x=3"}, nil, {"a/1 x=1"}}, texts, "each row stands in its place")
}

func writes(rows ...*otspb.RowInBatchWriteRowRequest) *otspb.BatchWriteRowRequest {
	return &otspb.BatchWriteRowRequest{Tables: []*otspb.TableInBatchWriteRowRequest{{TableName: proto.String("t"), Rows: rows}}}
}

func write(kind otspb.OperationType, data []byte, c *otspb.Condition) *otspb.RowInBatchWriteRowRequest {
	return &otspb.RowInBatchWriteRowRequest{Type: kind.Enum(), RowChange: data, Condition: c}
}

func TestBatchWriteRow(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("b", 1), integer("x", 1))
	put(t, s, key("c", 1), integer("x", 1))
	got := &otspb.BatchWriteRowResponse{}
	require.Nil(t, call(t, s, "BatchWriteRow", writes(
		write(otspb.OperationType_PUT, encoded(key("a", 1), integer("x", 7)), ignore()),
		write(otspb.OperationType_PUT, encoded(key("b", 1), integer("x", 7)), expects(otspb.RowExistenceExpectation_EXPECT_NOT_EXIST)),
		write(otspb.OperationType_DELETE, deletion(key("c", 1)), expects(otspb.RowExistenceExpectation_EXPECT_EXIST)),
		write(otspb.OperationType_UPDATE, encoded(key("d", 1), with(integer("x", 2), pb.Increment)), ignore()),
		write(otspb.OperationType_UPDATE, encoded(key("d", 1), with(integer("x", 2), pb.Increment)), ignore()),
	), got))
	var codes []string
	for _, r := range got.GetTables()[0].GetRows() {
		require.Equal(t, r.GetIsOk(), r.GetError() == nil)
		codes = append(codes, r.GetError().GetCode())
	}
	require.Equal(t, []string{"", "OTSConditionCheckFail", "", "", ""}, codes)
	require.Equal(t, "table t (pk STRING, n INTEGER) ttl -1, versions 3\n"+
		"  \"a\", 1\n    x = 7 @1000000\n  \"b\", 1\n    x = 1 @1000000\n  \"d\", 1\n    x = 4 @1000000\n", s.Dump())
}
