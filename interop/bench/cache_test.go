package bench_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	aliyun "github.com/aliyun/credentials-go/credentials"
	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/oauth2"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// readers returns what reads cached temporary credentials that live for an
// hour, by name.
func readers(b *testing.B) map[string]func() error {
	b.Helper()
	ctx := context.Background()
	expires := time.Now().Add(time.Hour)

	cache := otsauth.NewCache(otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
		return otsauth.Credentials{AccessKeyID: keyID, AccessKeySecret: otsauth.NewSecret("secret"), SecurityToken: otsauth.NewSecret("token"), Expires: expires}, nil
	}), nil)
	b.Cleanup(func() { _ = cache.Close() })
	now := time.Now()

	var floor atomic.Pointer[otsauth.Credentials]
	floor.Store(&otsauth.Credentials{AccessKeyID: keyID, Expires: expires})

	awsCache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: "secret", SessionToken: "token", CanExpire: true, Expires: expires}, nil
	}))
	oss := credentials.NewCredentialsFetcherProvider(credentials.CredentialsFetcherFunc(func(context.Context) (credentials.Credentials, error) {
		return credentials.Credentials{AccessKeyID: keyID, AccessKeySecret: "secret", SecurityToken: "token", Expires: &expires}, nil
	}))
	reuse := oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: "token", Expiry: expires}, nil)
	role := credentialsGo(b)

	return map[string]func() error{
		"floor": func() error {
			if c := *floor.Load(); !time.Now().Before(c.Expires) {
				return context.DeadlineExceeded
			}
			return nil
		},
		"otsauth":              func() error { _, err := cache.Retrieve(ctx); return err },
		"otsauth_time_given":   func() error { _, err := cache.RetrieveAt(ctx, now); return err },
		"aws_CredentialsCache": func() error { _, err := awsCache.Retrieve(ctx); return err },
		"oauth2_ReuseToken":    func() error { _, err := reuse.Token(); return err },
		"oss_v2_fetcher":       func() error { _, err := oss.GetCredentials(ctx); return err },
		"credentials_go_role":  func() error { _, err := role.GetCredential(); return err },
	}
}

// credentialsGo returns credentials-go's provider of a role, whose first fetch
// goes to otstest.
func credentialsGo(b *testing.B) aliyun.Credential {
	b.Helper()
	server := otstest.NewServer(b, nil)
	owner, err := server.Provider().Retrieve(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	trustTestServer(b, server)
	kind, id, secret, arn := "ram_role_arn", owner.AccessKeyID, owner.AccessKeySecret.Reveal(), "acs:ram::123456789012:role/bench"
	endpoint := strings.TrimPrefix(server.TLSURL(), "https://")
	c, err := aliyun.NewCredential(&aliyun.Config{Type: &kind, AccessKeyId: &id, AccessKeySecret: &secret, RoleArn: &arn, STSEndpoint: &endpoint})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := c.GetCredential(); err != nil {
		b.Fatal(err)
	}
	return c
}

// order is that of the table.
func order() []string {
	return []string{"floor", "otsauth", "otsauth_time_given", "aws_CredentialsCache", "oauth2_ReuseToken", "oss_v2_fetcher", "credentials_go_role"}
}

// BenchmarkCachedRead reads cached credentials, on one core.
func BenchmarkCachedRead(b *testing.B) {
	all := readers(b)
	for _, name := range order() {
		read := all[name]
		b.Run("impl="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCachedReadParallel reads them on all cores at once. credentials-go
// is left out: its read is a data race.
func BenchmarkCachedReadParallel(b *testing.B) {
	all := readers(b)
	for _, name := range order()[:6] {
		read := all[name]
		b.Run("impl="+name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := read(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
