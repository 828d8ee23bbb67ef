package signer

import (
	"encoding/base64"
	"hash"
	"sync"
	"sync/atomic"

	"github.com/otsauth/otsauth"
)

// keyCache keeps the keyed HMAC states of the current credentials and, for the
// requests that are still under way when they rotate, of those before.
// Reading it takes no lock. The zero keyCache is empty.
type keyCache struct{ current, previous atomic.Pointer[keys] }

// keys are the HMAC states of one set of credentials.
type keys struct {
	id, secret string
	v2         hmacPool
	day        atomic.Pointer[dayKey]
}

// dayKey is the V4 key of one UTC day and region.
type dayKey struct {
	date, region string
	key          string
	hmacPool
}

// of returns the keys of c, made at the first call with c.
func (k *keyCache) of(c *otsauth.Credentials) *keys {
	secret := c.AccessKeySecret.Reveal()
	current := k.current.Load()
	if current.match(c.AccessKeyID, secret) {
		return current
	}
	if previous := k.previous.Load(); previous.match(c.AccessKeyID, secret) {
		return previous
	}
	made := &keys{id: c.AccessKeyID, secret: secret}
	made.v2.make = func() hash.Hash { return newV2(secret) }
	if k.current.CompareAndSwap(current, made) {
		k.previous.Store(current)
	}
	return made
}

// match compares by ==, which is a pointer comparison as long as the cache of
// credentials hands out the same set; there is nobody to learn from its time.
func (k *keys) match(id, secret string) bool {
	return k != nil && k.id == id && k.secret == secret
}

// v4 returns the key for a day and region, derived at the first call of the
// day. Date and key travel together, so that a request signed across midnight
// cannot carry the date of one day and the signature of the other.
func (k *keys) v4(date, region string) *dayKey {
	if day := k.day.Load(); day != nil && day.date == date && day.region == region {
		return day
	}
	day := newDayKey(date, region, deriveV4Key(k.secret, date, region))
	k.day.Store(day)
	return day
}

func newDayKey(date, region, key string) *dayKey {
	return &dayKey{date: date, region: region, key: key, hmacPool: hmacPool{make: func() hash.Hash { return newV4(key) }}}
}

// hmacPool hands out HMAC states that are keyed already: setting up the key is
// a third of a short signature.
type hmacPool struct {
	make func() hash.Hash
	pool sync.Pool
}

// scratch is what one signature needs.
type scratch struct {
	mac  hash.Hash
	text []byte
	sum  [32]byte
}

func (p *hmacPool) get() *scratch {
	if s, ok := p.pool.Get().(*scratch); ok {
		s.mac.Reset()
		return s
	}
	return &scratch{mac: p.make(), text: make([]byte, 0, 1024)}
}

func (p *hmacPool) put(s *scratch) { p.pool.Put(s) }

// sign returns base64(HMAC(text)).
func (s *scratch) sign() string {
	_, _ = s.mac.Write(s.text)
	var encoded [44]byte // base64 of 32 bytes
	sum := s.mac.Sum(s.sum[:0])
	n := base64.StdEncoding.EncodedLen(len(sum))
	base64.StdEncoding.Encode(encoded[:n], sum)
	return string(encoded[:n])
}
