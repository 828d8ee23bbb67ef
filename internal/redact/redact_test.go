package redact_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/otsauth/otsauth/internal/redact"
)

func TestMessage(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"an ordinary one is itself":            {"Server is busy.", "Server is busy."},
		"lines become one":                     {"a\r\nb\tc\u2028d", "a  b c d"},
		"the token is masked":                  {"token tok-123 expired", "token " + redact.Mask + " expired"},
		"the string-to-sign is left out":       {"Signature mismatch. String to Sign: [/GetRow\nPOST\ntok-123]", "Signature mismatch. string-to-sign left out"},
		"and so it is when it is one word":     {"bad; StringToSign=tok-1%32", "bad; string-to-sign left out"},
		"two spellings are left out":           {"StringToSign=a tok%2D123; the server's string to sign b", "string-to-sign left out"},
		"and behind any letter":                {"\u0130 String to Sign: [/GetRow]", "\u0130 string-to-sign left out"},
		"a case that changes length is masked": {"\u0130 tok-123", "\u0130 " + redact.Mask},
	} {
		t.Run(name, func(t *testing.T) {
			if got := redact.Message(c.message, "", "tok-123"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("Signature mismatch. string to sign: x", "tok")
	f.Add(strings.Repeat("ü", 200), "ü")
	f.Fuzz(func(t *testing.T, message, secret string) {
		got := redact.Message(message, secret)
		if len(got) > 303 {
			t.Errorf("%d bytes", len(got))
		}
		if strings.ContainsAny(got, "\r\n") {
			t.Errorf("more than one line: %q", got)
		}
		if utf8.ValidString(message) && !utf8.ValidString(got) {
			t.Errorf("a valid text became %q", got)
		}
		// What a secret consists of; other characters may be changed, or come from what
		// is put in the place of something.
		usual := strings.Trim(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_") == ""
		shown := redact.Mask + "string-to-sign left out"
		if len(secret) > 3 && usual && !strings.Contains(shown, secret) && strings.Contains(got, secret) {
			t.Errorf("the secret is in %q", got)
		}
	})
}
