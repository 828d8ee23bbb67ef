package signer

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/otsauth/otsauth"
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

	headerAuthorization = "Authorization"

	headerPrefix = "X-Ots-"
)

// StringToSign returns what a request's signature is computed over:
//
//	path LF method LF LF
//	name ":" value LF      for each x-ots- header, sorted by name
//
// Names are in lower case, values are trimmed of white space at their ends. A
// header with several values gives a line for each, in their order; so does a
// name in several spellings, capitals first. An empty value gives a line too.
// The signature headers themselves are left out. (Source: the official Python,
// Java and Node SDKs. The official Go SDK leaves out empty values and any
// header that it does not know.) A V4 signature is over the same text with
// "ots" behind its last line feed.
//
// The security token is part of the result; do not log it.
func StringToSign(method, path string, h http.Header) string {
	var lines lineList
	lines.collect(h)
	return string(appendStringToSign(nil, method, path, lines.all()))
}

// appendStringToSign appends the string-to-sign to dst.
func appendStringToSign(dst []byte, method, path string, lines []line) []byte {
	return appendLines(appendRequest(dst, method, path), lines)
}

// appendRequest appends what precedes the lines.
func appendRequest(dst []byte, method, path string) []byte {
	dst = append(dst, path...)
	dst = append(dst, '\n')
	dst = append(dst, method...)
	return append(dst, '\n', '\n') // between them the canonical query, always empty
}

// appendLines appends "name:value" and a line feed for each line.
func appendLines(dst []byte, lines []line) []byte {
	for i := range lines {
		dst = appendLine(dst, lines[i].name, lines[i].value)
	}
	return dst
}

func appendLine(dst []byte, name, value string) []byte {
	dst = appendLower(dst, name)
	dst = append(dst, ':')
	dst = append(dst, value...)
	return append(dst, '\n')
}

// A line is one x-ots- header, its name as it stands in the header map.
type line struct{ name, value string }

// lineList collects lines, without an allocation for any usual request.
type lineList struct {
	few  [16]line
	n    int
	many []line // all of them, once they are too many
}

func (l *lineList) reset() { l.n, l.many = 0, nil }

func (l *lineList) all() []line {
	if l.many != nil {
		return l.many
	}
	return l.few[:l.n]
}

func (l *lineList) add(name, value string) {
	if l.many == nil && l.n < len(l.few) {
		l.few[l.n] = line{name, value}
		l.n++
		return
	}
	if l.many == nil {
		l.many = append(l.many, l.few[:]...)
	}
	l.many = append(l.many, line{name, value})
}

// collect adds every signed header of h, and sorts.
func (l *lineList) collect(h http.Header) {
	for name, values := range h {
		if hasPrefix(name) && !isSignature(name) {
			l.addAll(name, values)
		}
	}
	l.sort()
}

// collectOthers adds those signed headers of h that Sign does not set itself,
// sorts, and deletes what is left of an earlier signature. A name in another
// case than net/http's counts too: it would be sent beside the one that Sign
// sets.
func (l *lineList) collectOthers(h http.Header) {
	for name, values := range h {
		switch {
		case !hasPrefix(name):
		case isOurs(name), isOurs(textproto.CanonicalMIMEHeaderKey(name)):
			delete(h, name)
		default:
			l.addAll(name, values)
		}
	}
	l.sort()
}

func (l *lineList) addAll(name string, values []string) {
	for _, value := range values {
		l.add(name, textproto.TrimString(value))
	}
}

// has reports whether there is a line of that name.
func (l *lineList) has(name string) bool {
	return slices.ContainsFunc(l.all(), func(ln line) bool { return compareFold(ln.name, name) == 0 })
}

// areUsual reports whether there is no line but perhaps the usual API version's.
func (l *lineList) areUsual() bool {
	return l.n == 0 || l.n == 1 && l.few[0] == line{headerAPIVersion, apiVersion}
}

// sort sorts by name; lines of one name keep their order.
func (l *lineList) sort() {
	if l.many != nil {
		slices.SortStableFunc(l.many, compareLines)
		return
	}
	lines := l.few[:l.n]
	for i := 1; i < len(lines); i++ { // the fastest for so few
		for j := i; j > 0 && compareLines(lines[j], lines[j-1]) < 0; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
}

// check refuses what the service could read in another way than it is signed.
// The lines are sorted.
func (l *lineList) check() error {
	lines := l.all()
	for i, ln := range lines {
		if i > 0 && compareFold(ln.name, lines[i-1].name) == 0 {
			return &otsauth.ConfigError{Field: "header " + strings.ToLower(ln.name), Problem: "is set more than once; Tablestore signs one value for each name"}
		}
		if strings.ContainsAny(ln.value, "\r\n") {
			return &otsauth.ConfigError{Field: "header " + strings.ToLower(ln.name), Problem: "has a line end in its value; the service would read two headers"}
		}
	}
	return nil
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

// isSignature looks at the length first: this runs for each header of each request.
func isSignature(name string) bool {
	switch len(name) {
	case len(headerSignatureV2):
		return strings.EqualFold(name, headerSignatureV2)
	case len(headerSignatureV4):
		return strings.EqualFold(name, headerSignatureV4)
	}
	return false
}

func hasPrefix(name string) bool {
	if len(name) < len(headerPrefix) {
		return false
	}
	prefix := name[:len(headerPrefix)]
	return prefix == headerPrefix || strings.EqualFold(prefix, headerPrefix)
}

// compareLines puts two spellings of a name in a fixed order too: a map has none.
func compareLines(a, b line) int {
	if c := compareFold(a.name, b.name); c != 0 {
		return c
	}
	return strings.Compare(a.name, b.name)
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

// appendLower appends a header's name in lower case; only ASCII letters have
// one. The names that each request has are told apart faster than converted.
func appendLower(dst []byte, name string) []byte {
	switch name {
	case headerDate:
		return append(dst, "x-ots-date"...)
	case headerAPIVersion:
		return append(dst, "x-ots-apiversion"...)
	case headerAccessKeyID:
		return append(dst, "x-ots-accesskeyid"...)
	case headerInstanceName:
		return append(dst, "x-ots-instancename"...)
	case headerContentMD5:
		return append(dst, "x-ots-contentmd5"...)
	case headerSTSToken:
		return append(dst, "x-ots-ststoken"...)
	case headerSignDate:
		return append(dst, "x-ots-signdate"...)
	case headerSignRegion:
		return append(dst, "x-ots-signregion"...)
	case headerRequestID:
		return append(dst, "x-ots-requestid"...)
	case headerContentType:
		return append(dst, "x-ots-contenttype"...)
	}
	n := len(dst)
	dst = append(dst, name...)
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
