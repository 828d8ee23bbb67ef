package otsauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otsauth/otsauth/internal/redact"
)

// The metadata service of an ECS instance. (Source: "View instance metadata" in
// the ECS documentation; credentials-go sends the same requests.)
const (
	metadataEndpoint   = "http://100.100.100.200"
	metadataTokenPath  = "/latest/api/token"
	metadataRolesPath  = "/latest/meta-data/ram/security-credentials/"
	metadataTTLHeader  = "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds"
	metadataTokenHead  = "X-Aliyun-Ecs-Metadata-Token"
	metadataTokenTTL   = 6 * time.Hour
	metadataTokenEarly = time.Minute // how long before its end a token is replaced
	metadataTimeout    = 2 * time.Second
	metadataFirst      = time.Second // for the first answer
)

// metadataTransport reaches the metadata service: never through a proxy, which
// would see the credentials, and without waiting long for an address that only
// ECS instances have.
//
//nolint:gochecknoglobals // made once and never changed, as sharedTransport
var metadataTransport = sync.OnceValue(func() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: time.Second}).DialContext,
		ResponseHeaderTimeout: metadataTimeout,
		MaxConnsPerHost:       8,
		DisableKeepAlives:     true,
	}
})

// ECSOptions are the options of [ECSRole]. Nil means all defaults.
type ECSOptions struct {
	// RoleName is the instance's RAM role. Empty: ALIBABA_CLOUD_ECS_METADATA,
	// else the metadata service is asked for it, once.
	RoleName string
	// DisableIMDSv1 forbids requests without a metadata token; so does
	// ALIBABA_CLOUD_IMDSV1_DISABLED=true. By default they are made where the
	// service says that it issues none: HTTP 400, 403, 404, 405 or 501.
	DisableIMDSv1 bool
	// Endpoint is the URL of the metadata service. Empty: http://100.100.100.200.
	Endpoint string
	// HTTPClient sends the requests; its CheckRedirect is not used. Nil: a
	// client that waits 1 second for a connection and 2 for an answer, with no
	// proxy.
	HTTPClient *http.Client
}

// ecsRole is the provider that ECSRole returns.
type ecsRole struct {
	opts     ECSOptions
	endpoint string
	err      error // of the options
	http     *http.Client

	mu       sync.Mutex // guards the fields below; not held during a request
	token    Secret
	tokenEnd time.Time
	role     string // that was discovered
	answered bool   // the service answered once
}

// ECSRole returns a [Provider] of the credentials of the RAM role that is
// attached to this ECS instance, from the instance's metadata service.
//
// It is not configured ([ErrNotConfigured]) where ALIBABA_CLOUD_ECS_METADATA_DISABLED
// is "true", where the instance has no role, and where the service does not
// answer within a second; but once it has answered, that it no longer does is
// an error: a chain must not become somebody else for a moment's silence.
//
// The metadata token is kept for its lifetime of 6 hours and dropped when the
// service refuses it; the role's name is kept until the service no longer knows
// it. Errors of Retrieve are a [*ProviderError] named "ecs". The provider is safe
// for concurrent use.
func ECSRole(opts *ECSOptions) Provider {
	p := &ecsRole{endpoint: metadataEndpoint}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.Endpoint != "" {
		u, err := url.Parse(p.opts.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			p.err = &ConfigError{Field: "Endpoint", Problem: `of the metadata service is not a URL such as "http://100.100.100.200"`}
		}
		p.endpoint = strings.TrimRight(p.opts.Endpoint, "/")
	}
	client := p.opts.HTTPClient
	if client == nil {
		client = &http.Client{Timeout: metadataTimeout, Transport: metadataTransport()}
	}
	p.http = noRedirects(client)
	return p
}

// Retrieve asks the metadata service.
func (p *ecsRole) Retrieve(ctx context.Context) (Credentials, error) {
	creds, err := p.retrieve(ctx)
	if err != nil {
		return Credentials{}, &ProviderError{Provider: "ecs", Err: err}
	}
	creds.Source = "ecs"
	return creds, nil
}

func (p *ecsRole) retrieve(ctx context.Context) (Credentials, error) {
	switch {
	case ctx == nil:
		return Credentials{}, errNilContext()
	case p.err != nil:
		return Credentials{}, p.err
	case envTrue("ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
		return Credentials{}, fmt.Errorf("%w: ALIBABA_CLOUD_ECS_METADATA_DISABLED is set", ErrNotConfigured)
	}
	role, given, err := p.roleName(ctx)
	if err != nil {
		return Credentials{}, err
	}
	status, body, err := p.get(ctx, metadataRolesPath+url.PathEscape(role))
	switch {
	case err != nil:
		return Credentials{}, err
	case status == http.StatusNotFound && !given:
		p.forgetRole(role)
		return Credentials{}, fmt.Errorf("the role %s is no longer attached to this instance", redact.Line(role, 60))
	case status != http.StatusOK:
		return Credentials{}, &answerError{"the metadata service has no credentials of the role " + redact.Line(role, 60) + "; check the role's name", status}
	}
	return parseMetadata(body)
}

// parseMetadata reads the credentials of an answer.
func parseMetadata(body []byte) (Credentials, error) {
	var answer credentialsAnswer
	if json.Unmarshal(body, &answer) != nil {
		return Credentials{}, fmt.Errorf("the metadata service's answer (%d bytes) is not JSON", len(body))
	}
	if answer.Code != "Success" {
		return Credentials{}, fmt.Errorf("the metadata service has no credentials: code %q", redact.Line(answer.Code, 60))
	}
	return answer.credentials()
}

// roleName returns the role to ask for, and whether somebody chose it.
func (p *ecsRole) roleName(ctx context.Context) (role string, given bool, err error) {
	if role = p.opts.RoleName; role == "" {
		role = strings.TrimSpace(os.Getenv("ALIBABA_CLOUD_ECS_METADATA"))
	}
	if role != "" {
		return role, true, nil
	}
	p.mu.Lock()
	role = p.role
	p.mu.Unlock()
	if role != "" {
		return role, false, nil
	}
	status, body, err := p.get(ctx, metadataRolesPath)
	if err != nil {
		return "", false, err
	}
	role = strings.TrimSpace(string(body))
	switch {
	case status == http.StatusNotFound || status == http.StatusOK && role == "":
		return "", false, fmt.Errorf("%w: no RAM role is attached to this instance", ErrNotConfigured)
	case status != http.StatusOK:
		return "", false, &answerError{"the metadata service does not tell the role", status}
	case strings.ContainsAny(role, "\r\n/ <>"):
		return "", false, errors.New("the metadata service answered something that is not a role's name; check for a proxy")
	}
	p.mu.Lock()
	p.role = role
	p.mu.Unlock()
	return role, false, nil
}

func (p *ecsRole) forgetRole(role string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role == role {
		p.role = ""
	}
}

// get asks for a path with the current token, and once more with a new one if
// the service refuses it.
func (p *ecsRole) get(ctx context.Context, path string) (status int, body []byte, err error) {
	for range 2 {
		var token Secret
		if token, err = p.currentToken(ctx); err != nil {
			return 0, nil, err
		}
		if status, body, err = p.send(ctx, http.MethodGet, path, token); err != nil || status != http.StatusUnauthorized {
			return status, body, err
		}
		p.dropToken(token)
	}
	return status, body, err
}

// currentToken returns the metadata token, or none where the service has none
// to give and requests without are allowed.
func (p *ecsRole) currentToken(ctx context.Context) (Secret, error) {
	p.mu.Lock()
	token, end := p.token, p.tokenEnd
	p.mu.Unlock()
	if !token.IsZero() && time.Now().Before(end) {
		return token, nil
	}
	status, body, err := p.send(ctx, http.MethodPut, metadataTokenPath, Secret{})
	text := strings.TrimSpace(string(body))
	switch {
	case err == nil && status == http.StatusOK && text != "":
		token = NewSecret(text)
		p.mu.Lock()
		p.token, p.tokenEnd = token, time.Now().Add(metadataTokenTTL-metadataTokenEarly)
		p.mu.Unlock()
		return token, nil
	case err != nil: // silence does not say that the service is too old for tokens
		return Secret{}, err
	case !saysNoTokens(status):
		return Secret{}, &answerError{"the metadata service gives no token now", status}
	case p.opts.DisableIMDSv1 || envTrue("ALIBABA_CLOUD_IMDSV1_DISABLED"):
		return Secret{}, &answerError{"the metadata service gives no token, and requests without one are disabled", status}
	}
	return Secret{}, nil
}

// saysNoTokens reports whether a service that answers status does not know metadata
// tokens, or does not let this instance have one. What may pass, as an overload, says
// nothing about that.
func saysNoTokens(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

func (p *ecsRole) dropToken(token Secret) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token.Equal(token) {
		p.token = Secret{}
	}
}

// send makes one request. The first one decides within a second whether this is an
// ECS instance at all.
func (p *ecsRole) send(ctx context.Context, method, path string, token Secret) (int, []byte, error) {
	p.mu.Lock()
	answered := p.answered
	p.mu.Unlock()
	bounded := ctx
	if !answered {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, metadataFirst)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(bounded, method, p.endpoint+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if method == http.MethodPut {
		req.Header.Set(metadataTTLHeader, strconv.Itoa(int(metadataTokenTTL/time.Second)))
	}
	if !token.IsZero() {
		req.Header.Set(metadataTokenHead, token.Reveal())
	}
	status, body, err := send(p.http, req)
	switch {
	case err == nil:
		p.mu.Lock()
		p.answered = true
		p.mu.Unlock()
	case !answered && ctx.Err() == nil && (neverConnected(err) || bounded.Err() != nil):
		err = fmt.Errorf("%w: this does not look like an ECS instance: %w", ErrNotConfigured, err)
	}
	return status, body, err
}

// neverConnected reports whether nobody answered at the address.
func neverConnected(err error) bool {
	var oe *net.OpError
	return errors.As(err, &oe) && oe.Op == "dial"
}

// envTrue reports whether a variable is set to "true" or "1".
func envTrue(name string) bool {
	value := strings.TrimSpace(os.Getenv(name))
	return strings.EqualFold(value, "true") || value == "1"
}
