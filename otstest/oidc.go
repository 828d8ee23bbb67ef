package otstest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// IssueOIDCToken returns a token that AssumeRoleWithOIDC takes for the given
// time, as Kubernetes puts one into a pod. It is not a real JWT: its three parts
// are random.
func (t *STS) IssueOIDCToken(lifetime time.Duration) string {
	token := strings.Repeat(rand.Text(), 2) + "." + strings.Repeat(rand.Text(), 12) + "." + strings.Repeat(rand.Text(), 8)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.oidc[token] = t.server.opts.Now().Add(lifetime)
	return token
}

// verifyOIDC checks the parameters of AssumeRoleWithOIDC, which is not signed:
// the token is the proof.
func (t *STS) verifyOIDC(method string, params url.Values, _ *Request) *refusal {
	token := params.Get("OIDCToken")
	t.mu.Lock()
	end, known := t.oidc[token]
	t.mu.Unlock()
	switch {
	case method != http.MethodPost:
		return stsRefuse(http.StatusBadRequest, "UnsupportedHTTPMethod", "This http method is not supported.")
	case params.Get("Version") != "2015-04-01":
		return stsRefuse(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	case params.Get("Timestamp") == "":
		return stsRefuse(http.StatusBadRequest, "MissingTimestamp", "Timestamp is mandatory for this action.")
	case !regexp.MustCompile(`^acs:ram::[0-9]+:oidc-provider/[\w.\-]+$`).MatchString(params.Get("OIDCProviderArn")):
		return stsRefuse(http.StatusBadRequest, "InvalidParameter.OIDCProviderArn", "The parameter OIDCProviderArn is wrongly formed.")
	case len(token) < 4 || len(token) > 20000:
		return stsRefuse(http.StatusBadRequest, "InvalidParameter.OIDCToken", "The parameter OIDCToken is wrongly formed.")
	case !known:
		return stsRefuse(http.StatusBadRequest, "AuthenticationFail.OIDCToken.Invalid", "This OIDC Token is invalid.")
	case !t.server.opts.Now().Before(end):
		return stsRefuse(http.StatusBadRequest, "AuthenticationFail.OIDCToken.Expired", "This JWT Token has expired.")
	}
	return nil
}
