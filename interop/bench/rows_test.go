package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore/otsprotocol"
	sdkproto "github.com/golang/protobuf/proto" //nolint:staticcheck // what the SDK is generated for

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// rowCount is how many rows the benchmarks of GetRange read.
const rowCount = 1000

// put writes a row of 2 key columns and 10 others, some of which are texts.
func put(n, texts int) *client.PutRowRequest {
	request := &client.PutRowRequest{
		Table:      "t",
		PrimaryKey: client.PrimaryKey{{Name: "pk1", Value: client.String("iampk")}, {Name: "pk2", Value: client.Int(int64(n))}},
	}
	for i := range 10 {
		column := client.Column{Name: fmt.Sprint("column", i), Value: client.Int(int64(i))}
		if i < texts {
			column.Value = client.String("some text of a row")
		}
		request.Columns = append(request.Columns, column)
	}
	return request
}

// sdkPut is the same for the SDK.
func sdkPut(request *client.PutRowRequest) *tablestore.PutRowChange {
	change := &tablestore.PutRowChange{TableName: request.Table, PrimaryKey: &tablestore.PrimaryKey{}}
	for _, c := range request.PrimaryKey {
		change.PrimaryKey.AddPrimaryKeyColumn(c.Name, native(c.Value))
	}
	for _, c := range request.Columns {
		change.AddColumn(c.Name, native(c.Value))
	}
	change.SetCondition(tablestore.RowExistenceExpectation_IGNORE)
	return change
}

func native(v client.Value) any {
	if s, is := v.Text(); is {
		return s
	}
	n, _ := v.Int()
	return n
}

// sdkBody encodes a write as the SDK's PutRow does, with its exported parts.
func sdkBody(change *tablestore.PutRowChange) ([]byte, error) {
	return sdkproto.Marshal(&otsprotocol.PutRowRequest{
		TableName: sdkproto.String(change.TableName), Row: change.Serialize(),
		Condition: &otsprotocol.Condition{RowExistence: otsprotocol.RowExistenceExpectation_IGNORE.Enum()},
	})
}

// BenchmarkEncodePutRow makes the body of a PutRow, the same bytes with both.
func BenchmarkEncodePutRow(b *testing.B) {
	for _, texts := range []int{0, 5} {
		b.Run(fmt.Sprint("texts=", texts), func(b *testing.B) { benchmarkEncodePutRow(b, put(100, texts)) })
	}
}

func benchmarkEncodePutRow(b *testing.B, ours *client.PutRowRequest) {
	b.Helper()
	theirs := sdkPut(ours)
	want, _, err := ourBody(text{}, ours)
	if err != nil {
		b.Fatal(err)
	}
	if got, err := sdkBody(theirs); err != nil || !bytes.Equal(got, want) {
		b.Fatalf("%x is not %x: %v", got, want, err)
	}
	b.Run("impl=otsauth", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ourBody(text{}, ours); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("impl=sdk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sdkBody(theirs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A rangeBench is a table of rowCount rows at a server, whose last answer can be
// had again.
type rangeBench struct {
	recorder *recorder
	ours     *client.OTSClient
	request  *client.GetRangeRequest
}

// newRangeBench records the answer to a GetRange of the whole table.
func newRangeBench(b *testing.B) *rangeBench {
	b.Helper()
	server := otstest.NewServer(b, &otstest.Options{Instance: instance})
	server.AddKey(loopbackCredentials())
	r := &rangeBench{recorder: &recorder{RoundTripper: server.Transport()}}
	var err error
	r.ours, err = client.New("https://otstest.invalid", instance, otsauth.Static(loopbackCredentials()), &client.Options{Transport: r.recorder})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.ours.Close() })
	fillTable(b, r.ours)
	r.request = &client.GetRangeRequest{
		Table: "t",
		Start: client.PrimaryKey{{Name: "pk1", Value: client.InfMin()}, {Name: "pk2", Value: client.InfMin()}},
		End:   client.PrimaryKey{{Name: "pk1", Value: client.InfMax()}, {Name: "pk2", Value: client.InfMax()}},
	}
	if _, err := r.ours.GetRange(b.Context(), r.request); err != nil {
		b.Fatal(err)
	}
	r.recorder.replay = true
	return r
}

// fillTable writes the rows.
func fillTable(b *testing.B, c *client.OTSClient) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	_, err := c.CreateTable(ctx, &client.CreateTableRequest{
		Table: "t", PrimaryKey: []client.KeySchema{{Name: "pk1", Type: client.KeyString}, {Name: "pk2", Type: client.KeyInteger}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for n := range rowCount {
		if _, err := c.PutRow(ctx, put(n, 5)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeGetRange decodes an answer's body to the rows that a user gets. We
// check the sums of all rows and cells, the SDK none.
func BenchmarkDecodeGetRange(b *testing.B) {
	body := newRangeBench(b).recorder.body
	b.Run("impl=otsauth", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		loopRange(b, func() (int, error) {
			got, err := ourRange(text{}, body)
			if err != nil {
				return 0, err
			}
			return len(got.Rows), nil
		})
	})
	b.Run("impl=sdk", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		loopRange(b, func() (int, error) {
			var answer otsprotocol.GetRangeResponse
			if err := sdkproto.Unmarshal(body, &answer); err != nil {
				return 0, err
			}
			rows, err := sdkRows(answer.GetRows())
			return len(rows), err
		})
	})
}

// loopRange measures what has to come to all rows.
func loopRange(b *testing.B, read func() (rows int, err error)) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if rows, err := read(); err != nil || rows != rowCount {
			b.Fatalf("%d rows: %v", rows, err)
		}
	}
}

// BenchmarkGetRange gets the rows from a transport that has them ready. We check the
// answer's digest and signature and each row's and cell's checksum; the SDK checks
// none of them.
func BenchmarkGetRange(b *testing.B) {
	ready := newRangeBench(b)
	b.Run("impl=otsauth", func(b *testing.B) {
		loopRange(b, func() (int, error) {
			got, err := ready.ours.GetRange(b.Context(), ready.request)
			if err != nil {
				return 0, err
			}
			return len(got.Rows), nil
		})
	})
	b.Run("impl=sdk", func(b *testing.B) {
		config := tablestore.NewDefaultTableStoreConfig()
		config.Transport = ready.recorder
		creds := loopbackCredentials()
		sdk := tablestore.NewClientWithConfig("https://otstest.invalid", instance, creds.AccessKeyID, creds.AccessKeySecret.Reveal(), creds.SecurityToken.Reveal(), config)
		low, high := &tablestore.PrimaryKey{}, &tablestore.PrimaryKey{}
		for _, name := range []string{"pk1", "pk2"} {
			low.AddPrimaryKeyColumnWithMinValue(name)
			high.AddPrimaryKeyColumnWithMaxValue(name)
		}
		request := &tablestore.GetRangeRequest{RangeRowQueryCriteria: &tablestore.RangeRowQueryCriteria{
			TableName: "t", StartPrimaryKey: low, EndPrimaryKey: high, MaxVersion: 1,
		}}
		loopRange(b, func() (int, error) {
			got, err := sdk.GetRange(request)
			if err != nil {
				return 0, err
			}
			return len(got.Rows), nil
		})
	})
}
