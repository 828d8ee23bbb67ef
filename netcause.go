package otsauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/otsauth/otsauth/internal/proxy"
)

// networkCause returns what may be shown of the error that net/http gave for a
// request or for its answer's body. It names what is kept, since the rest can hold
// a secret: net/http quotes the line of an answer that it does not understand, the
// Location of a redirect, and the URL of a proxy with its password.
func networkCause(ctx context.Context, err error) error {
	var (
		operation   *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		refusal     *proxy.Refusal
		network     net.Error
	)
	switch {
	case ctx.Err() != nil:
		return endOf(ctx)
	case errors.As(err, &operation):
		return operation
	case errors.As(err, &name):
		return name
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &record):
		return record
	case errors.As(err, &refusal):
		if step := refusal.NextStep(); step != "" {
			return fmt.Errorf("%w; %s", refusal, step)
		}
		return refusal
	case errors.Is(err, http.ErrSchemeMismatch):
		return http.ErrSchemeMismatch
	case errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("it did not answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	return errNotHTTP
}

// errNotHTTP stands for every error of net/http that networkCause does not name.
var errNotHTTP = errors.New("what is there does not speak HTTP as it should; check the address and the proxy " +
	"(the text of the error can hold keys and is not shown)")

// endOf returns the error of a context that has ended, with its cause if that is
// another one.
func endOf(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
