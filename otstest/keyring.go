package otstest

import (
	"sync"
	"time"

	"github.com/otsauth/otsauth"
)

// keyring holds the AccessKeys that the service knows.
type keyring struct {
	mu   sync.Mutex // guards keys
	keys map[string]*accessKey
}

type accessKey struct {
	otsauth.Credentials
	revoked bool
}

func (k *keyring) add(c otsauth.Credentials) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]*accessKey{}
	}
	k.keys[c.AccessKeyID] = &accessKey{Credentials: c}
}

// find returns a copy, so that the caller needs no lock.
func (k *keyring) find(id string) (accessKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.keys[id]
	if !ok {
		return accessKey{}, false
	}
	return *key, true
}

func (k *keyring) revoke(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.keys[id]
	if ok {
		key.revoked = true
	}
	return ok
}

func (k *keyring) revokeAll(now time.Time) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if !key.SecurityToken.IsZero() && !key.revoked && key.valid(now) {
			key.revoked = true
			n++
		}
	}
	return n
}

// valid reports whether the key may still sign at now.
func (k *accessKey) valid(now time.Time) bool {
	return !k.revoked && (k.Expires.IsZero() || now.Before(k.Expires))
}
