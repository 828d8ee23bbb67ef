package otsauth

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"time"
)

// The length of an OIDC token. (Source: AssumeRoleWithOIDC in the STS API
// reference.)
const (
	minOIDCToken = 4
	maxOIDCToken = 20_000
)

// A TokenSource returns the current OIDC token. It must be safe for concurrent
// use.
type TokenSource func(ctx context.Context) (Secret, error)

// FileToken returns a TokenSource that reads a file each time, because
// Kubernetes rotates it. White space around the token is cut off.
func FileToken(path string) TokenSource {
	return func(context.Context) (Secret, error) {
		data, _, err := readFile(path, maxOIDCToken+1024)
		if err != nil {
			return Secret{}, fmt.Errorf("OIDC token file: %w", err)
		}
		return NewSecret(string(bytes.TrimSpace(data))), nil
	}
}

// readFile reads a file of at most limit bytes, and returns its mode. A pipe or a device could keep its
// reader waiting for ever, whatever the context says, and is refused.
func readFile(path string, limit int) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path) //nolint:gosec // the path is the user's
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path) //nolint:gosec // the path is the user's
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, info.Mode(), err
}

// OIDCOptions are the options of [AssumeRoleWithOIDC]; the fields are those of
// [AssumeRoleOptions]. Nil means all defaults.
type OIDCOptions struct {
	SessionName string
	Duration    time.Duration
	Policy      string
	Region      string
	VPC         bool
	Endpoint    string
	HTTPClient  *http.Client
}

// oidcRole is the provider that AssumeRoleWithOIDC returns.
type oidcRole struct {
	token  TokenSource
	sts    stsClient
	params url.Values
}

// AssumeRoleWithOIDC returns a [Provider] that exchanges an OIDC token for
// temporary credentials of the RAM role roleARN, by the STS action of the same
// name: what RRSA does in Kubernetes. providerARN names the identity provider
// ("acs:ram::ACCOUNT:oidc-provider/NAME").
//
// Each Retrieve asks token and calls STS once, unsigned: the token is the proof.
// Wrap it in [NewCache], or hand it to a signer or client, which do. Errors of
// Retrieve are a [*ProviderError] named "oidc" around the token's error, a
// [*STSError], or the network's error. AssumeRoleWithOIDC itself returns a
// [*ConfigError] for an argument that STS would refuse. The provider is safe
// for concurrent use.
func AssumeRoleWithOIDC(token TokenSource, providerARN, roleARN string, opts *OIDCOptions) (Provider, error) {
	if opts == nil {
		opts = &OIDCOptions{}
	}
	if token == nil {
		return nil, &ConfigError{Field: "token source", Problem: "is nil; pass one, such as otsauth.FileToken(path)"}
	}
	params, err := roleParams(roleARN, opts.SessionName, opts.Duration, opts.Policy)
	if err != nil {
		return nil, err
	}
	if err := checkText("OIDC provider ARN", providerARN, `^acs:ram::[0-9]+:oidc-provider/[A-Za-z0-9.\-_]+$`,
		`must look like "acs:ram::1234567890123456:oidc-provider/name"`); err != nil {
		return nil, err
	}
	params.Set("OIDCProviderArn", providerARN)
	endpoint, err := stsEndpoint(opts.Endpoint, opts.Region, opts.VPC)
	if err != nil {
		return nil, err
	}
	return &oidcRole{token: token, sts: stsClient{endpoint: endpoint, http: noRedirects(opts.HTTPClient)}, params: params}, nil
}

// Retrieve asks for the token, and STS for the role's credentials.
func (p *oidcRole) Retrieve(ctx context.Context) (Credentials, error) {
	creds, err := p.retrieve(ctx)
	if err != nil {
		return Credentials{}, &ProviderError{Provider: "oidc", Err: err}
	}
	creds.Source = "oidc"
	return creds, nil
}

func (p *oidcRole) retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	token, err := p.token(ctx)
	if err != nil {
		return Credentials{}, err
	}
	text := token.Reveal()
	if len(text) < minOIDCToken || len(text) > maxOIDCToken {
		return Credentials{}, &ConfigError{Field: "OIDC token", Problem: fmt.Sprintf("has %d characters; STS takes %d to %d", len(text), minOIDCToken, maxOIDCToken)}
	}
	params := maps.Clone(p.params)
	params.Set("OIDCToken", text)
	params.Set("Timestamp", time.Now().UTC().Format(rpcTimestamp))
	return p.sts.call(ctx, "AssumeRoleWithOIDC", params, nil)
}
