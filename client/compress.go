package client

import (
	"bytes"
	"compress/zlib"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// The headers of a compressed request. (Source: the official Java SDK, the only one
// that compresses; what it calls deflate has zlib's header and checksum.)
const (
	headerCompressType = "X-Ots-Request-Compress-Type"
	headerCompressSize = "X-Ots-Request-Compress-Size" // before compression, in bytes
	compressDeflate    = "deflate"
)

// A compressor compresses the bodies of a client's requests. It is safe for
// concurrent use; the zero compressor works.
type compressor struct{ writers sync.Pool }

// compress returns body compressed, or nil if that would not be shorter.
func (c *compressor) compress(body []byte) []byte {
	w, _ := c.writers.Get().(*zlib.Writer)
	if w == nil {
		w = zlib.NewWriter(nil)
	}
	defer func() {
		w.Reset(io.Discard) // so that what it wrote can be freed
		c.writers.Put(w)
	}()
	var short bytes.Buffer
	short.Grow(len(body) / 2)
	w.Reset(&short)
	if _, err := w.Write(body); err != nil { // a buffer takes everything
		return nil
	}
	if err := w.Close(); err != nil || short.Len() >= len(body) {
		return nil
	}
	return short.Bytes()
}

// setCompressed says that a request's body was compressed, and from how many bytes.
func setCompressed(h http.Header, size int) {
	h.Set(headerCompressType, compressDeflate)
	h.Set(headerCompressSize, strconv.Itoa(size))
}
