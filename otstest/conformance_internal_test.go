package otstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// recorder is a testing.TB that keeps what the suite complains about.
type recorder struct {
	testing.TB
	problems []string
}

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) {
	r.problems = append(r.problems, fmt.Sprint(args...))
	runtime.Goexit()
}

// complaints runs the suite, in virtual time, and returns what it says.
func complaints(t *testing.T, newProvider func() otsauth.Provider) string {
	t.Helper()
	r := &recorder{TB: t}
	synctest.Test(t, func(*testing.T) {
		done := make(chan struct{})
		go func() { // Fatal ends the goroutine
			defer close(done)
			TestProvider(r, newProvider)
		}()
		<-done
	})
	return strings.Join(r.problems, "\n")
}

func conformant() otsauth.Credentials {
	return otsauth.Credentials{
		AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("a-secret"), SecurityToken: otsauth.NewSecret("a-token"),
		Expires: time.Now().Add(time.Hour), Source: "mine",
	}
}

// rotating hands out another set each time, as AssumeRole does.
func rotating(change func(n int64, c *otsauth.Credentials)) func() otsauth.Provider {
	return func() otsauth.Provider {
		var calls atomic.Int64
		return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
			c := conformant()
			change(calls.Add(1), &c)
			return c, nil
		})
	}
}

// closing is a provider that holds something.
type closing struct {
	otsauth.Provider
	closed *int
	err    error
}

func (c closing) Close() error { *c.closed++; return c.err }

// revealing is a provider whose fields print.
type revealing struct{ Key string }

func (r *revealing) Retrieve(context.Context) (otsauth.Credentials, error) {
	c := conformant()
	c.AccessKeySecret = otsauth.NewSecret(r.Key)
	return c, nil
}

func TestTheSuiteAcceptsWhatKeepsTheContract(t *testing.T) {
	closed := 0
	for name, newProvider := range map[string]func() otsauth.Provider{
		"the same set each time": func() otsauth.Provider { return otsauth.Static(conformant()) },
		"another set each time":  rotating(func(n int64, c *otsauth.Credentials) { c.AccessKeyID = fmt.Sprint("STS.", n) }),
		"one that waits":         func() otsauth.Provider { return waiting(time.Second) },
		"one that is closed": func() otsauth.Provider {
			return closing{Provider: otsauth.Static(conformant()), closed: &closed}
		},
		"an error for a nil context": func() otsauth.Provider { return waiting(0) },
	} {
		t.Run(name, func(t *testing.T) { require.Empty(t, complaints(t, newProvider)) })
	}
	require.Equal(t, 6, closed, "once for each check")
}

// waiting returns credentials after a delay, or the context's error.
func waiting(d time.Duration) otsauth.Provider {
	return otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
		if ctx == nil {
			return otsauth.Credentials{}, errors.New("mine: the context is nil")
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return conformant(), nil
		case <-ctx.Done():
			return otsauth.Credentials{}, fmt.Errorf("mine: %w", ctx.Err())
		}
	})
}

func TestTheSuiteFindsWhatBreaksTheContract(t *testing.T) {
	closed := 0
	each := func(change func(c *otsauth.Credentials)) func() otsauth.Provider {
		return rotating(func(_ int64, c *otsauth.Credentials) { change(c) })
	}
	answering := func(f func(ctx context.Context) error) func() otsauth.Provider {
		return func() otsauth.Provider {
			return otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) { return conformant(), f(ctx) })
		}
	}
	for name, c := range map[string]struct {
		provider func() otsauth.Provider
		want     string
	}{
		"no provider":           {func() otsauth.Provider { return nil }, "newProvider returned nil"},
		"an error":              {answering(func(context.Context) error { return errors.New("mine: broken") }), "hands out usable credentials: mine: broken"},
		"no secret":             {each(func(c *otsauth.Credentials) { c.AccessKeySecret = otsauth.Secret{} }), "hands out usable credentials: "},
		"a line feed in the ID": {each(func(c *otsauth.Credentials) { c.AccessKeyID += "\n" }), "a line feed"},
		"expired credentials":   {each(func(c *otsauth.Credentials) { c.Expires = time.Now() }), "credentials expired at"},
		"no source":             {each(func(c *otsauth.Credentials) { c.Source = "" }), "Credentials.Source is empty"},
		"torn sets": {rotating(func(n int64, c *otsauth.Credentials) {
			c.AccessKeySecret = otsauth.NewSecret(fmt.Sprint("secret", n))
		}), "two sets with the AccessKey ID STS.a differ"},
		"an error under load": {func() otsauth.Provider {
			var calls atomic.Int64
			return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
				if calls.Add(1) == 60 {
					return otsauth.Credentials{}, errors.New("mine: too many")
				}
				return conformant(), nil
			})
		}, "is safe for concurrent use: mine: too many"},
		"a context that is not heeded": {func() otsauth.Provider {
			return otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
				return waiting(time.Minute).Retrieve(context.WithoutCancel(ctx))
			})
		}, "still waits 10s"},
		"an error that hides the context's": {answering(func(ctx context.Context) error {
			if ctx != nil && ctx.Err() != nil {
				return errors.New("mine: gave up")
			}
			return nil
		}), "returns when its context is done: mine: gave up"},
		"a call that looks at its context only when it begins": {answering(func(ctx context.Context) error {
			if ctx != nil && ctx.Err() == nil {
				<-time.After(time.Minute)
			}
			return ctx.Err()
		}), "returns when its context is done: it still waits 10s after"},
		"a panic for a nil context": {answering(func(ctx context.Context) error { return context.Cause(ctx) }), "survives a nil context: it panicked"},
		"an identity by the context": {func() otsauth.Provider {
			type key string
			return otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
				c := conformant()
				if ctx != nil {
					if tenant, ok := ctx.Value(key("tenant")).(string); ok {
						c.Source = tenant
					}
				}
				return c, nil
			})
		}, "does not choose an identity"},
		"a provider that prints": {func() otsauth.Provider { return &revealing{"a-secret-key"} }, "prints no secret: "},
		"an error that prints": {answering(func(ctx context.Context) error {
			if ctx != nil && ctx.Err() != nil {
				return fmt.Errorf("mine: a-token: %w", ctx.Err())
			}
			return nil
		}), "prints no secret: "},
		"a Close that fails": {func() otsauth.Provider {
			return closing{otsauth.Static(conformant()), &closed, errors.New("mine: stuck")}
		}, "Close: mine: stuck"},
	} {
		t.Run(name, func(t *testing.T) { require.Contains(t, complaints(t, c.provider), c.want) })
	}
}

// Types that show a secret in one way of printing only.
type (
	verbOf struct{ verb string }
	jsonOf struct{}
	slogOf struct{}
)

func (v verbOf) Format(f fmt.State, verb rune) {
	if fmt.FormatString(f, verb) == v.verb {
		_, _ = f.Write([]byte("a-secret"))
	}
}

func (jsonOf) Format(fmt.State, rune)       {}
func (jsonOf) MarshalJSON() ([]byte, error) { return []byte(`"a-secret"`), nil }
func (slogOf) Format(fmt.State, rune)       {}
func (slogOf) LogValue() slog.Value         { return slog.StringValue("a-secret") }

func TestTheSuitePrintsInEveryWay(t *testing.T) {
	secret := otsauth.NewSecret("a-secret")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotEmpty(t, shows(verbOf{verb}, secret), verb)
	}
	require.Equal(t, "encoding/json", shows(jsonOf{}, otsauth.Secret{}, secret))
	require.Equal(t, "log/slog", shows(slogOf{}, secret))
	require.Empty(t, shows("nothing", otsauth.Secret{}, secret))
}
