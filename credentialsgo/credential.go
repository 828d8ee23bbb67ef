package credentialsgo

import (
	"context"
	"sync"
	"time"

	"github.com/aliyun/credentials-go/credentials"

	"github.com/otsauth/otsauth"
)

// retrieveTimeout bounds each call, which has no context to do it.
const retrieveTimeout = 30 * time.Second

// credentialType is what credentials-go calls its own chain; the SDKs treat it
// as an AccessKey with a token that may be empty.
const credentialType = "default"

// Credential returns a credentials-go Credential of p, for any SDK that takes
// one. p is wrapped in an [otsauth.Cache] unless it is one; to end the cache's
// background refresh, pass your own and close it. The Credential is safe for
// concurrent use.
//
// Each call returns within 30 seconds; its context has no values. GetCredential
// returns one whole set. The deprecated getters return parts, and so can mix
// two sets if one replaces the other between the calls; to prevent it,
// GetAccessKeySecret and GetSecurityToken answer from the set whose ID
// GetAccessKeyId returned last, as long as it is valid. Only SDKs that call
// these from many goroutines can still get a mixed set.
//
// GetType returns "default", GetBearerToken the empty string. Errors are those
// of p. Do not print the model that GetCredential returns: credentials-go shows
// its secrets.
func Credential(p otsauth.Provider) credentials.Credential {
	return &credential{cache: otsauth.NewCache(p, nil)}
}

type credential struct {
	cache *otsauth.Cache

	mu   sync.Mutex          // guards last
	last otsauth.Credentials // whose ID GetAccessKeyId returned
}

// GetCredential returns one whole set.
func (c *credential) GetCredential() (*credentials.CredentialModel, error) {
	creds, err := c.retrieve()
	if err != nil {
		return nil, err
	}
	secret, token, kind, bearer := creds.AccessKeySecret.Reveal(), creds.SecurityToken.Reveal(), credentialType, "" //nolint:forbidigo // another SDK's credentials
	return &credentials.CredentialModel{
		AccessKeyId:     &creds.AccessKeyID,
		AccessKeySecret: &secret,
		SecurityToken:   &token,
		BearerToken:     &bearer,
		Type:            &kind,
		ProviderName:    &creds.Source,
	}, nil
}

// GetAccessKeyId returns the ID of the current set, and remembers the set.
//
// Deprecated: use GetCredential.
func (c *credential) GetAccessKeyId() (*string, error) { //nolint:staticcheck // the interface's name
	creds, err := c.retrieve()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = creds
	return &creds.AccessKeyID, nil
}

// GetAccessKeySecret returns the secret of the set that was remembered.
//
// Deprecated: use GetCredential.
func (c *credential) GetAccessKeySecret() (*string, error) {
	creds, err := c.remembered()
	if err != nil {
		return nil, err
	}
	secret := creds.AccessKeySecret.Reveal() //nolint:forbidigo // another SDK's credentials
	return &secret, nil
}

// GetSecurityToken returns the token of the set that was remembered; it is
// empty for a long-lived key.
//
// Deprecated: use GetCredential.
func (c *credential) GetSecurityToken() (*string, error) {
	creds, err := c.remembered()
	if err != nil {
		return nil, err
	}
	token := creds.SecurityToken.Reveal() //nolint:forbidigo // another SDK's credentials
	return &token, nil
}

// GetBearerToken returns the empty string.
func (c *credential) GetBearerToken() *string { return new(string) }

// GetType returns "default".
func (c *credential) GetType() *string {
	kind := credentialType
	return &kind
}

// remembered returns the set whose ID was handed out last, or the current one.
func (c *credential) remembered() (otsauth.Credentials, error) {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if last.AccessKeyID != "" && !last.ExpiresWithin(0) {
		return last, nil
	}
	return c.retrieve()
}

func (c *credential) retrieve() (otsauth.Credentials, error) {
	ctx, cancel := context.WithTimeout(context.Background(), retrieveTimeout)
	defer cancel()
	return c.cache.Retrieve(ctx)
}
