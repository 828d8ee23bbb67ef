package ossv2

import (
	"context"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/otsauth/otsauth"
)

// New returns a credentials.CredentialsProvider of p's credentials. p is wrapped
// in an [otsauth.Cache] unless it is one; to end the cache's background refresh,
// pass your own and close it. The SDK's own caching provider is not needed
// around it.
//
// The result is safe for concurrent use. Its GetCredentials returns one whole
// set; Expires is nil if the set does not expire, and the caller's own copy
// otherwise. It honours the request's context, and its errors are those of p,
// which the SDK wraps; a nil p is an [*otsauth.ConfigError] at the first
// request. Do not print the credentials: the SDK's type shows its secrets.
func New(p otsauth.Provider) credentials.CredentialsProvider {
	cache := otsauth.NewCache(p, nil)
	return credentials.CredentialsProviderFunc(func(ctx context.Context) (credentials.Credentials, error) {
		set, err := cache.Retrieve(ctx)
		if err != nil {
			return credentials.Credentials{}, err
		}
		c := credentials.Credentials{
			AccessKeyID:     set.AccessKeyID,
			AccessKeySecret: set.AccessKeySecret.Reveal(), //nolint:forbidigo // another SDK's credentials
			SecurityToken:   set.SecurityToken.Reveal(),   //nolint:forbidigo // another SDK's credentials
		}
		if !set.Expires.IsZero() {
			c.Expires = &set.Expires
		}
		return c, nil
	})
}
