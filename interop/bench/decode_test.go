package bench_test

import (
	"fmt"
	"testing"
	_ "unsafe" // for go:linkname

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore/otsprotocol"
	"github.com/golang/protobuf/proto" //nolint:staticcheck // what the SDK is generated for

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// parseRows is how the SDK's GetRange makes its rows, which it does not export.
//
//go:linkname parseRows github.com/aliyun/aliyun-tablestore-go-sdk/tablestore.parsePlainBufferRows
func parseRows(rows []byte) ([]*tablestore.Row, error)

// BenchmarkDecodeGetRange is the SDK's half of the benchmark of the same name in
// package client: an answer of 1,000 rows of 10 columns, decoded as its GetRange does.
// It checks no sum.
func BenchmarkDecodeGetRange(b *testing.B) {
	b.Run("impl=sdk", func(b *testing.B) {
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
		body, err := proto.Marshal(&otsprotocol.GetRangeResponse{
			Consumed:      &otsprotocol.ConsumedCapacity{CapacityUnit: &otsprotocol.CapacityUnit{Read: proto.Int32(1), Write: proto.Int32(2)}},
			DataBlockType: otsprotocol.DataBlockType_DBT_PLAIN_BUFFER.Enum(), Rows: pb.Append(nil, rows...),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var answer otsprotocol.GetRangeResponse
			if err := proto.Unmarshal(body, &answer); err != nil {
				b.Fatal(err)
			}
			if got, err := parseRows(answer.GetRows()); err != nil || len(got) != 1000 {
				b.Fatal(err)
			}
		}
	})
}
