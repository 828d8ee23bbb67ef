package client_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/otstest"
)

// versions makes a table that keeps 3 versions, and a row with 3 of column c, at
// 1, 2 and 3 seconds before now.
func versions(t *testing.T, c *client.OTSClient) time.Time {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", MaxVersions: 3, PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}},
	})
	require.NoError(t, err)
	now := time.Now().Truncate(time.Millisecond)
	var changes []client.Change
	for i := range 3 {
		changes = append(changes, client.PutVersion("c", client.Int(int64(i+1)), now.Add(-time.Duration(i+1)*time.Second)))
	}
	_, err = c.UpdateRow(t.Context(), &client.UpdateRowRequest{Table: "table", PrimaryKey: idKey("a"), Changes: changes})
	require.NoError(t, err)
	return now
}

func TestVersionsAreChosenByNumberAndTime(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{})
	now := versions(t, c)
	for name, r := range map[string]struct {
		request client.GetRowRequest
		want    []int64
	}{
		"the newest":             {client.GetRowRequest{}, []int64{1}},
		"the two newest":         {client.GetRowRequest{MaxVersions: 2}, []int64{1, 2}},
		"all":                    {client.GetRowRequest{MaxVersions: 9}, []int64{1, 2, 3}},
		"from a time on":         {client.GetRowRequest{MaxVersions: 9, Times: &client.TimeRange{Start: now.Add(-2 * time.Second)}}, []int64{1, 2}},
		"before a time":          {client.GetRowRequest{MaxVersions: 9, Times: &client.TimeRange{End: now.Add(-2 * time.Second)}}, []int64{3}},
		"of a time":              {client.GetRowRequest{Times: &client.TimeRange{At: now.Add(-2 * time.Second)}}, []int64{2}},
		"of a time without any":  {client.GetRowRequest{Times: &client.TimeRange{At: now.Add(-9 * time.Second)}}, nil},
		"with columns after 'c'": {client.GetRowRequest{StartColumn: "d"}, nil},
		"with columns up to 'c'": {client.GetRowRequest{EndColumn: "c"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r.request.Table, r.request.PrimaryKey = "table", idKey("a")
			got, err := c.GetRow(t.Context(), &r.request)
			require.NoError(t, err)
			var values []int64
			if got.Row != nil {
				for _, column := range got.Row.Columns {
					n, ok := column.Value.Int()
					require.True(t, ok)
					values = append(values, n)
				}
			}
			require.Equal(t, r.want, values)
		})
	}
	t.Run("one can be deleted, and all", func(t *testing.T) {
		_, err := c.UpdateRow(t.Context(), &client.UpdateRowRequest{Table: "table", PrimaryKey: idKey("a"), Changes: []client.Change{
			client.DeleteVersion("c", now.Add(-time.Second)), client.PutColumn("d", client.Bool(true)),
		}})
		require.NoError(t, err)
		got, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: idKey("a"), MaxVersions: 9, Columns: []string{"c"}})
		require.NoError(t, err)
		require.Len(t, got.Row.Columns, 2)
		_, err = c.UpdateRow(t.Context(), &client.UpdateRowRequest{Table: "table", PrimaryKey: idKey("a"), Changes: []client.Change{client.DeleteColumn("c")}})
		require.NoError(t, err)
		got, err = c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: idKey("a"), MaxVersions: 9})
		require.NoError(t, err)
		require.Len(t, got.Row.Columns, 1)
		require.Equal(t, "d", got.Row.Columns[0].Name)
	})
}

func TestAnUpdateOfATableLeavesTheRestAsItIs(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{})
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}},
		TimeToLive: 48 * time.Hour, MaxVersions: 5, MaxTimeDeviation: time.Hour, UpdateForbidden: true,
		Stream: &client.Stream{Enabled: true, Expires: 12 * time.Hour},
	})
	require.NoError(t, err)
	want := client.TableOptions{TimeToLive: 48 * time.Hour, MaxVersions: 5, MaxTimeDeviation: time.Hour, UpdateForbidden: true}
	for _, step := range []struct {
		name   string
		update client.UpdateTableRequest
		change func(*client.TableOptions)
	}{
		{"days to live", client.UpdateTableRequest{Options: client.TableOptions{TimeToLive: 24 * time.Hour}}, func(o *client.TableOptions) { o.TimeToLive = 24 * time.Hour }},
		{"life for ever", client.UpdateTableRequest{Options: client.TableOptions{TimeToLive: client.Forever}}, func(o *client.TableOptions) { o.TimeToLive = client.Forever }},
		{"versions", client.UpdateTableRequest{Options: client.TableOptions{MaxVersions: 3}}, func(o *client.TableOptions) { o.MaxVersions = 3 }},
		{"deviation", client.UpdateTableRequest{Options: client.TableOptions{MaxTimeDeviation: time.Minute}}, func(o *client.TableOptions) { o.MaxTimeDeviation = time.Minute }},
		{"throughput", client.UpdateTableRequest{Reserved: &client.Capacity{Read: 1}}, func(*client.TableOptions) {}},
		{"updates allowed", client.UpdateTableRequest{AllowUpdate: true}, func(o *client.TableOptions) { o.UpdateForbidden = false }},
		{"updates forbidden", client.UpdateTableRequest{Options: client.TableOptions{UpdateForbidden: true}}, func(o *client.TableOptions) { o.UpdateForbidden = true }},
	} {
		step.update.Table = "table"
		answer, err := c.UpdateTable(t.Context(), &step.update)
		require.NoError(t, err, step.name)
		step.change(&want)
		require.Equal(t, want, answer.Options, step.name)
	}
	got, err := c.DescribeTable(t.Context(), "table")
	require.NoError(t, err)
	require.Equal(t, client.Stream{Enabled: true, Expires: 12 * time.Hour, ID: "table_stream"}, got.Stream)
	again, err := c.UpdateTable(t.Context(), &client.UpdateTableRequest{Table: "table", Options: got.Options, Reserved: &got.Reserved, Stream: &got.Stream})
	require.NoError(t, err, "a description is a change to what is")
	require.Equal(t, got.Options, again.Options)
}

func TestATableIsDescribedAsItWasMade(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{})
	made := client.CreateTableRequest{
		Table: "table", TimeToLive: 48 * time.Hour, MaxVersions: 1, MaxTimeDeviation: time.Hour, UpdateForbidden: true,
		PrimaryKey: []client.KeySchema{
			{Name: "id", Type: client.KeyString}, {Name: "b", Type: client.KeyBinary}, {Name: "n", Type: client.KeyInteger, AutoIncrement: true},
		},
		DefinedColumns: []client.DefinedColumn{
			{Name: "i", Kind: client.KindInt},
			{Name: "f", Kind: client.KindFloat},
			{Name: "t", Kind: client.KindBool},
			{Name: "s", Kind: client.KindString},
			{Name: "x", Kind: client.KindBytes},
		},
		Indexes: []client.Index{
			{Name: "by_s", PrimaryKey: []string{"s", "id"}, Columns: []string{"f"}},
			{Name: "local", PrimaryKey: []string{"id", "i"}, Columns: []string{"x"}, Local: true},
		},
	}
	_, err := c.CreateTable(t.Context(), &made)
	require.NoError(t, err)
	got, err := c.DescribeTable(t.Context(), "table")
	require.NoError(t, err)
	require.Equal(t, made.Table, got.Table)
	require.Equal(t, made.PrimaryKey, got.PrimaryKey)
	require.Equal(t, made.DefinedColumns, got.DefinedColumns)
	require.Equal(t, made.Indexes, got.Indexes)
	require.Equal(t, client.TableOptions{TimeToLive: 48 * time.Hour, MaxVersions: 1, MaxTimeDeviation: time.Hour, UpdateForbidden: true}, got.Options)
	require.Equal(t, "ACTIVE", got.Status)
	require.WithinDuration(t, got.Created, got.ReservedSince, time.Second, "the one is in microseconds, the other in whole seconds")
	require.Zero(t, got.Stream)

	_, err = c.DeleteTable(t.Context(), "table")
	require.NoError(t, err)
	_, err = c.DescribeTable(t.Context(), "table")
	require.ErrorIs(t, err, client.CodeObjectNotExist)
}

func TestADescriptionIsZeroWhereTheServiceSaysNothing(t *testing.T) {
	c := stub(func(string, []byte) (int, proto.Message) {
		return http.StatusOK, &otspb.DescribeTableResponse{
			TableMeta: &otspb.TableMeta{TableName: proto.String("table")}, TableOptions: &otspb.TableOptions{}, ReservedThroughputDetails: &otspb.ReservedThroughputDetails{
				CapacityUnit: &otspb.CapacityUnit{}, LastIncreaseTime: proto.Int64(0),
			},
		}
	}).client(t, client.Options{})
	got, err := c.DescribeTable(t.Context(), "table")
	require.NoError(t, err)
	require.True(t, got.Created.IsZero())
	require.True(t, got.ReservedSince.IsZero())
	require.Empty(t, got.Status)
}

func TestRowsReadsThousandsOfRowsOfTheServer(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.STS().Provider(), client.Options{})
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "n", Type: client.KeyInteger}},
	})
	require.NoError(t, err)
	const total = 5200 // more than a page has
	for first := 0; first < total; first += 200 {
		batch := &client.BatchWriteRowRequest{}
		for n := first; n < first+200; n++ {
			batch.Rows = append(batch.Rows, &client.PutRowRequest{
				Table: "table", PrimaryKey: client.PrimaryKey{{Name: "n", Value: client.Int(int64(n))}},
				Columns: []client.Column{{Name: "c", Value: client.String(fmt.Sprint(n))}},
			})
		}
		got, err := c.BatchWriteRow(t.Context(), batch)
		require.NoError(t, err)
		for _, result := range got.Results {
			require.NoError(t, result.Err)
		}
	}
	for _, backward := range []bool{false, true} {
		request := allRows()
		request.Backward = backward
		if backward {
			request.Start, request.End = request.End, request.Start
		}
		n := 0
		for row, err := range c.Rows(t.Context(), request) {
			require.NoError(t, err)
			want := n
			if backward {
				want = total - 1 - n
			}
			got, err := row.Text("c")
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(want), got)
			n++
		}
		require.Equal(t, total, n)
	}
}

// What a client with another encoding writes, one with UTF-8 reads as it is.
func TestAnotherEncodingConcernsAllActions(t *testing.T) {
	server := otstest.NewServer(t, nil)
	plain := inProcess(t, server, server.Provider(), client.Options{})
	c := inProcess(t, server, server.Provider(), client.Options{Encoding: simplifiedchinese.GBK})
	gbk := func(s string) string {
		encoded, err := simplifiedchinese.GBK.NewEncoder().String(s)
		require.NoError(t, err)
		return encoded
	}
	createTable(t, plain)
	key := func(text string) client.PrimaryKey {
		return client.PrimaryKey{{Name: "id", Value: client.String(text)}, {Name: "n", Value: client.Int(1)}}
	}
	filter := client.ColumnFilter{Name: gbk("city"), Is: client.Equal, Value: client.String(gbk("杭州"))}
	ctx := context.Background()
	_, err := c.UpdateRow(ctx, &client.UpdateRowRequest{Table: "table", PrimaryKey: key(gbk("云")), Changes: []client.Change{client.PutColumn("city", client.String(gbk("杭州")))}})
	require.NoError(t, err)
	got, err := plain.GetRow(ctx, &client.GetRowRequest{Table: "table", PrimaryKey: key("云")})
	require.NoError(t, err)
	city, err := got.Row.Text("city")
	require.NoError(t, err)
	require.Equal(t, "杭州", city)

	rows := 0
	request := &client.GetRangeRequest{Table: "table", Filter: filter}
	request.Start = client.PrimaryKey{{Name: "id", Value: client.InfMin()}, {Name: "n", Value: client.InfMin()}}
	request.End = client.PrimaryKey{{Name: "id", Value: client.InfMax()}, {Name: "n", Value: client.InfMax()}}
	for row, err := range c.Rows(ctx, request) {
		require.NoError(t, err)
		id, err := row.Text("id")
		require.NoError(t, err)
		require.Equal(t, gbk("云"), id)
		rows++
	}
	require.Equal(t, 1, rows)
	batch, err := c.BatchGetRow(ctx, &client.BatchGetRowRequest{Tables: []client.BatchGetTable{{Table: "table", PrimaryKeys: []client.PrimaryKey{key(gbk("云"))}, Filter: filter}}})
	require.NoError(t, err)
	require.NoError(t, batch.Results[0][0].Err)
	city, err = batch.Results[0][0].Row.Text("city")
	require.NoError(t, err)
	require.Equal(t, gbk("杭州"), city)
	_, err = c.DeleteRow(ctx, &client.DeleteRowRequest{Table: "table", PrimaryKey: key(gbk("云")), Condition: &client.Condition{Column: filter}})
	require.NoError(t, err)
}

func TestTimesThatNoDurationHoldsAreTheLongestThatDoes(t *testing.T) {
	c := stub(func(string, []byte) (int, proto.Message) {
		return http.StatusOK, &otspb.UpdateTableResponse{
			ReservedThroughputDetails: &otspb.ReservedThroughputDetails{CapacityUnit: &otspb.CapacityUnit{}, LastIncreaseTime: proto.Int64(1)},
			TableOptions:              &otspb.TableOptions{DeviationCellVersionInSec: proto.Int64(1<<63/1_000_000 - 1)},
			StreamDetails:             &otspb.StreamDetails{EnableStream: proto.Bool(true), ExpirationTime: proto.Int32(1<<31 - 1)},
		}
	}).client(t, client.Options{})
	got, err := c.UpdateTable(t.Context(), &client.UpdateTableRequest{Table: "t", AllowUpdate: true})
	require.NoError(t, err)
	require.Equal(t, (1<<63-1)/time.Second*time.Second, got.Options.MaxTimeDeviation)
	require.Equal(t, (1<<63-1)/time.Hour*time.Hour, got.Stream.Expires)
}
