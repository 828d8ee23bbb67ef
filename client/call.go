package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
	"github.com/otsauth/otsauth/internal/redact"
	"github.com/otsauth/otsauth/signer"
)

// maxResponse bounds the body of an answer, in bytes. The service's own limit
// is 4 MiB for the largest, GetRange; other actions may answer more.
const maxResponse = 64 << 20

const (
	headerRequestID = "X-Ots-Requestid"
	headerTraceID   = "X-Ots-Sdk-Traceid"
)

// call is one call of a method with its attempts, or all rounds of a batch, which the
// retry policy counts as one.
type call struct {
	client *OTSClient
	action string
	began  time.Time

	body     []byte // as it is sent
	fullSize int    // of the body before it was compressed; 0: it was not

	made     int  // attempts
	sent     int  // those that were sent
	mended   int  // those of them that were repeated without asking the policy
	unsigned int  // attempts that got no credentials that the service takes
	renewed  bool // a rejected token was replaced since the policy was asked
	redated  bool // the request was dated anew since the policy was asked

	cumulative bool // done twice, the request does more than once
	unclear    bool // an attempt may have written without an answer that says so

	used     otsauth.Credentials // the set of the last attempt
	rejected otsauth.Credentials // the set that the service rejected first
	logsRows bool                // a later round of a batch, whose rows are logged
}

// outcome is what one attempt came to.
type outcome struct {
	used    otsauth.Credentials
	sending sending
	resp    *http.Response // nil: none arrived
	size    int            // of the answer's body
	took    time.Duration
	answer  Response
	err     *Error // nil: success
	skewed  bool   // the answer taught the signer the service's clock
	unsent  bool   // the service cannot have got the request
	final   bool   // no repetition can help
}

// begin returns a call of an action.
func (c *OTSClient) begin(action string) call {
	return call{client: c, action: action, began: time.Now()}
}

// do sends a body, with all attempts that it takes. What it returns counts those of
// earlier rounds as well.
func (k *call) do(ctx context.Context, body []byte) (Response, error) {
	if ctx == nil {
		return Response{}, &otsauth.ConfigError{Field: "context", Problem: "is nil; pass context.Background() or the request's context"}
	}
	k.body, k.fullSize, k.renewed, k.redated = body, 0, false, false
	if limit := k.client.opts.CompressAbove; limit > 0 && len(body) > limit {
		if short := k.client.shrink.compress(body); short != nil {
			k.body, k.fullSize = short, len(body)
		}
	}
	resp, err := k.run(ctx)
	if err != nil {
		err.mark(k.unclear)
		return Response{}, k.logged(ctx, err)
	}
	return resp, nil
}

// logged writes the error record of a call that failed, and returns its error.
func (k *call) logged(ctx context.Context, err *Error) *Error {
	if k.logsRows {
		return err
	}
	k.client.opts.Logger.ErrorContext(ctx, "otsauth: request failed", "action", k.action, "error", err)
	return err
}

// run makes attempts until one succeeds or the policy, or ctx, ends them.
func (k *call) run(ctx context.Context) (Response, *Error) {
	if err := ctx.Err(); err != nil {
		return Response{}, k.failed(nil, err)
	}
	var last *Error
	for {
		if k.client.open.Err() != nil {
			return Response{}, k.failed(nil, closedError{})
		}
		o := k.attempt(ctx)
		k.log(ctx, o)
		switch {
		case o.err == nil:
			k.client.budget.put()
			return o.answer, nil
		case o.final && last != nil && ctx.Err() != nil:
			return Response{}, ended(o.err.Err, last)
		case o.final:
			return Response{}, o.err
		case o.skewed && !k.redated:
			k.redated = true
			k.mended++
			continue
		case !k.renewed && o.rejected():
			k.renewed = true
			if k.rejected.AccessKeyID == "" {
				k.rejected = o.used
			}
			k.mended++
			k.client.signer.Invalidate(o.used)
			continue
		}
		failed := k.describe(o)
		k.unclear = k.unclear || failed.mayHaveWritten()
		if last = o.err; ctx.Err() != nil {
			return Response{}, ended(ctx.Err(), last)
		}
		delay, retry := k.client.opts.Retry.Next(failed)
		if !retry {
			if failed.isRefusedForGood() {
				k.client.budget.put()
			}
			return Response{}, o.err
		}
		if !failed.NoCredentials && !k.client.budget.take(1) {
			o.err.Hint = hintBudget
			return Response{}, o.err
		}
		if failed.NoCredentials {
			delay = max(delay, untilOthers(o))
		}
		if !k.client.wait(ctx, delay) {
			return Response{}, ended(ctx.Err(), last)
		}
		k.renewed, k.redated = false, false
	}
}

// rejected reports whether the service did not take the attempt's token.
func (o *outcome) rejected() bool {
	return o.err != nil && signer.RejectsToken(o.used, string(o.err.Code), o.err.Message)
}

// attempt signs and sends the request once.
func (k *call) attempt(ctx context.Context) *outcome {
	o := &outcome{}
	k.made++
	if err := k.client.enter(ctx); err != nil {
		o.err, o.final = k.failed(nil, fmt.Errorf("waiting for one of %d connections: %w", k.client.opts.MaxConnections, err)), true
		return o
	}
	defer k.client.leave()
	var began time.Time
	if k.isLogged(ctx) { // a reading of the clock is a third of a percent of a request
		began = time.Now()
	}
	if timeout := k.client.opts.Timeout; timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		k.exchange(limited, o)
		if o.err != nil && limited.Err() != nil && ctx.Err() == nil && errors.Is(o.err.Err, context.DeadlineExceeded) {
			o.err.Err = fmt.Errorf("the attempt took longer than Options.Timeout, which is %s: %w", timeout, o.err.Err)
		}
	} else {
		k.exchange(ctx, o)
	}
	if !began.IsZero() {
		o.took = time.Since(began)
	}
	return o
}

// exchange signs the request, sends it and reads the answer.
func (k *call) exchange(ctx context.Context, o *outcome) {
	req := o.sending.newRequest(ctx, k.client, k.action, k.body)
	req.Header = make(http.Header, k.client.headers)
	req.Header["User-Agent"] = k.client.userAgent
	if k.fullSize > 0 {
		setCompressed(req.Header, k.fullSize)
	}
	err := k.name(ctx, req.Header)
	if err != nil {
		o.err, o.final = k.failed(nil, err), true
		return
	}
	if o.used, err = k.client.signer.Sign(ctx, req, k.body); err != nil {
		k.unsigned++
		o.err = k.failed(nil, &credentialsError{err})
		return
	}
	remember(&k.client.signed)
	k.sent++
	k.used = o.used
	resp, err := k.client.opts.Transport.RoundTrip(req)
	if err != nil {
		o.err = k.failed(nil, showable(err, k.token()))
		o.err.Hint = nextStepAfter(err)
		o.unsent = o.sending.progress.neverSent(err, ctx.Err() != nil)
		return
	}
	defer resp.Body.Close()
	remember(&k.client.answered)
	resp.Request, o.resp = req, resp
	k.read(o)
}

// name sets the attempt's trace ID, if it has one.
func (k *call) name(ctx context.Context, header http.Header) error {
	if k.client.opts.TraceID == nil {
		return nil
	}
	id := k.client.opts.TraceID(ctx)
	if id == "" {
		return nil
	}
	header.Set(headerTraceID, id)
	return checkHeader("TraceID", id)
}

// read reads and checks an answer.
func (k *call) read(o *outcome) {
	body, err := readBody(o.resp)
	o.size = len(body)
	if err != nil {
		o.err = k.failed(o.resp, showable(err, k.token()))
		return
	}
	id := o.resp.Header.Get(headerRequestID)
	if k.client.opts.InsecureSkipResponseCheck {
		id = k.requestID(o.resp) // anybody can have written it
	} else if err := k.client.signer.VerifyResponse(o.used, o.resp, body); err != nil {
		o.err = k.failed(o.resp, err)
		return
	}
	if o.resp.StatusCode < 200 || o.resp.StatusCode >= 300 {
		o.err = k.refused(o, body)
		o.skewed = k.client.signer.LearnSkew(o.used, o.resp)
		return
	}
	if !o.used.SecurityToken.IsZero() {
		remember(&k.client.accepted)
	}
	o.answer = Response{Body: body, RequestID: id, Header: o.resp.Header, Attempts: k.sent}
}

// readBody reads a bounded body, in one allocation where its length is known. Nothing
// else has or keeps it.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxResponse {
		return nil, &sizeError{resp.ContentLength}
	}
	if resp.ContentLength >= 0 {
		body := make([]byte, resp.ContentLength)
		n, err := io.ReadFull(resp.Body, body)
		return body[:n], err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err == nil && len(body) > maxResponse {
		return nil, &sizeError{int64(len(body))}
	}
	return body, err
}

// failed is the error of an attempt that has no answer of the service.
func (k *call) failed(resp *http.Response, err error) *Error {
	e := &Error{Action: k.action, Attempts: k.sent, Err: err}
	if resp != nil {
		e.RequestID = k.requestID(resp)
	}
	return e
}

// token is what must not be shown of an answer: who wrote it may have echoed the
// request.
func (k *call) token() string {
	return k.used.SecurityToken.Reveal() //nolint:forbidigo // so that it can be masked
}

func (k *call) requestID(resp *http.Response) string {
	return redact.Line(resp.Header.Get(headerRequestID), 100, k.token())
}

// refused is the error that the service answered. The body is not always the
// service's: it may be any text that a proxy wrote.
func (k *call) refused(o *outcome, body []byte) *Error {
	e := k.failed(o.resp, nil)
	e.StatusCode = o.resp.StatusCode
	var answer otspb.Error
	if proto.Unmarshal(body, &answer) == nil && strings.HasPrefix(answer.GetCode(), "OTS") {
		k.explain(e, &answer)
	} else {
		e.Hint = hintNotTablestore
	}
	return e
}

// explain puts the service's error in e.
func (k *call) explain(e *Error, answer *otspb.Error) {
	token := k.token()
	e.Code, e.Message = Code(redact.Line(answer.GetCode(), 60, token)), redact.Message(answer.GetMessage(), token)
	e.Hint = hint(e.Code, e.Message)
	if d := answer.GetAccessDeniedDetail(); d != nil && e.Hint != "" {
		e.Hint += fmt.Sprintf(": %s is denied to %s (%s)", redact.Line(d.GetAuthAction(), 60, token),
			redact.Line(d.GetAuthPrincipalDisplayName(), 100, token), redact.Line(d.GetNoPermissionType(), 60, token))
	}
}

// ended is the error of a call that ends for a reason of its own, as its context does,
// after an attempt that failed.
func ended(why error, last *Error) *Error {
	e := *last
	if e.Err == nil || !errors.Is(e.Err, why) {
		e.Err = fmt.Errorf("%w; the last attempt: %w", why, reason{last})
	}
	return &e
}

// describe counts an attempt that failed, and tells the policy. That the service
// rejects a token once more is no credentials, if it took one before and this is the
// only one to be had, for now: the source is out of order. One that replaced a
// rejected one, or that nobody will renew, was not what was wrong.
func (k *call) describe(o *outcome) Attempt {
	e := o.err
	a := k.failure(e)
	if o.rejected() && k.client.accepted.Load() && o.used.Equal(k.rejected) && !o.used.Expires.IsZero() {
		k.unsigned++
		k.mended++ // the policy is told of it as one that was not sent
		a.NoCredentials, a.Number, a.Temporary = true, k.unsigned, true
		return a
	}
	if e.StatusCode != 0 {
		return a
	}
	if ce := (*credentialsError)(nil); errors.As(e.Err, &ce) {
		a.NoCredentials, a.Number = true, k.unsigned
		a.Temporary = isTemporary(ce.err, k.client.signed.Load())
		return a
	}
	a.Executed = !o.unsent
	a.Temporary = canPass(e.Err, k.client.answered.Load())
	return a
}

// failure is an attempt that failed with e, or whose answer has it for a row.
func (k *call) failure(e *Error) Attempt {
	return Attempt{
		Action: k.action, Number: k.sent - k.mended, Err: e, Code: e.Code, Message: e.Message, StatusCode: e.StatusCode,
		Cumulative: k.cumulative, Elapsed: time.Since(k.began),
	}
}

func (k *call) isLogged(ctx context.Context) bool {
	return k.client.opts.Logger.Enabled(ctx, slog.LevelDebug)
}

// log writes the record of one attempt.
func (k *call) log(ctx context.Context, o *outcome) {
	if !k.isLogged(ctx) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("action", k.action), slog.Int("attempt", k.made),
		slog.Duration("took", o.took), slog.Int("request_bytes", len(k.body)))
	if o.resp != nil {
		attrs = append(attrs, slog.Int("status", o.resp.StatusCode),
			slog.String("request_id", k.requestID(o.resp)), slog.Int("response_bytes", o.size))
	}
	if o.err != nil {
		attrs = append(attrs, slog.Any("error", o.err))
	}
	k.client.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "otsauth: attempt", attrs...)
}

// wait passes d, or less if the client is closed meanwhile; it reports false if ctx
// ended first.
func (c *OTSClient) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.open.Done():
		return true
	case <-ctx.Done():
		return false
	}
}

// untilOthers is how long the cache of credentials will answer with the same error,
// or about that with the same rejected set: to ask earlier would be in vain.
func untilOthers(o *outcome) time.Duration {
	if re := (*otsauth.RefreshError)(nil); errors.As(o.err, &re) {
		return time.Until(re.RetryAt)
	}
	if o.rejected() {
		return time.Second
	}
	return 0
}

// remember sets flag. A plain load first lets all cores share its line.
func remember(flag *atomic.Bool) {
	if !flag.Load() {
		flag.Store(true)
	}
}
