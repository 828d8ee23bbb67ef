package signer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/otsauth/otsauth/signer"
)

func BenchmarkSign(b *testing.B) {
	token, body := strings.Repeat("t", 700), make([]byte, 200)
	for name, opts := range map[string]*signer.Options{"V2": nil, "V4": {Region: "cn-hangzhou"}} {
		b.Run(name, func(b *testing.B) {
			s := newSigner(b, creds(token), opts)
			req := newRequest(b, "GetRow")
			req.Header = make(http.Header, 16)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign(b.Context(), req, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
