// Package proxy says in words that a proxy did not connect, which net/http says with
// the text of the proxy's status alone.
package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// A Refusal is a proxy's answer that is no connection. Only the status is kept: the
// proxy wrote the text behind it.
type Refusal struct{ Status int }

// Error returns the status.
func (e *Refusal) Error() string {
	return fmt.Sprintf("the proxy refused to connect: %d %s", e.Status, http.StatusText(e.Status))
}

// NextStep is what to do about a refusal that no waiting mends; "" for any other.
func (e *Refusal) NextStep() string {
	if e.Status >= http.StatusInternalServerError {
		return ""
	}
	return "check HTTPS_PROXY and NO_PROXY, the user name and password in them, and what the proxy allows"
}

// Check is the OnProxyConnectResponse of an [http.Transport]. Its error is a
// [*Refusal].
func Check(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &Refusal{answer.StatusCode}
	}
	return nil
}
