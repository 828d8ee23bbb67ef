package otsauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RPC signature 1.0 is defined with HMAC-SHA1
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// rpcTimestamp is the layout of the Timestamp parameter, in UTC.
const rpcTimestamp = "2006-01-02T15:04:05Z"

// signRPC adds the common parameters and the signature of Alibaba Cloud's RPC
// style, version 1.0, to params. Everything is meant for a form body: a URL,
// and with it the security token, would end up in errors and in proxies' logs.
// (Source: the RPC signature page of the STS API reference; credentials-go
// sends the same values.)
func signRPC(params url.Values, c Credentials, now time.Time) {
	params.Set("AccessKeyId", c.AccessKeyID)
	if !c.SecurityToken.IsZero() {
		params.Set("SecurityToken", c.SecurityToken.Reveal())
	}
	params.Set("SignatureMethod", "HMAC-SHA1")
	params.Set("SignatureVersion", "1.0")
	params.Set("SignatureNonce", rand.Text())
	params.Set("Timestamp", now.UTC().Format(rpcTimestamp))

	params.Set("Signature", rpcSignature(c.AccessKeySecret.Reveal(), "POST", params))
}

// rpcSignature is base64(HMAC-SHA1(secret + "&", string-to-sign)).
func rpcSignature(secret, method string, params url.Values) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(rpcStringToSign(method, params)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// rpcStringToSign is the canonical form of a request to the path "/": all
// parameters sorted by name, names and values percent-encoded, joined, and the
// whole percent-encoded once more.
func rpcStringToSign(method string, params url.Values) string {
	var query strings.Builder
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(percentEncode(name))
		query.WriteByte('=')
		query.WriteString(percentEncode(params.Get(name)))
	}
	return method + "&%2F&" + percentEncode(query.String())
}

// percentEncode escapes all but RFC 3986's unreserved characters.
func percentEncode(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}
