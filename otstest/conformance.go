package otstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/otsauth/otsauth"
)

// patience is how long TestProvider waits for a call whose context is done. It
// bounds a broken provider; a right one needs none of it.
const patience = 10 * time.Second

// TestProvider checks that a provider keeps the contract of
// [otsauth.Provider]: newProvider returns it, ready to hand out credentials,
// and is called once for each check. Run it with the race detector:
//
//	func TestMyProvider(t *testing.T) {
//		otstest.TestProvider(t, func() otsauth.Provider { return mine.New() })
//	}
//
// It checks that the credentials are usable, not expired, and name their
// source; that concurrent calls get whole sets; that a call returns when its
// context is done, with an error that wraps the context's or with credentials;
// that a nil context does not panic; that values of a context do not change who
// answers; and that neither the provider, nor its credentials, nor its errors
// print a secret. A provider that holds resources and has a Close method is
// closed after each check. It works in a [testing/synctest] bubble as well.
func TestProvider(tb testing.TB, newProvider func() otsauth.Provider) {
	tb.Helper()
	for _, check := range []struct {
		name string
		run  func(otsauth.Provider) error
	}{
		{"hands out usable credentials", checkUsable},
		{"is safe for concurrent use", checkConcurrent},
		{"returns when its context is done", checkCancelled},
		{"survives a nil context", checkNilContext},
		{"does not choose an identity by the context's values", checkContextValues},
		{"prints no secret", checkPrinting},
	} {
		p := newProvider()
		if p == nil {
			tb.Fatal("otstest: newProvider returned nil")
		}
		if err := check.run(p); err != nil {
			tb.Errorf("otstest: a provider %s: %v", check.name, err)
		}
		if closer, ok := p.(interface{ Close() error }); ok {
			if err := closer.Close(); err != nil {
				tb.Errorf("otstest: Close: %v", err)
			}
		}
	}
}

// usable says what is wrong with credentials.
func usable(c otsauth.Credentials) error {
	switch {
	case c.Validate() != nil:
		return c.Validate()
	case c.ExpiresWithin(0):
		return fmt.Errorf("credentials expired at %s", c.Expires)
	case c.Source == "":
		return errors.New("Credentials.Source is empty; it must name the provider")
	}
	return nil
}

func checkUsable(p otsauth.Provider) error {
	c, err := p.Retrieve(context.Background())
	if err != nil {
		return err
	}
	return usable(c)
}

// checkConcurrent calls from many goroutines and looks for torn sets.
func checkConcurrent(p otsauth.Provider) error {
	const callers = 64
	var (
		wg   sync.WaitGroup
		sets [callers]otsauth.Credentials
		errs [callers]error
	)
	for i := range callers {
		wg.Go(func() {
			if sets[i], errs[i] = p.Retrieve(context.Background()); errs[i] == nil {
				errs[i] = usable(sets[i])
			}
		})
	}
	wg.Wait()
	byID := map[string]otsauth.Credentials{}
	for _, c := range sets {
		if seen, ok := byID[c.AccessKeyID]; ok && !seen.Equal(c) {
			return fmt.Errorf("two sets with the AccessKey ID %s differ in secret or token", c.AccessKeyID)
		}
		byID[c.AccessKeyID] = c
	}
	return errors.Join(errs[:]...)
}

// checkCancelled cancels a call before it begins, and one while it runs, if it runs
// for so long.
func checkCancelled(p otsauth.Provider) error {
	before, cancel := context.WithCancel(context.Background())
	cancel()
	if err := checkEnds(before, p); err != nil {
		return err
	}
	meanwhile, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(10*time.Millisecond, cancel)
	defer timer.Stop()
	return checkEnds(meanwhile, p)
}

// checkEnds calls with a context that is or will be cancelled.
func checkEnds(ctx context.Context, p otsauth.Provider) error {
	done := make(chan error, 1)
	go func() {
		c, err := p.Retrieve(ctx)
		if err == nil {
			err = usable(c)
		} else if errors.Is(err, context.Canceled) {
			err = nil
		}
		done <- err
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("it still waits %s after its context was cancelled", patience)
	}
}

func checkNilContext(p otsauth.Provider) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked with a %T", v)
		}
	}()
	var none context.Context
	_, _ = p.Retrieve(none) // an error is as good as credentials
	return nil
}

// valuedContext has a value for every key that is a string of whatever type,
// since the keys that a provider may look for are its own. Keys of other types
// belong to tracing and logging, which panic at a value that is not theirs.
type valuedContext struct{ context.Context }

// Value implements [context.Context].
func (c valuedContext) Value(key any) any {
	if reflect.ValueOf(key).Kind() == reflect.String {
		return "somebody-else"
	}
	return c.Context.Value(key)
}

func checkContextValues(p otsauth.Provider) error {
	plain, err := p.Retrieve(context.Background())
	if err != nil {
		return err
	}
	valued, err := p.Retrieve(valuedContext{context.Background()})
	if err != nil {
		return err
	}
	if plain.Source != valued.Source || plain.SecurityToken.IsZero() && plain.AccessKeyID != valued.AccessKeyID {
		return fmt.Errorf("it answered %v, and with context values %v", plain, valued)
	}
	return nil
}

func checkPrinting(p otsauth.Provider) error {
	c, err := p.Retrieve(context.Background())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, cancelled := p.Retrieve(ctx)
	for _, v := range []any{p, c, cancelled} {
		if how := shows(v, c.AccessKeySecret, c.SecurityToken); how != "" {
			return fmt.Errorf("%s of a %T shows a secret", how, v)
		}
	}
	return nil
}

// shows returns how to print v so that a secret is in the text, or "".
func shows(v any, secrets ...otsauth.Secret) string {
	texts := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		texts[verb] = fmt.Sprintf(verb, v)
	}
	if data, err := json.Marshal(v); err == nil {
		texts["encoding/json"] = string(data)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("", "v", v)
	texts["log/slog"] = logged.String()
	for how, text := range texts {
		for _, secret := range secrets {
			if !secret.IsZero() && strings.Contains(text, secret.Reveal()) {
				return how
			}
		}
	}
	return ""
}
