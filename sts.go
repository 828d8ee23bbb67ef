package otsauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/otsauth/otsauth/internal/redact"
)

const (
	// The bounds of DurationSeconds; the upper one also depends on the role.
	// (Source: AssumeRole in the STS API reference.)
	minAssumeRoleDuration     = 15 * time.Minute
	maxAssumeRoleDuration     = 12 * time.Hour
	defaultAssumeRoleDuration = time.Hour

	defaultSessionName  = "otsauth"
	maxPolicyLength     = 2048 // characters
	maxExternalIDLength = 1224
)

// AssumeRoleOptions are the options of [AssumeRole]. Nil means all defaults.
type AssumeRoleOptions struct {
	// SessionName appears in audit logs: 2 to 64 letters, digits and any of
	// ".@-_". Empty: "otsauth".
	SessionName string
	// Duration is how long the credentials live: 15 minutes to 12 hours, in
	// whole seconds, and no more than the role's maximum session duration.
	// Zero: 1 hour.
	Duration time.Duration
	// Policy narrows the role's permissions: a RAM policy as JSON, at most
	// 2,048 characters. Empty: the role's own permissions.
	Policy string
	// ExternalID is what the role's owner asks third parties to send: 2 to
	// 1,224 letters, digits and any of "_+=,.@:/-". Empty: none is sent.
	ExternalID string
	// Region chooses the endpoint sts.REGION.aliyuncs.com, as in
	// "cn-hangzhou". Empty: the central endpoint, sts.aliyuncs.com.
	Region string
	// VPC chooses sts-vpc.REGION.aliyuncs.com, which is reachable without
	// Internet access. It needs Region.
	VPC bool
	// Endpoint is the host, or the https:// URL, of STS; http:// only on
	// loopback. It excludes Region and VPC. Empty: see Region.
	Endpoint string
	// HTTPClient sends the request; its CheckRedirect is not used, since a
	// redirected request would take the security token to another host. Nil: a
	// client with a timeout of 10 seconds and a transport that all providers
	// share, that honours HTTPS_PROXY and that keeps no idle connection. Of its
	// errors only those of the network, of TLS and of time are passed on: another
	// one can quote an answer with keys in it.
	HTTPClient *http.Client
}

// assumeRole is the provider that AssumeRole returns.
type assumeRole struct {
	source Provider
	sts    stsClient
	params url.Values // all but what signRPC adds
}

// AssumeRole returns a [Provider] that exchanges source's credentials for
// temporary ones of the RAM role roleARN ("acs:ram::ACCOUNT:role/NAME"), by the
// STS action AssumeRole. Roles chain: source may itself be an AssumeRole.
//
// Each Retrieve asks source and calls STS once: wrap it in [NewCache], or hand
// it to a signer or client, which do. If STS says that source's own temporary
// credentials are invalid or expired and source is a [*Cache], they are
// invalidated there and the call is made once more. The secret and token go to
// STS in the body of the request, never in its URL.
//
// Errors of Retrieve are a [*ProviderError] named "assume-role" around source's
// error, a [*STSError], or the network's error. AssumeRole itself returns a
// [*ConfigError] for an argument that STS would refuse. The provider is safe
// for concurrent use.
func AssumeRole(source Provider, roleARN string, opts *AssumeRoleOptions) (Provider, error) {
	if opts == nil {
		opts = &AssumeRoleOptions{}
	}
	if source == nil {
		return nil, &ConfigError{Field: "source provider", Problem: "is nil; pass one, such as otsauth.Env(nil)"}
	}
	params, err := opts.params(roleARN)
	if err != nil {
		return nil, err
	}
	endpoint, err := stsEndpoint(opts.Endpoint, opts.Region, opts.VPC)
	if err != nil {
		return nil, err
	}
	return &assumeRole{
		source: source,
		sts:    stsClient{endpoint: endpoint, http: noRedirects(opts.HTTPClient)},
		params: params,
	}, nil
}

// params checks the options and returns them as STS parameters.
func (o *AssumeRoleOptions) params(roleARN string) (url.Values, error) {
	params, err := roleParams(roleARN, o.SessionName, o.Duration, o.Policy)
	if err != nil {
		return nil, err
	}
	if o.ExternalID != "" {
		if err := checkText("ExternalID", o.ExternalID, `^[A-Za-z0-9_+=,.@:/\-]{2,}$`, "must be letters, digits or any of _+=,.@:/-, at least 2"); err != nil {
			return nil, err
		}
		if n := len(o.ExternalID); n > maxExternalIDLength {
			return nil, &ConfigError{Field: "ExternalID", Problem: fmt.Sprintf("has %d characters; STS takes at most %d", n, maxExternalIDLength)}
		}
		params.Set("ExternalId", o.ExternalID)
	}
	return params, nil
}

// roleParams checks what all ways to assume a role have in common, and returns
// it as STS parameters.
func roleParams(roleARN, session string, duration time.Duration, policy string) (url.Values, error) {
	if session == "" {
		session = defaultSessionName
	}
	seconds, err := durationSeconds(duration)
	if err != nil {
		return nil, err
	}
	if err := checkText("role ARN", roleARN, `^acs:ram::[0-9]+:role/[A-Za-z0-9.\-_/]+$`, `must look like "acs:ram::1234567890123456:role/name"`); err != nil {
		return nil, err
	}
	if err := checkText("SessionName", session, `^[A-Za-z0-9.@\-_]{2,64}$`, "must be 2 to 64 letters, digits, '.', '@', '-' or '_'"); err != nil {
		return nil, err
	}
	if n := utf8.RuneCountInString(policy); n > maxPolicyLength {
		return nil, &ConfigError{Field: "Policy", Problem: fmt.Sprintf("has %d characters; STS takes at most %d", n, maxPolicyLength)}
	}
	params := url.Values{
		"RoleArn":         {roleARN},
		"RoleSessionName": {session},
		"DurationSeconds": {seconds},
	}
	if policy != "" {
		params.Set("Policy", policy)
	}
	return params, nil
}

// checkText refuses a value that does not match a pattern.
func checkText(field, value, pattern, want string) error {
	if regexp.MustCompile(pattern).MatchString(value) {
		return nil
	}
	return &ConfigError{Field: field, Problem: fmt.Sprintf("is %q; it %s", redact.Line(value, 100), want)}
}

// durationSeconds checks a session duration and returns it as STS takes it.
func durationSeconds(d time.Duration) (string, error) {
	if d == 0 {
		d = defaultAssumeRoleDuration
	}
	if d < minAssumeRoleDuration || d > maxAssumeRoleDuration || d%time.Second != 0 {
		return "", &ConfigError{Field: "Duration", Problem: fmt.Sprintf(
			"is %s; it must be whole seconds between %s and %s", d, minAssumeRoleDuration, maxAssumeRoleDuration)}
	}
	return strconv.Itoa(int(d / time.Second)), nil
}

// Retrieve asks the source for credentials and STS for those of the role.
func (p *assumeRole) Retrieve(ctx context.Context) (Credentials, error) {
	creds, err := p.retrieve(ctx)
	if err != nil {
		return Credentials{}, &ProviderError{Provider: "assume-role", Err: err}
	}
	return creds, nil
}

func (p *assumeRole) retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	base, err := retrieveFrom(ctx, p.source)
	if err != nil {
		return Credentials{}, err
	}
	creds, err := p.call(ctx, base)
	cache, ok := p.source.(*Cache)
	if se := (*STSError)(nil); ok && errors.As(err, &se) && se.rejectsToken() {
		cache.Invalidate(base)
		if base, err = cache.Retrieve(ctx); err != nil {
			return Credentials{}, err
		}
		creds, err = p.call(ctx, base)
	}
	return creds, err
}

// call makes one signed request.
func (p *assumeRole) call(ctx context.Context, base Credentials) (Credentials, error) {
	if err := base.Validate(); err != nil {
		return Credentials{}, err
	}
	params := maps.Clone(p.params)
	creds, err := p.sts.call(ctx, "AssumeRole", params, func() { signRPC(params, base, time.Now()) })
	creds.Source = "assume-role/" + base.Source
	return creds, err
}
