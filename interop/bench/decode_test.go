package bench_test

import (
	"bytes"
	"fmt"
	"testing"
	_ "unsafe" // for go:linkname

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// readRows is how the SDK decodes the rows of an answer, which it does not export.
//
//go:linkname readRows github.com/aliyun/aliyun-tablestore-go-sdk/tablestore.readRowsWithHeader
func readRows(r *bytes.Reader) ([]*tablestore.PlainBufferRow, error)

// BenchmarkDecodeRows is the SDK's half of the benchmark of the same name in package
// client: 1,000 rows of 10 columns. What it makes of them is not yet what its GetRange
// returns, and it checks no sum.
func BenchmarkDecodeRows(b *testing.B) {
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
		data := pb.Append(nil, rows...)
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if got, err := readRows(bytes.NewReader(data)); err != nil || len(got) != 1000 {
				b.Fatal(err)
			}
		}
	})
}
