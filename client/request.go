package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// sending is one request on its way, in one piece of memory: its parts live and end
// together.
type sending struct {
	request  http.Request
	url      url.URL
	reader   bytes.Reader
	progress *progress // nil: nobody watches
}

// newRequest returns the request of an attempt, without its headers. It does what
// http.NewRequestWithContext does, but for parsing the endpoint again.
func (s *sending) newRequest(ctx context.Context, c *OTSClient, action string, body []byte) *http.Request {
	req := &s.request
	if !isRead(action) { // to do nothing twice does no harm; watching costs a hundredth of a request
		s.progress = new(progress)
		ctx = s.progress.watch(ctx)
	}
	*req = *c.request.WithContext(ctx)
	s.url = *c.request.URL
	s.url.Path = "/" + action
	req.URL = &s.url
	if len(body) == 0 {
		req.Body, req.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
		return req
	}
	req.ContentLength = int64(len(body))
	s.reader.Reset(body)
	req.Body = io.NopCloser(&s.reader)
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return req
}

// progress is how far one request got. net/http writes requests in a goroutine
// of its own, so it is safe for concurrent use.
type progress struct {
	trace     httptrace.ClientTrace
	asked     atomic.Bool // the transport tells about its connections
	connected atomic.Bool // it had one
	wrote     atomic.Bool // the request's headers were written, if perhaps not flushed
}

// watch returns the context to send the request with. A transport that asks for
// a connection again has written nothing on the one before: net/http repeats a
// POST in no other case.
func (p *progress) watch(ctx context.Context) context.Context {
	p.trace.GetConn = func(string) {
		p.asked.Store(true)
		p.connected.Store(false)
		p.wrote.Store(false)
	}
	p.trace.GotConn = func(httptrace.GotConnInfo) { p.connected.Store(true) }
	p.trace.WroteHeaders = func() { p.wrote.Store(true) }
	return httptrace.WithClientTrace(ctx, &p.trace)
}

// neverSent reports whether the service cannot have executed a request that
// failed with err: there was no connection, or nothing was written on it
// because the service had closed it while it was idle. If the request's context
// has ended, a transport may still be writing.
func (p *progress) neverSent(err error, ended bool) bool {
	if oe := (*net.OpError)(nil); errors.As(err, &oe) && oe.Op == "dial" {
		return true
	}
	return p != nil && p.asked.Load() && (!p.connected.Load() || !p.wrote.Load() && !ended)
}
