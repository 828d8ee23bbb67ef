package otsauth

import "context"

// Static returns a [Provider] that always answers c: a long-lived key, or a
// temporary set that somebody else renews.
//
// Retrieve checks c each time: an empty or padded key is a [*ConfigError], and
// a set whose Expires has passed is [ErrExpired], both inside a
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
			return Credentials{}, &ProviderError{Provider: c.Source, Err: ErrExpired}
		}
		return c, nil
	})
}
