// Package redact makes text from outside fit for an error or a log record.
package redact

import "strings"

// Mask stands for what is not shown.
const Mask = "[redacted]"

// Line returns text on one line, cut to about n bytes, without the secrets.
func Line(text string, n int, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, Mask)
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	if len(text) > n {
		return strings.ToValidUTF8(text[:n], "") + "..."
	}
	return text
}

// Message returns what may be shown of a message that a service, or somebody in
// its place, answered: one line of about 300 bytes without the secrets. A
// string-to-sign, which services quote after a wrong signature, is left out with
// everything behind it: the security token is in it.
func Message(message string, secrets ...string) string {
	lower := strings.Map(func(r rune) rune { // strings.ToLower would move what is behind an İ
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, strings.ToValidUTF8(message, "?"))
	message = strings.ToValidUTF8(message, "?")
	cut := len(message)
	for _, quoted := range []string{"string to sign", "string-to-sign", "stringtosign"} {
		if i := strings.Index(lower, quoted); i >= 0 {
			cut = min(cut, i)
		}
	}
	if cut < len(message) {
		message = message[:cut] + "string-to-sign left out"
	}
	return Line(message, 300, secrets...)
}
