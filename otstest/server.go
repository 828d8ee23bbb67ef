package otstest

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/otsauth/otsauth"
)

const (
	defaultInstance = "otstest"
	defaultRegion   = "cn-hangzhou"

	defaultMaxTables = 64

	// maxRecorded is how many requests a server remembers.
	maxRecorded = 1024
)

// Options are the options of [NewServer] and [Start]. Nil means all defaults.
type Options struct {
	// Instance is the name of the only instance. Empty: "otstest".
	Instance string
	// Region is the region that a V4 signature must be made for. Empty:
	// "cn-hangzhou".
	Region string
	// TokenLifetime is how long the tokens that STS issues live, whatever the
	// request asks for; it may be shorter than the real service's 15 minutes.
	// Zero: what the request asks for.
	TokenLifetime time.Duration
	// Now is the service's clock. Nil: [time.Now].
	Now func() time.Time
	// ExpiredToken is the refusal of a token that has expired or was revoked.
	// What the real service answers is not documented. Zero: HTTP 403,
	// OTSAuthFailed, "The security token has expired.".
	ExpiredToken Refusal
	// MaxTables is how many tables and indexes there may be. Zero: 64, as the
	// service's documentation of limits has it.
	MaxTables int
	// MissingHeaderCode is the code of the refusal of a request without a
	// required header. Empty: "OTSParameterInvalid", as the documentation has
	// it; "OTSMissingHeader", and quotes around the header's name, is what the
	// service was seen to answer in 2014.
	MissingHeaderCode string
	// UnsupportedOperationCode is the code of the refusal of an unknown action.
	// Empty: "OTSParameterInvalid", as the documentation has it;
	// "OTSUnsupportOperation" is what the service was seen to answer in 2014.
	UnsupportedOperationCode string
}

// A Refusal is an answer of the service that is an error.
type Refusal struct {
	StatusCode    int
	Code, Message string
}

// A Server is a local Tablestore instance and the Security Token Service that
// issues tokens for it. Its methods are safe for concurrent use.
type Server struct {
	opts  Options
	key   otsauth.Credentials // long-lived, of the instance's owner
	keys  keyring
	store *store
	sts   *STS

	metadata *Metadata

	mu       sync.Mutex // guards the fields below
	plain    *httptest.Server
	tls      *httptest.Server
	closed   bool
	faults   []*plannedFault
	recorded []Request
	stats    Stats
	calls    map[string]int64 // requests by Request.Action
}

// NewServer starts a Server that is closed when the test and all its subtests
// are done.
func NewServer(tb testing.TB, opts *Options) *Server {
	tb.Helper()
	s, err := Start(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start starts a Server outside of a test. It opens no socket before [Server.URL]
// or [Server.TLSURL] is called, so a program that sends only through
// [Server.Transport] never does. Call Close when done.
func Start(opts *Options) (*Server, error) {
	s := &Server{calls: map[string]int64{}}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.TokenLifetime < 0 {
		return nil, &otsauth.ConfigError{Field: "TokenLifetime", Problem: "is negative"}
	}
	setDefault(&s.opts.Instance, defaultInstance)
	setDefault(&s.opts.Region, defaultRegion)
	setDefault(&s.opts.MaxTables, defaultMaxTables)
	setDefault(&s.opts.MissingHeaderCode, codeParameterInvalid)
	setDefault(&s.opts.UnsupportedOperationCode, codeParameterInvalid)
	setDefault(&s.opts.ExpiredToken, Refusal{http.StatusForbidden, codeAuthFailed, "The security token has expired."})
	if s.opts.Now == nil {
		s.opts.Now = time.Now
	}
	s.store = newStore(s.opts.Now)
	s.key = otsauth.Credentials{
		AccessKeyID:     "LTAI5t" + rand.Text()[:18],
		AccessKeySecret: otsauth.NewSecret(rand.Text() + rand.Text()[:4]),
		Source:          "otstest",
	}
	s.keys.add(s.key)
	s.sts = &STS{server: s, nonces: map[string]time.Time{}, oidc: map[string]time.Time{}}
	s.metadata = &Metadata{server: s, role: "otstest", tokens: map[string]time.Time{}, calls: map[string]int{}}
	return s, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// URL returns the plain HTTP address, "http://127.0.0.1:PORT". Tablestore and
// STS both answer there. In a [testing/synctest] bubble use [Server.Transport]
// instead: virtual time does not pass while anybody waits at a socket.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain == nil {
		s.plain = s.listener()
		s.plain.Start()
		s.closeLate(s.plain)
	}
	return s.plain.URL
}

// TLSURL returns the HTTPS address, "https://127.0.0.1:PORT". The certificate
// is trusted by [Server.Client] only.
func (s *Server) TLSURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.startTLS().URL
}

// Client returns an HTTP client that trusts the certificate of TLSURL.
func (s *Server) Client() *http.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.startTLS().Client()
}

func (s *Server) startTLS() *httptest.Server {
	if s.tls == nil {
		s.tls = s.listener()
		s.tls.StartTLS()
		s.closeLate(s.tls)
	}
	return s.tls
}

// closeLate closes a listener that was asked for after Close: its address
// refuses connections, as that of any closed server.
func (s *Server) closeLate(server *httptest.Server) {
	if s.closed {
		server.Close()
	}
}

// listener returns a server that does not log what clients do wrong: tests of
// clients that distrust its certificate are meant to.
func (s *Server) listener() *httptest.Server {
	server := httptest.NewUnstartedServer(s.handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	return server
}

// Instance returns the name of the instance.
func (s *Server) Instance() string { return s.opts.Instance }

// Provider returns the long-lived key of the instance's owner.
func (s *Server) Provider() otsauth.Provider { return otsauth.Static(s.key) }

// STS returns the Security Token Service.
func (s *Server) STS() *STS { return s.sts }

// AddKey makes c an AccessKey of the instance, with its token and expiry if it
// has any.
func (s *Server) AddKey(c otsauth.Credentials) { s.keys.add(c) }

// Revoke makes the service refuse the temporary credentials with this
// AccessKey ID from now on, and reports whether they were known.
func (s *Server) Revoke(accessKeyID string) bool { return s.keys.revoke(accessKeyID) }

// RevokeTokens revokes all temporary credentials that are valid now, and
// returns how many these were.
func (s *Server) RevokeTokens() int { return s.keys.revokeAll(s.opts.Now()) }

// Close closes the sockets and waits for the requests on them. It may be
// called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	plain, tls := s.plain, s.tls
	s.closed = true
	s.mu.Unlock()
	for _, server := range []*httptest.Server{plain, tls} {
		if server != nil {
			server.CloseClientConnections()
			server.Close()
		}
	}
}

// A Request is what the server remembers of one request.
type Request struct {
	// Action is the Tablestore action, or that of STS with "STS." before it.
	Action string
	// AccessKeyID is the key that the request named.
	AccessKeyID string
	// Parameters holds of a request to STS what says which credentials are asked
	// for, by the API's names: RoleArn, RoleSessionName, DurationSeconds, Policy,
	// ExternalId and OIDCProviderArn, as far as they were sent.
	Parameters map[string]string
	// StatusCode, Code and Message are the answer's; Code and Message are
	// empty for a 2xx. StatusCode is 0 if the connection was cut.
	StatusCode    int
	Code, Message string
	// RequestID is the answer's.
	RequestID string
	// Reason says in detail why the request was refused, or "".
	Reason string
	// StringToSign is what the server computed the signature over, if it came
	// to that; the security token is masked.
	StringToSign string
}

// Requests returns the last requests, oldest first, at most 1,024.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.recorded...)
}

// Stats counts what a server did since it started.
type Stats struct {
	Requests     int64 // to Tablestore
	Refused      int64 // of these: answered with an error, or cut
	STSCalls     int64
	TokensIssued int64 // by answers that were sent
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Calls returns how many requests for an action there were since the server
// started, refused ones included; the action is named as in [Request].
func (s *Server) Calls(action string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[action]
}

// record remembers a request and counts it.
func (s *Server) record(r Request, isSTS bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.calls[r.Action]; known || len(s.calls) < maxRecorded { // a client can make names up
		s.calls[r.Action]++
	}
	refused := r.StatusCode < 200 || r.StatusCode >= 300
	switch {
	case isSTS:
		s.stats.STSCalls++
		if !refused {
			s.stats.TokensIssued++
		}
	default:
		s.stats.Requests++
		if refused {
			s.stats.Refused++
		}
	}
	if len(s.recorded) == maxRecorded {
		s.recorded = s.recorded[:copy(s.recorded, s.recorded[maxRecorded/4:])]
	}
	s.recorded = append(s.recorded, r)
}

// newRequestID returns an ID in the form of the service's.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("0005f55a-%x-%x-%x-%x", b[4:6], b[6:8], b[8:10], b[10:])
}
