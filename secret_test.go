package otsauth_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/davecgh/go-spew/spew"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/otsauth/otsauth"
)

const (
	hiddenSecret = "SeKrEt-value-1234567890abcdef"
	hiddenToken  = "ToKeN-value-0987654321fedcba"
)

func hiddenCredentials() otsauth.Credentials {
	return otsauth.Credentials{
		AccessKeyID:     "STS.visible",
		AccessKeySecret: otsauth.NewSecret(hiddenSecret),
		SecurityToken:   otsauth.NewSecret(hiddenToken),
		Expires:         time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Source:          "test",
	}
}

// holders puts a value where programs put one.
func holders[T any](v T) map[string]any {
	type exported struct{ Field T }
	type unexported struct{ field T }
	type deep struct{ inner *unexported }
	return map[string]any{
		"the value":              v,
		"a pointer":              &v,
		"a slice":                []T{v},
		"a map value":            map[string]T{"key": v},
		"a map of pointers":      map[string]*T{"key": &v},
		"an interface":           []any{v},
		"an exported field":      exported{v},
		"an unexported field":    unexported{v},
		"a pointer to a struct":  &unexported{v},
		"a deep field":           deep{&unexported{v}},
		"an array in a struct":   struct{ a [2]T }{[2]T{v, v}},
		"a struct in a slice":    []unexported{{v}},
		"an error's field":       struct{ error }{fmt.Errorf("wrapped: %w", holderError[T]{v})},
		"an error with the text": holderError[T]{v},
	}
}

type holderError[T any] struct{ held T }

func (e holderError[T]) Error() string { return fmt.Sprintf("failed with %v and %+v", e.held, e.held) }

// recordingT collects what testify prints.
type recordingT struct{ out bytes.Buffer }

func (r *recordingT) Errorf(format string, args ...any) { fmt.Fprintf(&r.out, format, args...) }

// printers are the ways in which a value ends up as text.
func printers() map[string]func(v any) string {
	all := map[string]func(v any) string{
		"json": func(v any) string { b, _ := json.Marshal(v); return string(b) },
		"xml":  func(v any) string { b, _ := xml.Marshal(v); return string(b) },
		"yaml": func(v any) string {
			defer func() { _ = recover() }() // yaml.v3 panics on what it cannot encode
			b, _ := yaml.Marshal(v)
			return string(b)
		},
		"gob": func(v any) string { var b bytes.Buffer; _ = gob.NewEncoder(&b).Encode(v); return b.String() },
		"slog text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("message", "key", v, slog.Group("group", "key", v))
			return b.String()
		},
		"slog json": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("message", "key", v, slog.Group("group", "key", v))
			return b.String()
		},
		"an error":  func(v any) string { return fmt.Errorf("failed: %v", v).Error() },
		"errorf %w": func(v any) string { err, _ := v.(error); return fmt.Sprintf("%+v", errors.Join(err, io.EOF)) },
		"a panic": func(v any) (text string) {
			defer func() { text = fmt.Sprint(recover()) }()
			panic(v)
		},
		"a testify diff":    func(v any) string { r := &recordingT{}; assert.Equal(r, "other", v); return r.out.String() },
		"a testify element": func(v any) string { r := &recordingT{}; assert.Contains(r, []any{v}, "other"); return r.out.String() },
		"spew": func(v any) string {
			if _, ok := v.(error); ok {
				return "" // its unsafe bypass of errors trips the checks that come with the race detector
			}
			return spew.Sdump(v)
		},
		"spew without methods": func(v any) string {
			return (&spew.ConfigState{DisableMethods: true, DisablePointerMethods: true, Indent: " "}).Sdump(v)
		},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%08.3f", "%U", "%T", "%p"} {
		all[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	return all
}

// leaks reports whether text shows the secret in any usual encoding.
func leaks(text, secret string) bool {
	return strings.Contains(text, secret) ||
		strings.Contains(strings.ToLower(strings.ReplaceAll(text, " ", "")), hex.EncodeToString([]byte(secret))) ||
		strings.Contains(text, strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"))
}

func TestNoPrintingPathShowsASecret(t *testing.T) {
	values := map[string]map[string]any{
		"Secret":       holders(otsauth.NewSecret(hiddenSecret)),
		"Credentials":  holders(hiddenCredentials()),
		"RefreshEvent": holders(otsauth.RefreshEvent{Credentials: hiddenCredentials()}),
		"Static":       holders(otsauth.Static(hiddenCredentials())),
		"AssumeRole":   holders(mustAssumeRole(t)),
		"Chain":        holders(otsauth.Chain(otsauth.Static(hiddenCredentials()))),
	}
	for valueName, held := range values {
		for holderName, v := range held {
			for printerName, print := range printers() {
				text := print(v)
				if leaks(text, hiddenSecret) || leaks(text, hiddenToken) {
					t.Errorf("%s in %s through %s shows the secret: %s", valueName, holderName, printerName, text)
				}
			}
		}
	}
}

func TestAPrintedCacheShowsTheKeyAndNoSecret(t *testing.T) {
	cache := filledCache(t)
	for name, print := range printers() {
		if strings.HasPrefix(name, "spew") || strings.HasPrefix(name, "a testify") || name == "yaml" {
			continue // they walk the fields of a live cache, which races with its own goroutine
		}
		text := print(cache)
		require.False(t, leaks(text, hiddenSecret) || leaks(text, hiddenToken), "%s: %s", name, text)
		if strings.HasPrefix(name, "%") && name != "%T" && name != "%p" || name == "slog text" {
			require.Contains(t, text, "STS.visible", name)
		}
	}
	require.Equal(t, "otsauth.Cache{empty}", fmt.Sprint(otsauth.NewCache(nil, nil)))
}

// The test above could not fail if its printers printed nothing.
func TestThePrintersShowAPlainString(t *testing.T) {
	for name, print := range printers() {
		switch name {
		case "%T", "%p", "%t", "%08.3f", "errorf %w": // these never show a string's text
			continue
		}
		if text := print(hiddenSecret); !leaks(text, hiddenSecret) && !strings.Contains(text, "U+") && name != "%U" {
			t.Errorf("%s does not print a plain string: %q", name, text)
		}
	}
}

func mustAssumeRole(t *testing.T) otsauth.Provider {
	t.Helper()
	p, err := otsauth.AssumeRole(otsauth.Static(hiddenCredentials()), "acs:ram::123456789012:role/r", nil)
	require.NoError(t, err)
	return p
}

func filledCache(t *testing.T) *otsauth.Cache {
	t.Helper()
	creds := hiddenCredentials()
	creds.Expires = time.Time{}
	c := otsauth.NewCache(otsauth.Static(creds), nil)
	t.Cleanup(func() { _ = c.Close() })
	_, err := c.Retrieve(t.Context())
	require.NoError(t, err)
	return c
}

func TestPrintedCredentialsNameTheKeyAndTheSource(t *testing.T) {
	creds := hiddenCredentials()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		text := fmt.Sprintf(verb, creds)
		require.Contains(t, text, "STS.visible", verb)
		require.Contains(t, text, "test", verb)
	}
	b, err := json.Marshal(creds)
	require.NoError(t, err)
	require.JSONEq(t, `{"access_key_id":"STS.visible","source":"test","expires":"2026-11-23T12:00:00Z"}`, string(b))
}

func TestARedactedSecretCannotBeReadBack(t *testing.T) {
	var s otsauth.Secret
	require.Error(t, json.Unmarshal([]byte(`"[redacted]"`), &s)) //nolint:staticcheck // that it has no way to be decoded is the point
	var c otsauth.Credentials
	require.Error(t, json.Unmarshal([]byte(`{"AccessKeyID":"id","AccessKeySecret":"secret"}`), &c))
}

func TestSecret(t *testing.T) {
	s := otsauth.NewSecret("abc")
	require.Equal(t, "abc", s.Reveal())
	require.True(t, s.Equal(otsauth.NewSecret("abc")))
	require.False(t, s.Equal(otsauth.NewSecret("abd")))
	require.False(t, s.Equal(otsauth.NewSecret("abcd")))
	require.False(t, s.IsZero())
	for _, zero := range []otsauth.Secret{{}, otsauth.NewSecret("")} {
		require.True(t, zero.IsZero())
		require.Empty(t, zero.Reveal())
		require.True(t, zero.Equal(otsauth.Secret{}))
	}
}

func TestCredentialsEqual(t *testing.T) {
	base := hiddenCredentials()
	for name, change := range map[string]struct {
		change func(*otsauth.Credentials)
		equal  bool
	}{
		"the same set":          {func(*otsauth.Credentials) {}, true},
		"another expiry":        {func(c *otsauth.Credentials) { c.Expires = time.Time{} }, true},
		"another source":        {func(c *otsauth.Credentials) { c.Source = "x" }, true},
		"another AccessKey ID":  {func(c *otsauth.Credentials) { c.AccessKeyID = "x" }, false},
		"another secret":        {func(c *otsauth.Credentials) { c.AccessKeySecret = otsauth.NewSecret("x") }, false},
		"another token":         {func(c *otsauth.Credentials) { c.SecurityToken = otsauth.NewSecret("x") }, false},
		"no token on one side":  {func(c *otsauth.Credentials) { c.SecurityToken = otsauth.Secret{} }, false},
		"no secret on one side": {func(c *otsauth.Credentials) { c.AccessKeySecret = otsauth.Secret{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := base
			change.change(&other)
			require.Equal(t, change.equal, base.Equal(other))
			require.Equal(t, change.equal, other.Equal(base))
		})
	}
}

func TestValidateSaysWhichCharacterAndWhere(t *testing.T) {
	for name, c := range map[string]struct{ id, secret, token, want string }{
		"a good pair":                      {"LTAI5tABC", "abcDEF123", "", ""},
		"a good temporary set":             {"STS.NTabc", "abcDEF123", "CAIS+/=token", ""},
		"an empty AccessKey ID":            {"", "secret", "", "AccessKey ID is empty"},
		"an empty secret":                  {"id", "", "", "AccessKey secret is empty"},
		"a secret with a line end":         {"id", "secret\n", "", "AccessKey secret has a line feed at byte 7 of 7"},
		"a secret with a Windows line end": {"id", "secret\r\n", "", "AccessKey secret has a carriage return at byte 7 of 8"},
		"an ID with a leading space":       {" id", "secret", "", "AccessKey ID has a space at byte 1 of 3"},
		"an ID in double quotes":           {`"id"`, "secret", "", "AccessKey ID has a double quote at byte 1 of 4"},
		"a secret in single quotes":        {"id", `'secret'`, "", "AccessKey secret has a single quote at byte 1 of 8"},
		"a secret in backquotes":           {"id", "`secret`", "", "AccessKey secret has a backquote at byte 1 of 8"},
		"a tab inside":                     {"id", "sec\tret", "", "AccessKey secret has a tab at byte 4 of 7"},
		"a control character":              {"id", "sec\x00ret", "", "AccessKey secret has a control character (U+0000) at byte 4 of 7"},
		"a delete character":               {"id", "sec\x7fret", "", "AccessKey secret has a control character (U+007F) at byte 4 of 7"},
		"a no-break space":                 {"id", "secret\u00a0", "", "AccessKey secret has a character outside ASCII at byte 7 of 8"},
		"a byte order mark":                {"\ufeffid", "secret", "", "AccessKey ID has a character outside ASCII at byte 1 of 5"},
		"bytes that are no UTF-8":          {"id", "sec\xffret", "", "AccessKey secret has a character outside ASCII at byte 4 of 7"},
		"a token with a header injection":  {"id", "secret", "t\r\nx-ots-a: b", "security token has a carriage return at byte 2 of 13"},
		"a token copied with its line end": {"id", "secret", "token\n", "security token has a line feed at byte 6 of 6"},
	} {
		t.Run(name, func(t *testing.T) {
			err := otsauth.Credentials{
				AccessKeyID: c.id, AccessKeySecret: otsauth.NewSecret(c.secret), SecurityToken: otsauth.NewSecret(c.token),
			}.Validate()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Contains(t, err.Error(), c.want)
			if c.secret != "secret" || c.token != "" { // "secret" is also a word of the message
				require.NotContains(t, err.Error(), strings.TrimSpace(c.secret+"|"))
			}
		})
	}
}

func TestExpiresWithin(t *testing.T) {
	require.False(t, otsauth.Credentials{}.ExpiresWithin(100*365*24*time.Hour), "no expiry never comes")
	c := otsauth.Credentials{Expires: time.Now().Add(time.Hour)}
	require.False(t, c.ExpiresWithin(0))
	require.False(t, c.ExpiresWithin(59*time.Minute))
	require.True(t, c.ExpiresWithin(time.Hour+time.Second))
	c.Expires = time.Now().Add(-time.Second)
	require.True(t, c.ExpiresWithin(0))
}
