package interop_test

import (
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore/otsprotocol"
	"github.com/golang/protobuf/proto" //nolint:staticcheck // what the SDK is generated for
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// sdkUpdate is an update of the row a, 1 by the official SDK.
func sdkUpdate(pk2 int64, change func(*tablestore.UpdateRowChange)) *tablestore.UpdateRowRequest {
	made := &tablestore.UpdateRowChange{TableName: "t", PrimaryKey: sdkKey("a", pk2)}
	made.SetCondition(tablestore.RowExistenceExpectation_IGNORE)
	change(made)
	return &tablestore.UpdateRowRequest{UpdateRowChange: made}
}

// withTable returns a server that has the table t, and the SDK's client.
func withTable(t *testing.T) (*otstest.Server, *tablestore.TableStoreClient) {
	t.Helper()
	server := otstest.NewServer(t, nil)
	c := officialClient(server, ownerOf(t, server))
	_, err := c.CreateTable(createTableRequest("t"))
	require.NoError(t, err)
	return server, c
}

func requireCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var refused *tablestore.OtsError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, []string{code, message}, []string{refused.Code, refused.Message})
}

func TestTheOfficialGoSDKManagesTables(t *testing.T) {
	_, c := withTable(t)
	described, err := c.DescribeTable(&tablestore.DescribeTableRequest{TableName: "t"})
	require.NoError(t, err)
	require.Equal(t, 3, described.TableOption.MaxVersion)
	require.Len(t, described.TableMeta.SchemaEntry, 2)

	updated, err := c.UpdateTable(&tablestore.UpdateTableRequest{TableName: "t", TableOption: &tablestore.TableOption{TimeToAlive: -1, MaxVersion: 5}})
	require.NoError(t, err)
	require.Equal(t, 5, updated.TableOption.MaxVersion)

	_, err = c.DeleteTable(&tablestore.DeleteTableRequest{TableName: "t"})
	require.NoError(t, err)
	_, err = c.DescribeTable(&tablestore.DescribeTableRequest{TableName: "t"})
	requireCode(t, err, "OTSObjectNotExist", "Requested table does not exist.")
}

func TestTheOfficialGoSDKUpdatesAndDeletesRows(t *testing.T) {
	_, c := withTable(t)
	_, err := c.UpdateRow(sdkUpdate(1, func(u *tablestore.UpdateRowChange) {
		u.PutColumn("age", int64(1))
		u.PutColumnWithTimestamp("old", "x", 1000)
		u.PutColumn("name", "n")
	}))
	require.NoError(t, err)
	got, err := c.UpdateRow(sdkUpdate(1, func(u *tablestore.UpdateRowChange) {
		u.IncrementColumn("age", 6)
		u.SetReturnIncrementValue()
		u.AppendIncrementColumnToReturn("age")
		u.DeleteColumn("name")
		u.DeleteColumnWithTimestamp("old", 1000)
	}))
	require.NoError(t, err)
	require.Len(t, got.Columns, 1)
	require.Equal(t, int64(7), got.Columns[0].Value)
	read, err := c.GetRow(getRowRequest("t", sdkKey("a", 1)))
	require.NoError(t, err)
	require.Len(t, read.Columns, 1)

	remove := &tablestore.DeleteRowChange{TableName: "t", PrimaryKey: sdkKey("a", 1)}
	remove.SetCondition(tablestore.RowExistenceExpectation_EXPECT_EXIST)
	remove.SetColumnCondition(tablestore.NewSingleColumnCondition("age", tablestore.CT_EQUAL, int64(8)))
	_, err = c.DeleteRow(&tablestore.DeleteRowRequest{DeleteRowChange: remove})
	requireCode(t, err, "OTSConditionCheckFail", "Condition check failed.")
	remove.SetColumnCondition(tablestore.NewSingleColumnCondition("age", tablestore.CT_EQUAL, int64(7)))
	_, err = c.DeleteRow(&tablestore.DeleteRowRequest{DeleteRowChange: remove})
	require.NoError(t, err)
	read, err = c.GetRow(getRowRequest("t", sdkKey("a", 1)))
	require.NoError(t, err)
	require.Empty(t, read.PrimaryKey.PrimaryKeys)
}

func TestTheOfficialGoSDKReadsAndWritesManyRows(t *testing.T) {
	_, c := withTable(t)
	batch := &tablestore.BatchWriteRowRequest{}
	for n := range int64(5) {
		change := &tablestore.PutRowChange{TableName: "t", PrimaryKey: sdkKey("a", n)}
		change.AddColumn("n", n)
		change.SetCondition(tablestore.RowExistenceExpectation_EXPECT_NOT_EXIST)
		batch.AddRowChange(change)
	}
	wrote, err := c.BatchWriteRow(batch)
	require.NoError(t, err)
	for i, result := range wrote.TableToRowsResult["t"] {
		require.True(t, result.IsSucceed)
		require.EqualValues(t, i, result.Index)
	}
	wrote, err = c.BatchWriteRow(batch)
	require.NoError(t, err)
	require.Len(t, wrote.TableToRowsResult["t"], 5)
	require.Equal(t, "OTSConditionCheckFail", wrote.TableToRowsResult["t"][4].Error.Code)

	keys := &tablestore.MultiRowQueryCriteria{TableName: "t", MaxVersion: 1}
	keys.AddRow(sdkKey("a", 3))
	keys.AddRow(sdkKey("a", 9))
	keys.AddRow(sdkKey("a", 0))
	read, err := c.BatchGetRow(&tablestore.BatchGetRowRequest{MultiRowQueryCriteria: []*tablestore.MultiRowQueryCriteria{keys}})
	require.NoError(t, err)
	rows := read.TableToRowsResult["t"]
	require.Len(t, rows, 3)
	require.Equal(t, int64(3), rows[0].Columns[0].Value)
	require.Empty(t, rows[1].Columns)
	require.Equal(t, int64(0), rows[2].Columns[0].Value)
}

func TestTheOfficialGoSDKReadsRanges(t *testing.T) {
	_, c := withTable(t)
	for n := range int64(5) {
		_, err := c.UpdateRow(sdkUpdate(n, func(u *tablestore.UpdateRowChange) { u.PutColumn("n", n) }))
		require.NoError(t, err)
	}
	low, high := &tablestore.PrimaryKey{}, &tablestore.PrimaryKey{}
	low.AddPrimaryKeyColumnWithMinValue("pk1")
	low.AddPrimaryKeyColumnWithMinValue("pk2")
	high.AddPrimaryKeyColumnWithMaxValue("pk1")
	high.AddPrimaryKeyColumnWithMaxValue("pk2")
	for name, want := range map[string]struct {
		criteria *tablestore.RangeRowQueryCriteria
		rows     []int64
	}{
		"forward":        {&tablestore.RangeRowQueryCriteria{StartPrimaryKey: low, EndPrimaryKey: high}, []int64{0, 1, 2, 3, 4}},
		"backward":       {&tablestore.RangeRowQueryCriteria{StartPrimaryKey: high, EndPrimaryKey: low, Direction: tablestore.BACKWARD}, []int64{4, 3, 2, 1, 0}},
		"in pages":       {&tablestore.RangeRowQueryCriteria{StartPrimaryKey: low, EndPrimaryKey: high, Limit: 2}, []int64{0, 1, 2, 3, 4}},
		"with a filter":  {&tablestore.RangeRowQueryCriteria{StartPrimaryKey: low, EndPrimaryKey: high, Filter: tablestore.NewSingleColumnCondition("n", tablestore.CT_GREATER_THAN, int64(2))}, []int64{3, 4}},
		"of chosen keys": {&tablestore.RangeRowQueryCriteria{StartPrimaryKey: sdkKey("a", 1), EndPrimaryKey: sdkKey("a", 3)}, []int64{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			want.criteria.TableName, want.criteria.MaxVersion = "t", 1
			var rows []int64
			for want.criteria.StartPrimaryKey != nil {
				got, err := c.GetRange(&tablestore.GetRangeRequest{RangeRowQueryCriteria: want.criteria})
				require.NoError(t, err)
				for _, r := range got.Rows {
					require.Len(t, r.Columns, 1)
					rows = append(rows, r.PrimaryKey.PrimaryKeys[1].Value.(int64))
				}
				want.criteria.StartPrimaryKey = got.NextStartPrimaryKey
			}
			require.Equal(t, want.rows, rows)
		})
	}
}

func TestTheOfficialGoSDKLetsTheServiceNumberItsRows(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := officialClient(server, ownerOf(t, server))
	meta := &tablestore.TableMeta{TableName: "numbered"}
	meta.AddPrimaryKeyColumn("pk1", tablestore.PrimaryKeyType_STRING)
	meta.AddPrimaryKeyColumnOption("pk2", tablestore.PrimaryKeyType_INTEGER, tablestore.AUTO_INCREMENT)
	_, err := c.CreateTable(&tablestore.CreateTableRequest{
		TableMeta: meta, TableOption: &tablestore.TableOption{TimeToAlive: -1, MaxVersion: 1}, ReservedThroughput: &tablestore.ReservedThroughput{},
	})
	require.NoError(t, err)
	last := int64(0)
	for range 3 {
		key := &tablestore.PrimaryKey{}
		key.AddPrimaryKeyColumn("pk1", "a")
		key.AddPrimaryKeyColumnWithAutoIncrement("pk2")
		change := &tablestore.PutRowChange{TableName: "numbered", PrimaryKey: key}
		change.SetCondition(tablestore.RowExistenceExpectation_IGNORE)
		change.SetReturnPk()
		put, err := c.PutRow(&tablestore.PutRowRequest{PutRowChange: change})
		require.NoError(t, err)
		number, ok := put.PrimaryKey.PrimaryKeys[1].Value.(int64)
		require.True(t, ok)
		require.Greater(t, number, last)
		last = number
	}
	read, err := c.GetRow(getRowRequest("numbered", &tablestore.PrimaryKey{PrimaryKeys: []*tablestore.PrimaryKeyColumn{{ColumnName: "pk1", Value: "a"}, {ColumnName: "pk2", Value: last}}}))
	require.NoError(t, err)
	require.Len(t, read.PrimaryKey.PrimaryKeys, 2)
}

// TestDoSendsAnActionThatHasNoType sends SQL, which otstest does not know: it says so
// only once the signature is right.
func TestDoSendsAnActionThatHasNoType(t *testing.T) {
	server := otstest.NewServer(t, nil)
	key := scenarioKey()
	server.AddKey(key)
	f := newFront(t)
	f.serve(server)
	ours, err := client.New(f.URL, instanceName, otsauth.Static(key), nil)
	require.NoError(t, err)
	defer ours.Close()
	theirs := tablestore.NewClientWithConfig(f.URL, instanceName, key.AccessKeyID, key.AccessKeySecret.Reveal(), "", sdkConfig())

	_, err = theirs.SQLQuery(&tablestore.SQLQueryRequest{Query: "select * from t"})
	const message = "Unsupported operation: 'SQLQuery'."
	requireCode(t, err, "OTSParameterInvalid", message)
	body, err := proto.Marshal(&otsprotocol.SQLQueryRequest{
		Query: proto.String("select * from t"), Version: otsprotocol.SQLPayloadVersion_SQL_FLAT_BUFFERS.Enum(), SqlVersion: proto.Int64(1),
	})
	require.NoError(t, err)
	_, err = ours.Do(t.Context(), "SQLQuery", body)
	require.ErrorIs(t, err, client.CodeParameterInvalid)
	require.ErrorContains(t, err, message)
	bodies := f.taken()
	require.Len(t, bodies, 2)
	require.Equal(t, bodies[0], bodies[1])
}
