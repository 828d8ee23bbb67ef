package signer

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/otsauth/otsauth"
)

// Version is a signature version.
type Version int

// The versions that the service accepts.
const (
	V2 Version = 2 // HMAC-SHA1 with the AccessKey secret
	V4 Version = 4 // HMAC-SHA256 with a key derived for a day and a region
)

const apiVersion = "2015-12-31"

// Options are the options of [New]. Nil means all defaults.
type Options struct {
	// Version is the signature version. Zero: V4 if Region is set, else V2.
	Version Version
	// Region is the instance's region, as in "cn-hangzhou"; V4 needs it, V2
	// does not take it.
	Region string
	// Now reads the clock that dates the requests; it must be safe for
	// concurrent use. Set it where the date must be known, as in a test
	// against recorded signatures. Nil: [time.Now].
	Now func() time.Time
	// Logger gets a warning when the learned clock skew changes. Nil: nothing
	// is logged.
	Logger *slog.Logger
}

// A Signer signs requests to one instance. It is safe for concurrent use.
type Signer struct {
	credentials *otsauth.Cache
	ownsCache   bool
	instance    string
	region      string // set: V4
	now         func() time.Time
	skew        skew
	keys        keyCache
}

// New returns a Signer for an instance, with the credentials of p. It wraps p
// in an [otsauth.Cache], which Close closes, unless p is one. Its errors are
// [*otsauth.ConfigError].
func New(p otsauth.Provider, instance string, opts *Options) (*Signer, error) {
	if opts == nil {
		opts = &Options{}
	}
	if p == nil {
		return nil, &otsauth.ConfigError{Field: "provider", Problem: "is nil; pass one, such as otsauth.Env(nil)"}
	}
	if err := checkInstance(instance); err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	cache, given := p.(*otsauth.Cache)
	if given && cache == nil {
		return nil, &otsauth.ConfigError{Field: "provider", Problem: "is a nil *otsauth.Cache; pass one that NewCache made"}
	}
	s := &Signer{
		credentials: otsauth.NewCache(p, nil),
		ownsCache:   !given,
		instance:    instance,
		region:      opts.Region,
		now:         opts.Now,
	}
	s.skew.logger = opts.Logger
	return s, nil
}

func (o *Options) check() error {
	switch {
	case o.Version != 0 && o.Version != V2 && o.Version != V4:
		return &otsauth.ConfigError{Field: "Version", Problem: fmt.Sprintf("is %d; it must be V2 or V4", o.Version)}
	case o.Version == V4 && o.Region == "":
		return errNoRegion()
	case o.Version == V2 && o.Region != "":
		return &otsauth.ConfigError{Field: "Region", Problem: "is set, but V2 does not take one; leave Version at zero for V4"}
	}
	return checkRegion(o.Region)
}

// checkInstance accepts what the official Java SDK accepts: letters, digits,
// "-" and "_".
func checkInstance(name string) error {
	switch {
	case name == "":
		return &otsauth.ConfigError{Field: "instance name", Problem: `is empty; it is the first part of the endpoint's host, as in "my-instance"`}
	case len(name) > 255:
		return &otsauth.ConfigError{Field: "instance name", Problem: "is longer than 255 characters"}
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && c != '-' && c != '_' {
			return &otsauth.ConfigError{Field: "instance name", Problem: fmt.Sprintf(
				"%q has %q at byte %d; only letters, digits, '-' and '_' are allowed", name, c, i+1)}
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Sign signs req, whose path is "/" and the action's name, for sending with
// body. It does not read req.Body and changes nothing but req.Header. Each
// attempt of a retry needs a Sign of its own.
//
// Sign sets the x-ots- headers that the service requires, and removes those
// that an earlier Sign or another SDK set, whatever the case of their names:
// date, AccessKey ID, instance, MD5, token and signatures. All other x-ots-
// headers stay, and are signed as they stand: x-ots-apiversion, which is set
// only if it is missing, optional ones, and those that nobody knows.
//
// It returns the credentials it used, for [Signer.Invalidate],
// [Signer.LearnSkew] and [Signer.VerifyResponse]. It blocks only while there
// are no valid credentials, no longer than ctx allows. Its errors are those of
// [otsauth.Cache.Retrieve], or a [*otsauth.ConfigError] for a request that the
// service would read in another way than it was signed: a path that is not an
// action's, a query, or an x-ots- header that is repeated or has a line end in
// its value. After an error req.Header is not fit to be sent.
func (s *Signer) Sign(ctx context.Context, req *http.Request, body []byte) (otsauth.Credentials, error) {
	if ctx == nil {
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "context", Problem: "is nil; pass the request's context"}
	}
	if err := checkRequest(req); err != nil {
		return otsauth.Credentials{}, err
	}
	now, creds, err := s.retrieve(ctx)
	if err != nil {
		return otsauth.Credentials{}, err
	}
	if err := s.sign(req, body, &creds, s.skew.correct(now)); err != nil {
		return otsauth.Credentials{}, err
	}
	return creds, nil
}

func checkRequest(req *http.Request) error {
	if req == nil || req.URL == nil {
		return &otsauth.ConfigError{Field: "request", Problem: "or its URL is nil"}
	}
	u := req.URL
	if u.RawQuery != "" || u.ForceQuery || u.Opaque != "" || !isAction(u.Path) {
		return &otsauth.ConfigError{Field: "request URL", Problem: `must end in one "/" and the action, without a query, ` +
			`as in "https://my-instance.cn-hangzhou.ots.aliyuncs.com/GetRow"; look for a "/" at the end of the endpoint`}
	}
	return nil
}

// isAction accepts "/GetRow" and, of the tunnel service, "/tunnel/create".
func isAction(path string) bool {
	afterSlash := false
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/' && !afterSlash:
			afterSlash = true
		case i > 0 && isAlphanumeric(c):
			afterSlash = false
		default:
			return false
		}
	}
	return path != "" && !afterSlash
}

// retrieve reads the clock once, for the cache and for the date header.
func (s *Signer) retrieve(ctx context.Context) (time.Time, otsauth.Credentials, error) {
	if s.now != nil { // somebody else's clock says nothing about the expiry
		creds, err := s.credentials.Retrieve(ctx)
		return s.now(), creds, err
	}
	now := time.Now()
	creds, err := s.credentials.RetrieveAt(ctx, now)
	return now, creds, err
}

// clock reads the uncorrected clock.
func (s *Signer) clock() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// sign sets the headers and the signature.
func (s *Signer) sign(req *http.Request, body []byte, creds *otsauth.Credentials, now time.Time) error {
	keys := s.keys.of(creds)
	if err := keys.given.usableIn(s.region); err != nil {
		return err
	}
	size, pool, signature, salt := headersV2, &keys.v2, headerSignatureV2, ""
	day := (*dayKey)(nil)
	if s.region != "" {
		day = keys.signing(now, s.region)
		size, pool, signature, salt = headersV4, &day.request, headerSignatureV4, v4Salt
	}
	work := pool.get()
	defer pool.put(work)

	if req.Header == nil {
		req.Header = make(http.Header, size)
	} else {
		work.lines.collectOthers(req.Header)
		if err := work.lines.check(); err != nil {
			return err
		}
	}
	h, v := req.Header, &work.values
	contentMD5, date, token := v.contentMD5(body), v.date(now), creds.SecurityToken.Reveal()
	free := v.elements(size)
	set := func(name, value string) {
		free[0] = value
		h[name], free = free[:1:1], free[1:]
	}
	if !work.lines.has(headerAPIVersion) {
		set(headerAPIVersion, apiVersion)
	}
	set(headerAccessKeyID, creds.AccessKeyID)
	set(headerContentMD5, contentMD5)
	set(headerDate, date)
	set(headerInstanceName, s.instance)
	if day != nil {
		set(headerSignDate, day.date)
		set(headerSignRegion, s.region)
	}
	if token != "" {
		set(headerSTSToken, token)
	}

	method, path := method(req), req.URL.Path
	var text []byte
	if work.lines.areUsual() && work.usual.fits(method, path) {
		text = work.usual.stringToSign(method, path, h, token, contentMD5, date, salt)
	} else {
		text = work.stringToSign(method, path, h, salt)
	}
	set(signature, v.string(work.sign(text)))
	return nil
}

// Signature returns the signature, of the Signer's version, over headers that
// are complete. It sets none; it is for an SDK that has its own way to do that.
// The error is a [*otsauth.ConfigError]: x-ots-signdate or x-ots-signregion are
// missing or not those of c and the Signer.
func (s *Signer) Signature(c otsauth.Credentials, method, path string, h http.Header) (string, error) {
	keys := s.keys.of(&c)
	if err := keys.given.usableIn(s.region); err != nil {
		return "", err
	}
	pool, salt := &keys.v2, ""
	if s.region != "" {
		date, region := first(h[headerSignDate]), first(h[headerSignRegion])
		day := keys.signed(date, s.region)
		switch {
		case date != day.date || date == "":
			return "", &otsauth.ConfigError{Field: "x-ots-signdate", Problem: fmt.Sprintf("is %q; it must be the day of the key that signs", date)}
		case region != s.region:
			return "", &otsauth.ConfigError{Field: "x-ots-signregion", Problem: fmt.Sprintf("is %q; the Signer's Region is %q", region, s.region)}
		}
		pool, salt = &day.request, v4Salt
	}
	work := pool.get()
	defer pool.put(work)
	return string(work.sign(work.stringToSign(method, path, h, salt))), nil
}

// first returns the first of a header's values; http.Header.Get would make the
// name canonical, which it is.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// method returns req's method as net/http sends it.
func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}

// Invalidate drops used, which the service has just rejected, unless newer
// credentials are current already; see [otsauth.Cache.Invalidate].
func (s *Signer) Invalidate(used otsauth.Credentials) { s.credentials.Invalidate(used) }

// Close closes the cache that New made; one that New was given stays open.
// Sign fails from then on.
func (s *Signer) Close() error {
	if s.ownsCache {
		return s.credentials.Close()
	}
	return nil
}

// Format writes the instance and the version, for every verb: reading the
// fields of a Signer in use by reflection would be a data race.
func (s *Signer) Format(f fmt.State, _ rune) {
	version := "V2"
	if s.region != "" {
		version = "V4, " + s.region
	}
	_, _ = fmt.Fprintf(f, "signer.Signer{%s, %s}", s.instance, version)
}
