package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/signer"
)

// maxResponse bounds the body of an answer, in bytes. The service's own limit
// is 4 MiB for the largest, GetRange; other actions may answer more.
const maxResponse = 64 << 20

// An OTSClient sends requests to one Tablestore instance. It is safe for
// concurrent use; make one and share it.
type OTSClient struct {
	opts     Options
	endpoint string // without a path
	signer   *signer.Signer
}

// New returns a client for an instance.
//
// The endpoint is "https://INSTANCE.REGION.ots.aliyuncs.com" or the instance's
// VPC endpoint; a port and a trailing slash may follow, and http:// is allowed
// on loopback or with InsecureHTTP. An empty instance is taken from the
// endpoint's host. The client asks p for credentials at each request, through
// an [otsauth.Cache]; if p is one it is used as it is, and stays open when the
// client is closed.
//
// New sends nothing. Its errors are [*otsauth.ConfigError].
func New(endpoint, instance string, p otsauth.Provider, opts *Options) (*OTSClient, error) {
	filled, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	base, fromHost, err := parseEndpoint(endpoint, filled.InsecureHTTP)
	if err != nil {
		return nil, err
	}
	if instance, err = chooseInstance(instance, fromHost); err != nil {
		return nil, err
	}
	s, err := signer.New(p, instance, &signer.Options{Region: filled.Region, Logger: filled.Logger})
	if err != nil {
		return nil, err
	}
	return &OTSClient{opts: filled, endpoint: base, signer: s}, nil
}

// Close closes idle connections and the client's own cache of credentials.
// Calls fail from then on. It may be called more than once.
func (c *OTSClient) Close() error {
	if t, ok := c.opts.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return c.signer.Close()
}

// A Response is a successful answer.
type Response struct {
	// Body is the answer's protobuf message.
	Body []byte
	// RequestID is the service's name of the request.
	RequestID string
	// Header has all headers of the answer.
	Header http.Header
	// Attempts is how many requests were sent.
	Attempts int
}

// Do sends one action by name, such as "GetRow", with its encoded protobuf
// message, and returns the answer. Every typed method is built on it, and it
// serves the actions that have none. Each attempt is dated and signed anew;
// the retry policy decides about further ones, and ctx ends the call at any
// time.
//
// If the service rejects the temporary token that a request carried, Do drops
// exactly that one, gets new credentials and sends the request once more. If
// the service says that the request's date is off, Do learns the service's time,
// and sends the request once more, too. If no credentials can be had for a temporary reason, nothing was sent: Do waits
// and asks again, under the retry policy too.
//
// The error is an [*Error], or a [*otsauth.ConfigError] for an argument that
// cannot work. Do is safe for concurrent use.
func (c *OTSClient) Do(ctx context.Context, action string, body []byte) (*Response, error) {
	if ctx == nil {
		return nil, &otsauth.ConfigError{Field: "context", Problem: "is nil; pass context.Background() or the request's context"}
	}
	if action == "" || strings.Trim(action, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, &otsauth.ConfigError{Field: "action", Problem: fmt.Sprintf("is %q; it is a name such as GetRow", action)}
	}
	call := call{client: c, action: action, body: body, began: time.Now()}
	resp, err := call.run(ctx)
	if err != nil {
		c.opts.Logger.ErrorContext(ctx, "otsauth: request failed", "action", action, "error", err)
		return nil, err
	}
	return resp, nil
}

// call is one Do with its attempts.
type call struct {
	client *OTSClient
	action string
	body   []byte
	began  time.Time

	sent     int  // attempts that were sent
	unsigned int  // attempts that got no credentials
	renewed  bool // a rejected token was replaced already
	redated  bool // the request was dated by the service's clock already
	skewed   bool // the last answer taught the signer the service's clock
}

// run makes attempts until one succeeds or the policy, or ctx, ends them.
func (k *call) run(ctx context.Context) (*Response, error) {
	for {
		resp, used, failure := k.attempt(ctx)
		if failure == nil {
			return resp, nil
		}
		if k.skewed && !k.redated {
			k.redated = true
			continue
		}
		if !k.renewed && !used.SecurityToken.IsZero() && rejectsToken(failure) {
			k.renewed = true
			k.client.signer.Invalidate(used)
			continue
		}
		if ctx.Err() != nil {
			return nil, k.ended(ctx, failure)
		}
		delay, retry := k.client.opts.Retry.Next(k.describe(failure))
		if !retry {
			return nil, failure
		}
		if !wait(ctx, max(delay, untilRefresh(failure))) {
			return nil, k.ended(ctx, failure)
		}
	}
}

// attempt signs and sends the request once.
func (k *call) attempt(ctx context.Context) (*Response, otsauth.Credentials, *Error) {
	ctx, cancel := context.WithTimeout(ctx, k.client.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.client.endpoint+"/"+k.action, bytes.NewReader(k.body))
	if err != nil {
		return nil, otsauth.Credentials{}, k.failed(nil, err)
	}
	req.Header = make(http.Header, 12)
	req.Header.Set("User-Agent", k.client.opts.UserAgent)
	used, err := k.client.signer.Sign(ctx, req, k.body)
	if err != nil {
		k.unsigned++
		k.log(ctx, nil, 0, err)
		return nil, used, k.failed(nil, &credentialsError{err})
	}
	k.sent++
	began := time.Now()
	resp, err := k.client.opts.Transport.RoundTrip(req)
	if err != nil {
		k.log(ctx, nil, time.Since(began), err)
		return nil, used, k.failed(nil, err)
	}
	answer, failure := k.read(used, req, resp)
	k.skewed = failure != nil && k.client.signer.LearnSkew(used, resp)
	var cause error
	if failure != nil {
		cause = failure
	}
	k.log(ctx, resp, time.Since(began), cause)
	return answer, used, failure
}

// read reads and checks an answer, and closes its body.
func (k *call) read(used otsauth.Credentials, req *http.Request, resp *http.Response) (*Response, *Error) {
	defer resp.Body.Close()
	body, err := readBody(resp)
	if err != nil {
		return nil, k.failed(resp, err)
	}
	resp.Request = req
	success := resp.StatusCode >= 200 && resp.StatusCode < 300
	if !k.client.opts.InsecureSkipResponseCheck {
		if err := k.client.signer.VerifyResponse(used, resp, body); err != nil {
			return nil, k.failed(resp, err)
		}
	}
	if !success {
		return nil, k.refused(resp, body)
	}
	return &Response{Body: body, RequestID: resp.Header.Get("X-Ots-Requestid"), Header: resp.Header, Attempts: k.sent}, nil
}

// readBody reads a bounded body, in one allocation where its length is known.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxResponse {
		return nil, fmt.Errorf("the answer has %d bytes, more than the %d that are read", resp.ContentLength, maxResponse)
	}
	if resp.ContentLength >= 0 {
		body := make([]byte, resp.ContentLength)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err == nil && len(body) > maxResponse {
		err = fmt.Errorf("the answer has more than the %d bytes that are read", maxResponse)
	}
	return body, err
}

// failed is the error of an attempt that has no answer of the service.
func (k *call) failed(resp *http.Response, err error) *Error {
	e := &Error{Action: k.action, Attempts: k.sent, Err: err}
	if resp != nil {
		e.RequestID = resp.Header.Get("X-Ots-Requestid")
	}
	return e
}

// refused is the error that the service answered. The body is not always the
// service's: it may be any text that a proxy wrote.
func (k *call) refused(resp *http.Response, body []byte) *Error {
	e := &Error{Action: k.action, Attempts: k.sent, StatusCode: resp.StatusCode, RequestID: resp.Header.Get("X-Ots-Requestid")}
	var answer otspb.Error
	if proto.Unmarshal(body, &answer) == nil && strings.HasPrefix(answer.GetCode(), "OTS") {
		e.Code, e.Message = Code(answer.GetCode()), answer.GetMessage()
	}
	e.Hint = hint(e.Code, e.Message, e.StatusCode)
	return e
}

// ended is the error of a call whose context ended between two attempts.
func (k *call) ended(ctx context.Context, last *Error) *Error {
	e := *last
	if e.Err == nil || !errors.Is(e.Err, ctx.Err()) {
		e.Err = fmt.Errorf("%w; the last attempt: %w", ctx.Err(), last)
	}
	return &e
}

// describe tells the policy what failed.
func (k *call) describe(e *Error) Attempt {
	a := Attempt{
		Action: k.action, Number: k.sent, Err: e, Code: e.Code, Message: e.Message, StatusCode: e.StatusCode,
		Elapsed: time.Since(k.began),
	}
	if e.StatusCode != 0 {
		return a
	}
	if ce := (*credentialsError)(nil); errors.As(e.Err, &ce) {
		a.Number, a.Temporary = k.unsigned, isTemporary(ce.err)
		return a
	}
	a.Executed, a.Temporary = !neverSent(e.Err), isNetworkError(e.Err)
	return a
}

// log writes the record of one attempt.
func (k *call) log(ctx context.Context, resp *http.Response, took time.Duration, err error) {
	if !k.client.opts.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("action", k.action), slog.Int("attempt", k.sent),
		slog.Duration("took", took), slog.Int("request_bytes", len(k.body)),
	}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode),
			slog.String("request_id", resp.Header.Get("X-Ots-Requestid")), slog.Int64("response_bytes", resp.ContentLength))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	k.client.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "otsauth: attempt", attrs...)
}

// wait passes d; it reports false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// untilRefresh is how long the cache of credentials will answer with the same
// error: to ask earlier would be in vain.
func untilRefresh(e *Error) time.Duration {
	if re := (*otsauth.RefreshError)(nil); errors.As(e.Err, &re) {
		return time.Until(re.RetryAt)
	}
	return 0
}

// credentialsError marks an attempt that was not sent for want of credentials.
type credentialsError struct{ err error }

// Error returns the cause's text.
func (e *credentialsError) Error() string { return "no credentials: " + e.err.Error() }

// Unwrap returns the cause.
func (e *credentialsError) Unwrap() error { return e.err }

// isTemporary reports whether credentials may be had later: the network or the
// source's service failed, or the source handed out a set that had expired. An
// error of a provider's own can say so with a method Retryable() bool.
func isTemporary(err error) bool {
	if r := (interface{ Retryable() bool })(nil); errors.As(err, &r) {
		return r.Retryable()
	}
	return errors.Is(err, otsauth.ErrExpired) || isNetworkError(err)
}

// isNetworkError reports whether the network, and nobody on purpose, failed.
func isNetworkError(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded)
}

// neverSent reports whether no connection was made, so that the service cannot
// have executed the request. (A connection that breaks before the first byte is
// written is replaced by net/http itself.)
func neverSent(err error) bool {
	var oe *net.OpError
	return errors.As(err, &oe) && oe.Op == "dial"
}
