package signer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trackedBody counts how it is used.
type trackedBody struct {
	io.Reader
	reads, closes atomic.Int32
}

func (b *trackedBody) Read(p []byte) (int, error) { b.reads.Add(1); return b.Reader.Read(p) }
func (b *trackedBody) Close() error               { b.closes.Add(1); return nil }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// accept answers 200 to anything.
func accept(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

func TestTransportSendsASignedCopyAndLeavesTheRequestAlone(t *testing.T) {
	s := newSigner(t, creds("token"), nil)
	var sent *http.Request
	var first, second []byte
	transport := &signer.Transport{Signer: s, Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		sent = req
		first, _ = io.ReadAll(req.Body)
		again, err := req.GetBody()
		require.NoError(t, err)
		second, _ = io.ReadAll(again)
		return accept(req)
	})}
	body := &trackedBody{Reader: strings.NewReader("body")}
	req := newRequest(t, "PutRow")
	req.Body, req.ContentLength = body, -1
	// What the official SDK has signed, with keys of its own.
	req.Header = http.Header{
		"User-Agent": {"aliyun-tablestore-sdk-golang/4.0.2"}, "X-Ots-Date": {"2020-01-01T00:00:00.1234Z"}, "X-Ots-Accesskeyid": {"dummy"},
		"X-Ots-Signature": {"dummy"}, "X-Ots-Signaturev4": {"dummy"}, "X-Ots-Signdate": {"20200101"}, "X-Ots-Ststoken": {"dummy"},
		"X-Ots-Instancename": {"dummy"}, "X-Ots-Contentmd5": {"dummy"}, "X-Ots-Apiversion": {"2015-12-31"},
		"X-Ots-Sdk-Traceid": {"trace"}, "x-ots-external": {"e"},
	}
	before := req.Clone(t.Context())
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()

	require.Equal(t, before.Header, req.Header)
	require.Same(t, body, req.Body)
	require.Nil(t, req.GetBody)
	require.Equal(t, int64(-1), req.ContentLength)
	require.Equal(t, int32(1), body.closes.Load())

	require.Same(t, sent, resp.Request)
	require.Equal(t, "body", string(first))
	require.Equal(t, "body", string(second))
	require.Equal(t, int64(4), sent.ContentLength)
	for name, values := range sent.Header {
		require.NotContains(t, values, "dummy", name)
	}
	require.Equal(t, "trace", sent.Header.Get("x-ots-sdk-traceid"))
	require.Equal(t, map[string][]string{"x-ots-external": {"e"}}, headersWith(sent.Header, "external"), "its spelling stays")
	require.Equal(t, "my-instance", sent.Header.Get("x-ots-instancename"))
	want, err := s.Signature(creds("token"), http.MethodPost, "/PutRow", sent.Header)
	require.NoError(t, err)
	require.Equal(t, want, sent.Header.Get("x-ots-signature"))
}

// headersWith returns the headers of h whose name has text in it.
func headersWith(h http.Header, text string) map[string][]string {
	found := map[string][]string{}
	for name, values := range h {
		if strings.Contains(name, text) {
			found[name] = values
		}
	}
	return found
}

func TestTransportClosesTheBodyAndSendsNothingItMustNot(t *testing.T) {
	var sent atomic.Int32
	base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		sent.Add(1)
		return accept(req)
	})
	good := newSigner(t, creds(""), nil)
	broken, err := signer.New(otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		return otsauth.Credentials{}, errors.New("no keys today")
	}), "my-instance", nil)
	require.NoError(t, err)
	defer broken.Close()

	for name, c := range map[string]struct {
		transport *signer.Transport
		change    func(*http.Request)
		body      io.Reader
		sent      bool
		says      string
	}{
		"a good request":                {&signer.Transport{Signer: good, Base: base}, nil, nil, true, ""},
		"an empty body":                 {&signer.Transport{Signer: good, Base: base}, nil, strings.NewReader(""), true, ""},
		"a body as large as the bound":  {&signer.Transport{Signer: good, Base: base, MaxBodyBytes: 4}, nil, nil, true, ""},
		"no bound":                      {&signer.Transport{Signer: good, Base: base, MaxBodyBytes: -1}, nil, nil, true, ""},
		"plain http to this machine":    {&signer.Transport{Signer: good, Base: base}, to("http://[::1]:8080/GetRow"), nil, true, ""},
		"plain http that is allowed":    {&signer.Transport{Signer: good, Base: base, InsecureHTTP: true}, to("http://example.com/GetRow"), nil, true, ""},
		"plain http to another machine": {&signer.Transport{Signer: good, Base: base}, to("http://example.com/GetRow"), nil, false, "set InsecureHTTP"},
		"no signer":                     {&signer.Transport{Base: base}, nil, nil, false, "Transport.Signer is nil"},
		"no URL":                        {&signer.Transport{Signer: good, Base: base}, func(r *http.Request) { r.URL = nil }, nil, false, "has no URL"},
		"no credentials":                {&signer.Transport{Signer: broken, Base: base}, nil, nil, false, "no keys today"},
		"a query":                       {&signer.Transport{Signer: good, Base: base}, to("https://example.com/GetRow?a=b"), nil, false, "without a query"},
		"the SDK's doubled slash":       {&signer.Transport{Signer: good, Base: base}, to("https://example.com//GetRow"), nil, false, `look for a "/" at the end of the endpoint`},
		"a redirect":                    {&signer.Transport{Signer: good, Base: base}, func(r *http.Request) { r.Response = &http.Response{} }, nil, false, "redirect"},
		"a body that is too large":      {&signer.Transport{Signer: good, Base: base, MaxBodyBytes: 3}, nil, nil, false, "more than 3 bytes"},
		"a body that cannot be read":    {&signer.Transport{Signer: good, Base: base}, nil, brokenReader{}, false, "disk on fire"},
		"a canceled context": {
			&signer.Transport{Signer: broken, Base: base},
			func(r *http.Request) {
				ctx, cancel := context.WithCancel(r.Context())
				cancel()
				*r = *r.WithContext(ctx)
			}, nil, false, "context canceled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent.Store(0)
			if c.body == nil {
				c.body = strings.NewReader("body")
			}
			body := &trackedBody{Reader: c.body}
			req := newRequest(t, "GetRow")
			req.Body, req.ContentLength = body, 4
			if c.change != nil {
				c.change(req)
			}
			resp, err := c.transport.RoundTrip(req)
			require.Equal(t, int32(1), body.closes.Load())
			require.Equal(t, c.sent, sent.Load() == 1)
			if c.says == "" {
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return
			}
			require.Nil(t, resp)
			require.ErrorContains(t, err, c.says)
		})
	}
	t.Run("no request", func(t *testing.T) {
		resp, err := (&signer.Transport{Signer: good}).RoundTrip(nil) //nolint:bodyclose // there is no answer
		var ce *otsauth.ConfigError
		require.ErrorAs(t, err, &ce)
		require.Nil(t, resp)
	})
	t.Run("a base that fails", func(t *testing.T) {
		down := errors.New("network is down")
		resp, err := (&signer.Transport{Signer: good, Base: roundTripperFunc(func(*http.Request) (*http.Response, error) {
			return nil, down
		})}).RoundTrip(newRequest(t, "GetRow")) //nolint:bodyclose // there is no answer
		require.ErrorIs(t, err, down)
		require.Nil(t, resp)
	})
}

func to(url string) func(*http.Request) {
	return func(r *http.Request) {
		other, err := http.NewRequestWithContext(r.Context(), r.Method, url, nil)
		if err != nil {
			panic(err)
		}
		r.URL = other.URL
	}
}

// The official Go SDK follows a redirect, and so sends token and signature to
// whatever host it names.
func TestTransportForwardsNothingToAnotherHost(t *testing.T) {
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			var stolen atomic.Int32
			thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
			defer thief.Close()
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, thief.URL+"/GetRow", status)
			}))
			defer service.Close()

			base := &http.Transport{}
			defer base.CloseIdleConnections()
			client := &http.Client{Transport: &signer.Transport{Signer: newSigner(t, creds("token"), nil), Base: base}}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, service.URL+"/GetRow", bytes.NewReader([]byte("body")))
			require.NoError(t, err)
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.ErrorContains(t, err, "redirect")
			require.NotContains(t, err.Error(), "token")
			require.Zero(t, stolen.Load(), "the other host was sent a request")
		})
	}
}

func TestTransportUnderAnHTTPClientOverTLS(t *testing.T) {
	server := otstest.NewServer(t, nil)
	s, err := signer.New(server.STS().Provider(), server.Instance(), &signer.Options{Region: "cn-hangzhou"})
	require.NoError(t, err)
	defer s.Close()
	base := server.Client().Transport.(*http.Transport).Clone()
	defer base.CloseIdleConnections()
	client := &http.Client{Transport: &signer.Transport{Signer: s, Base: base}, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.TLSURL()+"/ListTable", nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
}

func TestTheTransportSendsARefusedRequestOnceMoreOnlyIfItCouldMendSomething(t *testing.T) {
	for name, c := range map[string]struct {
		code, message string
		status        int
		requests      int64
	}{
		"a token that expired":        {"OTSAuthFailed", "The security token has expired.", 403, 3},
		"a token in other words":      {"OTSNoPermissionAccess", "InvalidSecurityToken", 403, 3},
		"a missing permission":        {"OTSNoPermissionAccess", "You have no permission to access the requested resource", 403, 2},
		"another instance":            {"OTSAuthFailed", "The instance is not found.", 403, 2},
		"an account that is unknown":  {"OTSAuthFailed", "The user does not exist.", 403, 2},
		"a service that is too busy":  {"OTSServerBusy", "Server is busy.", 503, 2},
		"a status that is no refusal": {"OTSAuthFailed", "The security token has expired.", 500, 2},
	} {
		t.Run(name, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			s, err := signer.New(server.STS().Provider(), server.Instance(), nil)
			require.NoError(t, err)
			defer s.Close()
			transport := &signer.Transport{Signer: s, Base: server.Transport()}
			require.Equal(t, http.StatusOK, send(t, transport, newRequest(t, "ListTable")).status)
			server.Fail(2, otstest.Fault{StatusCode: c.status, Code: c.code, Message: c.message})
			got := send(t, transport, newRequest(t, "ListTable"))
			require.Equal(t, c.status, got.status)
			require.Contains(t, string(got.body), c.message, "the body is left as it was")
			require.Equal(t, c.requests, server.Stats().Requests)
		})
	}
	t.Run("a permanent key is not replaced", func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		s, err := signer.New(server.Provider(), server.Instance(), nil)
		require.NoError(t, err)
		defer s.Close()
		server.Fail(1, otstest.Fault{StatusCode: 403, Code: "OTSAuthFailed", Message: "Signature mismatch."})
		got := send(t, &signer.Transport{Signer: s, Base: server.Transport()}, newRequest(t, "ListTable"))
		require.Equal(t, http.StatusForbidden, got.status)
		require.EqualValues(t, 1, server.Stats().Requests)
	})
	t.Run("a body is sent again as it was", func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		s, err := signer.New(server.STS().Provider(), server.Instance(), nil)
		require.NoError(t, err)
		defer s.Close()
		server.Fail(1, otstest.Fault{Revoke: true})
		var bodies, tokens []string
		base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			bodies, tokens = append(bodies, string(body)), append(tokens, req.Header.Get("X-Ots-Ststoken"))
			req.Body, err = req.GetBody()
			require.NoError(t, err)
			return server.Transport().RoundTrip(req)
		})
		req := newRequest(t, "ListTable")
		req.Body = io.NopCloser(strings.NewReader("body"))
		send(t, &signer.Transport{Signer: s, Base: base}, req)
		require.Equal(t, []string{"body", "body"}, bodies)
		require.NotEqual(t, tokens[0], tokens[1])
	})
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
