package otstest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func TestAnAtomicBatchIsWrittenAsAWholeOrNotAtAll(t *testing.T) {
	const kindPut, kindUpdate, kindDelete = otspb.OperationType_PUT, otspb.OperationType_UPDATE, otspb.OperationType_DELETE
	exist := expects(otspb.RowExistenceExpectation_EXPECT_EXIST)
	first := write(kindPut, encoded(key("a", 2), integer("x", 2)), ignore())
	for name, c := range map[string]struct {
		rows []*otspb.RowInBatchWriteRowRequest
		want string // the error of every row; "": none
	}{
		"all rows of one partition key": {[]*otspb.RowInBatchWriteRowRequest{
			first, write(kindUpdate, encoded(key("a", 2), integer("y", 1)), ignore()), write(kindDelete, deletion(key("a", 1)), exist),
		}, ""},
		"two partition keys": {[]*otspb.RowInBatchWriteRowRequest{
			first, write(kindPut, encoded(key("b", 2), integer("x", 2)), ignore()),
		}, "OTSDataOutOfRange Data out of scope of atomic. Atomic PartKey:a. Data PartKey:b"},
		"partition keys of two types": {[]*otspb.RowInBatchWriteRowRequest{
			first, write(kindPut, encoded([]pb.Cell{integer("pk", 7), integer("n", 1)}, integer("x", 2)), ignore()),
		}, "OTSDataOutOfRange Data out of scope of atomic. Atomic PartKey:a. Data PartKey:7"},
		"a condition that fails behind a row that was written": {[]*otspb.RowInBatchWriteRowRequest{
			first, write(kindDelete, deletion(key("a", 1)), ignore()), write(kindDelete, deletion(key("a", 3)), exist), write(kindPut, encoded(key("a", 4), integer("x", 2)), ignore()),
		}, "OTSConditionCheckFail Condition check failed."},
		"an increment of a text": {[]*otspb.RowInBatchWriteRowRequest{
			first, write(kindUpdate, encoded(key("a", 1), with(integer("s", 1), pb.Increment)), ignore()),
		}, "OTSParameterInvalid VT_STRING is an invalid type for the attribute column."},
		"a wrong key": {[]*otspb.RowInBatchWriteRowRequest{
			first, write(kindPut, encoded(keyOf("a", pb.StringValue("1")), integer("x", 2)), ignore()),
		}, "OTSInvalidPK Validate PK type fail. Input: VT_STRING, Meta: VT_INTEGER."},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newTable(t, nil)
			put(t, s, key("a", 1), integer("x", 1), text("s", "1"))
			before := s.Dump()
			request, got := writes(c.rows...), &otspb.BatchWriteRowResponse{}
			request.IsAtomic = proto.Bool(true)
			require.Nil(t, call(t, s, "BatchWriteRow", request, got))
			require.Len(t, got.GetTables()[0].GetRows(), len(c.rows))
			for _, r := range got.GetTables()[0].GetRows() {
				require.Equal(t, c.want == "", r.GetIsOk())
				if c.want != "" {
					require.Equal(t, c.want, r.GetError().GetCode()+" "+r.GetError().GetMessage())
					require.Nil(t, r.GetConsumed())
				}
			}
			if c.want != "" {
				require.Equal(t, before, s.Dump())
				return
			}
			require.Equal(t, "table t (pk STRING, n INTEGER) ttl -1, versions 3\n  \"a\", 2\n    x = 2 @1000000\n    y = 1 @1000000\n", s.Dump())
		})
	}
}
