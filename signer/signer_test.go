package signer_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

const endpoint = "https://my-instance.cn-hangzhou.ots.aliyuncs.com"

func creds(token string) otsauth.Credentials {
	return otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("secret"), SecurityToken: otsauth.NewSecret(token)}
}

func newSigner(t testing.TB, c otsauth.Credentials, opts *signer.Options) *signer.Signer {
	t.Helper()
	s, err := signer.New(otsauth.Static(c), "my-instance", opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newRequest(t testing.TB, action string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/"+action, nil)
	require.NoError(t, err)
	return req
}

// naive signs as the specification reads, without any of the package's code.
func naive(newHash func() hash.Hash, key, salt string, req *http.Request) string {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(naiveStringToSign(req.Method, req.URL.Path, req.Header) + salt))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func naiveV4Key(secret, date, region string) string {
	key := "aliyun_v4" + secret
	for _, part := range []string{date, region, "ots", "aliyun_v4_request"} {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(part))
		key = string(mac.Sum(nil))
	}
	return base64.StdEncoding.EncodeToString([]byte(key))
}

func TestSignSetsWhatTheServiceRequires(t *testing.T) {
	at := time.Date(2026, 11, 23, 16, 5, 9, 987_654_321, time.FixedZone("", 8*3600))
	s := newSigner(t, creds("token"), &signer.Options{Now: func() time.Time { return at }})
	req, body := newRequest(t, "GetRow"), []byte("body")
	used, err := s.Sign(t.Context(), req, body)
	require.NoError(t, err)
	require.True(t, used.Equal(creds("token")))
	sum := md5.Sum(body)
	require.Equal(t, http.Header{
		"X-Ots-Date":         {"2026-11-23T08:05:09.987Z"},
		"X-Ots-Apiversion":   {"2015-12-31"},
		"X-Ots-Accesskeyid":  {"id"},
		"X-Ots-Instancename": {"my-instance"},
		"X-Ots-Contentmd5":   {base64.StdEncoding.EncodeToString(sum[:])},
		"X-Ots-Ststoken":     {"token"},
		"X-Ots-Signature":    {naive(sha1.New, "secret", "", req)},
	}, req.Header)
}

func TestSignWithARegionMakesAV4Signature(t *testing.T) {
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	s := newSigner(t, creds(""), &signer.Options{Region: "cn-hangzhou", Now: func() time.Time { return at }})
	req := newRequest(t, "GetRow")
	_, err := s.Sign(t.Context(), req, nil)
	require.NoError(t, err)
	require.Equal(t, "20261123", req.Header.Get("x-ots-signdate"))
	require.Equal(t, "cn-hangzhou", req.Header.Get("x-ots-signregion"))
	require.Empty(t, req.Header.Get("x-ots-signature"))
	require.Equal(t, naive(sha256.New, naiveV4Key("secret", "20261123", "cn-hangzhou"), "ots", req), req.Header.Get("x-ots-signaturev4"))
}

func TestWhatIsSignedIsWhatIsInTheRequest(t *testing.T) {
	for name, header := range map[string]http.Header{
		"nothing else":                      {},
		"a header that no SDK knows":        {"X-Ots-Custom": {"v"}},
		"a name in lower case":              {"x-ots-custom": {"v"}},
		"a name in capitals":                {"X-OTS-CUSTOM": {"v"}},
		"an empty value":                    {"X-Ots-Request-Tag": {""}},
		"spaces around the value":           {"X-Ots-Request-Tag": {" \tv\t "}},
		"spaces inside the value":           {"X-Ots-Request-Tag": {"a  b"}},
		"text that is not ASCII":            {"X-Ots-Request-Tag": {"云"}},
		"a signature of another SDK":        {"X-Ots-Signature": {"old"}, "X-Ots-Signaturev4": {"old"}, "X-Ots-Signdate": {"20200101"}, "X-Ots-Signregion": {"x"}},
		"a token of another SDK":            {"X-Ots-Ststoken": {"old"}, "X-Ots-Accesskeyid": {"old"}},
		"its headers in lower case":         {"x-ots-signature": {"old"}, "x-ots-signdate": {"20200101"}, "x-ots-ststoken": {"old"}, "x-ots-date": {"old"}},
		"another API version":               {"x-ots-apiversion": {"2018-04-01"}},
		"headers of other services":         {"X-Oss-Date": {"v"}, "X-Ots": {"v"}, "Content-Type": {"v"}, "X-Otsx-A": {"v"}},
		"names of which one begins another": {"X-Ots-A": {"1"}, "X-Ots-A-B": {"2"}, "X-Ots-Ab": {"3"}},
		"more headers than usual":           manyHeaders(40),
	} {
		for _, region := range []string{"", "cn-hangzhou"} {
			t.Run(name+" "+region, func(t *testing.T) {
				s := newSigner(t, creds(""), &signer.Options{Region: region})
				req := newRequest(t, "PutRow")
				req.Header = header.Clone()
				_, err := s.Sign(t.Context(), req, nil)
				require.NoError(t, err)
				require.NotContains(t, req.Header, "X-Ots-Ststoken")
				if region == "" {
					require.Equal(t, naive(sha1.New, "secret", "", req), req.Header.Get("x-ots-signature"))
					require.NotContains(t, req.Header, "X-Ots-Signaturev4")
					require.NotContains(t, req.Header, "X-Ots-Signdate")
				} else {
					key := naiveV4Key("secret", req.Header.Get("x-ots-signdate"), region)
					require.Equal(t, naive(sha256.New, key, "ots", req), req.Header.Get("x-ots-signaturev4"))
					require.NotContains(t, req.Header, "X-Ots-Signature")
				}
			})
		}
	}
}

func manyHeaders(n int) http.Header {
	h := http.Header{}
	for i := range n {
		h.Set(fmt.Sprintf("x-ots-h%d", i*7%n), fmt.Sprint(i))
	}
	return h
}

func TestSignRefusesWhatTheServiceWouldReadInAnotherWay(t *testing.T) {
	s := newSigner(t, creds(""), nil)
	for name, c := range map[string]struct {
		change func(*http.Request)
		field  string
	}{
		"a query":                 {func(r *http.Request) { r.URL.RawQuery = "a=b" }, "request URL"},
		"no path":                 {func(r *http.Request) { r.URL.Path = "" }, "request URL"},
		"no URL":                  {func(r *http.Request) { r.URL = nil }, "request"},
		"a repeated header":       {func(r *http.Request) { r.Header["X-Ots-Request-Tag"] = []string{"a", "b"} }, "header x-ots-request-tag"},
		"a name in two spellings": {func(r *http.Request) { r.Header["X-Ots-A"] = []string{"a"}; r.Header["x-ots-a"] = []string{"b"} }, "header x-ots-a"},
		"a line end in a value":   {func(r *http.Request) { r.Header["X-Ots-A"] = []string{"a\r\nx-ots-b:c"} }, "header x-ots-a"},
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, "GetRow")
			c.change(req)
			_, err := s.Sign(t.Context(), req, nil)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, c.field, ce.Field)
		})
	}
	t.Run("nil arguments", func(t *testing.T) {
		var none context.Context
		var ce *otsauth.ConfigError
		_, err := s.Sign(none, newRequest(t, "GetRow"), nil)
		require.ErrorAs(t, err, &ce)
		_, err = s.Sign(t.Context(), nil, nil)
		require.ErrorAs(t, err, &ce)
		require.ErrorAs(t, s.VerifyResponse(creds(""), nil, nil), &ce)
	})
}

func TestNewChecksItsArguments(t *testing.T) {
	for name, c := range map[string]struct {
		provider otsauth.Provider
		instance string
		opts     *signer.Options
		want     string
	}{
		"no provider":              {nil, "inst", nil, "provider is nil"},
		"no instance":              {otsauth.Static(creds("")), "", nil, "instance name is empty"},
		"an instance with a space": {otsauth.Static(creds("")), "my inst", nil, "' ' at byte 3"},
		"an instance with a host":  {otsauth.Static(creds("")), "inst.cn-hangzhou", nil, "'.' at byte 5"},
		"a name that is too long":  {otsauth.Static(creds("")), strings.Repeat("a", 256), nil, "longer than"},
		"V4 without a region":      {otsauth.Static(creds("")), "inst", &signer.Options{Version: signer.V4}, "V4 needs the instance's region"},
		"V2 with a region":         {otsauth.Static(creds("")), "inst", &signer.Options{Version: signer.V2, Region: "cn-hangzhou"}, "V2 does not take one"},
		"an unknown version":       {otsauth.Static(creds("")), "inst", &signer.Options{Version: 3}, "must be V2 or V4"},
		"a region that is a host":  {otsauth.Static(creds("")), "inst", &signer.Options{Region: "cn-hangzhou.ots"}, "a region looks like"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := signer.New(c.provider, c.instance, c.opts)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestCloseClosesOnlyTheSignersOwnCache(t *testing.T) {
	cache := otsauth.NewCache(otsauth.Static(creds("")), nil)
	defer cache.Close()
	s, err := signer.New(cache, "inst", nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = s.Sign(t.Context(), newRequest(t, "GetRow"), nil)
	require.NoError(t, err)

	own, err := signer.New(otsauth.Static(creds("")), "inst", nil)
	require.NoError(t, err)
	require.NoError(t, own.Close())
	_, err = own.Sign(t.Context(), newRequest(t, "GetRow"), nil)
	require.ErrorIs(t, err, otsauth.ErrClosed)
}

// The official Go SDK signs the first request after midnight with the date of
// one day and the key of the other, and races while it does.
func TestDateAndKeyAgreeAcrossMidnightAndRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		time.Sleep(time.Until(midnight) - 50*time.Millisecond)
		var rotations atomic.Int32
		cache := otsauth.NewCache(otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
			secret := fmt.Sprintf("secret%d", rotations.Add(1))
			return otsauth.Credentials{AccessKeyID: secret, AccessKeySecret: otsauth.NewSecret(secret), Expires: time.Now().Add(20 * time.Millisecond)}, nil
		}), nil)
		defer cache.Close()
		s, err := signer.New(cache, "my-instance", &signer.Options{Region: "cn-hangzhou"})
		require.NoError(t, err)
		var days sync.Map
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					req := newRequest(t, "GetRow")
					if _, err := s.Sign(t.Context(), req, nil); err != nil {
						t.Error(err)
						return
					}
					date := req.Header.Get("x-ots-signdate")
					days.Store(date, true)
					if date != strings.ReplaceAll(req.Header.Get("x-ots-date")[:10], "-", "") {
						t.Errorf("x-ots-date %s with x-ots-signdate %s", req.Header.Get("x-ots-date"), date)
					}
					key := naiveV4Key(req.Header.Get("x-ots-accesskeyid"), date, "cn-hangzhou")
					if naive(sha256.New, key, "ots", req) != req.Header.Get("x-ots-signaturev4") {
						t.Errorf("the signature is not that of %s", date)
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
		n := 0
		days.Range(func(any, any) bool { n++; return true })
		require.Equal(t, 2, n, "midnight came")
		require.Greater(t, rotations.Load(), int32(4))
	})
}
