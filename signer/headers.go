package signer

import (
	"crypto/md5" // x-ots-contentmd5 is the wire format
	"encoding/base64"
	"strings"
	"time"
)

const (
	dateLayout   = "2006-01-02T15:04:05.000Z"
	secondsADay  = 24 * 60 * 60
	base64MD5    = 24 // bytes
	base64SHA256 = 44 // bytes

	// How many headers Sign sets with a token.
	headersV2 = 7
	headersV4 = 9

	// What values allocates at a time.
	valuesKept = 128 // slices, of 16 bytes
	valuesText = 2048
)

// values makes header values. It cuts the text of those that are computed, and
// the slices that http.Header wants, from larger pieces: an allocation for a
// dozen requests. No two values share a byte or an element.
type values struct {
	text   strings.Builder
	slices []string
}

// string returns b as a string.
func (v *values) string(b []byte) string {
	if v.text.Cap()-v.text.Len() < len(b) {
		v.text.Reset()
		v.text.Grow(valuesText)
	}
	n := v.text.Len()
	v.text.Write(b)
	return v.text.String()[n:]
}

// elements returns n empty elements, to cut slices for http.Header from.
func (v *values) elements(n int) []string {
	if len(v.slices) < n {
		v.slices = make([]string, valuesKept)
	}
	some := v.slices[:n:n]
	v.slices = v.slices[n:]
	return some
}

// contentMD5 returns the value of x-ots-contentmd5.
func (v *values) contentMD5(body []byte) string {
	sum := md5.Sum(body)
	var encoded [base64MD5]byte
	base64.StdEncoding.Encode(encoded[:], sum[:])
	return v.string(encoded[:])
}

// date returns the value of x-ots-date.
func (v *values) date(now time.Time) string {
	var text [len(dateLayout)]byte
	return v.string(appendDate(text[:0], now))
}

// appendDate appends now, which is in UTC, in the dateLayout, in a quarter of
// the time that AppendFormat takes.
func appendDate(b []byte, now time.Time) []byte {
	year, month, day := now.Date()
	hour, minute, second := now.Clock()
	b = append(appendPair(appendPair(b, year/100), year%100), '-')
	b = append(appendPair(b, int(month)), '-')
	b = append(appendPair(b, day), 'T')
	b = append(appendPair(b, hour), ':')
	b = append(appendPair(b, minute), ':')
	b = append(appendPair(b, second), '.')
	ms := now.Nanosecond() / int(time.Millisecond)
	return append(appendPair(b, ms/10), byte('0'+ms%10), 'Z')
}

// appendPair appends the two digits of n.
func appendPair(b []byte, n int) []byte { return append(b, byte('0'+n/10%10), byte('0'+n%10)) }

// sameDay reports whether a sign date is the day of an x-ots-date.
func sameDay(signDate, date string) bool {
	return len(signDate) == len("20060102") && len(date) >= len("2006-01-02") &&
		signDate[:4] == date[:4] && signDate[4:6] == date[5:7] && signDate[6:] == date[8:10]
}
