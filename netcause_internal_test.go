package otsauth

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answering returns a transport whose other side reads each request and answers
// with the text, whatever that is.
func answering(text string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			if req, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(theirs, text)
			}
		}()
		return ours, nil
	}}
}

// httpSources returns one of each provider that reads an answer of HTTP.
func httpSources(t *testing.T, transport http.RoundTripper) map[string]Provider {
	t.Helper()
	client := &http.Client{Transport: transport}
	uri, err := URI("http://localhost/credentials", &URIOptions{HTTPClient: client})
	require.NoError(t, err)
	role, err := AssumeRole(Static(Credentials{AccessKeyID: "id", AccessKeySecret: NewSecret("a-secret")}),
		"acs:ram::123456789012:role/reader", &AssumeRoleOptions{Endpoint: "http://localhost", HTTPClient: client})
	require.NoError(t, err)
	return map[string]Provider{
		"uri": uri, "assume-role": role,
		"ecs": ECSRole(&ECSOptions{Endpoint: "http://localhost", RoleName: "reader", HTTPClient: client}),
	}
}

func TestAnAnswerThatIsNotHTTPIsNotQuoted(t *testing.T) {
	const secret = "hush-hush-secret"
	for name, text := range map[string]string{
		"JSON without HTTP":              `{"AccessKeyId":"STS.x","AccessKeySecret":"` + secret + `"}` + "\r\n\r\n",
		"a header line that is JSON":     "HTTP/1.1 200 OK\r\n{\"AccessKeySecret\" \"" + secret + "\"}\r\n\r\n",
		"a transfer encoding":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + secret + "\r\n\r\n",
		"a length that is not a number":  "HTTP/1.1 200 OK\r\nContent-Length: " + secret + "\r\n\r\n",
		"a status that is not a number":  "HTTP/1.1 " + secret + " OK\r\nContent-Length: 0\r\n\r\n",
		"a version that is not a number": secret + " 200 OK\r\n\r\n",
		"a redirect to what is no URL":   "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://[" + secret + "\r\n\r\n",
		"a trailer that is JSON":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{\"AccessKeySecret\" \"" + secret + "\"}\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for name, p := range httpSources(t, answering(text)) {
				_, err := p.Retrieve(t.Context())
				require.ErrorIs(t, err, errNotHTTP, name)
				require.ErrorContains(t, err, "localhost", name)
				require.NotContains(t, err.Error(), secret, name)
			}
		})
	}
}

func TestAProxysPasswordIsNotQuoted(t *testing.T) {
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		// (Source: golang.org/x/net/http/httpproxy, of a variable that is no URL.)
		return nil, errors.New(`invalid proxy address "http://user:hush-hush-secret@ proxy"`)
	}}
	for name, p := range httpSources(t, transport) {
		_, err := p.Retrieve(t.Context())
		require.ErrorContains(t, err, "check the address and the proxy", name)
		require.NotContains(t, err.Error(), "hush", name)
	}
}

// brokenTransport fails each request in one way.
type brokenTransport struct{ err error }

func (b brokenTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

// silentTransport waits until the request's context ends.
type silentTransport struct{}

func (silentTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// slowError is a timeout as net/http has several, unexported.
type slowError struct{ error }

func (slowError) Timeout() bool   { return true }
func (slowError) Temporary() bool { return true }

func TestCausesThatHelpAreKept(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	unknown := &net.DNSError{Err: "no such host", Name: "sts.example.com", IsNotFound: true}
	for name, c := range map[string]struct {
		err  error
		is   error
		text string
	}{
		"a connection that broke":                   {reset, reset, "read tcp: connection reset by peer"},
		"a name that is not known":                  {unknown, unknown, "lookup sts.example.com: no such host"},
		"a certificate that is not trusted":         {&tls.CertificateVerificationError{Err: errors.New("x509: unknown authority")}, nil, "failed to verify certificate: x509: unknown authority"},
		"an alert of TLS":                           {&net.OpError{Op: "remote error", Err: tls.AlertError(70)}, tls.AlertError(70), "protocol version not supported"},
		"an answer that is not TLS":                 {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, nil, "does not look like a TLS handshake"},
		"an answer of HTTP where TLS was asked for": {http.ErrSchemeMismatch, http.ErrSchemeMismatch, "HTTP response to HTTPS client"},
		"a timeout":                {slowError{errors.New("net/http: timeout awaiting response headers")}, context.DeadlineExceeded, "did not answer in time"},
		"an end before the answer": {io.EOF, io.ErrUnexpectedEOF, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			for name, p := range httpSources(t, brokenTransport{c.err}) {
				_, err := p.Retrieve(t.Context())
				require.ErrorContains(t, err, c.text, name)
				if c.is != nil {
					require.ErrorIs(t, err, c.is, name)
				}
			}
		})
	}
}

func TestAContextThatEndsIsTheCauseWithItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, enough)
		defer cancel()
		for name, p := range httpSources(t, silentTransport{}) {
			_, err := p.Retrieve(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.ErrorIs(t, err, enough, name)
		}
	})
}

func TestAProxyThatRefusesIsSaidWithItsStatusAndNoText(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	transport := sharedTransport().Clone()
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	transport.Proxy = http.ProxyURL(address)
	role, err := AssumeRole(Static(Credentials{AccessKeyID: "id", AccessKeySecret: NewSecret("a-secret")}),
		"acs:ram::123456789012:role/reader", &AssumeRoleOptions{Endpoint: "sts.example.com", HTTPClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	_, err = role.Retrieve(t.Context())
	require.ErrorContains(t, err, "no answer from sts.example.com: the proxy refused to connect: 407 Proxy Authentication Required; check HTTPS_PROXY")
}
