package client_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// TestNoMoreConnectionsAreOpenedThanAllowed counts them where they are accepted.
// Its connections are in memory and its time virtual, since net/http gives up a
// connection over which 50 ms were not enough to be told that a request is
// written, as on a machine that is busy, and makes another.
func TestNoMoreConnectionsAreOpenedThanAllowed(t *testing.T) {
	const goroutines, each = 128, 8
	for name, c := range map[string]struct{ given, most int }{
		"one":                    {1, 1},
		"ten":                    {10, 10},
		"the default":            {0, 50},
		"one for each goroutine": {goroutines, goroutines},
		"no bound":               {-1, goroutines},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, nil)
				l := serveInMemory(t, server.Transport())
				cl, err := client.New("http://127.0.0.1", server.Instance(), server.Provider(), &client.Options{MaxConnections: c.given})
				require.NoError(t, err)
				defer cl.Close()
				client.SetDialer(cl, l.dial)
				server.Fail(-1, otstest.Fault{Delay: time.Millisecond}) // so that many requests are under way together
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for range each {
							if _, err := cl.ListTable(t.Context()); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				require.Len(t, server.Requests(), goroutines*each)
				require.EqualValues(t, c.most, l.accepted.Load(), "all are kept alive and used again")
			})
		})
	}
}

// memory is a [net.Listener] whose connections are in memory.
type memory struct {
	accepted atomic.Int64
	dialed   chan net.Conn
	closed   chan struct{}
	close    sync.Once
}

// serveInMemory serves what a transport answers.
func serveInMemory(t *testing.T, backend http.RoundTripper) *memory {
	t.Helper()
	l := &memory{dialed: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := backend.RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l
}

func (l *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.dialed <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (l *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialed:
		l.accepted.Add(1)
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *memory) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (l *memory) Addr() net.Addr { return &net.TCPAddr{} }
