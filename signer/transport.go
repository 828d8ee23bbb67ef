package signer

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/otsauth/otsauth"
)

// defaultMaxBodyBytes is far above the 5 MiB that the service takes.
const defaultMaxBodyBytes = 32 << 20

// A Transport is an [http.RoundTripper] that signs each request to Tablestore
// on its way out. Give it to another SDK in the place of its own transport, and
// that SDK runs on the Signer's credentials; what it signed itself is replaced,
// its other x-ots- headers stay.
//
// It never changes the caller's request: it sends a copy, which is the Request
// of the answer. It refuses to follow a redirect, which Tablestore never
// answers with, so that no other host is sent a token or a signature. It does
// not check answers. If the service rejects the token (see [RejectsToken]) or the
// date (see [Signer.LearnSkew]), it has not done what the request asks for: the
// Transport then gets other credentials, or the service's time, and signs and sends
// the request once more. It repeats nothing else.
//
// Its fields must not change once it is in use. It is safe for concurrent use.
type Transport struct {
	// Signer signs; it is required.
	Signer *Signer
	// Base sends what was signed. Nil: [http.DefaultTransport].
	Base http.RoundTripper
	// MaxBodyBytes bounds a request's body, which is held in memory because
	// the signature comes before it. Set it above what the caller ever sends,
	// or lower to bound the memory. Zero: 32 MiB. Negative: no bound.
	MaxBodyBytes int64
	// InsecureHTTP allows plain HTTP to another machine. Set it where the
	// endpoint has no TLS, as inside a VPC; anybody on the way can then read
	// the token and every row. Plain HTTP to this machine is always allowed.
	InsecureHTTP bool
}

// RoundTrip signs a copy of req and sends it. Its errors are those of
// [Signer.Sign] and of Base, and [*otsauth.ConfigError] for a request that is
// not sent at all: a redirect, plain HTTP, a body that is too large. It closes
// req.Body whatever happens.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := t.readBody(req)
	if err == nil {
		err = t.check(req)
	}
	if err != nil {
		return nil, err
	}
	resp, mended, err := t.send(req, body)
	if mended {
		_, _ = io.CopyN(io.Discard, resp.Body, maxRefusal) // so that the connection can be used again
		_ = resp.Body.Close()
		resp, _, err = t.send(req, body)
	}
	return resp, err
}

// send signs a copy of req and sends it. It reports whether the answer refuses
// something that it could mend.
func (t *Transport) send(req *http.Request, body []byte) (resp *http.Response, mended bool, err error) {
	signed := req.Clone(req.Context())
	setBody(signed, body)
	used, err := t.Signer.Sign(req.Context(), signed, body)
	if err != nil {
		return nil, false, err
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	resp, err = base.RoundTrip(signed)
	if err != nil {
		return nil, false, err
	}
	if resp.Request == nil { // of a Base that is a test's
		resp.Request = signed
	}
	if rejectsToken(used, resp) {
		t.Signer.Invalidate(used)
		return resp, true, nil
	}
	return resp, t.Signer.LearnSkew(used, resp), nil
}

// check returns why req must not be sent, or nil.
func (t *Transport) check(req *http.Request) error {
	switch {
	case t.Signer == nil:
		return &otsauth.ConfigError{Field: "Transport.Signer", Problem: "is nil; set it to what signer.New returned"}
	case req.URL == nil:
		return &otsauth.ConfigError{Field: "request", Problem: "has no URL"}
	case req.Response != nil:
		// Only a client that follows a redirect sets the field.
		return &otsauth.ConfigError{Field: "endpoint", Problem: fmt.Sprintf("answered with a redirect to %s, which is not followed; Tablestore never redirects", req.URL.Host)}
	case req.URL.Scheme != "https" && !t.InsecureHTTP && !isLoopback(req.URL):
		return &otsauth.ConfigError{Field: "endpoint", Problem: fmt.Sprintf("%s is not https; set InsecureHTTP if the network is trusted", req.URL.Host)}
	}
	return nil
}

// readBody reads the whole body and closes it.
func (t *Transport) readBody(req *http.Request) ([]byte, error) {
	if req == nil {
		return nil, &otsauth.ConfigError{Field: "request", Problem: "is nil"}
	}
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer req.Body.Close()
	limit := t.MaxBodyBytes
	if limit == 0 {
		limit = defaultMaxBodyBytes
	}
	from := io.Reader(req.Body)
	if limit > 0 {
		from = io.LimitReader(req.Body, limit+1)
	}
	var body bytes.Buffer
	if n := req.ContentLength; n > 0 && (limit < 0 || n <= limit) {
		body.Grow(int(n) + bytes.MinRead) // the reader's end costs no second buffer
	}
	if _, err := body.ReadFrom(from); err != nil {
		return nil, fmt.Errorf("signer: reading the request's body: %w", err)
	}
	if limit > 0 && int64(body.Len()) > limit {
		return nil, &otsauth.ConfigError{Field: "request body", Problem: fmt.Sprintf("has more than %d bytes; raise MaxBodyBytes if it should", limit)}
	}
	return body.Bytes(), nil
}

// setBody makes body that of req, and rereadable, so that the base can send it
// again on a new connection.
func setBody(req *http.Request, body []byte) {
	req.ContentLength, req.TransferEncoding = int64(len(body)), nil
	if len(body) == 0 {
		req.Body = http.NoBody
		req.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
		return
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}
