package bench_test

import (
	"net/http"
	"testing"

	"github.com/otsauth/otsauth/otstest"
)

// trustTestServer makes http.DefaultTransport trust otstest's certificate:
// credentials-go clones it, and offers no other way to name a root.
func trustTestServer(b *testing.B, server *otstest.Server) {
	b.Helper()
	trusting, ok1 := server.Client().Transport.(*http.Transport)
	transport, ok2 := http.DefaultTransport.(*http.Transport)
	if !ok1 || !ok2 {
		b.Fatal("not an *http.Transport")
	}
	transport.TLSClientConfig = trusting.TLSClientConfig.Clone()
}
