package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/proxy"
	"github.com/otsauth/otsauth/internal/redact"
	"github.com/otsauth/otsauth/signer"
)

// canPass reports whether an attempt without an answer of the service can succeed
// later: the network failed it. What looks like a mistake is none if there was an
// answer before.
func canPass(err error, answeredBefore bool) bool {
	if re := (*signer.ResponseError)(nil); errors.As(err, &re) {
		return false
	}
	if se := (*sizeError)(nil); errors.As(err, &se) {
		return false
	}
	if ce := (*otsauth.ConfigError)(nil); errors.As(err, &ce) {
		return false
	}
	return answeredBefore || networkHint(err) == ""
}

// nextStepAfter is the next step after an attempt that got no answer, or "".
func nextStepAfter(err error) string {
	if errors.Is(err, syscall.ECONNREFUSED) { // no mistake if the service is just started
		return "check the endpoint's host and port, and that they can be reached from here"
	}
	return networkHint(err)
}

// networkHint is the next step after a network error that looks like a mistake,
// or "".
func networkHint(err error) string {
	if de := (*net.DNSError)(nil); errors.As(err, &de) && de.IsNotFound {
		return "check the endpoint: the instance's name and region are in it"
	}
	if refusal := (*proxy.Refusal)(nil); errors.As(err, &refusal) {
		return refusal.NextStep()
	}
	if ce := (*tls.CertificateVerificationError)(nil); errors.As(err, &ce) {
		return "check the endpoint, and for a proxy that opens TLS connections"
	}
	// An alert of TLS has no exported type.
	oe := (*net.OpError)(nil)
	alert := errors.As(err, &oe) && (oe.Op == "remote error" || oe.Op == "local error")
	if re := (tls.RecordHeaderError{}); alert || errors.As(err, &re) {
		return "check that the endpoint's port speaks TLS, of a version that TLSMinVersion and TLSMaxVersion allow"
	}
	return ""
}

// showable returns a transport's error with a text that may be shown: net/http quotes
// the line of an answer that it does not understand, and who wrote that may have echoed
// the request with its token.
func showable(err error, token string) error {
	text, cause, isNetwork := err.Error(), err, false
	if ue := (*url.Error)(nil); errors.As(err, &ue) { // a net.Error whatever its cause
		cause = ue.Err
	}
	for _, target := range []any{new(net.Error), new(*tls.CertificateVerificationError), new(tls.RecordHeaderError)} {
		isNetwork = isNetwork || errors.As(cause, target)
	}
	shown, _, quotes := strings.Cut(text, `"`)
	if isNetwork || !quotes {
		shown = text
	} else {
		shown += "(what arrived is not shown); look for something that does not speak HTTP as it should between this machine and Tablestore"
	}
	if token != "" {
		shown = strings.ReplaceAll(shown, token, redact.Mask)
	}
	if shown == text {
		return err
	}
	return &maskedError{shown, err}
}

// maskedError is an error with another text.
type maskedError struct {
	text string
	err  error
}

// Error returns the text.
func (e *maskedError) Error() string { return e.text }

// Unwrap returns the error.
func (e *maskedError) Unwrap() error { return e.err }

// isTemporary reports whether credentials may be had later, though retrieving
// them failed with err. An error that does not say is an outage if the provider
// has worked before, and else a mistake.
func isTemporary(err error, workedBefore bool) bool {
	if ce := (*otsauth.ConfigError)(nil); errors.As(err, &ce) || errors.Is(err, otsauth.ErrNotConfigured) || errors.Is(err, otsauth.ErrClosed) {
		return false
	}
	if se := (*otsauth.STSError)(nil); errors.As(err, &se) && se.Code == "" && workedBefore {
		return true // a proxy answers in STS's place, whatever the status
	}
	if r := (interface{ Retryable() bool })(nil); errors.As(err, &r) {
		return r.Retryable()
	}
	if errors.Is(err, otsauth.ErrExpired) {
		return true
	}
	return workedBefore || isNetworkError(err) && networkHint(err) == ""
}

// isNetworkError reports whether a source's network failed.
func isNetworkError(err error) bool {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return false // its cause looks like a network error to errors.As
	}
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded)
}

// enter waits for a connection to be free, before the request is signed: one that
// was signed and then waits can outlive its token. The error is that of ctx, or
// that the client was closed.
func (c *OTSClient) enter(ctx context.Context) error {
	if c.slots == nil || c.slots.TryAcquire(1) {
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.open, cancel)() //nolint:contextcheck // ends the wait when the client is closed
	switch err := c.slots.Acquire(waiting, 1); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return closedError{}
}

// leave frees the connection.
func (c *OTSClient) leave() {
	if c.slots != nil {
		c.slots.Release(1)
	}
}
