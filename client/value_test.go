package client_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
	"github.com/otsauth/otsauth/otstest"
)

func TestValuesTellTheirKindAndContent(t *testing.T) {
	for _, c := range []struct {
		value client.Value
		kind  client.Kind
		text  string
	}{
		{client.Value{}, client.KindNone, "none"},
		{client.Int(-5), client.KindInt, "-5"},
		{client.Float(0.5), client.KindFloat, "0.5"},
		{client.Bool(true), client.KindBool, "true"},
		{client.String("a\"b"), client.KindString, `"a\"b"`},
		{client.Bytes([]byte{0xff}), client.KindBytes, `"\xff"`},
		{client.InfMin(), client.KindInfMin, "InfMin"},
		{client.InfMax(), client.KindInfMax, "InfMax"},
		{client.AutoIncrement(), client.KindAutoIncrement, "AutoIncrement"},
	} {
		require.Equal(t, c.kind, c.value.Kind())
		require.Equal(t, c.text, c.value.String())
		var got, want [5]any // of another kind than the value's: nothing
		var ok [5]bool
		got[0], ok[0] = c.value.Int()
		got[1], ok[1] = c.value.Float()
		got[2], ok[2] = c.value.Bool()
		got[3], ok[3] = c.value.Text()
		got[4], ok[4] = c.value.Bytes()
		want = [5]any{int64(0), 0.0, false, "", []byte(nil)}
		for i, content := range [5]any{int64(-5), 0.5, true, "a\"b", []byte{0xff}} {
			is := c.kind == client.KindInt+client.Kind(i)
			require.Equal(t, is, ok[i], c.text)
			if is {
				want[i] = content
			}
		}
		require.Equal(t, want, got, c.text)
	}
	require.Equal(t, "Kind(99)", client.Kind(99).String())
}

func TestACloneIsTheSameRowInItsOwnMemory(t *testing.T) {
	row := &client.Row{
		PrimaryKey: client.PrimaryKey{{Name: "id", Value: client.String("a")}},
		Columns: []client.Column{
			{Name: "b", Value: client.Bytes([]byte{1}), Timestamp: time.UnixMilli(5)},
			{Name: "n", Value: client.Int(1)},
		},
	}
	clone := row.Clone()
	require.Equal(t, row, clone)
	row.PrimaryKey[0].Value, row.Columns[1].Name = client.String("other"), "other"
	id, err := clone.Text("id")
	require.NoError(t, err)
	require.Equal(t, "a", id)
	_, ok := clone.Get("n")
	require.True(t, ok)
	require.Nil(t, (*client.Row)(nil).Clone())
}

// A service with few rows to keep out of many reads needs the clones' memory alone.
func TestACloneLetsTheAnswerGo(t *testing.T) {
	const rows, size = 64, 64 << 10
	page := make([]*pb.Row, rows)
	for i := range page {
		page[i] = &pb.Row{
			PrimaryKey: []pb.Cell{{Name: "n", Value: pb.IntValue(int64(i))}},
			Columns:    []pb.Cell{{Name: "s", Value: pb.StringValue(strings.Repeat("x", size)), HasTimestamp: true}},
		}
	}
	body, err := proto.Marshal(&otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(pb.Append(nil, page...))})
	require.NoError(t, err)
	var kept []*client.Row
	before := heap()
	for range 8 {
		answer, err := client.DecodeGetRange(body)
		require.NoError(t, err)
		kept = append(kept, answer.Rows[0].Clone())
	}
	require.Less(t, heap()-before, int64(rows*size), "without Clone each of them keeps as much")
	runtime.KeepAlive(kept)
	runtime.KeepAlive(body)
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what a pool held goes with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestTheServiceNumbersAnAutoIncrementColumn(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{})
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}, {Name: "seq", Type: client.KeyInteger, AutoIncrement: true}},
	})
	require.NoError(t, err)
	last := int64(0)
	for range 3 {
		put, err := c.PutRow(t.Context(), &client.PutRowRequest{
			Table: "table", PrimaryKey: append(idKey("a"), client.KeyColumn{Name: "seq", Value: client.AutoIncrement()}), Return: client.ReturnPrimaryKey,
		})
		require.NoError(t, err)
		seq, err := put.Row.Int("seq")
		require.NoError(t, err)
		require.Greater(t, seq, last)
		last = seq
	}
}

// Sparse tables have rows of very different sizes.
func TestASmallRowBeforeLargeOnesTakesNoMemoryForManyLikeIt(t *testing.T) {
	rows := []*pb.Row{{PrimaryKey: []pb.Cell{{Name: "n", Value: pb.IntValue(0)}}, Columns: []pb.Cell{{Name: "i", Value: pb.IntValue(1)}}}}
	for i := range 400 {
		rows = append(rows, &pb.Row{
			PrimaryKey: []pb.Cell{{Name: "n", Value: pb.IntValue(int64(i + 1))}}, Columns: []pb.Cell{{Name: "s", Value: pb.StringValue(strings.Repeat("x", 10<<10))}},
		})
	}
	body, err := proto.Marshal(&otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(pb.Append(nil, rows...))})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	answer, err := client.DecodeGetRange(body)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Len(t, answer.Rows, 401)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(body)*3/2))
}
