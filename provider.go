package otsauth

import (
	"context"
	"errors"
	"fmt"
)

// A Provider hands out credentials.
type Provider interface {
	// Retrieve returns credentials that are valid now, or an error.
	//
	// Implementations must be safe for concurrent use, must return when ctx is
	// done, and must not read anything from ctx that chooses an identity: the
	// same provider answers for the same principal, whoever asks.
	//
	// A provider that is not set up on this machine (no environment variable,
	// no file, no metadata service) returns an error that wraps
	// [ErrNotConfigured], and a [ChainProvider] asks the next one. Any other
	// error means "set up, but broken", and stops a chain. Errors name the
	// provider (see [ProviderError]) and never contain a secret.
	//
	// A provider that fetches keeps no cache of its own; wrap it in [NewCache].
	Retrieve(ctx context.Context) (Credentials, error)
}

// ProviderFunc makes a function a [Provider].
type ProviderFunc func(ctx context.Context) (Credentials, error)

// Retrieve calls f(ctx).
func (f ProviderFunc) Retrieve(ctx context.Context) (Credentials, error) { return f(ctx) }

// retrieveFrom calls p and turns what p must not do (be nil, panic) into errors.
func retrieveFrom(ctx context.Context, p Provider) (creds Credentials, err error) {
	if p == nil {
		return Credentials{}, &ConfigError{Field: "provider", Problem: "is nil; pass one, such as otsauth.Env(nil)"}
	}
	defer func() {
		if v := recover(); v != nil {
			// The value stays out of the message: it can be anything, a secret too.
			creds, err = Credentials{}, &ProviderError{
				Provider: fmt.Sprintf("%T", p),
				Err:      fmt.Errorf("panicked with a %T; it must return an error instead", v),
			}
		}
	}()
	return p.Retrieve(ctx)
}

// retrieveApart is retrieveFrom in a goroutine of its own, for a caller that others
// wait for: a provider that ends its goroutine (runtime.Goexit, which the FailNow of
// a test calls) ends that one, and is an error.
func retrieveApart(ctx context.Context, p Provider) (creds Credentials, err error) {
	err = &ProviderError{Provider: fmt.Sprintf("%T", p), Err: errGoexit}
	apart(func() { creds, err = retrieveFrom(ctx, p) })
	return creds, err
}

// apart runs f in a goroutine of its own and waits until that ends, by whatever means.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// errGoexit is what is wrong with a provider that does not return.
var errGoexit = errors.New("ended its goroutine, as runtime.Goexit and a test's FailNow do; it must return an error instead")

// errNilContext is returned instead of the panic that a nil context would end in.
func errNilContext() error {
	return &ConfigError{Field: "context", Problem: "is nil; pass context.Background() or the request's context"}
}
