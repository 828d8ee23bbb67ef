package otsauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/otsauth/otsauth/internal/redact"
)

const (
	stsVersion        = "2015-04-01"
	sourceTimeout     = 10 * time.Second
	maxSourceResponse = 64 << 10 // bytes; the largest real answer has about 2 KiB
)

// stsClient calls actions of the Security Token Service.
type stsClient struct {
	endpoint string // a URL
	http     *http.Client
}

// stsEndpoint returns the URL of STS for the three options that choose it.
func stsEndpoint(endpoint, region string, vpc bool) (string, error) {
	switch {
	case endpoint != "" && (region != "" || vpc):
		return "", &ConfigError{Field: "Endpoint", Problem: "is set together with Region or VPC; set one or the other"}
	case endpoint != "":
		return checkEndpoint(endpoint)
	case vpc && region == "":
		return "", &ConfigError{Field: "VPC", Problem: `needs Region, as in "cn-hangzhou": there is no central VPC endpoint`}
	case region == "":
		return "https://sts.aliyuncs.com/", nil
	case strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return "", &ConfigError{Field: "Region", Problem: fmt.Sprintf(`is %q; a region looks like "cn-hangzhou"`, redact.Line(region, 60))}
	case vpc:
		return "https://sts-vpc." + region + ".aliyuncs.com/", nil
	}
	return "https://sts." + region + ".aliyuncs.com/", nil
}

// checkEndpoint accepts a host, a host with a port, or a URL of nothing else,
// and returns the URL.
func checkEndpoint(endpoint string) (string, error) {
	text := endpoint
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil, strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.Fragment != "":
		// Neither the text nor Parse's error is quoted: a URL can hold a password.
		return "", &ConfigError{Field: "Endpoint", Problem: `is not a host or URL; it looks like "sts.cn-hangzhou.aliyuncs.com" or "https://sts.aliyuncs.com"`}
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u.Scheme + "://" + u.Host + "/", nil
	}
	return "", &ConfigError{Field: "Endpoint", Problem: fmt.Sprintf("uses %s; credentials go over https only (http on loopback)", u.Scheme)}
}

// isLoopback reports whether host names this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// stsResponse is the JSON answer of the actions that hand out credentials, or
// of their failure. (Source: the STS API reference.)
type stsResponse struct {
	RequestID   string `json:"RequestId"`
	Code        string
	Message     string
	Credentials credentialsAnswer
}

// credentialsAnswer is temporary credentials in JSON, as STS, the metadata
// service and credentials URIs spell them. STS has no Code here.
type credentialsAnswer struct {
	Code            string
	AccessKeyID     string `json:"AccessKeyId"`
	AccessKeySecret string
	SecurityToken   string
	Expiration      string
}

// call sends params, to which sign adds what the action's authentication
// needs (nil: nothing), and returns the credentials of the answer.
func (s *stsClient) call(ctx context.Context, action string, params url.Values, sign func()) (Credentials, error) {
	params.Set("Action", action)
	params.Set("Version", stsVersion)
	params.Set("Format", "JSON")
	if sign != nil {
		sign()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, strings.NewReader(params.Encode()))
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: %w", action, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	status, body, err := send(s.http, req)
	if err != nil {
		return Credentials{}, fmt.Errorf("%s: %w", action, err)
	}
	var answer stsResponse
	malformed := json.Unmarshal(body, &answer)
	if status != http.StatusOK {
		return Credentials{}, &STSError{
			Action: action, Code: redact.Line(answer.Code, 100), Message: safeMessage(answer.Message, params),
			RequestID: redact.Line(answer.RequestID, 100), StatusCode: status,
		}
	}
	if malformed != nil {
		return Credentials{}, fmt.Errorf("%s: the answer (%d bytes) is not the JSON of STS; check the endpoint", action, len(body))
	}
	creds, err := answer.Credentials.credentials()
	if err != nil {
		return Credentials{}, fmt.Errorf("%s (request %s): the answer cannot be used: %w", action, redact.Line(answer.RequestID, 100), err)
	}
	return creds, nil
}

// credentials checks each field.
func (a *credentialsAnswer) credentials() (Credentials, error) {
	if a.SecurityToken == "" {
		return Credentials{}, &ConfigError{Field: "security token", Problem: "is missing"}
	}
	expires, err := time.Parse(time.RFC3339, a.Expiration)
	if err != nil {
		return Credentials{}, &ConfigError{Field: "Expiration", Problem: `is missing or not a time such as "2026-01-02T15:04:05Z"`}
	}
	creds := Credentials{
		AccessKeyID: a.AccessKeyID, AccessKeySecret: NewSecret(a.AccessKeySecret), SecurityToken: NewSecret(a.SecurityToken), Expires: expires,
	}
	return creds, checkFresh(creds, time.Now())
}

// send does req and returns the status and the bounded body. Its errors name
// the host and no more of the URL, and quote nothing of the answer.
func send(client *http.Client, req *http.Request) (status int, body []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("no answer from %s: %w", req.URL.Host, networkCause(req.Context(), err))
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxSourceResponse+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("the answer of %s broke off: %w", req.URL.Host, networkCause(req.Context(), err))
	case len(body) > maxSourceResponse:
		return 0, nil, fmt.Errorf("the answer of %s is larger than %d bytes; check the endpoint", req.URL.Host, maxSourceResponse)
	}
	return resp.StatusCode, body, nil
}

// An answerError is an answer with an unexpected HTTP status.
type answerError struct {
	problem string
	status  int
}

// Error returns the problem and the status.
func (e *answerError) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.problem, e.status) }

// Retryable reports whether the service may answer later, as STSError's does.
func (e *answerError) Retryable() bool {
	return e.status >= http.StatusInternalServerError || e.status == http.StatusTooManyRequests
}

// noRedirects returns client, or the default one, so that it follows no redirect.
func noRedirects(client *http.Client) *http.Client {
	c := http.Client{Timeout: sourceTimeout, Transport: sharedTransport()}
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}
