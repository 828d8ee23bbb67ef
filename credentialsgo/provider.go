package credentialsgo

import (
	"context"
	"fmt"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"golang.org/x/sync/singleflight"

	"github.com/otsauth/otsauth"
)

// assumedLifetime is the Expires of a set, counted from its retrieval, since
// credentials-go does not tell. An [otsauth.Cache] refreshes when at most two
// fifths of a lifetime are left, so it asks every 30 seconds or less often.
// The sets of credentials-go's own refreshing sources are good for longer:
// these replace a set 180 seconds before it expires.
const assumedLifetime = 50 * time.Second

// Provider returns a provider of c's credentials. Their Source is
// "credentials-go/" and c's ProviderName, as in
// "credentials-go/default/cli_profile/oauth".
//
// A Credential is not safe for concurrent use; the provider is, as long as
// nothing else uses c: it makes one call at a time, whose outcome all who wait
// for it share. A context releases its caller only, because credentials-go
// takes none: the call itself goes on until c's own timeouts.
//
// c does not say when its credentials expire, so each set expires 50 seconds
// after it was retrieved, and a Cache asks c again every 30 seconds or so.
// credentials-go has a cache of its own and answers most of these from memory.
//
// A panic of c becomes an error. Nothing can be done about profiles that name
// each other as their source: v1.4.14 overflows the stack, which ends the process.
//
// Errors are [*otsauth.ProviderError]s around a [*ServiceError], a network
// error, or an error that says what was missing. The text of credentials-go's
// errors is left out: it can hold whole answers and URLs, with keys and tokens.
// Call c.GetCredential to see it. A nil c is an [*otsauth.ConfigError] at the
// first Retrieve.
func Provider(c credentials.Credential) otsauth.Provider {
	p := &provider{credential: c}
	return otsauth.ProviderFunc(p.retrieve) // prints as a function, and so shows nothing of c
}

type provider struct {
	credential credentials.Credential
	calls      singleflight.Group
}

func (p *provider) retrieve(ctx context.Context) (otsauth.Credentials, error) {
	switch {
	case ctx == nil:
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "context", Problem: "is nil; pass context.Background() or the request's context"}
	case p.credential == nil:
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "credential", Problem: "is nil; pass what credentials.NewCredential returns"}
	case ctx.Err() != nil:
		return otsauth.Credentials{}, failed("", waitError(ctx))
	}
	result := p.calls.DoChan("", func() (any, error) { return p.fetch() })
	select {
	case r := <-result:
		creds, _ := r.Val.(otsauth.Credentials)
		return creds, r.Err
	case <-ctx.Done():
		return otsauth.Credentials{}, failed("", waitError(ctx))
	}
}

// fetch makes one call. credentials-go panics on some incomplete answers.
func (p *provider) fetch() (creds otsauth.Credentials, err error) {
	defer func() {
		if v := recover(); v != nil {
			// The value stays out of the message: it can be anything, a secret too.
			creds, err = otsauth.Credentials{}, failed("", fmt.Errorf("panicked with a %T, as it does on an incomplete answer; check what its source answers", v))
		}
	}()
	model, err := p.credential.GetCredential()
	if err != nil {
		return otsauth.Credentials{}, failed(deref(p.credential.GetType()), explain(err))
	}
	return convert(model)
}

// convert checks a model and makes it credentials.
func convert(model *credentials.CredentialModel) (otsauth.Credentials, error) {
	if model == nil {
		return otsauth.Credentials{}, failed("", errNoModel)
	}
	name := deref(model.ProviderName)
	if name == "" {
		name = deref(model.Type)
	}
	creds := otsauth.Credentials{
		AccessKeyID:     deref(model.AccessKeyId),
		AccessKeySecret: otsauth.NewSecret(deref(model.AccessKeySecret)),
		SecurityToken:   otsauth.NewSecret(deref(model.SecurityToken)),
		Expires:         time.Now().Round(0).Add(assumedLifetime),
		Source:          source(name),
	}
	if creds.AccessKeyID == "" && deref(model.BearerToken) != "" {
		return otsauth.Credentials{}, failed(name, errBearer)
	}
	if err := creds.Validate(); err != nil {
		return otsauth.Credentials{}, failed(name, err)
	}
	return creds, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// source is the provider's name in Credentials.Source and errors.
func source(name string) string {
	if name == "" {
		return "credentials-go"
	}
	return "credentials-go/" + name
}
