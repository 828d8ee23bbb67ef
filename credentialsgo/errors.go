package credentialsgo

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/otsauth/otsauth"
)

var (
	errNoModel = errors.New("returned neither credentials nor an error; use another Credential")
	errBearer  = errors.New("holds a bearer token; use a type that has an AccessKey")
	errOpaque  = errors.New("failed; its error may hold keys and is not shown, call GetCredential to see it")
)

// A ServiceError is a service's refusal, as far as credentials-go passes it on.
type ServiceError struct {
	// Code is the service's error code, such as "NoPermission".
	Code string
	// RequestID is what Alibaba Cloud's support asks for; it may be empty.
	RequestID string
}

// Error returns both fields.
func (e *ServiceError) Error() string {
	return fmt.Sprintf("the service answered %s (request %s); look the code up in its error reference", e.Code, e.RequestID)
}

// Retryable reports whether the same call may succeed later without anybody
// changing anything: the service throttled it or is not available.
func (e *ServiceError) Retryable() bool {
	return strings.HasPrefix(e.Code, "Throttling") ||
		strings.HasPrefix(e.Code, "ServiceUnavailable") || strings.HasPrefix(e.Code, "InternalError")
}

// failed names the Credential that err comes from.
func failed(name string, err error) error {
	return &otsauth.ProviderError{Provider: source(name), Err: err}
}

// explain keeps of an error of credentials-go what cannot hold a secret.
func explain(err error) error {
	if e := serviceError(err.Error()); e != nil {
		return e
	}
	var (
		operation   *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		network     net.Error
	)
	switch {
	case errors.As(err, &operation):
		return fmt.Errorf("cannot reach its service; check the network and the endpoint: %w", operation)
	case errors.As(err, &name):
		return fmt.Errorf("cannot resolve its service; check the endpoint: %w", name)
	case errors.As(err, &certificate):
		return fmt.Errorf("does not trust its service; check the endpoint and the proxy: %w", certificate)
	case errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("its service did not answer in time; check the network: %w", os.ErrDeadlineExceeded)
	}
	return errOpaque
}

// serviceError finds the answer that credentials-go pasted into text.
func serviceError(text string) *ServiceError {
	i := strings.IndexByte(text, '{')
	if i < 0 {
		return nil
	}
	var answer struct {
		Code      string
		RequestID string `json:"RequestId"`
	}
	if json.NewDecoder(strings.NewReader(text[i:])).Decode(&answer) != nil || !isToken(answer.Code) {
		return nil
	}
	if !isToken(answer.RequestID) {
		answer.RequestID = ""
	}
	return &ServiceError{Code: answer.Code, RequestID: answer.RequestID}
}

// isToken reports whether s looks like an error code or a request ID.
func isToken(s string) bool {
	const maxLength = 64
	rest := strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
	return s != "" && rest == "" && len(s) <= maxLength
}

// waitError says that ctx ended before the call did.
func waitError(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("gave up waiting for it: %w", err)
}
