package client

import (
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// text converts between the program's strings and the service's, which are
// UTF-8. The zero text converts nothing.
type text struct{ encoding encoding.Encoding }

// out returns a string of the program's as the service takes it. The problem is
// "" or ends a sentence that begins with the string's name.
func (t text) out(s string) (sent, problem string) {
	if t.encoding == nil {
		if !utf8.ValidString(s) {
			return "", "is not UTF-8"
		}
		return s, ""
	}
	const invalid = "is invalid in the client's encoding"
	sent, err := t.encoding.NewDecoder().String(s)
	if err != nil || !utf8.ValidString(sent) {
		return "", invalid
	}
	// A few decoders read what their encoder cannot write, so that a row could be
	// written and not be read again. And what no decoder can read becomes U+FFFD,
	// which a string may also have of its own, in an encoding that knows it.
	again, err := t.encoding.NewEncoder().String(sent)
	if err != nil || again != s && strings.ContainsRune(sent, utf8.RuneError) {
		return "", invalid
	}
	return sent, ""
}

// in returns a string of the service's as the program wants it.
func (t text) in(s string) (string, error) {
	if t.encoding == nil {
		return s, nil
	}
	got, err := t.encoding.NewEncoder().String(s)
	if err != nil {
		return "", errInexpressible
	}
	return got, nil
}

var errInexpressible = errors.New("the answer has a string that the client's encoding cannot express")
