package tablestoresdk

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/common"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/signer"
)

const (
	// defaultTimeout is the Timeout when Options.Timeout is zero.
	defaultTimeout = 30 * time.Second
	// signDateLayout is how the SDK writes the day of a V4 key.
	signDateLayout = "20060102"
)

// Options are the options of [New]. Nil means all defaults.
type Options struct {
	// Region is the instance's region, as in "cn-hangzhou". Set it for V4
	// signatures. Empty: V2.
	Region string
	// Timeout is how long a request waits for credentials when no valid ones
	// are at hand. Zero or less: 30 seconds.
	Timeout time.Duration
	// Logger gets a warning at the first of a row of failures, and a note when
	// it is over. Nil: nothing is logged.
	Logger *slog.Logger
	// OnError is called at each request for which there were no valid
	// credentials, before the request is sent with the last good ones. It must
	// return soon and be safe for concurrent use. Nil: nobody is told.
	OnError func(error)
	// Now is the clock that says which day a V4 key is for. Nil: [time.Now].
	Now func() time.Time
}

// A Provider is a common.CredentialsProvider of the SDK. It is safe for
// concurrent use.
type Provider struct {
	retrieve func(context.Context) (otsauth.Credentials, error) // of the cache; unlike it, safe to print by reflection
	region   string
	timeout  time.Duration
	logger   *slog.Logger
	onError  func(error)
	now      func() time.Time

	last    atomic.Pointer[handout] // nil: there were no good credentials yet
	failing atomic.Bool
}

// handout is what the SDK was given for one set, and in V4 for one day. It
// never changes, so requests share it without a lock.
type handout struct {
	set    otsauth.Credentials
	day    string // of V4, YYYYMMDD; empty: V2
	forSDK common.Credentials
}

// New returns a Provider that hands p's credentials to the SDK. p is wrapped in
// an [otsauth.Cache] unless it is one; to end the cache's background refresh,
// pass your own and close it. The error is an [*otsauth.ConfigError]: p is nil,
// or Region cannot be one.
func New(p otsauth.Provider, opts *Options) (*Provider, error) {
	if p == nil {
		return nil, &otsauth.ConfigError{Field: "provider", Problem: "is nil; pass one, such as otsauth.Default(nil)"}
	}
	if opts == nil {
		opts = &Options{}
	}
	if opts.Region != "" {
		if err := checkRegion(opts.Region); err != nil {
			return nil, err
		}
	}
	provider := &Provider{
		retrieve: otsauth.NewCache(p, nil).Retrieve,
		region:   opts.Region,
		timeout:  opts.Timeout,
		logger:   opts.Logger,
		onError:  opts.OnError,
		now:      opts.Now,
	}
	if provider.timeout <= 0 {
		provider.timeout = defaultTimeout
	}
	if provider.logger == nil {
		provider.logger = slog.New(slog.DiscardHandler)
	}
	if provider.now == nil {
		provider.now = time.Now
	}
	return provider, nil
}

// GetCredentials returns the current credentials: a *common.DefaultCredentials
// for V2, a *common.V4CredentialsSnapshot for V4, which holds the day's derived
// key and not the secret. Do not change or print what it returns.
//
// It cannot return an error. When there are no valid credentials, Options.OnError
// and the log are told why, and the last good ones go on; the service then
// answers that they have expired. Before there were any, the result is empty and
// the SDK refuses to send the request, for want of x-ots-accesskeyid.
func (p *Provider) GetCredentials() common.Credentials {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	set, err := p.retrieve(ctx)
	if err == nil {
		var h *handout
		if h, err = p.handout(set); err == nil {
			if p.failing.CompareAndSwap(true, false) {
				p.logger.InfoContext(ctx, "tablestoresdk: credentials are valid again", "credentials", set)
			}
			return h.forSDK
		}
	}
	return p.goOn(ctx, err)
}

// handout returns the last handout if it is of set and today, else a new one.
func (p *Provider) handout(set otsauth.Credentials) (*handout, error) {
	now := p.now()
	day := ""
	if p.region != "" {
		day = now.UTC().Format(signDateLayout)
	}
	if last := p.last.Load(); last != nil && last.day == day && last.set.Equal(set) {
		return last, nil
	}
	h := &handout{set: set, day: day}
	if p.region == "" {
		h.forSDK = &common.DefaultCredentials{
			AccessKeyID:     set.AccessKeyID,
			AccessKeySecret: set.AccessKeySecret.Reveal(), //nolint:forbidigo // another SDK's credentials
			SecurityToken:   set.SecurityToken.Reveal(),   //nolint:forbidigo // another SDK's credentials
		}
	} else {
		key, err := signer.DeriveV4Key(set, p.region, now)
		if err != nil {
			return nil, err
		}
		h.forSDK = snapshot(key)
	}
	p.last.Store(h)
	return h, nil
}

// snapshot is key as the SDK takes it. The SDK asks V4 credentials for a
// snapshot before it builds a request; a snapshot answers with itself, so that
// day, key and token of a request are of one set. (The snapshot that
// V4Credentials of v1.9.3 takes of itself loses the token.)
func snapshot(key signer.V4Key) *common.V4CredentialsSnapshot {
	return &common.V4CredentialsSnapshot{
		AccessKeyID:        key.AccessKeyID,
		V4SigningStsToken:  key.SecurityToken.Reveal(), //nolint:forbidigo // another SDK's credentials
		Region:             key.Region,
		SigningDate:        key.Date,
		V4SigningAccessKey: key.Key.Reveal(), //nolint:forbidigo // another SDK's credentials
	}
}

// goOn tells of err and returns the last good credentials.
func (p *Provider) goOn(ctx context.Context, err error) common.Credentials {
	if p.failing.CompareAndSwap(false, true) {
		p.logger.WarnContext(ctx, "tablestoresdk: no valid credentials; requests go on with the last good ones", "error", err)
	}
	if p.onError != nil {
		p.onError(err)
	}
	if last := p.last.Load(); last != nil {
		if h, err := p.handout(last.set); err == nil { // today's key, should the day have changed
			return h.forSDK
		}
	}
	return &common.DefaultCredentials{}
}

// checkRegion asks the signer, with a key that is used for nothing else.
func checkRegion(region string) error {
	_, err := signer.DeriveV4Key(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("secret")}, region, time.Time{})
	return err
}
