package interop_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-tablestore-go-sdk/common"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

// sdkHeaders are the headers that the official Go SDK knows, and so signs.
func sdkHeaders() (required, optional []string) {
	return []string{"x-ots-date", "x-ots-apiversion", "x-ots-accesskeyid", "x-ots-contentmd5", "x-ots-instancename"},
		[]string{
			"x-ots-ststoken", "x-ots-charge-for-admin", "x-ots-tunnel-type", "x-ots-sdk-traceid", "x-ots-request-priority", "x-ots-request-tag",
			"x-ots-request-search-tag", "x-ots-sourceip", "x-ots-issecuretransport", "x-ots-request-compress-type",
			"x-ots-request-compress-size", "x-ots-response-compress-type",
		}
}

// randomText returns a header value: printable, sometimes padded, never empty.
func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(40) {
		b.WriteRune(rune(0x21 + r.IntN(0x5e)))
		if r.IntN(8) == 0 {
			b.WriteString([]string{" ", "  ", "\t", "云"}[r.IntN(4)])
		}
	}
	return []string{"", " ", "\t "}[r.IntN(3)] + "x" + b.String() + []string{"", " ", "  "}[r.IntN(3)]
}

func randomHeader(r *rand.Rand) http.Header {
	required, optional := sdkHeaders()
	h := http.Header{"User-Agent": {"a"}, "Content-Type": {"b"}}
	for _, name := range required {
		h.Set(name, randomText(r))
	}
	for _, name := range optional {
		if r.IntN(2) == 0 {
			h.Set(name, randomText(r))
		}
	}
	return h
}

func TestOurV2SignatureIsTheSDKs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		secret, path, h := randomText(r), "/"+fmt.Sprint("Action", r.IntN(100)), randomHeader(r)
		want, err := tablestore.GetSignature(path, "POST", &common.DefaultCredentials{AccessKeyID: "id", AccessKeySecret: secret}, h)
		require.NoError(t, err)

		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(signer.StringToSign("POST", path, h)))
		require.Equal(t, want, base64.StdEncoding.EncodeToString(mac.Sum(nil)), "case %d: %q", i, h)
	}
}

// Sign itself, whose headers the SDK then signs again.
func TestWhatSignSetsTheSDKSignsTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	_, optional := sdkHeaders()
	for i := range 3000 {
		c := otsauth.Credentials{AccessKeyID: fmt.Sprint("id", i), AccessKeySecret: otsauth.NewSecret(fmt.Sprint("secret", r.Uint64()))}
		if r.IntN(2) == 0 {
			c.SecurityToken = otsauth.NewSecret(strings.Repeat(fmt.Sprint("token", r.Uint64()), 1+r.IntN(40)))
		}
		s, err := signer.New(otsauth.Static(c), "instance-1", nil)
		require.NoError(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://example.com/GetRow", nil)
		require.NoError(t, err)
		for _, name := range optional[1:] {
			if r.IntN(3) == 0 {
				req.Header.Set(name, strings.TrimSpace(randomText(r)))
			}
		}
		_, err = s.Sign(t.Context(), req, []byte(randomText(r)))
		require.NoError(t, err)
		got := req.Header.Get("x-ots-signature")
		req.Header.Del("x-ots-signature")
		want, err := tablestore.GetSignature("/GetRow", "POST", &common.DefaultCredentials{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret.Reveal()}, req.Header)
		require.NoError(t, err)
		require.Equal(t, want, got, "case %d: %q", i, req.Header)
		require.NoError(t, s.Close())
	}
}

// The SDK and we differ where the SDK signs something else than it sends.
func TestWhereTheSDKSignsSomethingElseThanItSends(t *testing.T) {
	required, _ := sdkHeaders()
	base := http.Header{}
	for _, name := range required {
		base.Set(name, "v")
	}
	sign := func(h http.Header) string {
		s, err := tablestore.GetSignature("/GetRow", "POST", &common.DefaultCredentials{AccessKeyID: "id", AccessKeySecret: "sk"}, h)
		require.NoError(t, err)
		return s
	}
	with := func(name string, values ...string) http.Header {
		h := base.Clone()
		h[http.CanonicalHeaderKey(name)] = values
		return h
	}
	for name, c := range map[string]struct {
		header, signedByTheSDK http.Header
		ours                   string
	}{
		"an unknown header is signed under its neighbour's name": {with("x-ots-tunnel-aaa", "boo"), with("x-ots-tunnel-type", "boo"), "x-ots-tunnel-aaa:boo\n"},
		"an empty value is left out":                             {with("x-ots-request-tag", ""), base, "x-ots-request-tag:\n"},
		"a repeated header is left out":                          {with("x-ots-request-tag", "a", "b"), base, "x-ots-request-tag:a\nx-ots-request-tag:b\n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, sign(c.signedByTheSDK), sign(c.header))
			require.Contains(t, signer.StringToSign("POST", "/GetRow", c.header), c.ours)
		})
	}
}
