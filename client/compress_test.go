package client_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// watching keeps the headers and the size of the last request.
type watching struct {
	http.RoundTripper
	header http.Header
	size   int
}

func (w *watching) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	w.header, w.size = req.Header, len(body)
	req.Body, err = req.GetBody()
	if err != nil {
		return nil, err
	}
	return w.RoundTripper.RoundTrip(req)
}

func TestLargeRequestsAreCompressedWhereThatHelps(t *testing.T) {
	random := make([]byte, 20_000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	text := []byte(strings.Repeat("tablestore ", 2000))
	for name, c := range map[string]struct {
		above      int
		value      []byte
		compressed bool
	}{
		"a long text":                   {1024, text, true},
		"a long text, not asked for":    {0, text, false},
		"what is not above the limit":   {1 << 20, text, false},
		"what compression makes longer": {1024, random, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			wire := &watching{RoundTripper: server.Transport()}
			cl, err := client.New("https://otstest.invalid", server.Instance(), server.STS().Provider(), &client.Options{Transport: wire, CompressAbove: c.above})
			require.NoError(t, err)
			defer cl.Close()
			createTable(t, cl)
			row := &client.PutRowRequest{Table: "table", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "text", Value: client.Bytes(c.value)}}}
			server.Fail(1, otstest.Throttled(false)) // what is sent again is the same
			_, err = cl.PutRow(t.Context(), row)
			require.NoError(t, err)
			require.Equal(t, c.compressed, wire.header.Get("x-ots-request-compress-type") == "deflate")
			require.Equal(t, c.compressed, wire.size < len(c.value))
			got, err := cl.GetRow(t.Context(), &client.GetRowRequest{Table: "table", PrimaryKey: rowKey("a")})
			require.NoError(t, err)
			v, _ := got.Row.Get("text")
			b, _ := v.Bytes()
			require.Equal(t, c.value, b)
		})
	}
}
