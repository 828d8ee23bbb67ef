package interop_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/common"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

func createTableRequest(name string) *tablestore.CreateTableRequest {
	meta := &tablestore.TableMeta{TableName: name}
	meta.AddPrimaryKeyColumn("pk1", tablestore.PrimaryKeyType_STRING)
	meta.AddPrimaryKeyColumn("pk2", tablestore.PrimaryKeyType_INTEGER)
	return &tablestore.CreateTableRequest{
		TableMeta:          meta,
		TableOption:        &tablestore.TableOption{TimeToAlive: -1, MaxVersion: 3},
		ReservedThroughput: &tablestore.ReservedThroughput{},
	}
}

func sdkKey(pk1 string, pk2 int64) *tablestore.PrimaryKey {
	key := &tablestore.PrimaryKey{}
	key.AddPrimaryKeyColumn("pk1", pk1)
	key.AddPrimaryKeyColumn("pk2", pk2)
	return key
}

func putRowRequest(table string, expectation tablestore.RowExistenceExpectation) *tablestore.PutRowRequest {
	change := &tablestore.PutRowChange{TableName: table, PrimaryKey: sdkKey("a", 1)}
	change.AddColumn("int", int64(42))
	change.AddColumn("text", "云")
	change.AddColumn("float", 2.5)
	change.AddColumn("bool", true)
	change.AddColumn("bytes", []byte{0, 255})
	change.SetCondition(expectation)
	return &tablestore.PutRowRequest{PutRowChange: change}
}

func getRowRequest(table string, key *tablestore.PrimaryKey) *tablestore.GetRowRequest {
	return &tablestore.GetRowRequest{SingleRowQueryCriteria: &tablestore.SingleRowQueryCriteria{TableName: table, PrimaryKey: key, MaxVersion: 1}}
}

func TestTheOfficialGoSDKIsAClientOfOtstest(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for name, credentials := range map[string]func() otsauth.Credentials{
		"with a long-lived key": func() otsauth.Credentials { return ownerOf(t, server) },
		"with a token": func() otsauth.Credentials {
			c, err := server.STS().Provider().Retrieve(t.Context())
			require.NoError(t, err)
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			table := map[bool]string{true: "long_lived", false: "temporary"}[name == "with a long-lived key"]
			c := officialClient(server, credentials())
			_, err := c.CreateTable(createTableRequest(table))
			require.NoError(t, err)

			tables, err := c.ListTable()
			require.NoError(t, err)
			require.Contains(t, tables.TableNames, table)

			put, err := c.PutRow(putRowRequest(table, tablestore.RowExistenceExpectation_EXPECT_NOT_EXIST))
			require.NoError(t, err)
			require.EqualValues(t, 1, put.ConsumedCapacityUnit.Write)
			require.NotEmpty(t, put.RequestId)

			got, err := c.GetRow(getRowRequest(table, sdkKey("a", 1)))
			require.NoError(t, err)
			require.Equal(t, "a", got.PrimaryKey.PrimaryKeys[0].Value)
			require.Equal(t, int64(1), got.PrimaryKey.PrimaryKeys[1].Value)
			columns := map[string]any{}
			for _, column := range got.Columns {
				columns[column.ColumnName] = column.Value
				require.WithinDuration(t, time.Now(), time.UnixMilli(column.Timestamp), time.Minute)
			}
			require.Equal(t, map[string]any{"int": int64(42), "text": "云", "float": 2.5, "bool": true, "bytes": []byte{0, 255}}, columns)

			absent, err := c.GetRow(getRowRequest(table, sdkKey("b", 1)))
			require.NoError(t, err)
			require.Empty(t, absent.PrimaryKey.PrimaryKeys)
			require.Empty(t, absent.Columns)
		})
	}
}

func TestWhatTheSDKWritesOurClientReadsAndTheReverse(t *testing.T) {
	server := otstest.NewServer(t, nil)
	theirs := officialClient(server, ownerOf(t, server))
	ours, err := client.New(server.URL(), server.Instance(), server.STS().Provider(), nil)
	require.NoError(t, err)
	defer ours.Close()
	_, err = ours.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "shared", PrimaryKey: []client.KeySchema{{Name: "pk1", Type: client.KeyString}, {Name: "pk2", Type: client.KeyInteger}},
	})
	require.NoError(t, err)

	_, err = theirs.PutRow(putRowRequest("shared", tablestore.RowExistenceExpectation_IGNORE))
	require.NoError(t, err)
	key := client.PrimaryKey{{Name: "pk1", Value: client.String("a")}, {Name: "pk2", Value: client.Int(1)}}
	got, err := ours.GetRow(t.Context(), &client.GetRowRequest{Table: "shared", PrimaryKey: key})
	require.NoError(t, err)
	for name, want := range map[string]client.Value{
		"int": client.Int(42), "text": client.String("云"), "float": client.Float(2.5), "bool": client.Bool(true), "bytes": client.Bytes([]byte{0, 255}),
	} {
		v, ok := got.Row.Get(name)
		require.True(t, ok && v.Equal(want), "%s is %s, not %s", name, v, want)
	}

	key[1].Value = client.Int(2)
	_, err = ours.PutRow(t.Context(), &client.PutRowRequest{Table: "shared", PrimaryKey: key, Columns: []client.Column{
		{Name: "int", Value: client.Int(-7)}, {Name: "old", Value: client.String("v"), Timestamp: time.UnixMilli(1234)},
	}})
	require.NoError(t, err)
	read, err := theirs.GetRow(getRowRequest("shared", sdkKey("a", 2)))
	require.NoError(t, err)
	require.Len(t, read.Columns, 2)
	require.Equal(t, int64(-7), read.Columns[0].Value)
	require.Equal(t, int64(1234), read.Columns[1].Timestamp)
}

func TestTheSDKGetsTheServicesErrors(t *testing.T) {
	server := otstest.NewServer(t, nil)
	owner := ownerOf(t, server)
	wrong := owner
	wrong.AccessKeySecret = otsauth.NewSecret("wrong")
	expired := otsauth.Credentials{AccessKeyID: "STS.old", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: time.Now().Add(-time.Minute)}
	server.AddKey(expired)
	_, err := officialClient(server, owner).CreateTable(createTableRequest("t"))
	require.NoError(t, err)

	for name, c := range map[string]struct {
		credentials   otsauth.Credentials
		call          func(*tablestore.TableStoreClient) error
		status        int
		code, message string
	}{
		"a wrong secret": {
			wrong, func(c *tablestore.TableStoreClient) error { _, err := c.ListTable(); return err },
			http.StatusForbidden, "OTSAuthFailed", "Signature mismatch.",
		},
		"an expired token": {
			expired, func(c *tablestore.TableStoreClient) error { _, err := c.ListTable(); return err },
			http.StatusForbidden, "OTSAuthFailed", "The security token has expired.",
		},
		"an unknown key": {
			otsauth.Credentials{AccessKeyID: "nobody", AccessKeySecret: otsauth.NewSecret("sk")},
			func(c *tablestore.TableStoreClient) error { _, err := c.ListTable(); return err },
			http.StatusForbidden, "OTSAuthFailed", "The AccessKeyID does not exist.",
		},
		"a table that exists": {
			owner, func(c *tablestore.TableStoreClient) error {
				_, err := c.CreateTable(createTableRequest("t"))
				return err
			},
			http.StatusConflict, "OTSObjectAlreadyExist", "Requested table already exists.",
		},
		"a table that does not exist": {
			owner, func(c *tablestore.TableStoreClient) error {
				_, err := c.GetRow(getRowRequest("none", sdkKey("a", 1)))
				return err
			},
			http.StatusNotFound, "OTSObjectNotExist", "Requested table does not exist.",
		},
		"a condition that fails": {
			owner, func(c *tablestore.TableStoreClient) error {
				_, err := c.PutRow(putRowRequest("t", tablestore.RowExistenceExpectation_EXPECT_EXIST))
				return err
			}, http.StatusForbidden, "OTSConditionCheckFail", "Condition check failed.",
		},
		"a key with too few columns": {
			owner, func(c *tablestore.TableStoreClient) error {
				key := &tablestore.PrimaryKey{}
				key.AddPrimaryKeyColumn("pk1", "a")
				_, err := c.GetRow(getRowRequest("t", key))
				return err
			}, http.StatusBadRequest, "OTSInvalidPK", "Validate PK size fail. Input: 1, Meta: 2.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call(officialClient(server, c.credentials))
			var oe *tablestore.OtsError
			require.ErrorAs(t, err, &oe)
			require.Equal(t, c.code, oe.Code)
			require.Equal(t, c.message, oe.Message)
			require.Equal(t, c.status, oe.HttpStatusCode)
			require.NotEmpty(t, oe.RequestId)
		})
	}
}

func TestTheSDKSignsWithV4(t *testing.T) {
	server := otstest.NewServer(t, nil)
	owner := ownerOf(t, server)
	credentials := &common.DefaultCredentials{AccessKeyID: owner.AccessKeyID, AccessKeySecret: owner.AccessKeySecret.Reveal()}
	for region, want := range map[string]string{"cn-hangzhou": "", "cn-beijing": "Signature mismatch."} {
		provider := common.CreateByCredentials(credentials, region)
		_, err := tablestore.NewClientWithCredentialsProvider(server.URL(), server.Instance(), provider, sdkConfig()).ListTable()
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
