package signer

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

func readVectors[T any](t *testing.T, file string) []T {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors/" + file)
	require.NoError(t, err)
	var vectors []T
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

func TestRequestVectors(t *testing.T) {
	type vector struct {
		Name, Method, Path, Signature string
		Version                       Version
		Headers                       map[string]string
		AccessKeySecret               string `json:"access_key_secret"`
		SigningKey                    string `json:"signing_key"`
		StringToSign                  string `json:"string_to_sign"`
	}
	for _, v := range readVectors[vector](t, "requests.json") {
		t.Run(v.Name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range v.Headers {
				h[name] = []string{value}
			}
			require.Equal(t, v.StringToSign, StringToSign(v.Method, v.Path, h))

			secret := otsauth.NewSecret(v.AccessKeySecret)
			mac, text := newV2(secret), v.StringToSign
			if v.Version == V4 {
				key := deriveV4Key(secret, v.Headers["x-ots-signdate"], v.Headers["x-ots-signregion"])
				require.Equal(t, v.SigningKey, key.Reveal())
				mac, text = newV4(key), text+v4Salt
			}
			work := scratch{mac: mac, text: []byte(text)}
			require.Equal(t, v.Signature, string(work.sign(work.text)))
		})
	}
}

func TestResponseVectors(t *testing.T) {
	type vector struct {
		Name, Key, Path, Signature string
		Headers                    map[string]string
	}
	for _, v := range readVectors[vector](t, "responses.json") {
		t.Run(v.Name, func(t *testing.T) {
			resp := &http.Response{Header: http.Header{}, Request: &http.Request{URL: &url.URL{Path: v.Path}, Header: http.Header{}}}
			for name, value := range v.Headers {
				resp.Header.Set(name, value)
			}
			s := &Signer{}
			c := otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret(v.Key)}
			require.True(t, s.isSigned(c, resp, v.Signature))
			require.False(t, s.isSigned(c, resp, "x"+v.Signature[1:]))
		})
	}
}
