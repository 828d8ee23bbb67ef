package otstest

import (
	"crypto/hmac"
	"crypto/md5"  // x-ots-contentmd5 is the wire format
	"crypto/sha1" // signature V2 is defined with HMAC-SHA1
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// This file is the service's side of the signature, written from the
// specification and not from package signer: a mistake made on one side shows
// on the other.

const (
	apiVersion        = "2015-12-31"
	maxDateDifference = 15 * time.Minute
)

// inbound is one request to Tablestore with what the checks find out.
type inbound struct {
	method string
	path   string
	query  string // raw; no action has one
	header http.Header
	body   []byte

	date         time.Time
	key          *accessKey // nil: unknown, or refused
	stringToSign string
}

func (r *inbound) action() string { return strings.TrimPrefix(r.path, "/") }

// refusal is an error of the service, with the reason in detail for the test.
type refusal struct {
	Refusal
	reason string
}

func refuse(status int, code, message, reason string, args ...any) *refusal {
	return &refusal{Refusal{status, code, message}, fmt.Sprintf(reason, args...)}
}

func authFailed(message, reason string, args ...any) *refusal {
	return refuse(http.StatusForbidden, codeAuthFailed, message, reason, args...)
}

func invalid(message string, args ...any) *refusal {
	message = fmt.Sprintf(message, args...)
	return refuse(http.StatusBadRequest, codeParameterInvalid, message, "%s", message)
}

// verify checks a request in the service's order, as far as that is known: what
// is wrong with the form comes before who sent it.
func (s *Server) verify(r *inbound) *refusal {
	if r.method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "OTSMethodNotAllowed", "Only POST method for requests is supported.", "the method is %s", r.method)
	}
	for _, check := range []func(*inbound) *refusal{
		s.checkHeaders, s.checkAction, checkMD5, parseDate, s.checkKey, s.checkSignature, s.checkDate, s.checkInstance,
	} {
		if refused := check(r); refused != nil {
			return refused
		}
	}
	return nil
}

func (s *Server) checkHeaders(r *inbound) *refusal {
	required := []string{"x-ots-date", "x-ots-apiversion", "x-ots-accesskeyid", "x-ots-instancename", "x-ots-contentmd5"}
	if r.header.Get("x-ots-signaturev4") != "" {
		required = append(required, "x-ots-signdate", "x-ots-signregion")
	} else {
		required = append(required, "x-ots-signature")
	}
	for _, name := range required {
		if r.header.Get(name) == "" {
			return s.missingHeader(name)
		}
	}
	for name, values := range r.header {
		if strings.HasPrefix(strings.ToLower(name), "x-ots-") && len(values) > 1 {
			return authFailed("Signature mismatch.", "%s is sent %d times", name, len(values))
		}
	}
	if version := r.header.Get("x-ots-apiversion"); version != apiVersion {
		return invalid("Invalid API version: %s.", version) // assumed
	}
	return nil
}

// missingHeader refuses with the documented code, or with the observed one,
// which quotes the name.
func (s *Server) missingHeader(name string) *refusal {
	quoted := name
	if s.opts.MissingHeaderCode != codeParameterInvalid {
		quoted = "'" + name + "'"
	}
	return refuse(http.StatusBadRequest, s.opts.MissingHeaderCode, fmt.Sprintf("Missing header: %s.", quoted), "the request has no %s", name)
}

func (s *Server) checkAction(r *inbound) *refusal {
	if actionOf(r.action()) == nil {
		message := fmt.Sprintf("Unsupported operation: '%s'.", r.action())
		return refuse(http.StatusBadRequest, s.opts.UnsupportedOperationCode, message, "%s", message)
	}
	return nil
}

func (s *Server) checkKey(r *inbound) *refusal {
	id := r.header.Get("x-ots-accesskeyid")
	key, ok := s.keys.find(id)
	token := r.header.Get("x-ots-ststoken")
	switch {
	case !ok:
		return authFailed("The AccessKeyID does not exist.", "no AccessKey %q is known", id)
	case !key.SecurityToken.IsZero() && token == "":
		// Assumed: a temporary key is not looked up where the token is missing.
		return authFailed("The AccessKeyID does not exist.", "%q is a temporary key, and the request has no x-ots-ststoken", id)
	case token != key.SecurityToken.Reveal():
		return &refusal{s.opts.ExpiredToken, fmt.Sprintf("x-ots-ststoken is not the token of %q", id)}
	}
	now := s.opts.Now()
	switch {
	case key.revoked:
		return &refusal{s.opts.ExpiredToken, fmt.Sprintf("%q was revoked", id)}
	case !key.valid(now):
		return &refusal{s.opts.ExpiredToken, fmt.Sprintf("the token of %q expired %s before", id, now.Sub(key.Expires))}
	}
	r.key = &key
	return nil
}

func (s *Server) checkSignature(r *inbound) *refusal {
	r.stringToSign = stringToSign(r)
	want, got, version := "", r.header.Get("x-ots-signaturev4"), "V4"
	if got != "" {
		day, region := r.header.Get("x-ots-signdate"), r.header.Get("x-ots-signregion")
		// Assumed: a day is good while the clocks may differ, another region never.
		now := s.opts.Now().UTC()
		if day != now.Add(-maxDateDifference).Format("20060102") && day != now.Add(maxDateDifference).Format("20060102") {
			return authFailed("Signature mismatch.", "x-ots-signdate is %s, and the service has %s", day, now.Format("20060102"))
		}
		if region != s.opts.Region {
			return authFailed("Signature mismatch.", "x-ots-signregion is %s, and the instance is in %s", region, s.opts.Region)
		}
		want = sum(sha256.New, v4Key(r.key.AccessKeySecret.Reveal(), day, region), r.stringToSign+"ots")
	} else {
		got, version = r.header.Get("x-ots-signature"), "V2"
		want = sum(sha1.New, r.key.AccessKeySecret.Reveal(), r.stringToSign)
	}
	if !hmac.Equal([]byte(want), []byte(got)) {
		return authFailed("Signature mismatch.", "the %s signature is not the one of the string-to-sign with the secret of %s", version, r.key.AccessKeyID)
	}
	return nil
}

func parseDate(r *inbound) *refusal {
	text := r.header.Get("x-ots-date")
	date, err := time.Parse(time.RFC3339, text) // takes any number of fraction digits
	if err != nil {
		return invalid("Invalid date format: %s.", text)
	}
	r.date = date
	return nil
}

func (s *Server) checkDate(r *inbound) *refusal {
	if difference := s.opts.Now().Sub(r.date).Abs(); difference > maxDateDifference {
		return authFailed(fmt.Sprintf("Mismatch between system time and x-ots-date: %s.", r.date.UTC().Format(http.TimeFormat)),
			"x-ots-date is %s off", difference)
	}
	return nil
}

func checkMD5(r *inbound) *refusal {
	if got, want := r.header.Get("x-ots-contentmd5"), md5Of(r.body); got != want {
		return authFailed("Mismatch between MD5 value of request body and x-ots-contentmd5 in header.",
			"x-ots-contentmd5 is %s, and the %d bytes of the body have %s", got, len(r.body), want)
	}
	return nil
}

func (s *Server) checkInstance(r *inbound) *refusal {
	if name := r.header.Get("x-ots-instancename"); name != s.opts.Instance {
		return authFailed("The instance is not found.", "x-ots-instancename is %q, and the only instance is %q", name, s.opts.Instance)
	}
	return nil
}

// stringToSign is path, method, query and the headers, a line each.
func stringToSign(r *inbound) string {
	query, _ := url.ParseQuery(r.query) // what cannot be parsed is not signed
	return r.path + "\n" + r.method + "\n" + query.Encode() + "\n" + signedHeaders(r.header)
}

// signedHeaders returns all x-ots- headers but the signatures: sorted by name
// in lower case, values trimmed, each with a line feed.
func signedHeaders(h http.Header) string {
	values := map[string]string{}
	for name := range h {
		lowered := strings.ToLower(name)
		if strings.HasPrefix(lowered, "x-ots-") && lowered != "x-ots-signature" && lowered != "x-ots-signaturev4" {
			values[lowered] = strings.TrimSpace(h.Get(name))
		}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		text.WriteString(name + ":" + values[name] + "\n")
	}
	return text.String()
}

// v4Key is the base64 text of four chained HMACs.
func v4Key(secret, day, region string) string {
	mac := func(key, text string) string {
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(text))
		return string(h.Sum(nil))
	}
	key := mac(mac(mac(mac("aliyun_v4"+secret, day), region), "ots"), "aliyun_v4_request")
	return base64.StdEncoding.EncodeToString([]byte(key))
}

// sum is base64(HMAC(key, text)).
func sum(newHash func() hash.Hash, key, text string) string {
	h := hmac.New(newHash, []byte(key))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func md5Of(body []byte) string {
	digest := md5.Sum(body)
	return base64.StdEncoding.EncodeToString(digest[:])
}

// signAnswer sets the authorization header of an answer. Under V4 the key is
// the derived one, and the hash is SHA-1 all the same.
func signAnswer(answer http.Header, r *inbound) {
	key := r.key.AccessKeySecret.Reveal()
	if r.header.Get("x-ots-signaturev4") != "" {
		key = v4Key(key, r.header.Get("x-ots-signdate"), r.header.Get("x-ots-signregion"))
	}
	answer.Set("Authorization", "OTS "+r.key.AccessKeyID+":"+sum(sha1.New, key, signedHeaders(answer)+r.path))
}
