package otsauth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Credentials is one set of keys: the AccessKey ID, its secret and, for a
// temporary key, the security token that belongs to them. Treat it as
// immutable and pass it on whole; an ID of one set with the secret of another
// signs nothing a service accepts.
//
// Every printing method shows the ID, the source and the expiry, never the
// secret or the token. Do not embed Credentials in another struct: these
// methods would be promoted and print it instead of the outer struct.
type Credentials struct {
	// AccessKeyID names the key; of a temporary key it begins with "STS.".
	AccessKeyID string
	// AccessKeySecret is the key that signs.
	AccessKeySecret Secret
	// SecurityToken is sent with each request of a temporary key; zero for a
	// long-lived key.
	SecurityToken Secret
	// Expires is when the service stops accepting the set, in wall-clock time;
	// zero: never.
	Expires time.Time
	// Source says where the set comes from, outermost provider first, as in
	// "chain/assume-role/env". It is for people; do not parse it.
	Source string
}

// ExpiresWithin reports whether the set will have expired once d has passed
// by the wall clock. ExpiresWithin(0) reports whether it has expired now. A
// set without an expiry never does.
func (c Credentials) ExpiresWithin(d time.Duration) bool {
	return !c.Expires.IsZero() && !time.Now().Round(0).Add(d).Before(c.Expires)
}

// Equal reports whether both are the same keys: AccessKey ID, secret and
// security token. Expires and Source do not count.
func (c Credentials) Equal(d Credentials) bool {
	return c.AccessKeyID == d.AccessKeyID &&
		c.AccessKeySecret.Equal(d.AccessKeySecret) &&
		c.SecurityToken.Equal(d.SecurityToken)
}

// Validate reports the first thing about the set that a service would answer
// with a puzzling "Signature mismatch": an empty AccessKey ID or secret, or
// white space, quotes, control or non-ASCII characters in any of the three.
// The error is a [*ConfigError] that says which character and where, and never
// quotes the value. Expires is not looked at.
func (c Credentials) Validate() error {
	for _, f := range []struct {
		name, value string
		optional    bool
	}{
		{"AccessKey ID", c.AccessKeyID, false},
		{"AccessKey secret", c.AccessKeySecret.Reveal(), false},
		{"security token", c.SecurityToken.Reveal(), true},
	} {
		if f.value == "" && !f.optional {
			return &ConfigError{Field: f.name, Problem: "is empty"}
		}
		for i, r := range f.value {
			if what := unusable(r); what != "" {
				return &ConfigError{Field: f.name, Problem: fmt.Sprintf(
					"has %s at byte %d of %d; remove it (the usual cause is a value copied with its quotes or line end)",
					what, i+1, len(f.value))}
			}
		}
	}
	return nil
}

// checkFresh is Validate for credentials that a source has handed out at now.
func checkFresh(c Credentials, now time.Time) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if !c.Expires.IsZero() && !now.Before(c.Expires) {
		return fmt.Errorf("%w: the source handed out a set that had expired %s before; check this machine's clock",
			ErrExpired, now.Sub(c.Expires).Round(time.Second))
	}
	return nil
}

// unusable names the character r if it cannot be part of a key, else returns "".
func unusable(r rune) string {
	switch {
	case r == ' ':
		return "a space"
	case r == '\t':
		return "a tab"
	case r == '\n':
		return "a line feed"
	case r == '\r':
		return "a carriage return"
	case r == '"':
		return "a double quote"
	case r == '\'':
		return "a single quote"
	case r == '`':
		return "a backquote"
	case r < ' ' || r == 0x7f:
		return fmt.Sprintf("a control character (U+%04X)", r)
	case r > 0x7f:
		return "a character outside ASCII"
	}
	return ""
}

// String returns the AccessKey ID and the source, as "LTAI5t…(env)".
func (c Credentials) String() string { return c.AccessKeyID + "(" + c.Source + ")" }

// GoString returns the same facts as String.
func (c Credentials) GoString() string { return "otsauth.Credentials{" + c.String() + "}" }

// Format writes String for every verb, and GoString for %#v.
func (c Credentials) Format(f fmt.State, verb rune) {
	text := c.String()
	if verb == 'v' && f.Flag('#') {
		text = c.GoString()
	}
	_, _ = f.Write([]byte(text))
}

// LogValue returns a group of access_key_id, source and, if set, expires.
func (c Credentials) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("access_key_id", c.AccessKeyID), slog.String("source", c.Source)}
	if !c.Expires.IsZero() {
		attrs = append(attrs, slog.Time("expires", c.Expires))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON writes access_key_id, source and, if set, expires. There is no
// UnmarshalJSON: what was written does not hold the secret.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		AccessKeyID string    `json:"access_key_id"`
		Source      string    `json:"source"`
		Expires     time.Time `json:"expires,omitzero"`
	}{c.AccessKeyID, c.Source, c.Expires})
}
