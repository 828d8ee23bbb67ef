package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

func TestValuesTellTheirKindAndContent(t *testing.T) {
	for _, c := range []struct {
		value client.Value
		kind  client.Kind
		text  string
	}{
		{client.Value{}, client.KindNone, "none"},
		{client.Int(-5), client.KindInt, "-5"},
		{client.Float(0.5), client.KindFloat, "0.5"},
		{client.Bool(true), client.KindBool, "true"},
		{client.String("a\"b"), client.KindString, `"a\"b"`},
		{client.Bytes([]byte{0xff}), client.KindBytes, `"\xff"`},
		{client.InfMin(), client.KindInfMin, "InfMin"},
		{client.InfMax(), client.KindInfMax, "InfMax"},
		{client.AutoIncrement(), client.KindAutoIncrement, "AutoIncrement"},
	} {
		require.Equal(t, c.kind, c.value.Kind())
		require.Equal(t, c.text, c.value.String())
		n, isInt := c.value.Int()
		require.Equal(t, c.kind == client.KindInt, isInt)
		require.Equal(t, isInt, n == -5)
		f, isFloat := c.value.Float()
		require.Equal(t, c.kind == client.KindFloat, isFloat)
		if isFloat {
			require.InDelta(t, 0.5, f, 0)
		}
		_, isBool := c.value.Bool()
		require.Equal(t, c.kind == client.KindBool, isBool)
		s, isText := c.value.Text()
		require.Equal(t, c.kind == client.KindString, isText)
		if isText {
			require.Equal(t, "a\"b", s)
		}
		b, isBytes := c.value.Bytes()
		require.Equal(t, c.kind == client.KindBytes, isBytes)
		if isBytes {
			require.Equal(t, []byte{0xff}, b)
		}
	}
	require.Equal(t, "Kind(99)", client.Kind(99).String())
}

func TestTheServiceNumbersAnAutoIncrementColumn(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{})
	_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{
		Table: "table", PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}, {Name: "seq", Type: client.KeyInteger, AutoIncrement: true}},
	})
	require.NoError(t, err)
	last := int64(0)
	for range 3 {
		put, err := c.PutRow(t.Context(), &client.PutRowRequest{
			Table: "table", PrimaryKey: append(idKey("a"), client.KeyColumn{Name: "seq", Value: client.AutoIncrement()}), Return: client.ReturnPrimaryKey,
		})
		require.NoError(t, err)
		seq, err := put.Row.Int("seq")
		require.NoError(t, err)
		require.Greater(t, seq, last)
		last = seq
	}
}
