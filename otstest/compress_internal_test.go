package otstest

import (
	"bytes"
	"compress/zlib"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func deflated(t testing.TB, body string) []byte {
	t.Helper()
	var short bytes.Buffer
	w := zlib.NewWriter(&short)
	_, err := w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return short.Bytes()
}

func TestACompressedBodyIsReadAsItsHeadersSay(t *testing.T) {
	for name, c := range map[string]struct {
		kind, size string
		body       []byte
		want       string // "" means refused
	}{
		"no compression":      {"", "", []byte("body"), "body"},
		"deflate":             {"deflate", "4", deflated(t, "body"), "body"},
		"another kind":        {"gzip", "4", deflated(t, "body"), ""},
		"a size alone":        {"", "4", []byte("body"), ""},
		"no size":             {"deflate", "", deflated(t, "body"), ""},
		"a size too small":    {"deflate", "3", deflated(t, "body"), ""},
		"a size too large":    {"deflate", "5", deflated(t, "body"), ""},
		"a size beyond bound": {"deflate", strconv.Itoa(maxBody + 1), deflated(t, "body"), ""},
		"not compressed":      {"deflate", "4", []byte("body"), ""},
		"cut off":             {"deflate", "4", deflated(t, "body")[:8], ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &inbound{body: c.body, header: http.Header{}}
			r.header.Set("x-ots-request-compress-type", c.kind)
			r.header.Set("x-ots-request-compress-size", c.size)
			body, refused := decompressed(r)
			require.Equal(t, c.want, string(body))
			require.Equal(t, c.want == "", refused != nil)
		})
	}
}
