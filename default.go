package otsauth

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// Default returns a [Cache] over the standard chain, the one to use where a
// program should take what its surroundings offer. It asks, in the order of
// credentials-go,
//
//  1. [Env];
//  2. [AssumeRoleWithOIDC] with ALIBABA_CLOUD_ROLE_ARN,
//     ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE, which
//     Kubernetes sets for RRSA (and, if set, ALIBABA_CLOUD_ROLE_SESSION_NAME,
//     ALIBABA_CLOUD_STS_REGION and ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED);
//  3. [Profile];
//  4. [ECSRole];
//  5. [URI] with ALIBABA_CLOUD_CREDENTIALS_URI,
//
// and stays with the first that is set up. Unlike credentials-go's, the chain
// stops at one that is set up but fails; see [Chain]. Everything is read when
// credentials are fetched, not now. Close the cache when the program no longer
// needs it.
func Default(opts *CacheOptions) *Cache {
	profile := &ProfileOptions{}
	if opts != nil {
		profile.Logger = opts.Logger
	}
	return NewCache(defaultChain(profile), opts)
}

// DefaultChain returns the chain of [Default], for [ChainProvider.Explain] and
// for chains that begin or end with something else.
func DefaultChain() *ChainProvider { return defaultChain(nil) }

func defaultChain(profile *ProfileOptions) *ChainProvider {
	return Chain(
		Env(nil),
		envProvider("oidc", oidcFromEnv),
		Profile(profile),
		ECSRole(nil),
		envProvider("uri", uriFromEnv),
	)
}

// envProvider is a provider that the environment describes at each fetch.
func envProvider(name string, build func() (Provider, error)) Provider {
	return ProviderFunc(func(ctx context.Context) (Credentials, error) {
		p, err := build()
		if err != nil {
			return Credentials{}, &ProviderError{Provider: name, Err: err}
		}
		return p.Retrieve(ctx)
	})
}

func oidcFromEnv() (Provider, error) {
	const file, provider, role = "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_ROLE_ARN"
	token := strings.TrimSpace(os.Getenv("ALIBABA_CLOUD_OIDC_TOKEN"))
	if token == "" && os.Getenv(file) == "" && os.Getenv(provider) == "" {
		return nil, fmt.Errorf("%w: neither %s nor %s is set", ErrNotConfigured, file, provider)
	}
	for _, name := range []string{provider, role} {
		if os.Getenv(name) == "" {
			return nil, &ConfigError{Field: name, Problem: "is not set although other variables for OIDC are; set all of them or none"}
		}
	}
	source := fixedToken(token)
	if token == "" {
		if os.Getenv(file) == "" {
			return nil, &ConfigError{Field: file, Problem: "is not set although " + provider + " is; set both or neither"}
		}
		source = FileToken(os.Getenv(file))
	}
	return AssumeRoleWithOIDC(source, os.Getenv(provider), os.Getenv(role), &OIDCOptions{
		SessionName: os.Getenv("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
		Region:      os.Getenv("ALIBABA_CLOUD_STS_REGION"),
		VPC:         envTrue("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"),
	})
}

func uriFromEnv() (Provider, error) {
	uri := os.Getenv("ALIBABA_CLOUD_CREDENTIALS_URI")
	if uri == "" {
		return nil, fmt.Errorf("%w: ALIBABA_CLOUD_CREDENTIALS_URI is not set", ErrNotConfigured)
	}
	return URI(uri, nil)
}

// fixedToken returns a TokenSource of one token.
func fixedToken(token string) TokenSource {
	return func(context.Context) (Secret, error) { return NewSecret(token), nil }
}
