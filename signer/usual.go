package signer

import (
	"bytes"
	"net/http"
)

// requestRoom is how many bytes a usual request has ahead of its lines; an
// action's name takes far less.
const requestRoom = 64

// usual keeps the string-to-sign of a request that has no x-ots- headers but
// those that Sign sets. Most requests are like that, and under one key they
// differ in the digest and the date, whose lengths are fixed, in the action, and
// now and then in the token.
type usual struct {
	text             []byte // requestRoom, the lines, the salt
	token            string
	contentMD5, date []byte // where they stand in text

	method, path string
	begin        int // of the string-to-sign in text
}

// fits reports whether there is room for a request's method and path.
func (*usual) fits(method, path string) bool {
	return len(path)+len(method)+len("\n\n\n") <= requestRoom
}

// stringToSign returns the string-to-sign of a request that fits. It has the
// headers h, the three values among them. The text is good until the next call.
func (u *usual) stringToSign(method, path string, h http.Header, token, contentMD5, date, salt string) []byte {
	if u.text == nil || u.token != token {
		var lines lineList
		lines.collect(h)
		u.text = append(appendLines(make([]byte, requestRoom), lines.all()), salt...)
		u.token, u.method, u.path = token, "", ""
		u.contentMD5 = u.value("\nx-ots-contentmd5:", len(contentMD5))
		u.date = u.value("\nx-ots-date:", len(date))
	}
	if u.path != path || u.method != method {
		u.method, u.path = method, path
		u.begin = requestRoom - len(path) - len(method) - len("\n\n\n")
		appendRequest(u.text[u.begin:u.begin], method, path)
	}
	copy(u.contentMD5, contentMD5)
	copy(u.date, date)
	return u.text[u.begin:]
}

// value returns where the value of a line that is not the first stands.
func (u *usual) value(line string, length int) []byte {
	start := bytes.Index(u.text, []byte(line)) + len(line)
	return u.text[start : start+length]
}
