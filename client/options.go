package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/encoding"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/proxy"
)

const (
	defaultTimeout        = 50 * time.Second
	defaultMaxConnections = 50
	defaultUserAgent      = "otsauth-go"

	connectTimeout  = 15 * time.Second
	idleConnTimeout = 60 * time.Second
)

// Options are the options of [New]. Nil means all defaults. Those of Timeout,
// MaxConnections, Retry and Encoding are the reference client's, the official Python
// SDK's.
type Options struct {
	// Timeout bounds one attempt, from getting credentials and connecting to the
	// last byte of the answer; waiting for one of MaxConnections does not count.
	// Connecting takes 15 seconds of it at the most, and so does TLS. The context
	// of a call bounds the call, with all its attempts. Zero: 50 seconds. Negative:
	// only the context bounds an attempt.
	Timeout time.Duration
	// MaxConnections bounds the connections, in use or idle; a request that
	// finds none free waits, and is signed when it is its turn. All are kept
	// alive. With a Transport it bounds the requests under way. Zero: 50.
	// Negative: as many as there are requests at once.
	MaxConnections int
	// Logger gets a debug record for each attempt and an error record for each
	// call that fails after it was checked, or each batch with rows that do; never a
	// key, a token or a body. Nil: nothing is logged.
	Logger *slog.Logger
	// Retry decides which failed attempts are repeated. Nil: [DefaultRetryPolicy].
	Retry RetryPolicy
	// TLSMinVersion and TLSMaxVersion bound the version of TLS, as in
	// [crypto/tls.Config]. Zero: 1.2, and the newest.
	TLSMinVersion, TLSMaxVersion uint16
	// Region is the instance's region, as in "cn-hangzhou". If it is set
	// requests are signed with V4, else with V2.
	Region string
	// Encoding is that of the strings the program passes and gets: names of
	// tables and columns, and STRING values. The service is always sent UTF-8.
	// Strings that are invalid in it are refused before sending. Nil: UTF-8.
	Encoding encoding.Encoding
	// CompressAbove compresses the bodies of requests that have more bytes than
	// this, where that makes them shorter: less traffic for more CPU. Only the
	// official Java SDK does so too, at no size unless asked. Zero or less: none
	// is compressed.
	CompressAbove int
	// Transport sends the requests; TLSMinVersion and TLSMaxVersion are then its
	// business. It must neither follow redirects nor repeat requests. Nil: a
	// transport of the client's own, which honours HTTPS_PROXY.
	Transport http.RoundTripper
	// UserAgent is sent with each request. Empty: "otsauth-go".
	UserAgent string
	// TraceID names an attempt for the service's logs, by what the call's context
	// says; it is sent as x-ots-sdk-traceid and signed. It must be safe for
	// concurrent use. Nil, or an empty name: none is sent. One that no header can
	// have fails the call with a [*otsauth.ConfigError].
	TraceID func(ctx context.Context) string
	// InsecureHTTP allows an http:// endpoint that is not on loopback. Set it
	// only inside a VPC: the network then sees tokens and data.
	InsecureHTTP bool
	// InsecureSkipResponseCheck accepts answers that the service did not sign.
	// Set it only for a stand-in of Tablestore that cannot sign.
	InsecureSkipResponseCheck bool
}

// withDefaults returns a copy with every zero field filled in.
func (o *Options) withDefaults() (Options, error) {
	var filled Options
	if o != nil {
		filled = *o
	}
	if filled.Timeout == 0 {
		filled.Timeout = defaultTimeout
	}
	if filled.MaxConnections == 0 {
		filled.MaxConnections = defaultMaxConnections
	}
	if filled.Logger == nil {
		filled.Logger = slog.New(slog.DiscardHandler)
	}
	if filled.Retry == nil {
		filled.Retry = DefaultRetryPolicy{}
	}
	if filled.TLSMinVersion == 0 {
		filled.TLSMinVersion = tls.VersionTLS12
	}
	for field, version := range map[string]uint16{"TLSMinVersion": filled.TLSMinVersion, "TLSMaxVersion": filled.TLSMaxVersion} {
		if version != 0 && (version < tls.VersionTLS10 || version > tls.VersionTLS13) {
			return filled, &otsauth.ConfigError{Field: field, Problem: fmt.Sprintf("is %#x; use a constant of crypto/tls, such as tls.VersionTLS12", version)}
		}
	}
	if filled.TLSMaxVersion != 0 && filled.TLSMaxVersion < filled.TLSMinVersion {
		return filled, &otsauth.ConfigError{Field: "TLSMaxVersion", Problem: "is lower than TLSMinVersion, which is TLS 1.2 if it is not set"}
	}
	if filled.UserAgent == "" {
		filled.UserAgent = defaultUserAgent
	}
	if err := checkHeader("UserAgent", filled.UserAgent); err != nil {
		return filled, err
	}
	if filled.Transport == nil {
		filled.Transport = filled.newTransport()
	}
	return filled, nil
}

// checkHeader refuses what cannot be sent as a header's value.
func checkHeader(field, value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return &otsauth.ConfigError{Field: field, Problem: "has a line end or another control character, which no HTTP header can have"}
	}
	return nil
}

// newTransport returns the client's own transport: HTTP/1.1, as all official
// SDKs speak, with as many idle connections as there may be at all.
func (o *Options) newTransport() *http.Transport {
	idle, connect := o.MaxConnections, connectTimeout
	if idle < 0 {
		idle = math.MaxInt
	}
	if o.Timeout < 0 {
		connect = 0 // no bound
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: proxy.Check,
		DialContext:            (&net.Dialer{Timeout: connect}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: o.TLSMinVersion, MaxVersion: o.TLSMaxVersion},
		TLSHandshakeTimeout:    connect,
		MaxConnsPerHost:        max(o.MaxConnections, 0), // 0: no bound
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleConnTimeout,
		DisableCompression:     true, // bodies are checked byte for byte
	}
}
