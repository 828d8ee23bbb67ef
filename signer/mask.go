package signer

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/otsauth/otsauth"
)

// A masker hides security tokens in text that an explanation shows: the request's
// own and the known one wherever they stand, any other behind its header's name.
// The text can come from a log that runs several lines together.
type masker []string

func newMasker(h http.Header, known otsauth.Credentials) masker {
	m := masker{known.SecurityToken.Reveal(), known.AccessKeySecret.Reveal()}
	for name, values := range h {
		if strings.EqualFold(name, headerSTSToken) {
			m = append(m, values...)
		}
	}
	return m
}

// text masks each line.
func (m masker) text(text string) string {
	var b strings.Builder
	for text := range strings.Lines(text) {
		body, isLine := strings.CutSuffix(text, "\n")
		b.WriteString(m.line(body))
		if isLine {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// line cuts what follows the name of the token's header.
func (m masker) line(text string) string {
	i := tokenNameIn(text)
	if i < 0 {
		return m.hide(text)
	}
	token := strings.TrimPrefix(text[i+len(headerSTSToken):], ":")
	return fmt.Sprintf("%s:[redacted, %d bytes]", m.name(text), len(token))
}

// name is line for the name of a header.
func (m masker) name(text string) string {
	if i := tokenNameIn(text); i >= 0 {
		return m.hide(text[:i]) + strings.ToLower(headerSTSToken)
	}
	return m.hide(text)
}

// hide replaces the tokens that are known.
func (m masker) hide(text string) string {
	for _, token := range m {
		if token = strings.TrimSpace(token); token != "" {
			text = strings.ReplaceAll(text, token, "[redacted]")
		}
	}
	return text
}

// tokenNameIn returns where the name of the token's header begins in a line, in
// any spelling, or -1.
func tokenNameIn(text string) int {
	for i := range len(text) - len(headerSTSToken) + 1 {
		if strings.EqualFold(text[i:i+len(headerSTSToken)], headerSTSToken) {
			return i
		}
	}
	return -1
}
