package otsauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/otsauth/otsauth/internal/redact"
)

// An STSError is an answer of STS that is not 200. Codes are those of the STS
// error reference, such as "NoPermission" or "EntityNotExist.Role".
type STSError struct {
	// Action is "AssumeRole" or "AssumeRoleWithOIDC".
	Action string
	// Code and Message are the answer's; both are empty if the answer was not
	// STS's, for example a proxy's. What could hold a key is cut out of Message.
	Code, Message string
	// RequestID is what Alibaba Cloud's support asks for.
	RequestID string
	// StatusCode is the HTTP status.
	StatusCode int
}

// Error returns all fields and, for the common codes, what to do.
func (e *STSError) Error() string {
	code := e.Code
	if code == "" {
		code = "no error code"
	}
	text := fmt.Sprintf("%s: %s: %s (HTTP %d, request %s)", e.Action, code, e.Message, e.StatusCode, e.RequestID)
	if hint := e.hint(); hint != "" {
		text += "; " + hint
	}
	return text
}

// Retryable reports whether the same call may succeed later without anybody
// changing anything: STS throttled it or is not available.
func (e *STSError) Retryable() bool {
	return e.throttled() || e.StatusCode >= http.StatusInternalServerError
}

func (e *STSError) throttled() bool {
	return strings.HasPrefix(e.Code, "Throttling") || e.StatusCode == http.StatusTooManyRequests
}

// rejectsToken reports whether STS refused the caller's own temporary credentials.
func (e *STSError) rejectsToken() bool { return strings.HasPrefix(e.Code, "InvalidSecurityToken") }

// hint is the next step in words, or "".
func (e *STSError) hint() string {
	for _, h := range []struct{ code, hint string }{
		{"NoPermission", "allow the calling identity the action sts:AssumeRole on the role, and name the identity in the role's trust policy"},
		{"EntityNotExist.Role", "check the account ID and the role name in the role ARN"},
		{"InvalidTimeStamp", "set this machine's clock: STS accepts 15 minutes' difference"},
		{"SignatureDoesNotMatch", "check that the AccessKey secret belongs to the AccessKey ID"},
		{"InvalidAccessKeyId", "check that the AccessKey ID exists and is enabled"},
		{"InvalidSecurityToken", "the source's own temporary credentials have expired or were mixed up; get new ones, or use a source that renews them"},
		{"AuthenticationFail.OIDCToken", "check that the OIDC token is current and meant for this provider; Kubernetes rotates its file"},
		{"EntityNotExist.OIDCProvider", "check the account ID and the name in the OIDC provider's ARN"},
		{"InvalidParameter.DurationSeconds", "ask for a shorter Duration, or raise the role's maximum session duration"},
		{"InvalidParameter", "correct the option that the code names"},
	} {
		if strings.HasPrefix(e.Code, h.code) {
			return h.hint
		}
	}
	switch {
	case e.throttled():
		return "an account may call STS about 100 times a second; share one Cache among all goroutines and clients"
	case e.StatusCode >= http.StatusInternalServerError:
		return "STS is not available; try again later"
	case e.Code == "":
		return "the answer is not STS's; check the endpoint and the proxy"
	}
	return ""
}

// safeMessage returns what may be shown of an answer's message: a service could
// quote any parameter that was sent.
func safeMessage(message string, sent url.Values) string {
	var secrets []string
	for _, name := range []string{"SecurityToken", "OIDCToken", "Signature"} {
		value := sent.Get(name)
		secrets = append(secrets, value, percentEncode(value))
	}
	return redact.Message(message, secrets...)
}
