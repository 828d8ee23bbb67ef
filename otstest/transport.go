package otstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/otsauth/otsauth"
)

// maxBody is the size of a request's body that the service takes. (Source: the
// documentation's limits.)
const maxBody = 5 << 20

// answer is what the server says to one request.
type answer struct {
	status int
	header http.Header
	body   []byte
	reset  bool // nothing is said: the connection is cut
	cut    bool // the connection is cut in the middle of the body
}

// serve answers a request: the root path is STS, paths below /latest/ are the
// metadata service, and any other is a Tablestore action.
func (s *Server) serve(ctx context.Context, r *http.Request, body []byte) *answer {
	switch {
	case r.URL.Path == "/" || r.URL.Path == "":
		return s.sts.serve(ctx, r, body)
	case strings.HasPrefix(r.URL.Path, metadataRoot) || r.URL.Path == credentialsPath:
		return s.metadata.serve(r)
	}
	return s.serveTablestore(ctx, &inbound{method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, header: r.Header, body: body})
}

// readBody reads what the service would take of a body, and a byte more.
func readBody(body io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(body, maxBody+1)) }

// handler serves over sockets.
func (s *Server) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(r.Body)
		if err != nil { // the client is gone
			cutConnection(w)
			return
		}
		a := s.serve(r.Context(), r, body)
		if a.reset {
			cutConnection(w)
			return
		}
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		if a.cut {
			_, _ = w.Write(a.body[:len(a.body)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // the way to cut a connection that net/http offers
		}
		_, _ = w.Write(a.body)
	})
}

// cutConnection resets the connection, as a crashed peer does.
func cutConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Transport returns a transport that answers in the caller's goroutine,
// whatever the request's host is, and opens no socket. Unlike a loopback
// connection it works in a [testing/synctest] bubble, with virtual time.
func (s *Server) Transport() http.RoundTripper { return inProcess{s} }

type inProcess struct{ server *Server }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if req.URL == nil {
		return nil, &otsauth.ConfigError{Field: "request", Problem: "has no URL"}
	}
	received := req.Clone(ctx)
	received.Header = asReceived(req.Header)
	if received.Body == nil {
		received.Body = http.NoBody
	}
	if received.Method == "" {
		received.Method = http.MethodGet
	}
	body, err := readBody(received.Body)
	if err != nil {
		return nil, err
	}
	a := t.server.serve(ctx, received, body)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case a.reset:
		return nil, &net.OpError{Op: "read", Net: "otstest", Err: syscall.ECONNRESET}
	}
	resp := &http.Response{
		Status:        fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}
	if a.cut {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), brokenReader{}))
	}
	return resp, nil
}

// asReceived returns h as a server gets it: canonical names, trimmed values.
func asReceived(h http.Header) http.Header {
	received := make(http.Header, len(h))
	for name, values := range h {
		for _, value := range values {
			received.Add(name, trimHeader(value))
		}
	}
	return received
}

func trimHeader(value string) string { return string(bytes.Trim([]byte(value), " \t")) }

// brokenReader is the rest of a body whose connection was cut.
type brokenReader struct{}

// Read returns what net/http returns in its place.
func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
