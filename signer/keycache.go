package signer

import (
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otsauth/otsauth"
)

// keptSets is how many sets of credentials a keyCache keeps: the current one,
// and those before it for the requests that are still under way.
const keptSets = 3

// keyCache keeps what is derived from the last few sets of credentials, the
// newest first. Reading it takes no lock. The zero keyCache is empty.
type keyCache struct {
	sets atomic.Pointer[[keptSets]*keys]
}

// of returns the keys of c, made at the first call with c.
func (k *keyCache) of(c *otsauth.Credentials) *keys {
	for {
		var before [keptSets]*keys
		sets := k.sets.Load()
		if sets != nil {
			for _, set := range sets {
				if set.match(c) {
					return set
				}
			}
			before = *sets
		}
		made := newKeys(c)
		if k.sets.CompareAndSwap(sets, &[keptSets]*keys{made, before[0], before[1]}) {
			return made
		}
	}
}

// keys is what is derived from one set of credentials.
type keys struct {
	id     string
	secret otsauth.Secret
	v2     hmacPool
	today  atomic.Pointer[dayKey]
	given  *V4Key // set: the credentials are this key, and there is no secret
}

func newKeys(c *otsauth.Credentials) *keys {
	k := &keys{id: c.AccessKeyID, secret: c.AccessKeySecret}
	k.v2.make = func() hash.Hash { return newV2(k.secret) }
	if given, ok := parseV4Key(c); ok {
		k.given = &given
		k.today.Store(newDayKey(given.Date, given.Key))
	}
	return k
}

// match compares by ==, which looks at no byte as long as the cache of
// credentials hands out the same set; nobody measures how long it takes.
func (k *keys) match(c *otsauth.Credentials) bool {
	return k != nil && k.id == c.AccessKeyID && k.secret.Reveal() == c.AccessKeySecret.Reveal()
}

// signing returns the V4 key for a request of now, which is in UTC, and keeps
// it. Day and key travel together, so that a request signed across midnight
// cannot carry one day and the key of the other.
func (k *keys) signing(now time.Time, region string) *dayKey {
	today := k.today.Load()
	if number := now.Unix() / secondsADay; k.given == nil && (today == nil || today.number != number) {
		date := now.Format(signDateLayout)
		today = newDayKey(date, deriveV4Key(k.secret, date, region))
		today.number = number
		k.today.Store(today)
	}
	return today
}

// signed returns the V4 key for a request that carries the given sign date
// already; around midnight that may be yesterday's.
func (k *keys) signed(day, region string) *dayKey {
	if today := k.today.Load(); today != nil && (k.given != nil || today.date == day) {
		return today
	}
	return newDayKey(day, deriveV4Key(k.secret, day, region))
}

// dayKey is the V4 key of one UTC day.
type dayKey struct {
	date     string // YYYYMMDD
	number   int64  // of the day since 1970, where signing made it
	request  hmacPool
	response hmacPool
}

func newDayKey(date string, key otsauth.Secret) *dayKey {
	return &dayKey{
		date:     date,
		request:  hmacPool{make: func() hash.Hash { return newV4(key) }},
		response: hmacPool{make: func() hash.Hash { return newV2(key) }},
	}
}

// hmacPool hands out HMAC states that are keyed already: setting up the key is
// a third of a short signature.
type hmacPool struct {
	make func() hash.Hash
	pool sync.Pool
}

func (p *hmacPool) get() *scratch {
	if s, ok := p.pool.Get().(*scratch); ok {
		s.mac.Reset()
		s.text = s.text[:0]
		s.lines.reset()
		return s
	}
	return &scratch{mac: p.make(), text: make([]byte, 0, 1024)}
}

func (p *hmacPool) put(s *scratch) { p.pool.Put(s) }

// scratch is what one signature needs.
type scratch struct {
	mac    hash.Hash
	lines  lineList
	usual  usual
	values values
	text   []byte
	sum    [sha256.Size]byte
	code   [base64SHA256]byte
}

// stringToSign returns what is signed of a request with the headers h; it is good
// until the scratch is put back.
func (s *scratch) stringToSign(method, path string, h http.Header, salt string) []byte {
	s.lines.reset()
	s.lines.collect(h)
	s.text = append(appendStringToSign(s.text[:0], method, path, s.lines.all()), salt...)
	return s.text
}

// sign returns base64(HMAC(text)), which is good until the scratch is put back.
func (s *scratch) sign(text []byte) []byte {
	_, _ = s.mac.Write(text)
	return base64.StdEncoding.AppendEncode(s.code[:0], s.mac.Sum(s.sum[:0]))
}
