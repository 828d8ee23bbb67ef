package otsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// A role's credentials, kept valid in the background.
func Example() {
	server, err := otstest.Start(nil) // stands for STS
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	role, err := otsauth.AssumeRole(server.Provider(), "acs:ram::123456789012:role/app", server.STS().AssumeRoleOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	cache := otsauth.NewCache(role, nil)
	defer cache.Close()

	creds, err := cache.Retrieve(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(creds.AccessKeyID[:4], creds.Source, creds.ExpiresWithin(50*time.Minute))
	// Output: STS. assume-role/otstest false
}

// A chain takes the first provider that is set up, and says why if none is.
func ExampleChain() {
	nothing := &otsauth.EnvOptions{Lookup: func(string) (string, bool) { return "", false }}
	chain := otsauth.Chain(
		otsauth.Env(nothing),
		otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
			return otsauth.Credentials{AccessKeyID: "LTAI5t", AccessKeySecret: otsauth.NewSecret("secret"), Source: "vault"}, nil
		}),
	)
	creds, err := chain.Retrieve(context.Background())
	fmt.Println(creds, err)

	_, err = otsauth.Chain(otsauth.Env(nothing)).Retrieve(context.Background())
	fmt.Println(errors.Is(err, otsauth.ErrNotConfigured))
	// Output:
	// LTAI5t(chain/vault) <nil>
	// true
}

// A key that was copied with its line end is found before it is used.
func ExampleCredentials_Validate() {
	err := otsauth.Credentials{AccessKeyID: "LTAI5t", AccessKeySecret: otsauth.NewSecret("secret\n")}.Validate()
	fmt.Println(err)
	// Output: otsauth: AccessKey secret has a line feed at byte 7 of 7; remove it (the usual cause is a value copied with its quotes or line end)
}

// Credentials can be logged: the secret and the token stay out.
func ExampleCredentials_LogValue() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	logger.Info("signed", "with", otsauth.Credentials{AccessKeyID: "LTAI5t", AccessKeySecret: otsauth.NewSecret("hunter2"), Source: "env"})
	// Output: level=INFO msg=signed with.access_key_id=LTAI5t with.source=env
}

// OnRefresh is the place for metrics.
func ExampleCacheOptions() {
	cache := otsauth.NewCache(otsauth.Static(otsauth.Credentials{AccessKeyID: "LTAI5t", AccessKeySecret: otsauth.NewSecret("secret")}),
		&otsauth.CacheOptions{
			OnRefresh: func(e otsauth.RefreshEvent) { fmt.Println("refreshed:", e.Credentials, e.Err, "failures:", e.Failures) },
		})
	defer cache.Close()
	_, _ = cache.Retrieve(context.Background())
	// Output: refreshed: LTAI5t(static) <nil> failures: 0
}
