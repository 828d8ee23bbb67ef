package client

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/redact"
	"github.com/otsauth/otsauth/signer"
)

// An OTSClient sends requests to one Tablestore instance. It is safe for
// concurrent use; make one and share it.
type OTSClient struct {
	opts      Options
	request   *http.Request // what all requests have in common
	userAgent []string
	headers   int // how many a request has, at the most
	text      text
	signer    *signer.Signer
	open      context.Context // ends when the client is closed
	close     context.CancelFunc
	budget    budget
	shrink    compressor
	slots     *semaphore.Weighted // one for each connection that there may be; nil: no bound

	// What worked once and fails now is an outage; what never worked is a mistake.
	signed   atomic.Bool // credentials were had once
	answered atomic.Bool // an answer arrived once
	accepted atomic.Bool // a token was taken once
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
	c := &OTSClient{
		opts: filled, text: text{filled.Encoding}, signer: s,
		request: &http.Request{
			Method: http.MethodPost, URL: base, Host: base.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		},
		userAgent: []string{filled.UserAgent}, headers: 8, // of V2, with a token
	}
	c.open, c.close = context.WithCancel(context.Background())
	if filled.Region != "" || filled.TraceID != nil || filled.CompressAbove > 0 {
		c.headers = 14
	}
	if filled.MaxConnections > 0 {
		c.slots = semaphore.NewWeighted(int64(filled.MaxConnections))
	}
	return c, nil
}

// Close closes idle connections, and the cache of credentials if the client
// made it. Calls fail from then on with an error that matches
// [otsauth.ErrClosed]; one that is under way ends its attempt, and one that waits
// for a retry or a connection ends, as does one that waits for credentials of the
// client's own cache. Close may be called more than once and always returns nil.
func (c *OTSClient) Close() error {
	c.close()
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

// Do sends one action by name, such as "GetRow" or "tunnel/create", with its
// encoded protobuf message, and returns the answer. Every typed method is built on it, and it
// serves the actions that have none. Each attempt is dated and signed anew; the
// retry policy decides about further ones, and ctx ends the call at any time.
// body must not be changed, not even when Do has returned: where an answer comes
// before the request was read, a transport may read it still.
//
// Three things are mended on the way. If the service rejects the temporary token
// that a request carried, Do drops exactly that one, gets new credentials and
// sends the request once more. If it took a token of this client before, and there
// are no others to be had just now, Do waits as it does without any. If the service says that the request's date is
// off, Do learns the service's time and sends once more, too. And if no
// credentials can be had just now, nothing was sent: Do waits until the cache
// asks for some again, for up to 5 minutes under [DefaultRetryPolicy]. A
// provider's error that will not pass fails the call at once: one that is not
// configured, a key that cannot be right, a refusal of STS, an error whose
// method Retryable() bool says so, and any error of a provider that has not
// answered yet and that is not the network's.
//
// The error is an [*Error], or a [*otsauth.ConfigError] for an argument that
// cannot work. Do is safe for concurrent use.
func (c *OTSClient) Do(ctx context.Context, action string, body []byte) (*Response, error) {
	if !isAction(action) {
		return nil, &otsauth.ConfigError{Field: "action", Problem: fmt.Sprintf("is %q; it is a name such as GetRow or tunnel/create", redact.Line(action, 60))}
	}
	k := c.begin(action)
	resp, err := k.do(ctx, body)
	if err != nil {
		return nil, err
	}
	return &resp, nil
}

// isAction reports whether action is a name of letters and digits, or a path of
// such names.
func isAction(action string) bool {
	inName := false
	for i := range len(action) {
		c := action[i]
		isWord := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !isWord && (c != '/' || !inName) {
			return false
		}
		inName = isWord
	}
	return inName
}
