package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
)

// SetDialer replaces how a client's own transport connects.
func SetDialer(c *OTSClient, dial func(context.Context, string, string) (net.Conn, error)) {
	c.opts.Transport.(*http.Transport).DialContext = dial
}

// SetRoots makes a client's own transport trust roots, and tell about its
// connections.
func SetRoots(c *OTSClient, roots *x509.CertPool, connected func(tls.ConnectionState)) {
	config := c.opts.Transport.(*http.Transport).TLSClientConfig
	config.RootCAs = roots
	config.VerifyConnection = func(s tls.ConnectionState) error { connected(s); return nil }
}
