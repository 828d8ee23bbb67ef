package signer

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/otsauth/otsauth"
)

// The benchmarks run beside their floor: the least work that anybody's
// signature takes, which is an HMAC with a ready key over the same bytes, its
// base64 and, for a whole request, the MD5 of the body and its base64.

func benchSigner(b *testing.B, region, token string) (*Signer, otsauth.Credentials) {
	b.Helper()
	creds := otsauth.Credentials{
		AccessKeyID:     "STS.NUabcdefghijklmnopqrstuvw",
		AccessKeySecret: otsauth.NewSecret(strings.Repeat("s", 44)),
		SecurityToken:   otsauth.NewSecret(token),
	}
	s, err := New(otsauth.Static(creds), "my-instance", &Options{Region: region})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s, creds
}

func benchRequest() *http.Request {
	return &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: "h", Path: "/GetRow"}, Header: http.Header{}}
}

type floor struct {
	mac  hash.Hash
	text []byte
	sum  [32]byte
}

func newFloor(b *testing.B, region, token string) *floor {
	b.Helper()
	s, creds := benchSigner(b, region, token)
	req := benchRequest()
	if _, err := s.Sign(b.Context(), req, nil); err != nil {
		b.Fatal(err)
	}
	text := []byte(StringToSign(req.Method, req.URL.Path, req.Header))
	if region == "" {
		return &floor{mac: hmac.New(sha1.New, []byte(creds.AccessKeySecret.Reveal())), text: text}
	}
	return &floor{mac: hmac.New(sha256.New, []byte(creds.AccessKeySecret.Reveal())), text: append(text, v4Salt...)}
}

func (f *floor) sign() string {
	var encoded [44]byte
	f.mac.Reset()
	f.mac.Write(f.text)
	digest := f.mac.Sum(f.sum[:0])
	return string(base64.StdEncoding.AppendEncode(encoded[:0], digest))
}

func floorMD5(body []byte) string {
	sum := md5.Sum(body)
	var encoded [24]byte
	return string(base64.StdEncoding.AppendEncode(encoded[:0], sum[:]))
}

func versions(b *testing.B, run func(b *testing.B, region, token string)) {
	for _, region := range []string{"", "cn-hangzhou"} {
		for _, token := range []string{"", strings.Repeat("t", 700)} {
			name := "V2"
			if region != "" {
				name = "V4"
			}
			b.Run(fmt.Sprintf("%s/token=%d", name, len(token)), func(b *testing.B) { run(b, region, token) })
		}
	}
}

func BenchmarkSignature(b *testing.B) {
	versions(b, func(b *testing.B, region, token string) {
		b.Run("floor", func(b *testing.B) {
			f := newFloor(b, region, token)
			b.ReportAllocs()
			for b.Loop() {
				f.sign()
			}
		})
		b.Run("ours", func(b *testing.B) {
			s, creds := benchSigner(b, region, token)
			req := benchRequest()
			if _, err := s.Sign(b.Context(), req, nil); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Signature(creds, req.Method, req.URL.Path, req.Header); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkSign(b *testing.B) {
	for _, size := range []int{200, 4 << 10, 1 << 20} {
		body := make([]byte, size)
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			versions(b, func(b *testing.B, region, token string) {
				b.Run("floor", func(b *testing.B) {
					f := newFloor(b, region, token)
					b.ReportAllocs()
					for b.Loop() {
						floorMD5(body)
						f.sign()
					}
				})
				b.Run("ours", func(b *testing.B) {
					s, _ := benchSigner(b, region, token)
					req := benchRequest()
					b.ReportAllocs()
					for b.Loop() {
						req.Header = nil // a new map is part of the work
						if _, err := s.Sign(b.Context(), req, body); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		})
	}
}

func BenchmarkSignParallel(b *testing.B) {
	body := make([]byte, 200)
	versions(b, func(b *testing.B, region, token string) {
		s, _ := benchSigner(b, region, token)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			req := benchRequest()
			for pb.Next() {
				req.Header = nil
				if _, err := s.Sign(b.Context(), req, body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
