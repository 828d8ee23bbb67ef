package interop_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// TestMain lets the clients that cannot be told whom to trust, trust otstest.
func TestMain(m *testing.M) {
	if err := trustTestServers(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// trustTestServers makes http.DefaultTransport trust otstest's certificate:
// credentials-go clones it, and offers no other way to name a root.
func trustTestServers() error {
	server, err := otstest.Start(nil)
	if err != nil {
		return err
	}
	defer server.Close()
	trusting, ok1 := server.Client().Transport.(*http.Transport)
	transport, ok2 := http.DefaultTransport.(*http.Transport)
	if !ok1 || !ok2 {
		return errors.New("not an *http.Transport")
	}
	transport.TLSClientConfig = trusting.TLSClientConfig.Clone()
	// In a test that has a proxy, any name leads to an otstest server, whose
	// certificate has none of them.
	transport.TLSClientConfig.InsecureSkipVerify = true
	transport.Proxy = func(*http.Request) (*url.URL, error) { return proxyInUse.Load(), nil }
	return nil
}

// ownerOf returns the long-lived key of a server's instance.
func ownerOf(t testing.TB, server *otstest.Server) otsauth.Credentials {
	t.Helper()
	c, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	return c
}

// sdkConfig is the SDK's default without its retries.
func sdkConfig() *tablestore.TableStoreConfig {
	config := tablestore.NewDefaultTableStoreConfig()
	config.RetryTimes = 0
	return config
}

// officialClient returns the official Go SDK's client.
func officialClient(server *otstest.Server, c otsauth.Credentials) *tablestore.TableStoreClient {
	return tablestore.NewClientWithConfig(server.URL(), server.Instance(), c.AccessKeyID, c.AccessKeySecret.Reveal(), c.SecurityToken.Reveal(), sdkConfig())
}
