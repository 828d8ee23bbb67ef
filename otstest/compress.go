package otstest

import (
	"bytes"
	"compress/zlib"
	"io"
	"strconv"
)

// decompressed returns a request's body as its action reads it. The digest and the
// signature are those of the body that was sent. (Source: the official Java SDK;
// what the service answers to a broken one is assumed.)
func decompressed(r *inbound) ([]byte, *refusal) {
	kind, size := r.header.Get("x-ots-request-compress-type"), r.header.Get("x-ots-request-compress-size")
	if kind == "" && size == "" {
		return r.body, nil
	}
	if kind != "deflate" {
		return nil, invalid("Unsupported request compress type: '%s'.", kind)
	}
	want, err := strconv.ParseUint(size, 10, 32)
	if err != nil || want > maxBody {
		return nil, invalid("Invalid request compress size: '%s'.", size)
	}
	reader, err := zlib.NewReader(bytes.NewReader(r.body))
	if err != nil {
		return nil, invalid("Failed to decompress the request body.")
	}
	body, err := io.ReadAll(io.LimitReader(reader, int64(want)+1))
	if err != nil || uint64(len(body)) != want {
		return nil, invalid("Failed to decompress the request body.")
	}
	return body, nil
}
