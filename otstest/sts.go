package otstest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RPC signature 1.0 is defined with HMAC-SHA1
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/redact"
)

// STS is the Security Token Service of a [Server]: the actions AssumeRole, with
// RPC signature 1.0, and AssumeRoleWithOIDC. Its methods are safe for concurrent use.
type STS struct {
	server *Server

	mu       sync.Mutex // guards the fields below
	lifetime time.Duration
	roles    []string
	nonces   map[string]time.Time // when each was used
	oidc     map[string]time.Time // when each OIDC token ends
}

// SetLifetime makes the tokens issued from now on live for d, whatever the
// request asks for. Zero or less: what the request asks for.
func (t *STS) SetLifetime(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lifetime = max(d, 0)
}

// SetRoles makes these the only roles that exist, by their ARNs. With none,
// every role does.
func (t *STS) SetRoles(arns ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roles = arns
}

// AssumeRoleOptions returns options for [otsauth.AssumeRole] that reach this
// STS in process, without a socket.
func (t *STS) AssumeRoleOptions() *otsauth.AssumeRoleOptions {
	return &otsauth.AssumeRoleOptions{
		Endpoint:   "https://sts.otstest.invalid",
		HTTPClient: &http.Client{Transport: t.server.Transport()},
	}
}

// Provider returns a provider of temporary credentials of a role: AssumeRole,
// in process, with the long-lived key of the instance's owner. Wrap it in
// [otsauth.NewCache], as any provider.
func (t *STS) Provider() otsauth.Provider {
	p, err := otsauth.AssumeRole(t.server.Provider(), "acs:ram::123456789012:role/otstest", t.AssumeRoleOptions())
	if err != nil {
		panic(err) // the arguments are constants
	}
	return p
}

// stsRefuse is an error of STS, whose message says all there is to say.
func stsRefuse(status int, code, message string, args ...any) *refusal {
	message = fmt.Sprintf(message, args...)
	return refuse(status, code, message, "%s", message)
}

// serve answers one RPC request. Parameters may come in the query and in the
// form body, as different SDKs send them.
func (t *STS) serve(ctx context.Context, r *http.Request, body []byte) *answer {
	params := r.URL.Query()
	form, formErr := url.ParseQuery(string(body))
	for name, values := range form {
		params[name] = append(params[name], values...)
	}
	action := params.Get("Action")
	seen := Request{
		Action: "STS." + action, AccessKeyID: params.Get("AccessKeyId"), RequestID: strings.ToUpper(newRequestID()),
		Parameters: map[string]string{},
	}
	for _, name := range []string{"RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", "OIDCProviderArn"} {
		if params.Has(name) {
			seen.Parameters[name] = params.Get(name)
		}
	}
	defer func() { t.server.record(seen, true) }()

	fault := t.server.nextFault(true, action)
	if !fault.wait(ctx) || fault.Reset {
		seen.Reason = "the connection was cut before the request was looked at"
		return &answer{reset: true}
	}
	if fault.Revoke {
		t.server.keys.revoke(seen.AccessKeyID)
	}
	issued, refused := t.do(r.Method, params, formErr, &seen)
	if refused == nil && fault.StatusCode != 0 {
		refused = refuse(fault.StatusCode, fault.Code, fault.Message, "a fault was planned")
	}
	a := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, cut: fault.Truncate}
	var reply any
	if refused == nil {
		t.server.keys.add(issued)
		reply = t.success(issued, params, seen.RequestID)
	} else {
		a.status, seen.Code = refused.StatusCode, refused.Code
		seen.Message, seen.Reason = maskRPC(refused.Message, params), maskRPC(refused.reason, params)
		reply = map[string]string{"RequestId": seen.RequestID, "HostId": "sts.otstest.invalid", "Code": refused.Code, "Message": refused.Message}
	}
	if fault.ResetAfter {
		seen.Reason = "the connection was cut after the request was done"
		return &answer{reset: true}
	}
	seen.StatusCode = a.status
	a.body, _ = json.Marshal(reply) // maps of strings always encode
	if fault.PlainBody != "" {
		a.body, a.header = []byte(fault.PlainBody), http.Header{"Content-Type": {"text/html"}}
	}
	return a
}

// do verifies a request and makes the credentials it asks for.
func (t *STS) do(method string, params url.Values, formErr error, seen *Request) (otsauth.Credentials, *refusal) {
	none := otsauth.Credentials{}
	if formErr != nil {
		return none, stsRefuse(http.StatusBadRequest, "InvalidParameter", "The form body cannot be parsed.")
	}
	verify := t.verify
	if params.Get("Action") == "AssumeRoleWithOIDC" {
		verify = t.verifyOIDC
	}
	if refused := verify(method, params, seen); refused != nil {
		return none, refused
	}
	arn, session := params.Get("RoleArn"), params.Get("RoleSessionName")
	if !regexp.MustCompile(`^acs:ram::[0-9]+:role/[\w.\-/]+$`).MatchString(arn) {
		return none, stsRefuse(http.StatusBadRequest, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.")
	}
	if !regexp.MustCompile(`^[\w.@\-]{2,64}$`).MatchString(session) {
		return none, stsRefuse(http.StatusBadRequest, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
	}
	seconds, err := strconv.Atoi(params.Get("DurationSeconds"))
	if !params.Has("DurationSeconds") {
		seconds, err = 3600, nil
	}
	if err != nil || seconds < 900 || seconds > 43200 {
		return none, stsRefuse(http.StatusBadRequest, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/12hr.")
	}
	t.mu.Lock()
	known, lifetime := len(t.roles) == 0 || slices.Contains(t.roles, arn), t.lifetime
	t.mu.Unlock()
	if !known {
		return none, stsRefuse(http.StatusNotFound, "EntityNotExist.Role", "The role not exists: %s.", arn)
	}
	if lifetime == 0 {
		lifetime = t.server.opts.TokenLifetime
	}
	if lifetime == 0 {
		lifetime = time.Duration(seconds) * time.Second
	}
	return newTemporary(t.server.opts.Now().Add(lifetime)), nil
}

// newTemporary makes credentials that look like the real ones.
func newTemporary(expires time.Time) otsauth.Credentials {
	return otsauth.Credentials{
		AccessKeyID:     "STS.NT" + rand.Text()[:24],
		AccessKeySecret: otsauth.NewSecret(rand.Text() + rand.Text()[:18]),
		SecurityToken:   otsauth.NewSecret("CAIS" + strings.Repeat(rand.Text(), 27)), // about 700 bytes
		Expires:         expires,
	}
}

// formatExpiry writes an expiry as the real services do, in whole seconds.
// Tokens that live for seconds need the fraction, which RFC 3339 has.
func formatExpiry(expires, now time.Time) string {
	if expires.Sub(now) < time.Minute {
		return expires.UTC().Format("2006-01-02T15:04:05.999999999Z")
	}
	return expires.UTC().Format("2006-01-02T15:04:05Z")
}

// success is the answer that hands out c.
func (t *STS) success(c otsauth.Credentials, params url.Values, requestID string) any {
	role, session := params.Get("RoleArn"), params.Get("RoleSessionName")
	return map[string]any{
		"RequestId": requestID,
		"AssumedRoleUser": map[string]string{
			"Arn":           strings.Replace(role, ":role/", ":assumed-role/", 1) + "/" + session,
			"AssumedRoleId": "38765432109876543:" + session,
		},
		"Credentials": map[string]string{
			"AccessKeyId":     c.AccessKeyID,
			"AccessKeySecret": c.AccessKeySecret.Reveal(),
			"SecurityToken":   c.SecurityToken.Reveal(),
			"Expiration":      formatExpiry(c.Expires, t.server.opts.Now()),
		},
	}
}

// verify checks the common parameters and the RPC signature.
func (t *STS) verify(method string, params url.Values, seen *Request) *refusal {
	for _, name := range []string{"Action", "Version", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if params.Get(name) == "" {
			return stsRefuse(http.StatusBadRequest, "Missing"+name, "%s is mandatory for this action.", name)
		}
		if len(params[name]) > 1 {
			return stsRefuse(http.StatusBadRequest, "InvalidParameter", "%s is sent %d times.", name, len(params[name]))
		}
	}
	switch {
	case params.Get("Action") != "AssumeRole" || params.Get("Version") != "2015-04-01":
		return stsRefuse(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	case params.Get("SignatureMethod") != "HMAC-SHA1" || params.Get("SignatureVersion") != "1.0":
		return stsRefuse(http.StatusBadRequest, "InvalidParameter.SignatureMethod", "Only HMAC-SHA1, version 1.0, is supported.")
	}
	now := t.server.opts.Now()
	timestamp, err := time.Parse("2006-01-02T15:04:05Z", params.Get("Timestamp"))
	if err != nil {
		return stsRefuse(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp is not well formatted.")
	}
	if now.Sub(timestamp).Abs() > maxDateDifference {
		return stsRefuse(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	key, ok := t.server.keys.find(params.Get("AccessKeyId"))
	switch {
	case !ok:
		return stsRefuse(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case params.Get("SecurityToken") == "" && !key.SecurityToken.IsZero():
		return stsRefuse(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case params.Get("SecurityToken") != key.SecurityToken.Reveal():
		return stsRefuse(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	case !key.valid(now):
		return stsRefuse(http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	text := rpcStringToSign(method, params)
	seen.StringToSign = maskRPC(text, params)
	if want := sum(sha1.New, key.AccessKeySecret.Reveal()+"&", text); !hmac.Equal([]byte(want), []byte(params.Get("Signature"))) {
		return stsRefuse(http.StatusBadRequest, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:%s", text)
	}
	return t.useNonce(params.Get("SignatureNonce"), now)
}

// useNonce refuses a nonce that was used while its timestamp could still be good.
func (t *STS) useNonce(nonce string, now time.Time) *refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.nonces, func(_ string, used time.Time) bool { return now.Sub(used) > 2*maxDateDifference })
	if _, used := t.nonces[nonce]; used {
		return stsRefuse(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	t.nonces[nonce] = now
	return nil
}

// rpcStringToSign is METHOD&%2F& and the encoded, sorted parameters, encoded
// once more.
func rpcStringToSign(method string, params url.Values) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "Signature" {
			pairs = append(pairs, rpcEncode(name)+"="+rpcEncode(params.Get(name)))
		}
	}
	return method + "&%2F&" + rpcEncode(strings.Join(pairs, "&"))
}

// maskRPC returns a text that may quote a string-to-sign, without the token.
func maskRPC(text string, params url.Values) string {
	if token := params.Get("SecurityToken"); token != "" {
		return strings.ReplaceAll(text, rpcEncode(rpcEncode(token)), redact.Mask)
	}
	return text
}

// rpcEncode percent-encodes all but letters, digits and "-_.~".
func rpcEncode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
