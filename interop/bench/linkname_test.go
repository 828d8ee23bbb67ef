package bench_test

import (
	_ "unsafe" // for go:linkname

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"

	"github.com/otsauth/otsauth/client"
)

// What both clients do between a request or an answer and the wire, neither of
// them exports. No compiler compares these signatures with theirs: the benchmarks
// do, which require the same bytes of both, and all rows.

// sdkRows is how the SDK's GetRange makes its rows.
//
//go:linkname sdkRows github.com/aliyun/aliyun-tablestore-go-sdk/tablestore.parsePlainBufferRows
func sdkRows(rows []byte) ([]*tablestore.Row, error)

// ourBody is how our PutRow makes the body of its request.
//
//go:linkname ourBody github.com/otsauth/otsauth/client.encodeWrite
func ourBody(t text, w client.Write) (body []byte, cumulative bool, err error)

// ourRange is how our GetRange makes its response.
//
//go:linkname ourRange github.com/otsauth/otsauth/client.text.decodeRange
func ourRange(t text, body []byte) (*client.GetRangeResponse, error)

// text has the layout of client.text; the zero one converts nothing.
type text struct{ _ any }
