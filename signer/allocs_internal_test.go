//go:build !race

package signer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// Under the race detector a sync.Pool forgets at random, so there is nothing to count.
func TestSigningAllocatesLittle(t *testing.T) {
	creds := otsauth.Credentials{AccessKeyID: "STS.x", AccessKeySecret: otsauth.NewSecret("secret"), SecurityToken: otsauth.NewSecret(strings.Repeat("t", 700))}
	for name, c := range map[string]struct {
		region string
		whole  float64 // a new header map; its values are a part of an allocation
	}{
		"V2": {"", 2},
		"V4": {"cn-hangzhou", 4},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(otsauth.Static(creds), "my-instance", &Options{Region: c.region})
			require.NoError(t, err)
			defer s.Close()
			req, body := benchRequest(), make([]byte, 200)
			require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
				req.Header = nil
				if _, err := s.Sign(t.Context(), req, body); err != nil {
					t.Fatal(err)
				}
			}), c.whole)
			require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
				if _, err := s.Signature(creds, http.MethodPost, "/GetRow", req.Header); err != nil {
					t.Fatal(err)
				}
			}), 1.0)
		})
	}
}
