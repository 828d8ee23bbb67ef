package signer

import (
	"bytes"
	"net/http"
)

// usualLines keeps the lines of a request that has no x-ots- headers but those
// that Sign sets. Most requests are like that, and under one key they differ in
// the digest and the date, whose lengths are fixed, and now and then in the token.
type usualLines struct {
	text             []byte
	token            string
	contentMD5, date []byte // where they stand in text
}

// of returns the lines of h, which has these three, and the salt behind them.
// They are good until the next call.
func (u *usualLines) of(h http.Header, token, contentMD5, date, salt string) []byte {
	if u.text == nil || u.token != token {
		var lines lineList
		lines.collect(h)
		u.text, u.token = append(appendLines(nil, lines.all()), salt...), token
		u.contentMD5 = u.value("\nx-ots-contentmd5:", len(contentMD5))
		u.date = u.value("\nx-ots-date:", len(date))
	}
	copy(u.contentMD5, contentMD5)
	copy(u.date, date)
	return u.text
}

// value returns where the value of a line that is not the first stands.
func (u *usualLines) value(line string, length int) []byte {
	start := bytes.Index(u.text, []byte(line)) + len(line)
	return u.text[start : start+length]
}
