package signer

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // x-ots-contentmd5 is the wire format
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
	CheckAuthorization Check = "authorization" // no well-formed authorization header
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
//     minutes of this machine's, and the authorization header names c's
//     AccessKey ID and has a signature made with its secret;
//   - with any other status: the MD5, if there is one; and the authorization
//     header, if there is one and the status is not 403 (which the service
//     may answer before it knows the key).
//
// The error is a [*ResponseError]. resp.Request must be the request that was sent.
func (s *Signer) VerifyResponse(c otsauth.Credentials, resp *http.Response, body []byte) error {
	if resp == nil || resp.Request == nil || resp.Request.URL == nil {
		return &otsauth.ConfigError{Field: "response", Problem: "is nil, or does not know its request"}
	}
	path := resp.Request.URL.Path
	fail := func(check Check, format string, args ...any) error {
		return &ResponseError{
			Action:    strings.TrimPrefix(path, "/"),
			RequestID: resp.Header.Get(headerRequestID),
			Check:     check,
			Problem:   fmt.Sprintf(format, args...),
		}
	}
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	if success {
		for _, name := range []string{headerContentMD5, headerRequestID, headerDate, headerContentType} {
			if resp.Header.Get(name) == "" {
				return fail(CheckHeader, "%s is missing", strings.ToLower(name))
			}
		}
	}
	if want := resp.Header.Get(headerContentMD5); want != "" {
		sum := md5.Sum(body) //nolint:gosec // see the import
		if got := base64.StdEncoding.EncodeToString(sum[:]); got != want {
			return fail(CheckMD5, "x-ots-contentmd5 is not the MD5 of the %d bytes that arrived", len(body))
		}
	}
	if success {
		if problem := s.checkDate(resp.Header.Get(headerDate)); problem != "" {
			return fail(CheckDate, "%s", problem)
		}
	}
	authorization := resp.Header.Get("Authorization")
	if !success && (authorization == "" || resp.StatusCode == http.StatusForbidden) {
		return nil
	}
	scheme, rest, _ := strings.Cut(authorization, " ")
	id, signature, found := strings.Cut(rest, ":")
	switch {
	case authorization == "":
		return fail(CheckAuthorization, "the authorization header is missing")
	case scheme != "OTS" || !found:
		return fail(CheckAuthorization, `the authorization header is not "OTS AccessKeyID:signature"`)
	case id != c.AccessKeyID:
		return fail(CheckAccessKeyID, "it is signed for another AccessKey ID than the request")
	case !hmac.Equal([]byte(signature), []byte(s.responseSignature(c, resp))):
		return fail(CheckSignature, "its signature is not the one that the AccessKey secret makes")
	}
	return nil
}

// checkDate returns what is wrong with an answer's date, or "".
func (s *Signer) checkDate(text string) string {
	date, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "x-ots-date is not a date"
	}
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	if difference := now().Sub(date).Abs(); difference > maxDateDifference {
		return fmt.Sprintf("x-ots-date is %s off this machine's clock; set the clock", difference.Round(time.Second))
	}
	return ""
}

// responseSignature is base64(HMAC-SHA1(key, headers sorted as in a request,
// then "/Action")). The key is the secret, or for a request signed with V4 the
// derived key of the request's day; the hash is SHA-1 in both. (Source: the
// official Python and Java SDKs.)
func (s *Signer) responseSignature(c otsauth.Credentials, resp *http.Response) string {
	keys := s.keys.of(&c)
	work := keys.v2.get()
	defer keys.v2.put(work)
	var lines lineList
	lines.collect(resp.Header)
	work.text = append(appendLines(work.text[:0], lines.sorted()), resp.Request.URL.Path...)
	if date := resp.Request.Header.Get(headerSignDate); date != "" {
		v4 := scratch{mac: newV2(keys.v4(date, s.region).key), text: work.text}
		return v4.sign()
	}
	return work.sign()
}
