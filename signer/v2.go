package signer

import (
	"crypto/hmac"
	"crypto/sha1" // signature V2 is defined with HMAC-SHA1
	"hash"

	"github.com/otsauth/otsauth"
)

// newV2 returns the HMAC of signature V2, and of the answers to both versions:
// SHA-1, keyed with the secret or, for an answer to V4, the derived key.
func newV2(key otsauth.Secret) hash.Hash { return hmac.New(sha1.New, []byte(key.Reveal())) }
