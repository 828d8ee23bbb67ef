package otstest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func TestWhatHasExpiredDoesNotComeBackWithALongerTimeToLive(t *testing.T) {
	s, clock := newTable(t, &otspb.TableOptions{TimeToLive: proto.Int32(100), MaxVersions: proto.Int32(3)})
	put(t, s, key("a", 1), integer("x", 1))
	put(t, s, key("b", 1), at(integer("x", 1), 1_000_000), at(integer("x", 2), 1_090_000))
	clock.now = time.Unix(1150, 0)
	require.Nil(t, call(t, s, "UpdateTable", &otspb.UpdateTableRequest{
		TableName: proto.String("t"), TableOptions: &otspb.TableOptions{TimeToLive: proto.Int32(-1)},
	}, &otspb.UpdateTableResponse{}))
	require.Equal(t, "table t (pk STRING, n INTEGER) ttl -1, versions 3\n  \"b\", 1\n    x = 2 @1090000\n", s.Dump())
}

func TestAServerDoesNotKeepWhatHasExpired(t *testing.T) {
	s, clock := newTable(t, &otspb.TableOptions{TimeToLive: proto.Int32(100), MaxVersions: proto.Int32(1)})
	kept := 0
	for i := range int64(1000) {
		clock.now = clock.now.Add(time.Second)
		put(t, s, key("a", i), integer("x", i))
		s.store.read("t", func(t *table) { kept = max(kept, len(t.rows)) })
	}
	require.LessOrEqual(t, kept, 2*101, "a hundred live")
	require.Nil(t, update(t, s, key("a", 999), expects(otspb.RowExistenceExpectation_EXPECT_EXIST), integer("x", 1)))
}

func TestAWriteReturnsNothingThatHasExpired(t *testing.T) {
	s, _ := newTable(t, &otspb.TableOptions{TimeToLive: proto.Int32(100), MaxVersions: proto.Int32(3)})
	change := func(columns ...pb.Cell) []string {
		got := &otspb.UpdateRowResponse{}
		require.Nil(t, call(t, s, "UpdateRow", &otspb.UpdateRowRequest{
			TableName: proto.String("t"), RowChange: encoded(key("a", 1), columns...), Condition: ignore(),
			ReturnContent: &otspb.ReturnContent{ReturnType: otspb.ReturnType_RT_AFTER_MODIFY.Enum()},
		}, got))
		return cells(t, got.GetRow())
	}
	require.Equal(t, []string{"a/1 y=2"}, change(at(integer("x", 1), 1000), integer("y", 2)))
	require.Equal(t, []string{"a/1"}, change(at(integer("x", 1), 1000)))
}
