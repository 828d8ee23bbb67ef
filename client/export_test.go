package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"

	"golang.org/x/text/encoding"
)

// SetDialer replaces how a client's own transport connects.
func SetDialer(c *OTSClient, dial func(context.Context, string, string) (net.Conn, error)) {
	c.opts.Transport.(*http.Transport).DialContext = dial
}

// CloseIdle closes the idle connections of a client's own transport.
func CloseIdle(c *OTSClient) { c.opts.Transport.(*http.Transport).CloseIdleConnections() }

// SetRoots makes a client's own transport trust roots, and tell about its
// connections.
func SetRoots(c *OTSClient, roots *x509.CertPool, connected func(tls.ConnectionState)) {
	config := c.opts.Transport.(*http.Transport).TLSClientConfig
	config.RootCAs = roots
	config.VerifyConnection = func(s tls.ConnectionState) error { connected(s); return nil }
}

// Hints returns the next steps for answers that are errors.
func Hints() []string {
	var all []string
	for _, h := range hints() {
		all = append(all, h.hint)
	}
	return all
}

// TextOut is how a string is sent in an encoding, or the problem with it.
func TextOut(e encoding.Encoding, s string) (sent, problem string) { return text{e}.out(s) }

// TextIn is how a string arrives.
func TextIn(e encoding.Encoding, s string) (string, error) { return text{e}.in(s) }

// ParseEndpoint returns an endpoint as it is used, and the instance in it.
func ParseEndpoint(endpoint string) (base, instance string, err error) {
	u, instance, err := parseEndpoint(endpoint, false)
	if err != nil {
		return "", "", err
	}
	return u.String(), instance, nil
}

// DecodeGetRange decodes the body of an answer.
func DecodeGetRange(body []byte) (*GetRangeResponse, error) {
	return text{}.decodeRange(body)
}

// DecodeOneRow decodes the body of an answer of an action on one row.
func DecodeOneRow(body []byte) (Capacity, *Row, []byte, error) {
	one, err := text{}.decodeOneRow(body)
	return one.consumed, one.row, one.token, err
}
