package otsauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/otsauth/otsauth/internal/redact"
)

// URIOptions are the options of [URI]. Nil means all defaults.
type URIOptions struct {
	// HTTPClient sends the request; its CheckRedirect is not used. Nil: see
	// [AssumeRoleOptions].
	HTTPClient *http.Client
}

// credentialsURI is the provider that URI returns.
type credentialsURI struct {
	uri  string
	http *http.Client
}

// URI returns a [Provider] that gets temporary credentials from a local or
// internal HTTP service, as credentials-go and the command line tool of Alibaba
// Cloud do: a GET that answers 200 and JSON with AccessKeyId, AccessKeySecret,
// SecurityToken, Expiration and, optionally, Code "Success".
//
// Both http:// and https:// are allowed, since the service is usually at
// localhost; redirects are not followed. Errors of Retrieve are a
// [*ProviderError] named "uri", and never quote the URI's query. URI itself
// returns a [*ConfigError] for what is not a URL. The provider is safe for
// concurrent use.
func URI(uri string, opts *URIOptions) (Provider, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &ConfigError{Field: "credentials URI", Problem: `is not a URL such as "http://localhost:7002/credentials"`}
	}
	if opts == nil {
		opts = &URIOptions{}
	}
	return &credentialsURI{uri: uri, http: noRedirects(opts.HTTPClient)}, nil
}

// Format writes the host: the rest of the URI may be a secret.
func (p *credentialsURI) Format(f fmt.State, _ rune) {
	host := ""
	if u, err := url.Parse(p.uri); err == nil {
		host = u.Host
	}
	_, _ = fmt.Fprintf(f, "otsauth.URI{%s}", host)
}

// Retrieve makes one request.
func (p *credentialsURI) Retrieve(ctx context.Context) (Credentials, error) {
	creds, err := p.retrieve(ctx)
	if err != nil {
		return Credentials{}, &ProviderError{Provider: "uri", Err: err}
	}
	creds.Source = "uri"
	return creds, nil
}

func (p *credentialsURI) retrieve(ctx context.Context) (Credentials, error) {
	if ctx == nil {
		return Credentials{}, errNilContext()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.uri, nil)
	if err != nil {
		return Credentials{}, &ConfigError{Field: "credentials URI", Problem: "cannot be requested"}
	}
	status, body, err := send(p.http, req)
	if err != nil {
		return Credentials{}, err
	}
	if status != http.StatusOK {
		return Credentials{}, &answerError{req.URL.Host + " did not answer 200", status}
	}
	return parseURIAnswer(body)
}

// parseURIAnswer reads the credentials of an answer.
func parseURIAnswer(body []byte) (Credentials, error) {
	var answer credentialsAnswer
	if json.Unmarshal(body, &answer) != nil {
		return Credentials{}, fmt.Errorf("the answer (%d bytes) is not JSON with credentials", len(body))
	}
	if answer.Code != "" && answer.Code != "Success" {
		return Credentials{}, fmt.Errorf("the answer has no credentials: code %q", redact.Line(answer.Code, 60))
	}
	return answer.credentials()
}
