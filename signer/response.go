package signer

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" // x-ots-contentmd5 is the wire format
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/otsauth/otsauth"
)

// maxDateDifference is how far the two clocks may be apart. (Source: the
// official Python SDK; the service uses the same figure.)
const maxDateDifference = 15 * time.Minute

// A Check is one thing that VerifyResponse looks at.
type Check string

// The checks, in their order.
const (
	CheckHeader        Check = "header"        // a header is missing
	CheckMD5           Check = "MD5"           // x-ots-contentmd5 is not the body's
	CheckDate          Check = "date"          // x-ots-date is no date, or more than 15 minutes off
	CheckAuthorization Check = "authorization" // the authorization header is malformed
	CheckAccessKeyID   Check = "AccessKey ID"  // it was signed for another key
	CheckSignature     Check = "signature"     // it was not signed with this key
)

// A ResponseError says that an answer cannot be trusted: it was changed on its
// way, or is not the service's.
type ResponseError struct {
	Action    string
	RequestID string // the answer's, if it had one
	Check     Check
	Problem   string
}

// Error returns all fields and what to do.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("signer: %s (request %s): the answer fails the %s check: %s; look for a proxy between this machine and Tablestore",
		e.Action, e.RequestID, e.Check, e.Problem)
}

// VerifyResponse checks an answer and its whole body, of a request that Sign
// signed with c, as the official Python SDK does:
//
//   - with a 2xx status: the headers x-ots-date, -requestid, -contenttype and
//     -contentmd5 are there, the MD5 is the body's, the date is within 15
//     minutes of this machine's (or of what LearnSkew learned), and the
//     authorization header names c's AccessKey ID and has a signature made
//     with its secret;
//   - with any other status: the MD5 and the authorization header, where they
//     are there. The authorization of a 403 with the code OTSAuthFailed is not
//     looked at: the service and this machine do not agree on the key.
//
// resp.Request must be the request that was sent. The error is a
// [*ResponseError], or a [*otsauth.ConfigError] without resp or its request.
func (s *Signer) VerifyResponse(c otsauth.Credentials, resp *http.Response, body []byte) error {
	if resp == nil || resp.Request == nil || resp.Request.URL == nil {
		return &otsauth.ConfigError{Field: "response", Problem: "is nil, or does not know its request"}
	}
	if check, problem := s.verify(c, resp, body); problem != "" {
		return &ResponseError{
			Action:    strings.TrimPrefix(resp.Request.URL.Path, "/"),
			RequestID: shortLine(newMasker(resp.Request.Header, c).hide(first(resp.Header[headerRequestID]))),
			Check:     check,
			Problem:   problem,
		}
	}
	return nil
}

// shortLine returns what may be shown of a header that anybody can have written.
func shortLine(text string) string {
	const most = 100
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text), "?")
}

// verify returns the first check that fails and why, or "".
func (s *Signer) verify(c otsauth.Credentials, resp *http.Response, body []byte) (Check, string) {
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	want, date := first(resp.Header[headerContentMD5]), first(resp.Header[headerDate])
	if success {
		for _, required := range [...]struct{ name, value string }{
			{headerContentMD5, want},
			{headerRequestID, first(resp.Header[headerRequestID])},
			{headerDate, date},
			{headerContentType, first(resp.Header[headerContentType])},
		} {
			if required.value == "" {
				return CheckHeader, strings.ToLower(required.name) + " is missing"
			}
		}
	}
	if want != "" {
		sum := md5.Sum(body)
		var got [base64MD5]byte
		base64.StdEncoding.Encode(got[:], sum[:])
		if string(got[:]) != want {
			return CheckMD5, fmt.Sprintf("x-ots-contentmd5 is not the MD5 of the %d bytes that arrived", len(body))
		}
	}
	if !success {
		if first(resp.Header[headerAuthorization]) == "" ||
			resp.StatusCode == http.StatusForbidden && bytes.Contains(body, []byte("OTSAuthFailed")) {
			return "", ""
		}
		return s.checkAuthorization(c, resp)
	}
	served, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return CheckDate, "x-ots-date is not a date"
	}
	now := s.clock()
	// Either clock will do: this machine's may have been set meanwhile.
	if off := min(served.Sub(now).Abs(), served.Sub(s.skew.correct(now)).Abs()); off > maxDateDifference {
		return CheckDate, fmt.Sprintf("x-ots-date is %s off this machine's clock; set the clock", off.Round(time.Second))
	}
	if check, problem := s.checkAuthorization(c, resp); problem != "" {
		return check, problem
	}
	s.skew.confirm(served, now)
	return "", ""
}

// checkAuthorization looks for "OTS AccessKeyID:signature".
func (s *Signer) checkAuthorization(c otsauth.Credentials, resp *http.Response) (Check, string) {
	authorization := first(resp.Header[headerAuthorization])
	rest, isOTS := strings.CutPrefix(authorization, "OTS ")
	id, signature, found := strings.Cut(rest, ":")
	switch {
	case authorization == "":
		return CheckHeader, "authorization is missing"
	case !isOTS || !found:
		return CheckAuthorization, `the authorization header is not "OTS AccessKeyID:signature"`
	case id != c.AccessKeyID:
		return CheckAccessKeyID, "it is signed for another AccessKey ID than the request"
	case !s.isSigned(c, resp, signature):
		return CheckSignature, "its signature is not the one that the AccessKey secret makes"
	}
	return "", ""
}

// isSigned reports whether signature is the answer's: base64(HMAC-SHA1(key, headers
// sorted as in a request, then "/Action")). The key is the secret, or for a request
// signed with V4 the derived key of the request's day; the hash is SHA-1 in both.
// (Source: the official Python and Java SDKs.)
func (s *Signer) isSigned(c otsauth.Credentials, resp *http.Response, signature string) bool {
	keys := s.keys.of(&c)
	pool := &keys.v2
	if s.region != "" { // else the look-up is in vain
		if date := first(resp.Request.Header[headerSignDate]); date != "" {
			pool = &keys.signed(date, s.region).response
		}
	}
	work := pool.get()
	defer pool.put(work)
	work.lines.collect(resp.Header)
	work.text = append(appendLines(work.text, work.lines.all()), resp.Request.URL.Path...)
	return hmac.Equal([]byte(signature), work.sign(work.text))
}
