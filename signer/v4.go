package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"time"
)

const (
	// v4Salt ends the string-to-sign of a V4 signature, behind its last line
	// feed, and names the service in the key's derivation.
	v4Salt = "ots"

	signDateLayout = "20060102"
)

// signDate returns the UTC day that a V4 key is derived for.
func signDate(t time.Time) string { return t.UTC().Format(signDateLayout) }

// deriveV4Key returns the key that signs the requests of one day in one
// region. The key is the base64 text of the last HMAC, not its 32 bytes.
// (Source: CalculateV4SigningKeyUtil of the official Java SDK, and
// common/credentials.go of the Go SDK.)
func deriveV4Key(secret, date, region string) string {
	key := []byte("aliyun_v4" + secret)
	for _, part := range []string{date, region, v4Salt, "aliyun_v4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return base64.StdEncoding.EncodeToString(key)
}

// newV4 returns a signature V4's HMAC: SHA-256, keyed with a derived key.
func newV4(key string) hash.Hash { return hmac.New(sha256.New, []byte(key)) }
