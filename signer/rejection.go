package signer

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/otsauth/otsauth"
)

// RejectsToken reports whether the service's error code and message, answered to a
// request that carried the security token of used, say that other credentials could
// help: the caller should hand used to [Signer.Invalidate].
//
// Public documents do not say what an expired token answers. So every
// OTSAuthFailed counts but those whose message names something that a new token
// cannot mend (the instance, the account, privileges, the digest, the time, an
// access list, a VPC), and OTSNoPermissionAccess counts if it speaks of the token,
// or used has expired meanwhile.
func RejectsToken(used otsauth.Credentials, code, message string) bool {
	if used.SecurityToken.IsZero() {
		return false
	}
	message = strings.ToLower(message)
	switch code {
	case "OTSAuthFailed":
		for _, other := range []string{"instance", "user does not exist", "privilege", "md5", "system time", "acl", "vpc", "disabled"} {
			if strings.Contains(message, other) {
				return false
			}
		}
		return true
	case "OTSNoPermissionAccess":
		return strings.Contains(message, "token") || used.ExpiresWithin(0)
	}
	return false
}

// maxRefusal is how much of a refusal's body is looked at, in bytes.
const maxRefusal = 4096

// rejectsToken is RejectsToken of an answer to a request that used c. It leaves the
// body as it was. The message is not decoded: its two strings stand in it as they are.
func rejectsToken(c otsauth.Credentials, resp *http.Response) bool {
	if c.SecurityToken.IsZero() || resp.StatusCode != http.StatusForbidden {
		return false
	}
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // an error is met again behind it
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	message := string(head)
	for _, code := range []string{"OTSAuthFailed", "OTSNoPermissionAccess"} {
		if strings.Contains(message, code) {
			return RejectsToken(c, code, message)
		}
	}
	return false
}
