package signer

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // signature V2 is defined with HMAC-SHA1
	"hash"
)

// newV2 returns a signature V2's HMAC: SHA-1, keyed with the secret.
func newV2(secret string) hash.Hash { return hmac.New(sha1.New, []byte(secret)) }
