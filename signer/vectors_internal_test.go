package signer

import (
	"encoding/base64"
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

// The dates of the vectors have four fraction digits, so they are signed below
// Sign, which always writes three.
func TestRequestVectors(t *testing.T) {
	type vector struct {
		Name, Instance, Region, Path, Date, Signature string
		AccessKeyID                                   string `json:"access_key_id"`
		AccessKeySecret                               string `json:"access_key_secret"`
		SecurityToken                                 string `json:"security_token"`
		SignDate                                      string `json:"sign_date"`
	}
	for _, v := range readVectors[vector](t, "requests.json") {
		t.Run(v.Name, func(t *testing.T) {
			h := http.Header{}
			h.Set(headerDate, v.Date)
			h.Set(headerAPIVersion, apiVersion)
			h.Set(headerAccessKeyID, v.AccessKeyID)
			h.Set(headerInstanceName, v.Instance)
			h.Set(headerContentMD5, "1B2M2Y8AsgTpgAmY7PhCfg==")
			if v.SecurityToken != "" {
				h.Set(headerSTSToken, v.SecurityToken)
			}
			secret := otsauth.NewSecret(v.AccessKeySecret)
			mac, salt := newV2(secret), ""
			if v.Region != "" {
				h.Set(headerSignDate, v.SignDate)
				h.Set(headerSignRegion, v.Region)
				mac, salt = newV4(deriveV4Key(secret, v.SignDate, v.Region)), v4Salt
			}
			mac.Write([]byte(StringToSign("POST", v.Path, h) + salt))
			require.Equal(t, v.Signature, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		})
	}
}

// The signing key of the Go SDK's common/credentials_test.go.
func TestV4KeyVector(t *testing.T) {
	require.Equal(t, "RNN1/s8/m45SdD+EzXlvpyGxc4Enu0RiODs1Lg+xFpo=", deriveV4Key(otsauth.NewSecret("credentials_test_secret"), "20240808", "cn-hangzhou").Reveal())
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
			require.Equal(t, v.Signature, s.responseSignature(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret(v.Key)}, resp))
		})
	}
}
