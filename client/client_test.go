package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/otstest"
)

// inProcess returns a client of server without a socket. Its provider is p.
func inProcess(t testing.TB, server *otstest.Server, p otsauth.Provider, opts client.Options) *client.OTSClient {
	t.Helper()
	if opts.Transport == nil {
		opts.Transport = server.Transport()
	}
	c, err := client.New("https://otstest.invalid", server.Instance(), p, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func createTable(t testing.TB, c *client.OTSClient) {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}, {Name: "n", Type: client.KeyInteger}},
	})
	require.NoError(t, err)
}

func rowKey(id string) client.PrimaryKey {
	return client.PrimaryKey{{Name: "id", Value: client.String(id)}, {Name: "n", Value: client.Int(1)}}
}

func putRow(ctx context.Context, c *client.OTSClient) error {
	_, err := c.PutRow(ctx, &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "c", Value: client.Int(1)}}})
	return err
}

func getRow(ctx context.Context, c *client.OTSClient) error {
	got, err := c.GetRow(ctx, &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")})
	if err == nil && got.Row == nil {
		err = errors.New("the row is not there")
	}
	return err
}

func TestEveryValueComesBackAsItWasWritten(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{Region: "cn-hangzhou"}) // V4
	createTable(t, c)
	columns := []client.Column{
		{Name: "bool", Value: client.Bool(true)},
		{Name: "bytes", Value: client.Bytes([]byte{0, 1, 255})},
		{Name: "empty", Value: client.String("")},
		{Name: "float", Value: client.Float(-2.5)},
		{Name: "int", Value: client.Int(-1 << 63)},
		{Name: "text", Value: client.String("云 \"x\"")},
	}
	put, err := c.PutRow(t.Context(), &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: columns, Condition: &client.Condition{RowExistence: client.ExpectNotExist}})
	require.NoError(t, err)
	require.Equal(t, client.Capacity{Read: 1, Write: 1}, put.Consumed)
	require.NotEmpty(t, put.RequestID)

	got, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")})
	require.NoError(t, err)
	require.Equal(t, rowKey("a"), got.Row.PrimaryKey)
	require.Len(t, got.Row.Columns, len(columns))
	for i, column := range got.Row.Columns {
		require.Equal(t, columns[i].Name, column.Name)
		require.True(t, columns[i].Value.Equal(column.Value), column.Name)
		require.WithinDuration(t, time.Now(), column.Timestamp, time.Minute)
	}
	id, ok := got.Row.Get("id")
	require.True(t, ok)
	require.Equal(t, `"a"`, id.String())
	_, ok = got.Row.Get("none")
	require.False(t, ok)

	some, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: []string{"int"}})
	require.NoError(t, err)
	require.Len(t, some.Row.Columns, 1)

	absent, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("b")})
	require.NoError(t, err)
	require.Nil(t, absent.Row)

	_, err = c.PutRow(t.Context(), &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Condition: &client.Condition{RowExistence: client.ExpectNotExist}})
	require.ErrorIs(t, err, client.CodeConditionCheckFail)
}

// A path of names is an action as well, as of tunnels.
func TestDoSendsAnyAction(t *testing.T) {
	var action string
	var got []byte
	c := stub(func(a string, body []byte) (int, proto.Message) {
		action, got = a, body
		return http.StatusOK, &otspb.ListTableResponse{TableNames: []string{"anything"}}
	}).client(t, client.Options{})
	for _, a := range []string{"ListStream", "tunnel/create", "GetTimeseriesData"} {
		resp, err := c.Do(t.Context(), a, []byte("message of "+a))
		require.NoError(t, err)
		require.Equal(t, a, action)
		require.Equal(t, "message of "+a, string(got))
		require.Contains(t, string(resp.Body), "anything")
	}
	for _, a := range []string{"", "/", "a/", "/a", "a//b", "a b", "a?b", "a.b", "é"} {
		_, err := c.Do(t.Context(), a, nil)
		var ce *otsauth.ConfigError
		require.ErrorAs(t, err, &ce, a)
	}
}
