package signer_test

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

func TestStringToSign(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"no header":                                   {nil, "/GetRow\nPOST\n\n"},
		"headers are sorted":                          {http.Header{"X-Ots-B": {"2"}, "X-Ots-A": {"1"}, "Other": {"3"}}, "/GetRow\nPOST\n\nx-ots-a:1\nx-ots-b:2\n"},
		"each of several values has a line":           {http.Header{"X-Ots-A": {"2", "1"}}, "/GetRow\nPOST\n\nx-ots-a:2\nx-ots-a:1\n"},
		"a name in two spellings":                     {http.Header{"x-ots-a": {"2"}, "X-Ots-A": {"1"}}, "/GetRow\nPOST\n\nx-ots-a:1\nx-ots-a:2\n"},
		"a header without values":                     {http.Header{"X-Ots-A": {}}, "/GetRow\nPOST\n\n"},
		"an empty value has a line":                   {http.Header{"X-Ots-A": {""}}, "/GetRow\nPOST\n\nx-ots-a:\n"},
		"white space at the ends is cut":              {http.Header{"X-Ots-A": {" \ta  b "}}, "/GetRow\nPOST\n\nx-ots-a:a  b\n"},
		"a hyphen sorts before a letter":              {http.Header{"X-Ots-Ab": {"2"}, "X-Ots-A-B": {"1"}}, "/GetRow\nPOST\n\nx-ots-a-b:1\nx-ots-ab:2\n"},
		"the prefix alone is a header like any other": {http.Header{"X-Ots-": {"v"}, "X-Ots": {"v"}, "X-Otsx-A": {"v"}}, "/GetRow\nPOST\n\nx-ots-:v\n"},
		"signatures are left out":                     {http.Header{"X-Ots-Signature": {"s"}, "x-ots-signaturev4": {"s"}}, "/GetRow\nPOST\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, signer.StringToSign("POST", "/GetRow", c.header))
		})
	}
}

// naiveStringToSign follows the specification's words, without any of the
// package's code.
func naiveStringToSign(method, path string, h http.Header) string {
	type line struct{ name, spelling, value string }
	var lines []line
	for name, values := range h {
		lowered := asciiLower(name)
		if !strings.HasPrefix(lowered, "x-ots-") || lowered == "x-ots-signature" || lowered == "x-ots-signaturev4" {
			continue
		}
		for _, value := range values {
			lines = append(lines, line{lowered, name, strings.Trim(value, " \t\r\n")})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.spelling, b.spelling))
	})
	text := path + "\n" + method + "\n\n"
	for _, l := range lines {
		text += l.name + ":" + l.value + "\n"
	}
	return text
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

func FuzzStringToSign(f *testing.F) {
	f.Add("X-Ots-A", " v ", "x-ots-b", "", "Other", "o", "X-Ots-A", "w")
	f.Add("x-ots-a", "1", "X-OTS-A", "2", "X-Ots-Ab", "3", "X-Ots-A-B", "4")
	f.Add("X-Ots-Signature", "s", "x-ots-signaturev4", "s", "X-Ots-", "p", "X-Ots-\u212a", "k")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3, n4, v4 string) {
		h := http.Header{}
		for _, nv := range [][2]string{{n1, v1}, {n2, v2}, {n3, v3}, {n4, v4}} {
			h[nv[0]] = append(h[nv[0]], nv[1])
		}
		if got, want := signer.StringToSign("POST", "/A", h), naiveStringToSign("POST", "/A", h); got != want {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

// Whatever headers a request has, Sign refuses them or signs all of them, and
// sends each name once.
func FuzzSign(f *testing.F) {
	f.Add("X-Ots-A", " v ", "x-ots-date", "old", "X-Ots-Signature", "old", true)
	f.Add("X-Ots-A", "a\nb", "x-ots-a", "", "X-Ots-Apiversion", "2018-04-01", false)
	f.Add("X-Ots-", "0", "X-ots-", "0", "0", "0", false)
	v2 := newSigner(f, creds("token"), nil)
	v4 := newSigner(f, creds(""), &signer.Options{Region: "cn-hangzhou"})
	f.Fuzz(func(t *testing.T, n1, v1, n2, value2, n3, v3 string, useV4 bool) {
		req := newRequest(t, "GetRow")
		for _, nv := range [][2]string{{n1, v1}, {n2, value2}, {n3, v3}} {
			req.Header[nv[0]] = append(req.Header[nv[0]], nv[1])
		}
		s, name := v2, "X-Ots-Signature"
		if useV4 {
			s, name = v4, "X-Ots-Signaturev4"
		}
		if _, err := s.Sign(t.Context(), req, nil); err != nil {
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			return
		}
		want := naive(sha1.New, "secret", "", req)
		if useV4 {
			want = naive(sha256.New, naiveV4Key("secret", req.Header.Get("x-ots-signdate"), "cn-hangzhou"), "ots", req)
		}
		require.Equal(t, []string{want}, req.Header[name])
		seen := map[string]bool{}
		for name := range req.Header {
			if lowered := asciiLower(name); strings.HasPrefix(lowered, "x-ots-") {
				require.False(t, seen[lowered], "%s is sent twice", lowered)
				seen[lowered] = true
			}
		}
	})
}
