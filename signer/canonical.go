package signer

import (
	"net/http"
	"net/textproto"
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
// empty values and any header that it does not know.)
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
		for j := range len(lines[i].name) {
			dst = append(dst, lower(lines[i].name[j]))
		}
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
		if !signed(name) {
			continue
		}
		for _, value := range values {
			l.add(line{name, textproto.TrimString(value)})
		}
	}
}

func (l *lineList) add(ln line) {
	if l.more == nil && l.n < len(l.first) {
		l.first[l.n] = ln
		l.n++
		return
	}
	if l.more == nil {
		l.more = append(l.more, l.first[:]...)
	}
	l.more = append(l.more, ln)
}

// sorted returns the lines in the order of their names; lines of one name keep
// theirs. An insertion sort is the fastest for the usual eight.
func (l *lineList) sorted() []line {
	lines := l.first[:l.n]
	if l.more != nil {
		lines = l.more
	}
	for i := 1; i < len(lines); i++ {
		for j := i; j > 0 && compareFold(lines[j].name, lines[j-1].name) < 0; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return lines
}

// signed reports whether a header is part of the string-to-sign.
func signed(name string) bool {
	return hasPrefix(name) && !isSignature(name)
}

func hasPrefix(name string) bool {
	return len(name) > len(headerPrefix) && strings.EqualFold(name[:len(headerPrefix)], headerPrefix)
}

func isSignature(name string) bool {
	return strings.EqualFold(name, headerSignatureV2) || strings.EqualFold(name, headerSignatureV4)
}

// compareFold compares two header names without regard to ASCII case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
