package otsauth

import "context"

// Static returns a [Provider] that always answers c: a long-lived key, or a
// temporary set that somebody else renews.
//
// Retrieve checks c each time: an empty or padded key is a [*ConfigError], and
// a set whose Expires has passed is an error that matches [ErrExpired] and whose
// method Retryable says that waiting does not help, both inside a
// [*ProviderError]. An empty Source becomes "static". The provider is safe for
// concurrent use.
func Static(c Credentials) Provider {
	if c.Source == "" {
		c.Source = "static"
	}
	err := c.Validate()
	return ProviderFunc(func(context.Context) (Credentials, error) {
		switch {
		case err != nil:
			return Credentials{}, &ProviderError{Provider: c.Source, Err: err}
		case c.ExpiresWithin(0):
			return Credentials{}, &ProviderError{Provider: c.Source, Err: expiredForGood{}}
		}
		return c, nil
	})
}

// expiredForGood says that a set has expired that nobody will renew.
type expiredForGood struct{}

// Error says what to do.
func (expiredForGood) Error() string {
	return ErrExpired.Error() + ", and a static set is never renewed; use a provider that fetches, such as AssumeRole"
}

// Unwrap returns [ErrExpired].
func (expiredForGood) Unwrap() error { return ErrExpired }

// Retryable returns false.
func (expiredForGood) Retryable() bool { return false }
