package otsauth

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/otsauth/otsauth/internal/proxy"
)

// sharedTransport is the transport of every provider whose options name no
// HTTP client. Sharing it bounds the connections of a process whatever happens
// to a source. Fetches are minutes apart, so no idle connection is kept, and
// nothing is left running when the last Cache is closed.
//
//nolint:gochecknoglobals // made once and never changed; one per provider would not bound anything
var sharedTransport = sync.OnceValue(func() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: proxy.Check,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  sourceTimeout,
		MaxConnsPerHost:        8,
		DisableKeepAlives:      true,
	}
})
