package otsauth

import (
	"crypto/subtle"
	"fmt"
	"log/slog"

	"github.com/otsauth/otsauth/internal/redact"
)

// A Secret is an immutable secret string that cannot be printed by accident:
// fmt, log/slog, encoding/json, encoding/xml, encoding/gob and anything else
// that walks a value by reflection see a redaction or a function pointer, also
// when the Secret sits in an unexported field of another struct.
//
// It protects against accidents, not against code in the same process: a heap
// dump still holds the text. Secrets cannot be compared with ==; use
// [Secret.Equal]. The zero Secret is the empty string. A Secret is safe for
// concurrent use.
type Secret struct {
	// A closure is the only form whose content reflection cannot reach.
	reveal func() string
}

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Reveal returns the secret text. Call it where a secret must leave as bytes
// (a signature, a request to STS, another SDK's credentials) and nowhere else.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the secret is the empty string.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal reports whether both secrets are the same text. The time it takes
// depends on their lengths only.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns a redaction.
func (Secret) String() string { return redact.Mask }

// GoString returns a redaction.
func (Secret) GoString() string { return redact.Mask }

// Format writes a redaction for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redact.Mask)) }

// LogValue returns a redaction.
func (Secret) LogValue() slog.Value { return slog.StringValue(redact.Mask) }

// MarshalText returns a redaction; it never fails. There is no UnmarshalText:
// text that was redacted once cannot become a secret again.
func (Secret) MarshalText() ([]byte, error) { return []byte(redact.Mask), nil }
