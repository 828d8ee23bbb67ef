package otstest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func TestTables(t *testing.T) {
	s, clock := newTable(t, nil)
	name := proto.String("t")
	described := &otspb.DescribeTableResponse{}
	require.Nil(t, call(t, s, "DescribeTable", &otspb.DescribeTableRequest{TableName: name}, described))
	require.Equal(t, otspb.TableStatus_ACTIVE, described.GetTableStatus())
	require.NotNil(t, described.TableStatus)
	require.Equal(t, int64(1000), described.GetReservedThroughputDetails().GetLastIncreaseTime())
	require.Equal(t, int64(1_000_000_000), described.GetCreationTime())
	require.Equal(t, "n", described.GetTableMeta().GetPrimaryKey()[1].GetName())

	require.Equal(t, int64(86400), described.GetTableOptions().GetDeviationCellVersionInSec())
	require.NotNil(t, described.GetStreamDetails().EnableStream)
	require.False(t, described.GetStreamDetails().GetEnableStream())

	put(t, s, key("a", 1), at(integer("x", 1), 1), at(integer("x", 2), 2))
	clock.now = clock.now.Add(time.Minute)
	updated := &otspb.UpdateTableResponse{}
	require.Nil(t, call(t, s, "UpdateTable", &otspb.UpdateTableRequest{
		TableName:          name,
		TableOptions:       &otspb.TableOptions{MaxVersions: proto.Int32(1)},
		ReservedThroughput: &otspb.ReservedThroughput{CapacityUnit: &otspb.CapacityUnit{Read: proto.Int32(5)}},
		StreamSpec:         &otspb.StreamSpecification{EnableStream: proto.Bool(true), ExpirationTime: proto.Int32(24)},
	}, updated))
	require.Equal(t, int32(1), updated.GetTableOptions().GetMaxVersions())
	require.Equal(t, int32(-1), updated.GetTableOptions().GetTimeToLive(), "what is not named stays")
	require.Equal(t, int32(5), updated.GetReservedThroughputDetails().GetCapacityUnit().GetRead())
	require.Equal(t, int64(1060), updated.GetReservedThroughputDetails().GetLastIncreaseTime())
	require.Equal(t, "t_stream", updated.GetStreamDetails().GetStreamId())
	require.Equal(t, "table t (pk STRING, n INTEGER) ttl -1, versions 1\n  \"a\", 1\n    x = 2 @2\n", s.Dump())

	require.Nil(t, call(t, s, "DeleteTable", &otspb.DeleteTableRequest{TableName: name}, &otspb.DeleteTableResponse{}))
	require.Empty(t, s.Dump())
	refused := call(t, s, "DescribeTable", &otspb.DescribeTableRequest{TableName: name}, described)
	require.Equal(t, &Refusal{404, "OTSObjectNotExist", "Requested table does not exist."}, refused)
}

func TestUpdateRow(t *testing.T) {
	for name, c := range map[string]struct {
		change []pb.Cell
		want   string // below the row; a=5 @2000, a=4 @1000, b="text" @2000 before
	}{
		"a value is added as the newest version": {[]pb.Cell{integer("a", 6)}, "a = 6 @1000000\n a = 5 @2000\n a = 4 @1000\n b = \"text\" @2000"},
		"a value replaces the same version":      {[]pb.Cell{at(integer("a", 6), 1000)}, "a = 5 @2000\n a = 6 @1000\n b = \"text\" @2000"},
		"one version is deleted":                 {[]pb.Cell{at(with(integer("a", 0), pb.DeleteOneVersion), 2000)}, "a = 4 @1000\n b = \"text\" @2000"},
		"a version that is not there stays so":   {[]pb.Cell{at(with(integer("a", 0), pb.DeleteOneVersion), 3000)}, "a = 5 @2000\n a = 4 @1000\n b = \"text\" @2000"},
		"all versions are deleted":               {[]pb.Cell{with(integer("a", 0), pb.DeleteAllVersions)}, "b = \"text\" @2000"},
		"the newest version is incremented":      {[]pb.Cell{with(integer("a", -7), pb.Increment)}, "a = -2 @1000000\n a = 5 @2000\n a = 4 @1000\n b = \"text\" @2000"},
		"a missing column counts as zero":        {[]pb.Cell{with(integer("c", 3), pb.Increment)}, "a = 5 @2000\n a = 4 @1000\n b = \"text\" @2000\n c = 3 @1000000"},
		"the oldest version gives way":           {[]pb.Cell{at(integer("a", 7), 3000), at(integer("a", 8), 4000)}, "a = 8 @4000\n a = 7 @3000\n a = 5 @2000\n b = \"text\" @2000"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newTable(t, nil)
			put(t, s, key("k", 1), at(integer("a", 5), 2000), at(integer("a", 4), 1000), at(text("b", "text"), 2000))
			require.Nil(t, update(t, s, key("k", 1), ignore(), c.change...))
			_, rows, _ := strings.Cut(s.Dump(), "\n")
			want := "  \"k\", 1\n    " + strings.ReplaceAll(c.want, "\n ", "\n    ") + "\n"
			require.Equal(t, want, rows)
		})
	}

	s, _ := newTable(t, nil)
	put(t, s, key("k", 1), text("b", "text"))
	before := s.Dump()
	require.Equal(t, &Refusal{400, "OTSParameterInvalid", "VT_STRING is an invalid type for the attribute column."},
		update(t, s, key("k", 1), ignore(), integer("a", 1), with(integer("b", 1), pb.Increment)))
	require.Equal(t, before, s.Dump(), "a refused change changes nothing")
	require.Nil(t, update(t, s, key("new", 1), ignore(), integer("a", 1)))
	require.Contains(t, s.Dump(), "\"new\", 1\n    a = 1 @1000000\n")
}

func TestReturnTypes(t *testing.T) {
	s, _ := newTable(t, nil)
	for name, c := range map[string]struct {
		content *otspb.ReturnContent
		want    []string
	}{
		"nothing":           {nil, nil},
		"the key":           {&otspb.ReturnContent{ReturnType: otspb.ReturnType_RT_PK.Enum()}, []string{"nk/1"}},
		"what was changed":  {&otspb.ReturnContent{ReturnType: otspb.ReturnType_RT_AFTER_MODIFY.Enum()}, []string{"nk/1 a=3 b=1"}},
		"the named columns": {&otspb.ReturnContent{ReturnType: otspb.ReturnType_RT_AFTER_MODIFY.Enum(), ReturnColumnNames: []string{"a"}}, []string{"nk/1 a=3"}},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, s, key("nk", 1), integer("a", 1))
			got := &otspb.UpdateRowResponse{}
			change := encoded(key("nk", 1), with(integer("a", 2), pb.Increment), integer("b", 1))
			require.Nil(t, call(t, s, "UpdateRow", &otspb.UpdateRowRequest{TableName: proto.String("t"), RowChange: change, Condition: ignore(), ReturnContent: c.content}, got))
			require.Equal(t, c.want, cells(t, got.GetRow()))
		})
	}
}

func TestDeleteRow(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), integer("x", 1))
	remove := func(c *otspb.Condition) *Refusal {
		return call(t, s, "DeleteRow", &otspb.DeleteRowRequest{TableName: proto.String("t"), PrimaryKey: deletion(key("a", 1)), Condition: c}, &otspb.DeleteRowResponse{})
	}
	wrong := wire(compare("x", otspb.ComparatorType_CT_EQUAL, pb.IntValue(2)))
	failed := &Refusal{403, "OTSConditionCheckFail", "Condition check failed."}
	require.Equal(t, failed, remove(expects(otspb.RowExistenceExpectation_EXPECT_EXIST, wrong)))
	require.Equal(t, failed, remove(expects(otspb.RowExistenceExpectation_EXPECT_NOT_EXIST)))
	require.Contains(t, s.Dump(), "x = 1")
	require.Nil(t, remove(expects(otspb.RowExistenceExpectation_EXPECT_EXIST)))
	require.NotContains(t, s.Dump(), "x = 1")
	require.Equal(t, failed, remove(expects(otspb.RowExistenceExpectation_EXPECT_EXIST)))
	require.Nil(t, remove(ignore()))
}

func TestAutoIncrement(t *testing.T) {
	s, _ := newTable(t, nil)
	require.Nil(t, call(t, s, "CreateTable", tableRequest("auto", nil, otspb.PrimaryKeyOption_AUTO_INCREMENT.Enum()), &otspb.CreateTableResponse{}))
	write := func(number pb.Value, c *otspb.Condition) (int64, *Refusal) {
		got := &otspb.PutRowResponse{}
		refused := call(t, s, "PutRow", &otspb.PutRowRequest{
			TableName: proto.String("auto"), Row: encoded(keyOf("a", number), integer("x", 1)), Condition: c,
			ReturnContent: &otspb.ReturnContent{ReturnType: otspb.ReturnType_RT_PK.Enum()},
		}, got)
		if refused != nil {
			return 0, refused
		}
		rows, err := pb.Decode(got.GetRow())
		require.NoError(t, err)
		return rows[0].PrimaryKey[1].Value.Int(), nil
	}
	next := pb.MarkValue(pb.AutoIncrement)
	first, refused := write(next, ignore())
	require.Nil(t, refused)
	second, refused := write(next, ignore())
	require.Nil(t, refused)
	require.Greater(t, second, first)

	again, refused := write(pb.IntValue(first), expects(otspb.RowExistenceExpectation_EXPECT_EXIST))
	require.Nil(t, refused)
	require.Equal(t, first, again)
	_, refused = write(pb.IntValue(5), ignore())
	require.Equal(t, "Invalid expect: IGNORE when modify a specific row for table with pk auto increment", refused.Message)
	_, refused = write(next, expects(otspb.RowExistenceExpectation_EXPECT_NOT_EXIST))
	require.Equal(t, "Invalid expect:EXPECT_NOT_EXIST when modify row with pk auto increment", refused.Message)
	_, refused = write(next, expects(otspb.RowExistenceExpectation_IGNORE, wire(compare("x", otspb.ComparatorType_CT_EQUAL, pb.IntValue(1)))))
	require.Equal(t, "Can't set condition when modify row with pk auto increment", refused.Message)
	refused = call(t, s, "DeleteRow", &otspb.DeleteRowRequest{TableName: proto.String("auto"), PrimaryKey: deletion(keyOf("a", next)), Condition: ignore()}, &otspb.DeleteRowResponse{})
	require.Equal(t, "Invalid row to delete which with pk auto increment", refused.Message)
	refused = call(t, s, "GetRow", &otspb.GetRowRequest{TableName: proto.String("auto"), PrimaryKey: encoded(keyOf("a", next)), MaxVersions: proto.Int32(1)}, &otspb.GetRowResponse{})
	require.Equal(t, "PKAutoIncr can't be used for read operations.", refused.Message)
}

func TestTimeToLive(t *testing.T) {
	s, clock := newTable(t, &otspb.TableOptions{TimeToLive: proto.Int32(100), MaxVersions: proto.Int32(3)})
	put(t, s, key("a", 1), at(integer("x", 1), 950_000), at(integer("x", 2), 1_000_000))
	const header = "table t (pk STRING, n INTEGER) ttl 100, versions 3\n"
	clock.now = time.Unix(1050, 0)
	require.Equal(t, header+"  \"a\", 1\n    x = 2 @1000000\n    x = 1 @950000\n", s.Dump(), "at its very age a version still lives")
	clock.now = time.Unix(1051, 0)
	require.Equal(t, header+"  \"a\", 1\n    x = 2 @1000000\n", s.Dump())
	clock.now = time.Unix(1101, 0)
	require.Equal(t, header, s.Dump())
	require.Nil(t, update(t, s, key("a", 1), expects(otspb.RowExistenceExpectation_EXPECT_NOT_EXIST), integer("x", 3)))
	require.Equal(t, header+"  \"a\", 1\n    x = 3 @1101000\n", s.Dump())
}

func TestSelections(t *testing.T) {
	s, _ := newTable(t, nil)
	put(t, s, key("a", 1), at(integer("a", 3), 3000), at(integer("a", 2), 2000), at(integer("b", 1), 1000), at(integer("c", 5), 2000))
	all := func() *otspb.GetRowRequest { return &otspb.GetRowRequest{MaxVersions: proto.Int32(9)} }
	for name, c := range map[string]struct {
		request *otspb.GetRowRequest
		want    []string
	}{
		"all versions":                     {all(), []string{"a/1 a=3 a=2 b=1 c=5"}},
		"the newest versions":              {&otspb.GetRowRequest{MaxVersions: proto.Int32(1)}, []string{"a/1 a=3 b=1 c=5"}},
		"some columns":                     {&otspb.GetRowRequest{MaxVersions: proto.Int32(1), ColumnsToGet: []string{"c", "a"}}, []string{"a/1 a=3 c=5"}},
		"a key column brings the row":      {&otspb.GetRowRequest{MaxVersions: proto.Int32(1), ColumnsToGet: []string{"pk"}}, []string{"a/1"}},
		"no column that the row has":       {&otspb.GetRowRequest{MaxVersions: proto.Int32(1), ColumnsToGet: []string{"none"}}, nil},
		"columns from a name":              {&otspb.GetRowRequest{MaxVersions: proto.Int32(1), StartColumn: proto.String("b")}, []string{"a/1 b=1 c=5"}},
		"columns until a name, without it": {&otspb.GetRowRequest{MaxVersions: proto.Int32(1), EndColumn: proto.String("c")}, []string{"a/1 a=3 b=1"}},
		"a time range, without its end":    {&otspb.GetRowRequest{TimeRange: &otspb.TimeRange{StartTime: proto.Int64(1000), EndTime: proto.Int64(3000)}}, []string{"a/1 a=2 b=1 c=5"}},
		"one time":                         {&otspb.GetRowRequest{TimeRange: &otspb.TimeRange{SpecificTime: proto.Int64(1000)}}, []string{"a/1 b=1"}},
		"a time range and a version":       {&otspb.GetRowRequest{MaxVersions: proto.Int32(1), TimeRange: &otspb.TimeRange{StartTime: proto.Int64(2000), EndTime: proto.Int64(4000)}}, []string{"a/1 a=3 c=5"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.request.TableName, c.request.PrimaryKey = proto.String("t"), encoded(key("a", 1))
			got := &otspb.GetRowResponse{}
			require.Nil(t, call(t, s, "GetRow", c.request, got))
			require.Equal(t, c.want, cells(t, got.GetRow()))
		})
	}
}
