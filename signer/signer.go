package signer

import (
	"context"
	"crypto/md5" //nolint:gosec // x-ots-contentmd5 is the wire format
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
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

const (
	apiVersion = "2015-12-31"
	dateLayout = "2006-01-02T15:04:05.000Z"
)

// Options are the options of [New]. Nil means all defaults.
type Options struct {
	// Version is the signature version. Zero: V4 if Region is set, else V2.
	Version Version
	// Region is the instance's region, as in "cn-hangzhou"; V4 needs it, V2
	// does not take it.
	Region string
	// Now reads the clock that dates the requests. Nil: [time.Now].
	Now func() time.Time
}

// A Signer signs requests to one instance. It is safe for concurrent use.
type Signer struct {
	credentials *otsauth.Cache
	ownsCache   bool
	instance    string
	region      string // set: V4
	now         func() time.Time
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
	s := &Signer{
		credentials: otsauth.NewCache(p, nil),
		ownsCache:   !given || cache == nil,
		instance:    instance,
		region:      opts.Region,
		now:         opts.Now,
	}
	return s, nil
}

func (o *Options) check() error {
	switch {
	case o.Version != 0 && o.Version != V2 && o.Version != V4:
		return &otsauth.ConfigError{Field: "Version", Problem: fmt.Sprintf("is %d; it must be V2 or V4", o.Version)}
	case o.Version == V4 && o.Region == "":
		return &otsauth.ConfigError{Field: "Region", Problem: `is empty; V4 needs the instance's region, as in "cn-hangzhou"`}
	case o.Version == V2 && o.Region != "":
		return &otsauth.ConfigError{Field: "Region", Problem: "is set, but V2 does not take one; leave Version at zero for V4"}
	case strings.Trim(o.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return &otsauth.ConfigError{Field: "Region", Problem: fmt.Sprintf(`is %q; a region looks like "cn-hangzhou"`, o.Region)}
	}
	return nil
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
		c := lower(name[i])
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return &otsauth.ConfigError{Field: "instance name", Problem: fmt.Sprintf(
				"%q has %q at byte %d; only letters, digits, '-' and '_' are allowed", name, name[i], i+1)}
		}
	}
	return nil
}

// Sign signs req, whose path is "/" and the action's name, for sending with
// body. It sets the x-ots- headers that the service requires, replaces those
// and any signature that an earlier Sign or another SDK set, keeps all other
// x-ots- headers, and signs what is then in the request. It does not read
// req.Body, and changes nothing but req.Header; each attempt of a retry needs
// a Sign of its own.
//
// Sign returns the credentials it used, for [Signer.Invalidate] and
// [Signer.VerifyResponse]. It blocks only while there are no valid credentials,
// no longer than ctx allows. Its errors are those of [otsauth.Cache.Retrieve],
// or a [*otsauth.ConfigError] for a request that cannot be signed: a query in
// the URL, or an x-ots- header that is repeated or has a line end in it.
func (s *Signer) Sign(ctx context.Context, req *http.Request, body []byte) (otsauth.Credentials, error) {
	switch {
	case ctx == nil:
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "context", Problem: "is nil; pass the request's context"}
	case req == nil || req.URL == nil:
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "request", Problem: "or its URL is nil"}
	case req.URL.RawQuery != "" || !strings.HasPrefix(req.URL.Path, "/"):
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "request URL", Problem: `must end in "/" and the action, without a query, as in "https://my-instance.cn-hangzhou.ots.aliyuncs.com/GetRow"`}
	}
	now, creds, err := s.retrieve(ctx)
	if err != nil {
		return otsauth.Credentials{}, err
	}
	if req.Header == nil {
		req.Header = make(http.Header, 10)
	}
	if err := s.sign(req, body, &creds, now); err != nil {
		return otsauth.Credentials{}, err
	}
	return creds, nil
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

// sign sets the headers and the signature. All values share few allocations.
func (s *Signer) sign(req *http.Request, body []byte, creds *otsauth.Credentials, now time.Time) error {
	h := req.Header
	values := make([]string, 9)
	set := func(name, value string) {
		values[0] = value
		h[name], values = values[:1:1], values[1:]
	}
	now = now.UTC()
	date, contentMD5 := dateAndMD5(now, body)
	set(headerDate, date)
	set(headerAPIVersion, apiVersion)
	set(headerAccessKeyID, creds.AccessKeyID)
	set(headerInstanceName, s.instance)
	set(headerContentMD5, contentMD5)
	if creds.SecurityToken.IsZero() {
		delete(h, headerSTSToken)
	} else {
		set(headerSTSToken, creds.SecurityToken.Reveal())
	}
	delete(h, headerSignatureV2)
	delete(h, headerSignatureV4)

	keys := s.keys.of(creds)
	pool, signatureHeader := &keys.v2, headerSignatureV2
	if s.region != "" {
		day := keys.v4(dayOf(keys, now), s.region)
		set(headerSignDate, day.date)
		set(headerSignRegion, day.region)
		pool, signatureHeader = &day.hmacPool, headerSignatureV4
	} else {
		delete(h, headerSignDate)
		delete(h, headerSignRegion)
	}

	var lines lineList
	lines.collect(h)
	sorted := lines.sorted()
	if err := checkLines(sorted); err != nil {
		return err
	}
	work := pool.get()
	work.text = appendStringToSign(work.text[:0], method(req), req.URL.Path, sorted)
	if s.region != "" {
		work.text = append(work.text, v4Salt...)
	}
	set(signatureHeader, work.sign())
	pool.put(work)
	return nil
}

// dayOf returns the day of now, without formatting it again all day long.
func dayOf(k *keys, now time.Time) string {
	if day := k.day.Load(); day != nil {
		var text [len(signDateLayout)]byte
		if string(now.AppendFormat(text[:0], signDateLayout)) == day.date {
			return day.date
		}
	}
	return signDate(now)
}

// dateAndMD5 returns two header values that share one allocation.
func dateAndMD5(now time.Time, body []byte) (date, contentMD5 string) {
	sum := md5.Sum(body) //nolint:gosec // see the import
	var text [64]byte
	b := now.AppendFormat(text[:0], dateLayout)
	n := len(b)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	both := string(b)
	return both[:n], both[n:]
}

// checkLines refuses what the service could read in another way than we signed it.
func checkLines(sorted []line) error {
	for i, ln := range sorted {
		if i > 0 && compareFold(ln.name, sorted[i-1].name) == 0 {
			return &otsauth.ConfigError{Field: "header " + strings.ToLower(ln.name), Problem: "is set more than once; Tablestore signs one value for each name"}
		}
		if strings.ContainsAny(ln.value, "\r\n") {
			return &otsauth.ConfigError{Field: "header " + strings.ToLower(ln.name), Problem: "has a line end in its value"}
		}
	}
	return nil
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
