package otsauth

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// EnvOptions are the options of [Env]. Nil means all defaults.
type EnvOptions struct {
	// Lookup reads a variable. Nil: [os.LookupEnv]. Set it to read from another
	// place than the process environment, or in a test.
	Lookup func(name string) (value string, ok bool)
}

// envNames names the three variables of one family.
type envNames struct{ id, secret, token string }

// envFamilies lists the variables that [Env] reads, first match first.
func envFamilies() []envNames {
	return []envNames{
		{"OTS_AK_ENV", "OTS_SK_ENV", "OTS_STS_TOKEN_ENV"},
		{"TABLESTORE_ACCESS_KEY_ID", "TABLESTORE_ACCESS_KEY_SECRET", "TABLESTORE_SESSION_TOKEN"},
		{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"},
	}
}

// Env returns a [Provider] that reads the environment at each call. The first
// complete pair wins, with its own token if that is set too:
//
//	OTS_AK_ENV, OTS_SK_ENV, OTS_STS_TOKEN_ENV
//	TABLESTORE_ACCESS_KEY_ID, TABLESTORE_ACCESS_KEY_SECRET, TABLESTORE_SESSION_TOKEN
//	ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN
//
// The first family is the one of the Tablestore documentation's samples, the
// second that of the official Java SDK, the third that of credentials-go. A
// variable set to the empty string counts as not set. Variables of different
// families are never mixed.
//
// With no variable set Retrieve returns [ErrNotConfigured]. Half a pair ahead
// of the first complete one is an error and not a reason to look further:
// somebody meant to use it, and the next pair may be another identity. A key
// that cannot be right is a [*ConfigError]; see [Credentials.Validate]. Every
// error is inside a [*ProviderError] named "env". The provider is safe for
// concurrent use if Lookup is.
func Env(opts *EnvOptions) Provider {
	lookup := os.LookupEnv
	if opts != nil && opts.Lookup != nil {
		lookup = opts.Lookup
	}
	return ProviderFunc(func(context.Context) (Credentials, error) {
		c, err := readEnv(func(name string) string {
			value, _ := lookup(name)
			return value
		})
		if err != nil {
			return Credentials{}, &ProviderError{Provider: "env", Err: err}
		}
		return c, nil
	})
}

// readEnv finds the first pair and checks it.
func readEnv(get func(name string) string) (Credentials, error) {
	var ids []string
	for _, names := range envFamilies() {
		id, secret := get(names.id), get(names.secret)
		switch {
		case id == "" && secret == "":
			ids = append(ids, names.id)
			continue
		case secret == "":
			return Credentials{}, &ConfigError{Field: names.secret, Problem: fmt.Sprintf("is not set although %s is; set both or neither", names.id)}
		case id == "":
			return Credentials{}, &ConfigError{Field: names.id, Problem: fmt.Sprintf("is not set although %s is; set both or neither", names.secret)}
		}
		c := Credentials{
			AccessKeyID:     id,
			AccessKeySecret: NewSecret(secret),
			SecurityToken:   NewSecret(get(names.token)),
			Source:          "env",
		}
		if err := c.Validate(); err != nil {
			return Credentials{}, fmt.Errorf("%s, %s, %s: %w", names.id, names.secret, names.token, err)
		}
		return c, nil
	}
	return Credentials{}, fmt.Errorf("%w: none of %s is set", ErrNotConfigured, strings.Join(ids, ", "))
}
