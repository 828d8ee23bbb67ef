package client_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

func TestOverSockets(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, err := otstest.Start(nil)
	require.NoError(t, err)
	defer server.Close()

	t.Run("plain HTTP, with connections that are used again", func(t *testing.T) {
		var dials dials
		c, err := client.New(server.URL()+"/", server.Instance(), server.STS().Provider(), &client.Options{MaxConnections: 3})
		require.NoError(t, err)
		client.SetDialer(c, dials.dial)
		createTable(t, c)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 10 {
					if err := putRow(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.Less(t, dials.made.Load(), int64(50), "they are kept alive and reused") // exactly: connections_test.go
		require.Eventually(t, func() bool { return dials.open.Load() <= 3 }, 5*time.Second, time.Millisecond)
		require.NoError(t, c.Close())
		require.Eventually(t, func() bool { return dials.open.Load() == 0 }, 5*time.Second, time.Millisecond)
		require.ErrorIs(t, putRow(t.Context(), c), otsauth.ErrClosed)
	})
	t.Run("TLS, of a version in the bounds", func(t *testing.T) {
		trusted, ok := server.Client().Transport.(*http.Transport)
		require.True(t, ok)
		for name, c := range map[string]struct {
			min, max uint16
			want     uint16
		}{"by default": {0, 0, tls.VersionTLS13}, "at most 1.2": {0, tls.VersionTLS12, tls.VersionTLS12}} {
			cl, err := client.New(server.TLSURL(), server.Instance(), server.Provider(), &client.Options{TLSMinVersion: c.min, TLSMaxVersion: c.max})
			require.NoError(t, err)
			var got uint16
			client.SetRoots(cl, trusted.TLSClientConfig.RootCAs, func(s tls.ConnectionState) { got = s.Version })
			_, err = cl.ListTable(t.Context())
			require.NoError(t, err, name)
			require.Equal(t, c.want, got, name)
			require.NoError(t, cl.Close())
		}
	})
	t.Run("what looks like a mistake fails at once", func(t *testing.T) {
		for name, c := range map[string]struct {
			endpoint string
			opts     client.Options
			hint     string
		}{
			"the certificate is nobody's":      {server.TLSURL(), client.Options{}, "proxy that opens TLS"},
			"the port speaks plain HTTP":       {strings.Replace(server.URL(), "http:", "https:", 1), client.Options{}, "speaks TLS"},
			"the server wants a newer TLS":     {server.TLSURL(), client.Options{TLSMinVersion: tls.VersionTLS10, TLSMaxVersion: tls.VersionTLS11}, "TLSMaxVersion"},
			"the host's name has no addresses": {"https://no-such-host.invalid", client.Options{}, "check the endpoint"},
		} {
			t.Run(name, func(t *testing.T) {
				cl, err := client.New(c.endpoint, server.Instance(), server.Provider(), &c.opts)
				require.NoError(t, err)
				defer cl.Close()
				if strings.Contains(c.endpoint, "invalid") {
					client.SetDialer(cl, noSuchHost)
				}
				_, err = cl.ListTable(t.Context())
				var ce *client.Error
				require.ErrorAs(t, err, &ce)
				require.Equal(t, 1, ce.Attempts)
				require.Contains(t, ce.Hint, c.hint)
			})
		}
	})
	t.Run("a reset connection", func(t *testing.T) {
		c, err := client.New(server.URL(), server.Instance(), server.Provider(), &client.Options{Retry: client.NoRetryPolicy{}})
		require.NoError(t, err)
		defer c.Close()
		server.Fail(1, otstest.Fault{Reset: true})
		_, err = c.ListTable(t.Context())
		require.ErrorIs(t, err, syscall.ECONNRESET)
		server.Fail(1, otstest.Fault{Truncate: true})
		_, err = c.ListTable(t.Context())
		require.Error(t, err)
		_, err = c.ListTable(t.Context())
		require.NoError(t, err)
	})
	t.Run("nobody listens, which a write may retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, err := client.New("http://127.0.0.1:1", "instance", server.Provider(), nil)
			require.NoError(t, err)
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err = putRow(ctx, c)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			var ce *client.Error
			require.ErrorAs(t, err, &ce)
			require.Greater(t, ce.Attempts, 3)
		})
	})
}

// TestAWriteIsRepeatedWhereItCannotHaveBeenDone has one failure after which the
// service cannot have got the request, whatever the error looks like.
func TestAWriteIsRepeatedWhereItCannotHaveBeenDone(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, err := otstest.Start(nil)
	require.NoError(t, err)
	defer server.Close()
	trusted, ok := server.Client().Transport.(*http.Transport)
	require.True(t, ok)
	never := make(chan struct{})
	defer close(never)

	// next is what the next dial does in place of making a connection.
	type dialer = func(ctx context.Context, network, address string) (net.Conn, error)
	for name, c := range map[string]struct {
		endpoint string
		next     dialer
		answered bool // before
	}{
		"connecting takes longer than an attempt may": {server.URL(), func(context.Context, string, string) (net.Conn, error) {
			<-never
			return nil, net.ErrClosed
		}, false},
		"the connection is cut while TLS is set up": {server.TLSURL(), func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			return ours, theirs.Close()
		}, false},
		"the name of the host is forgotten for a while": {server.URL(), noSuchHost, true},
	} {
		t.Run(name, func(t *testing.T) {
			cl, err := client.New(c.endpoint, server.Instance(), server.Provider(), &client.Options{Timeout: 500 * time.Millisecond})
			require.NoError(t, err)
			defer cl.Close()
			client.SetRoots(cl, trusted.TLSClientConfig.RootCAs, func(tls.ConnectionState) {})
			var broken atomic.Bool
			client.SetDialer(cl, func(ctx context.Context, network, address string) (net.Conn, error) {
				if broken.CompareAndSwap(true, false) {
					return c.next(ctx, network, address)
				}
				return (&net.Dialer{}).DialContext(ctx, network, address)
			})
			if c.answered {
				_, err := cl.ListTable(t.Context())
				require.NoError(t, err)
				client.CloseIdle(cl)
			}
			broken.Store(true)
			requireOneWrite(t, server, cl)
			require.False(t, broken.Load())
		})
	}
	t.Run("the service closes an idle connection just then", func(t *testing.T) {
		cl, err := client.New(server.URL(), server.Instance(), server.Provider(), nil)
		require.NoError(t, err)
		defer cl.Close()
		var idle *idleConn
		client.SetDialer(cl, func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			idle = &idleConn{Conn: conn, closed: make(chan struct{})}
			return idle, err
		})
		_, err = cl.ListTable(t.Context())
		require.NoError(t, err)
		first := idle
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if got.Reused {
				first.endByPeer()
			}
		}})
		requireOneWrite(t, server, cl, ctx)
		require.NotSame(t, first, idle, "the row went over another connection")
	})
}

// requireOneWrite makes a table and requires that the service was asked once.
func requireOneWrite(t *testing.T, server *otstest.Server, c *client.OTSClient, ctx ...context.Context) {
	t.Helper()
	before := len(server.Requests())
	name := fmt.Sprintf("table%d", before)
	_, err := c.CreateTable(append(ctx, t.Context())[0], &client.CreateTableRequest{
		Table: name, PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}},
	})
	require.NoError(t, err)
	require.Len(t, server.Requests(), before+1)
}

func noSuchHost(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "no-such-host.invalid", IsNotFound: true}}
}

// dials counts connections.
type dials struct{ made, open atomic.Int64 }

func (d *dials) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.made.Add(1)
	d.open.Add(1)
	return &countedConn{Conn: conn, dials: d}, nil
}

type countedConn struct {
	net.Conn
	dials *dials
	once  sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.dials.open.Add(-1) })
	return c.Conn.Close()
}

// idleConn is a connection that its peer can be made to end at a chosen moment.
type idleConn struct {
	net.Conn
	ended  atomic.Bool
	once   sync.Once
	closed chan struct{}
}

// endByPeer makes the pending Read find that the peer has ended the connection,
// and waits until net/http has closed it for that.
func (c *idleConn) endByPeer() {
	c.ended.Store(true)
	_ = c.SetReadDeadline(time.Now())
	<-c.closed
}

func (c *idleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && c.ended.Load() {
		err = io.EOF
	}
	return n, err
}

func (c *idleConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
