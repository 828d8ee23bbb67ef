package interop_test

import (
	"fmt"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/otstest"
)

// localClient returns the official Go SDK's client and a table of its server.
func localClient(t *testing.T) (c *tablestore.TableStoreClient, table string) {
	t.Helper()
	server := otstest.NewServer(t, nil)
	c = officialClient(server, ownerOf(t, server))
	_, err := c.CreateTable(createTableRequest("t"))
	require.NoError(t, err)
	return c, "t"
}

// As the SDK's own tests have it: api_test.go, TestAtomicBatchWriteRowWithSamePartitionKey
// and TestAtomicBatchWriteRowWithDiffPartitionKey.
func TestTheOfficialGoSDKWritesABatchAtomically(t *testing.T) {
	c, table := localClient(t)
	change := func(pk1 string, pk2 int64, expectation tablestore.RowExistenceExpectation) *tablestore.PutRowChange {
		one := &tablestore.PutRowChange{TableName: table, PrimaryKey: sdkKey(pk1, pk2)}
		one.AddColumn("n", pk2)
		one.SetCondition(expectation)
		return one
	}
	const ignore, exist = tablestore.RowExistenceExpectation_IGNORE, tablestore.RowExistenceExpectation_EXPECT_EXIST
	written := func(pk1 string, pk2 int64) bool {
		got, err := c.GetRow(getRowRequest(table, sdkKey(pk1, pk2)))
		require.NoError(t, err)
		return len(got.Columns) > 0
	}
	for _, step := range []struct {
		name    string
		changes []*tablestore.PutRowChange
		want    string // of every row
	}{
		{"two partition keys", []*tablestore.PutRowChange{change("a", 1, ignore), change("a_1", 2, ignore)}, "OTSDataOutOfRange Data out of scope of atomic. Atomic PartKey:a. Data PartKey:a_1"},
		{"a condition that fails", []*tablestore.PutRowChange{change("a", 1, ignore), change("a", 2, exist)}, "OTSConditionCheckFail Condition check failed."},
		{"one partition key", []*tablestore.PutRowChange{change("a", 1, ignore), change("a", 2, ignore)}, ""},
	} {
		request := &tablestore.BatchWriteRowRequest{IsAtomic: true}
		for _, one := range step.changes {
			request.AddRowChange(one)
		}
		answer, err := c.BatchWriteRow(request)
		require.NoError(t, err, step.name)
		require.Len(t, answer.TableToRowsResult[table], len(step.changes), step.name)
		for _, r := range answer.TableToRowsResult[table] {
			require.Equal(t, step.want == "", r.IsSucceed, step.name)
			if step.want != "" {
				require.Equal(t, step.want, fmt.Sprint(r.Error.Code, " ", r.Error.Message), step.name)
			}
		}
		require.Equal(t, step.want == "", written("a", 1), step.name)
	}
}

func TestTheOfficialGoSDKHasNoTransactionHere(t *testing.T) {
	c, table := localClient(t)
	id := "1"
	put := putRowRequest(table, tablestore.RowExistenceExpectation_IGNORE)
	put.PutRowChange.TransactionId = &id
	_, err := c.PutRow(put)
	require.ErrorContains(t, err, "Try to call method using explicit transaction on explicit-transaction-disabled table.")
	get := getRowRequest(table, sdkKey("a", 1))
	got, err := c.GetRow(get)
	require.NoError(t, err)
	require.Empty(t, got.Columns)
	get.SingleRowQueryCriteria.TransactionId = &id
	_, err = c.GetRow(get)
	require.ErrorContains(t, err, "explicit-transaction-disabled")
}
