package client_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// BenchmarkEncodePutRow encodes the body of a PutRow of 2 key columns and 10
// others. The module interop has the same benchmark with the official Go SDK.
func BenchmarkEncodePutRow(b *testing.B) {
	b.Run("impl=otsauth", benchmarkEncodePutRow)
}

func benchmarkEncodePutRow(b *testing.B) {
	req := &client.PutRowRequest{
		Table: "table", PrimaryKey: client.PrimaryKey{{Name: "pk1", Value: client.String("iampk")}, {Name: "pk2", Value: client.Int(100)}},
	}
	for i := range 10 {
		req.Columns = append(req.Columns, client.Column{Name: fmt.Sprint("column", i), Value: client.Int(int64(i))})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.EncodePutRow(req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeGetRange decodes an answer of 1,000 rows of 10 columns and checks
// their sums. The module interop has the same benchmark with the official Go SDK.
func BenchmarkDecodeGetRange(b *testing.B) {
	b.Run("impl=otsauth", benchmarkDecodeGetRange)
}

func benchmarkDecodeGetRange(b *testing.B) {
	rows := make([]*pb.Row, 1000)
	for i := range rows {
		rows[i] = &pb.Row{PrimaryKey: []pb.Cell{{Name: "pk1", Value: pb.StringValue("iampk")}, {Name: "pk2", Value: pb.IntValue(int64(i))}}}
		for j := range 10 {
			cell := pb.Cell{Name: fmt.Sprint("column", j), Value: pb.IntValue(int64(j)), HasTimestamp: true, Timestamp: 1700000000000}
			if j%2 == 0 {
				cell.Value = pb.StringValue("some text of a row")
			}
			rows[i].Columns = append(rows[i].Columns, cell)
		}
	}
	body, err := proto.Marshal(&otspb.GetRangeResponse{
		Consumed: consumed(), Rows: answered(pb.Append(nil, rows...)), DataBlockType: otspb.DataBlockType_DBT_PLAIN_BUFFER.Enum(),
	})
	require.NoError(b, err)
	got, err := client.DecodeGetRange(body)
	require.NoError(b, err)
	require.Len(b, got.Rows, 1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.DecodeGetRange(body); err != nil {
			b.Fatal(err)
		}
	}
}
