package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// calls are all actions that have a typed answer.
func calls() []func(context.Context, *client.OTSClient) error {
	key := idKey("a")
	return []func(context.Context, *client.OTSClient) error{
		func(ctx context.Context, c *client.OTSClient) error { _, err := c.ListTable(ctx); return err },
		func(ctx context.Context, c *client.OTSClient) error { _, err := c.DescribeTable(ctx, "t"); return err },
		func(ctx context.Context, c *client.OTSClient) error { _, err := c.DeleteTable(ctx, "t"); return err },
		func(ctx context.Context, c *client.OTSClient) error {
			_, err := c.UpdateTable(ctx, &client.UpdateTableRequest{Table: "t", Options: client.TableOptions{MaxVersions: 1}})
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			_, err := c.CreateTable(ctx, &client.CreateTableRequest{Table: "t", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}}})
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			_, err := c.GetRow(ctx, &client.GetRowRequest{Table: "t", PrimaryKey: key})
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			_, err := c.PutRow(ctx, &client.PutRowRequest{Table: "t", PrimaryKey: key})
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			_, err := c.UpdateRow(ctx, &client.UpdateRowRequest{Table: "t", PrimaryKey: key, Changes: []client.Change{client.DeleteColumn("c")}})
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			_, err := c.DeleteRow(ctx, &client.DeleteRowRequest{Table: "t", PrimaryKey: key})
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			for _, err := range c.Rows(ctx, &client.GetRangeRequest{Table: "t", Start: key, End: key, Limit: 1000}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, c *client.OTSClient) error {
			got, err := c.BatchGetRow(ctx, &client.BatchGetRowRequest{Tables: []client.BatchGetTable{{Table: "t", PrimaryKeys: []client.PrimaryKey{key}}}})
			if err == nil {
				err = got.Results[0][0].Err
			}
			return err
		},
		func(ctx context.Context, c *client.OTSClient) error {
			got, err := c.BatchWriteRow(ctx, &client.BatchWriteRowRequest{Rows: []client.Write{&client.DeleteRowRequest{Table: "t", PrimaryKey: key}}})
			if err == nil {
				err = got.Results[0].Err
			}
			return err
		},
	}
}

// FuzzAnswers answers each action with any bytes, as an answer or an error:
// there is a result or an [*client.Error], never a panic or an endless loop.
func FuzzAnswers(f *testing.F) {
	rows := pb.Append(nil, numbered(1), numbered(2))
	for _, message := range []proto.Message{
		&otspb.ListTableResponse{TableNames: []string{"t"}},
		&otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(rows), NextStartPrimaryKey: answered(pb.Append(nil, numbered(0)))},
		&otspb.GetRowResponse{Consumed: consumed(), Row: answered(onWire("a", 1, 2)), NextToken: []byte("x")},
		&otspb.BatchGetRowResponse{Tables: []*otspb.TableInBatchGetRowResponse{{TableName: proto.String("t"), Rows: []*otspb.RowInBatchGetRowResponse{{IsOk: proto.Bool(true), Row: answered(onWire("a", 1))}}}}},
		&otspb.DescribeTableResponse{
			TableMeta:                 &otspb.TableMeta{TableName: proto.String("t"), DefinedColumn: []*otspb.DefinedColumnSchema{{Name: proto.String("c"), Type: otspb.DefinedColumnType_DCT_BLOB.Enum()}}},
			ReservedThroughputDetails: &otspb.ReservedThroughputDetails{CapacityUnit: &otspb.CapacityUnit{}, LastIncreaseTime: proto.Int64(1)},
			TableOptions:              &otspb.TableOptions{TimeToLive: proto.Int32(-1)},
		},
		&otspb.Error{Code: proto.String("OTSServerBusy"), Message: proto.String("m")},
	} {
		content, err := proto.Marshal(message)
		require.NoError(f, err)
		f.Add(content)
	}
	var status int
	var body []byte
	answer := roundTripFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Header: http.Header{}}, nil
	})
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	c, err := client.New("https://stub.invalid", "stub", p, &client.Options{Transport: answer, InsecureSkipResponseCheck: true, Retry: client.NoRetryPolicy{}})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, c.Close()) })
	f.Fuzz(func(t *testing.T, content []byte) {
		body = content
		for _, status = range []int{http.StatusOK, http.StatusForbidden, http.StatusServiceUnavailable} {
			for i, call := range calls() {
				err := call(t.Context(), c)
				var ce *client.Error
				if err != nil && !errors.As(err, &ce) {
					t.Fatalf("action %d: %v", i, err)
				}
				if err == nil && status != http.StatusOK {
					t.Fatalf("action %d: no error from HTTP %d", i, status)
				}
			}
		}
	})
}

// TestAnyRowComesBackAsItWasPut puts rows and reads them back through the wire's
// form.
func TestAnyRowComesBackAsItWasPut(t *testing.T) {
	var stored []byte
	c := stub(func(action string, body []byte) (int, proto.Message) {
		switch action {
		case "PutRow":
			var request otspb.PutRowRequest
			require.NoError(t, proto.Unmarshal(body, &request))
			stored = request.GetRow()
			return http.StatusOK, &otspb.PutRowResponse{Consumed: consumed()}
		case "GetRange":
			return http.StatusOK, &otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(append(append([]byte{}, stored...), stored[4:]...))}
		}
		return http.StatusOK, &otspb.GetRowResponse{Consumed: consumed(), Row: answered(stored)}
	}).client(t, client.Options{})
	rapid.Check(t, func(r *rapid.T) {
		key, columns := drawKey(r), drawColumns(r)
		_, err := c.PutRow(t.Context(), &client.PutRowRequest{Table: "t", PrimaryKey: key, Columns: columns})
		require.NoError(r, err)
		got, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "t", PrimaryKey: key})
		require.NoError(r, err)
		page, err := c.GetRange(t.Context(), &client.GetRangeRequest{Table: "t", Start: key, End: key})
		require.NoError(r, err)
		require.Len(r, page.Rows, 2)
		for _, row := range append(page.Rows, got.Row) {
			require.Equal(r, key, row.PrimaryKey)
			require.Len(r, row.Columns, len(columns))
			for i, column := range row.Columns {
				require.Equal(r, columns[i].Name, column.Name)
				require.True(r, columns[i].Value.Equal(column.Value), "%s and %s", columns[i].Value, column.Value)
				require.True(r, columns[i].Timestamp.Equal(column.Timestamp))
			}
		}
	})
}

func drawKey(r *rapid.T) client.PrimaryKey {
	values := rapid.OneOf(
		rapid.Map(rapid.Int64(), client.Int), rapid.Map(rapid.String(), client.String), rapid.Map(rapid.SliceOf(rapid.Byte()), client.Bytes),
	)
	key := make(client.PrimaryKey, rapid.IntRange(1, 4).Draw(r, "keys"))
	for i := range key {
		key[i] = client.KeyColumn{Name: fmt.Sprint("k", i), Value: values.Draw(r, "key")}
	}
	return key
}

func drawColumns(r *rapid.T) []client.Column {
	values := rapid.OneOf(
		rapid.Map(rapid.Int64(), client.Int), rapid.Map(rapid.String(), client.String), rapid.Map(rapid.SliceOf(rapid.Byte()), client.Bytes),
		rapid.Map(rapid.Float64(), client.Float), rapid.Map(rapid.Bool(), client.Bool),
	)
	columns := make([]client.Column, rapid.IntRange(0, 20).Draw(r, "columns"))
	for i := range columns {
		columns[i] = client.Column{Name: rapid.StringN(1, 8, -1).Draw(r, "name"), Value: values.Draw(r, "value")}
		if rapid.Bool().Draw(r, "dated") {
			columns[i].Timestamp = time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(r, "time"))
		}
	}
	return columns
}

// FuzzOneRow compares the decoding of an answer of one row with the runtime's of
// protobuf: what that accepts we decode alike, but for rows that are broken.
func FuzzOneRow(f *testing.F) {
	for _, message := range []*otspb.GetRowResponse{
		{Consumed: consumed(), Row: answered(onWire("a", 1, 2)), NextToken: []byte("x")},
		{Consumed: consumed(), Row: answered(nil)},
		{Consumed: &otspb.ConsumedCapacity{CapacityUnit: &otspb.CapacityUnit{Read: proto.Int32(-1)}, CapacityDataSize: &otspb.CapacityDataSize{ReadSize: proto.Int64(9)}}, Row: answered(nil)},
	} {
		content, err := proto.Marshal(message)
		require.NoError(f, err)
		f.Add(content)
		f.Add(append(content, content...))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		consumed, row, token, err := client.DecodeOneRow(body)
		var want otspb.GetRowResponse
		if proto.Unmarshal(body, &want) != nil {
			return
		}
		if err != nil {
			require.True(t, isBroken(want.GetRow()), "only a broken row is refused, not this: %v", err)
			return
		}
		require.Equal(t, units(want.GetConsumed()), consumed)
		require.Equal(t, want.GetRow() != "", row != nil)
		require.Equal(t, want.GetNextToken(), token)
	})
}

// units is a consumption in its public form.
func units(c *otspb.ConsumedCapacity) client.Capacity {
	return client.Capacity{Read: int(c.GetCapacityUnit().GetRead()), Write: int(c.GetCapacityUnit().GetWrite())}
}

// isBroken reports whether an answer's rows are none that can be read.
func isBroken(data string) bool {
	rows, err := pb.Decode(data)
	return err != nil || slices.ContainsFunc(rows, func(r pb.Row) bool {
		return r.Deleted || r.Extension != "" || slices.ContainsFunc(slices.Concat(r.PrimaryKey, r.Columns), func(c pb.Cell) bool {
			return c.Absent || c.Op != pb.Put || c.Value.Kind() == pb.Null
		})
	})
}

// FuzzRange is FuzzOneRow for the answer of GetRange.
func FuzzRange(f *testing.F) {
	two, next := answered(pb.Append(nil, numbered(1), numbered(2))), answered(pb.Append(nil, &pb.Row{PrimaryKey: numbered(3).PrimaryKey}))
	for _, message := range []*otspb.GetRangeResponse{
		{Consumed: consumed(), Rows: two, NextStartPrimaryKey: next, NextToken: []byte("x")},
		{Consumed: consumed(), Rows: answered(nil)},
		{Consumed: consumed(), Rows: two, DataBlockType: otspb.DataBlockType_DBT_SIMPLE_ROW_MATRIX.Enum(), CompressType: otspb.CompressType_CPT_NONE.Enum()},
	} {
		content, err := proto.Marshal(message)
		require.NoError(f, err)
		f.Add(content)
		f.Add(append(content, content...))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := client.DecodeGetRange(body)
		var want otspb.GetRangeResponse
		if proto.Unmarshal(body, &want) != nil {
			return
		}
		if err != nil {
			known := want.GetDataBlockType() == otspb.DataBlockType_DBT_PLAIN_BUFFER && len(want.ProtoReflect().GetUnknown()) == 0
			nexts, _ := pb.Decode(want.GetNextStartPrimaryKey())
			require.False(t, known && (want.GetRows() == "" || !isBroken(want.GetRows())) &&
				(want.GetNextStartPrimaryKey() == "" || len(nexts) == 1 && !isBroken(want.GetNextStartPrimaryKey())), "refused: %v", err)
			return
		}
		require.Equal(t, units(want.GetConsumed()), got.Consumed)
		require.Equal(t, want.GetNextToken(), got.NextToken)
		require.Equal(t, want.GetNextStartPrimaryKey() != "", got.Next != nil)
		rows, err := pb.Decode(want.GetRows())
		require.True(t, err == nil || want.GetRows() == "")
		require.Len(t, got.Rows, len(rows))
	})
}
