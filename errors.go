package otsauth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrNotConfigured says that a provider is not set up on this machine. A
	// chain moves on for this error only.
	ErrNotConfigured = errors.New("not configured")
	// ErrExpired says that credentials are past their expiry, and that a
	// provider handed them out all the same.
	ErrExpired = errors.New("credentials expired")
	// ErrClosed says that the [Cache] was closed.
	ErrClosed = errors.New("otsauth: cache is closed")
)

// A ConfigError is an argument, option or key that cannot work: nothing was
// sent. Field names it in the field's standard term, Problem says what is
// wrong and what to do.
type ConfigError struct {
	Field   string
	Problem string
}

// Error returns "otsauth: " + Field + " " + Problem.
func (e *ConfigError) Error() string { return "otsauth: " + e.Field + " " + e.Problem }

// A ProviderError says which provider an error comes from.
type ProviderError struct {
	// Provider is the provider's name, as in [Credentials].Source.
	Provider string
	Err      error
}

// Error returns the provider's name and the cause.
func (e *ProviderError) Error() string {
	return "otsauth: " + e.Provider + ": " + trimPrefix(e.Err)
}

// Unwrap returns the cause.
func (e *ProviderError) Unwrap() error { return e.Err }

// A ChainError says that no provider of a chain is set up, and why each is
// not. It wraps every provider's error, so it matches [ErrNotConfigured].
type ChainError struct {
	// Errors holds one error per provider, in the chain's order.
	Errors []error
}

// Error lists each provider's reason.
func (e *ChainError) Error() string {
	reasons := make([]string, len(e.Errors))
	for i, err := range e.Errors {
		reasons[i] = trimPrefix(err)
	}
	return "otsauth: chain: no provider is configured [" + strings.Join(reasons, "; ") + "]"
}

// Unwrap returns Errors.
func (e *ChainError) Unwrap() []error { return e.Errors }

// Is reports whether target is [ErrNotConfigured], which also an empty chain is.
func (e *ChainError) Is(target error) bool { return target == ErrNotConfigured }

// A RefreshError says that a [Cache] has no valid credentials, and why the
// last attempt to fetch some failed. The cache makes no new attempt before
// RetryAt; until then readers get this error at once.
type RefreshError struct {
	// Failures counts the failed attempts in a row.
	Failures int
	// RetryAt is when the next reader may cause a new attempt.
	RetryAt time.Time
	// Err is the last attempt's error.
	Err error
}

// Error returns the number of attempts and the cause.
func (e *RefreshError) Error() string {
	return fmt.Sprintf("otsauth: cache: no valid credentials after %d failed attempt(s), the next not before %s: %s",
		e.Failures, e.RetryAt.UTC().Format(time.RFC3339), trimPrefix(e.Err))
}

// Unwrap returns the last attempt's error.
func (e *RefreshError) Unwrap() error { return e.Err }

// isFinal reports whether err says that waiting does not help: it has a method
// Retryable that says so. An answer that is not STS's is a proxy's, and may pass.
func isFinal(err error) bool {
	if se := (*STSError)(nil); errors.As(err, &se) && se.Code == "" {
		return false
	}
	r := (interface{ Retryable() bool })(nil)
	return errors.As(err, &r) && !r.Retryable()
}

// trimPrefix returns err's text without the package name, for use inside
// another message that begins with it. A nil error has one as well, so that an
// error value that somebody left empty can be printed.
func trimPrefix(err error) string {
	if err == nil {
		return "no cause is known"
	}
	return strings.TrimPrefix(err.Error(), "otsauth: ")
}
