package otsauth

import "context"

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
