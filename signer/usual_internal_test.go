package signer

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// TestARequestIsSignedAsIfItWereTheFirst signs requests one after the other, so
// that each finds what is kept of those before it, and compares each signature
// with that over the headers alone.
func TestARequestIsSignedAsIfItWereTheFirst(t *testing.T) {
	at := time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC)
	requests := []struct {
		name   string
		id     string
		token  string
		path   string
		method string
		body   string
		later  time.Duration
		header http.Header
	}{
		{name: "the first", token: "a-token"},
		{name: "the same"},
		{name: "without a token", token: ""},
		{name: "a later date", token: "a-token", later: 7 * time.Millisecond},
		{name: "another body", token: "a-token", body: "body"},
		{name: "a token of the same length", token: "b-token"},
		{name: "a longer token", token: "a-token-of-another-length"},
		{name: "another action", token: "a-token", path: "/BatchWriteRow"},
		{name: "an action with a long name", token: "a-token", path: "/" + strings.Repeat("Action", 20)},
		{name: "an action that just fits", token: "a-token", path: "/" + strings.Repeat("a", requestRoom-len("/POST\n\n\n")), method: http.MethodPost},
		{name: "one that just does not", token: "a-token", path: "/" + strings.Repeat("a", requestRoom-len("/POST\n\n\n")+1), method: http.MethodPost},
		{name: "another method", token: "a-token", method: http.MethodGet},
		{name: "a header of its own", token: "a-token", header: http.Header{"X-Ots-Traceid": {"trace"}}},
		{name: "none again", token: "a-token"},
		{name: "the usual API version", token: "a-token", header: http.Header{headerAPIVersion: {apiVersion}}},
		{name: "the usual API version in another spelling", token: "a-token", header: http.Header{"x-ots-apiversion": {apiVersion}}},
		{name: "another API version", token: "a-token", header: http.Header{headerAPIVersion: {"2014-08-08"}}},
		{name: "the usual one again", token: "a-token"},
		{name: "another AccessKey ID", id: "AnotherID", token: "a-token"},
		{name: "the next day", token: "a-token", later: time.Minute},
		{name: "a header that an earlier signature left", token: "a-token", header: http.Header{headerSTSToken: {"old"}, headerDate: {"old"}}},
	}
	for _, region := range []string{"", "cn-hangzhou"} {
		s, err := New(otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("secret")}),
			"my-instance", &Options{Region: region})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Close() })
		for range 2 { // the pools are filled in the second round, whatever the race detector dropped
			for _, r := range requests {
				t.Run(r.name, func(t *testing.T) {
					creds := otsauth.Credentials{
						AccessKeyID: "id" + r.id, AccessKeySecret: otsauth.NewSecret("secret"), SecurityToken: otsauth.NewSecret(r.token),
					}
					path := "/GetRow"
					if r.path != "" {
						path = r.path
					}
					req, err := http.NewRequestWithContext(t.Context(), r.method, "https://example.com"+path, strings.NewReader(r.body))
					require.NoError(t, err)
					req.Header = r.header.Clone()
					require.NoError(t, s.sign(req, []byte(r.body), &creds, at.Add(r.later)))

					signed := req.Header.Clone()
					got := signed.Get(headerSignatureV2) + signed.Get(headerSignatureV4)
					want, err := s.Signature(creds, method(req), path, signed)
					require.NoError(t, err)
					require.Equal(t, want, got)
					require.Equal(t, r.token, signed.Get(headerSTSToken))
					require.Equal(t, at.Add(r.later).Format(dateLayout), signed.Get(headerDate))
				})
			}
		}
	}
}

func TestNoTwoRequestsShareAHeaderValue(t *testing.T) {
	s, err := New(otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("secret")}), "my-instance", nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	sign := func() http.Header {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/GetRow", http.NoBody)
		require.NoError(t, err)
		_, err = s.Sign(t.Context(), req, nil)
		require.NoError(t, err)
		return req.Header
	}
	for range valuesKept {
		first, second := sign(), sign()
		unchanged := second.Clone()
		for name := range first {
			first[name][0] = "overwritten"
			_ = append(first[name], "appended")
		}
		require.Equal(t, unchanged, second)
	}
}
