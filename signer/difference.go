package signer

import (
	"fmt"
	"strings"
)

// A Difference is the first line of the string-to-sign that the service read
// in another way.
type Difference struct {
	// Offset is the first byte that differs, counted from 0 in the request's
	// own string-to-sign with its token not masked.
	Offset int
	// Part is "path", "method" or the name of a header.
	Part string
	// Sent and Received are the two lines, tokens masked; empty: there is none.
	Sent, Received string
}

// firstDifference compares two strings-to-sign line by line.
func firstDifference(ours, theirs string) *Difference {
	sent := strings.Split(strings.TrimSuffix(ours, "\n"), "\n")
	received := strings.Split(strings.TrimSuffix(strings.TrimSuffix(theirs, "\n"+v4Salt), "\n"), "\n")
	offset := 0
	for i := range max(len(sent), len(received)) {
		var a, b string
		if i < len(sent) {
			a = sent[i]
		}
		if i < len(received) {
			b = received[i]
		}
		if a == b || isMasked(a, b) {
			offset = min(offset+len(a)+1, len(ours)) // empty lines may follow in theirs
			continue
		}
		d := &Difference{Part: partOf(i, a, b), Sent: maskLine(a), Received: maskLine(b)}
		if i > 2 && headerName(a) != headerName(b) { // one of them lacks the other's line
			if headerName(a) == d.Part {
				d.Received = ""
			} else {
				d.Sent = ""
			}
		}
		d.Offset = offset
		for d.Offset-offset < min(len(a), len(b)) && a[d.Offset-offset] == b[d.Offset-offset] {
			d.Offset++
		}
		return d
	}
	return nil
}

// partOf names what differs in line i: of two headers the one that comes
// first, which the other side does not have.
func partOf(i int, a, b string) string {
	switch i {
	case 0:
		return "path"
	case 1:
		return "method"
	case 2:
		return "query"
	}
	a, b = headerName(a), headerName(b)
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

func headerName(text string) string {
	name, _, _ := strings.Cut(text, ":")
	return name
}

// tokenOf returns the security token of its line, in any spelling.
func tokenOf(text string) (string, bool) {
	name, value, ok := strings.Cut(text, ":")
	return value, ok && strings.EqualFold(strings.TrimSpace(name), headerSTSToken)
}

// isMasked reports whether both are the security token's line and the
// service's is masked, so that they cannot be compared.
func isMasked(ours, theirs string) bool {
	_, isToken := tokenOf(ours)
	value, both := tokenOf(theirs)
	return isToken && both && strings.ContainsAny(value, "[*")
}

// maskLine hides the security token.
func maskLine(text string) string {
	if token, ok := tokenOf(text); ok {
		return fmt.Sprintf("%s:[redacted, %d bytes]", strings.ToLower(headerSTSToken), len(token))
	}
	return text
}

func maskText(text string) string {
	var b strings.Builder
	for text := range strings.Lines(text) {
		body, isLine := strings.CutSuffix(text, "\n")
		b.WriteString(maskLine(body))
		if isLine {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
