package signer

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// The headers of a signed request and of an answer, as http.Header has them.
const (
	headerDate         = "X-Ots-Date"
	headerAPIVersion   = "X-Ots-Apiversion"
	headerAccessKeyID  = "X-Ots-Accesskeyid"
	headerInstanceName = "X-Ots-Instancename"
	headerContentMD5   = "X-Ots-Contentmd5"
	headerSTSToken     = "X-Ots-Ststoken"
	headerSignatureV2  = "X-Ots-Signature"
	headerSignatureV4  = "X-Ots-Signaturev4"
	headerSignDate     = "X-Ots-Signdate"
	headerSignRegion   = "X-Ots-Signregion"
	headerRequestID    = "X-Ots-Requestid"
	headerContentType  = "X-Ots-Contenttype"

	headerPrefix = "x-ots-"
)

// StringToSign returns what a request's signature is computed over:
//
//	path LF method LF LF
//	name ":" value LF      for each x-ots- header, sorted by name
//
// Names are in lower case, values are trimmed of white space at their ends. A
// header with several values gives a line for each, in their order; an empty
// value gives a line too. The signature headers themselves are left out. A
// header map without any x-ots- header gives the first three lines. (Source:
// the official Python, Java and Node SDKs. The official Go SDK leaves out
// empty values and any header that it does not know.) A V4 signature is over
// the same text with "ots" behind its last line feed.
//
// The security token is part of the result; do not log it.
func StringToSign(method, path string, h http.Header) string {
	var lines lineList
	lines.collect(h)
	return string(appendStringToSign(nil, method, path, lines.sorted()))
}

// appendStringToSign appends the string-to-sign to dst.
func appendStringToSign(dst []byte, method, path string, lines []line) []byte {
	dst = append(dst, path...)
	dst = append(dst, '\n')
	dst = append(dst, method...)
	dst = append(dst, '\n', '\n') // between them the canonical query, always empty
	return appendLines(dst, lines)
}

// appendLines appends "name:value" and a line feed for each line.
func appendLines(dst []byte, lines []line) []byte {
	for i := range lines {
		dst = appendLower(dst, lines[i].name)
		dst = append(dst, ':')
		dst = append(dst, lines[i].value...)
		dst = append(dst, '\n')
	}
	return dst
}

// A line is one x-ots- header, its name as it stands in the header map.
type line struct{ name, value string }

// lineList collects lines, on the stack for any usual request.
type lineList struct {
	first [16]line
	n     int
	more  []line // all of them, once there are more than fit
}

// collect adds every signed header of h.
func (l *lineList) collect(h http.Header) {
	for name, values := range h {
		if hasPrefix(name) && !isSignature(name) {
			l.addAll(name, values)
		}
	}
}

// collectOthers adds those signed headers of h that Sign does not set itself.
// Of those that it sets it removes any that is spelled in another case than
// net/http's: it would be sent beside the one that is set.
func (l *lineList) collectOthers(h http.Header) {
	for name, values := range h {
		switch {
		case isOurs(name), !hasPrefix(name):
		case isOurs(textproto.CanonicalMIMEHeaderKey(name)):
			delete(h, name)
		default:
			l.addAll(name, values)
		}
	}
}

func (l *lineList) addAll(name string, values []string) {
	for _, value := range values {
		l.add(name, textproto.TrimString(value))
	}
}

func (l *lineList) add(name, value string) {
	if l.more == nil && l.n < len(l.first) {
		l.first[l.n] = line{name, value}
		l.n++
		return
	}
	if l.more == nil {
		l.more = append(l.more, l.first[:]...)
	}
	l.more = append(l.more, line{name, value})
}

// has reports whether there is a line of that name.
func (l *lineList) has(name string) bool {
	same := func(ln line) bool { return compareFold(ln.name, name) == 0 }
	return slices.ContainsFunc(l.first[:l.n], same) || slices.ContainsFunc(l.more, same)
}

// sorted returns the lines in the order of their names; lines of one name keep
// theirs.
func (l *lineList) sorted() []line {
	if l.more != nil {
		slices.SortStableFunc(l.more, func(a, b line) int { return compareFold(a.name, b.name) })
		return l.more
	}
	lines := l.first[:l.n]
	// The fastest for so few, and linear when they are in order already.
	for i := 1; i < len(lines); i++ {
		for j := i; j > 0 && compareFold(lines[j].name, lines[j-1].name) < 0; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return lines
}

// isOurs reports whether name is, to the letter, a header that Sign sets or
// removes whatever the request had.
func isOurs(name string) bool {
	switch name {
	case headerDate, headerAccessKeyID, headerInstanceName, headerContentMD5, headerSTSToken,
		headerSignDate, headerSignRegion, headerSignatureV2, headerSignatureV4:
		return true
	}
	return false
}

func isSignature(name string) bool {
	return strings.EqualFold(name, headerSignatureV2) || strings.EqualFold(name, headerSignatureV4)
}

func hasPrefix(name string) bool {
	return len(name) > len(headerPrefix) && strings.EqualFold(name[:len(headerPrefix)], headerPrefix)
}

// compareFold compares two names that begin with the prefix, without regard to
// ASCII case.
func compareFold(a, b string) int {
	for i := len(headerPrefix); i < min(len(a), len(b)); i++ {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// appendLower appends s in lower case; only ASCII letters have one.
func appendLower(dst []byte, s string) []byte {
	n := len(dst)
	dst = append(dst, s...)
	for i := n; i < len(dst); i++ {
		dst[i] = lower(dst[i])
	}
	return dst
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
