package bench_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore/otsprotocol"
	"github.com/golang/protobuf/proto" //nolint:staticcheck // what the SDK is generated for

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// BenchmarkEncodePutRow is the SDK's half of the benchmark of the same name in
// package client: the body of a PutRow of 2 key columns and 10 others, encoded as
// its PutRow does, with its exported parts.
func BenchmarkEncodePutRow(b *testing.B) {
	b.Run("impl=sdk", func(b *testing.B) {
		change := &tablestore.PutRowChange{TableName: "table", PrimaryKey: &tablestore.PrimaryKey{}}
		change.PrimaryKey.AddPrimaryKeyColumn("pk1", "iampk")
		change.PrimaryKey.AddPrimaryKeyColumn("pk2", int64(100))
		change.SetCondition(tablestore.RowExistenceExpectation_IGNORE)
		for i := range 10 {
			change.AddColumn(fmt.Sprint("column", i), int64(i))
		}
		b.ReportAllocs()
		for b.Loop() {
			body, err := proto.Marshal(&otsprotocol.PutRowRequest{
				TableName: proto.String(change.TableName), Row: change.Serialize(),
				Condition: &otsprotocol.Condition{RowExistence: otsprotocol.RowExistenceExpectation_IGNORE.Enum()},
			})
			if err != nil || len(body) == 0 {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkGetRange gets 1,000 rows of 10 columns from a transport that has them
// ready: the SDK decodes nowhere else. We check the answer's digest and signature and
// each row's and cell's checksum; it checks none of them.
func BenchmarkGetRange(b *testing.B) {
	server := otstest.NewServer(b, &otstest.Options{Instance: instance})
	creds := loopbackCredentials()
	server.AddKey(creds)
	ready := &recorder{RoundTripper: server.Transport()}
	ours, err := client.New("https://otstest.invalid", instance, otsauth.Static(creds), &client.Options{Transport: ready})
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	fillTable(b, ours)
	low := client.PrimaryKey{{Name: "pk1", Value: client.InfMin()}, {Name: "pk2", Value: client.InfMin()}}
	high := client.PrimaryKey{{Name: "pk1", Value: client.InfMax()}, {Name: "pk2", Value: client.InfMax()}}
	request := &client.GetRangeRequest{Table: "t", Start: low, End: high}
	if _, err := ours.GetRange(b.Context(), request); err != nil { // recorded
		b.Fatal(err)
	}
	ready.replay = true
	b.Run("impl=otsauth", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got, err := ours.GetRange(b.Context(), request)
			if err != nil || len(got.Rows) != 1000 {
				b.Fatal(err)
			}
		}
	})
	b.Run("impl=sdk", func(b *testing.B) {
		config := tablestore.NewDefaultTableStoreConfig()
		config.Transport = ready
		sdk := tablestore.NewClientWithConfig("https://otstest.invalid", instance, creds.AccessKeyID, creds.AccessKeySecret.Reveal(), creds.SecurityToken.Reveal(), config)
		low, high := &tablestore.PrimaryKey{}, &tablestore.PrimaryKey{}
		for _, name := range []string{"pk1", "pk2"} {
			low.AddPrimaryKeyColumnWithMinValue(name)
			high.AddPrimaryKeyColumnWithMaxValue(name)
		}
		b.ReportAllocs()
		for b.Loop() {
			got, err := sdk.GetRange(&tablestore.GetRangeRequest{RangeRowQueryCriteria: &tablestore.RangeRowQueryCriteria{
				TableName: "t", StartPrimaryKey: low, EndPrimaryKey: high, MaxVersion: 1,
			}})
			if err != nil || len(got.Rows) != 1000 {
				b.Fatal(err)
			}
		}
	})
}

// fillTable writes 1,000 rows of 10 columns.
func fillTable(b *testing.B, c *client.OTSClient) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	_, err := c.CreateTable(ctx, &client.CreateTableRequest{
		Table: "t", PrimaryKey: []client.KeySchema{{Name: "pk1", Type: client.KeyString}, {Name: "pk2", Type: client.KeyInteger}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for row := range 1000 {
		columns := make([]client.Column, 10)
		for i := range columns {
			columns[i] = client.Column{Name: fmt.Sprint("column", i), Value: client.Int(int64(i))}
			if i%2 == 0 {
				columns[i].Value = client.String("some text of a row")
			}
		}
		_, err := c.PutRow(ctx, &client.PutRowRequest{
			Table: "t", Columns: columns,
			PrimaryKey: client.PrimaryKey{{Name: "pk1", Value: client.String("iampk")}, {Name: "pk2", Value: client.Int(int64(row))}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
