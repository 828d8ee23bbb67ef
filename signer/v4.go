package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/otsauth/otsauth"
)

const (
	// v4Salt ends the string-to-sign of a V4 signature, behind its last line
	// feed, and names the service in the key's derivation.
	v4Salt = "ots"

	signDateLayout = "20060102"
)

// A V4Key signs the requests of one UTC day in one region: it is derived from
// an AccessKey secret, which cannot be computed from it. Hand it to a service
// that shall not hold the secret. Its fields are what the official Java and Go
// SDKs call a V4 signing key, so their keys can be used here and ours there.
type V4Key struct {
	// AccessKeyID names the key that it is derived from.
	AccessKeyID string
	// Date is the day, YYYYMMDD in UTC.
	Date string
	// Region is the instance's region, as in "cn-hangzhou".
	Region string
	// Key is the derived key: 44 characters of base64, which are used as they
	// are and not decoded.
	Key otsauth.Secret
	// SecurityToken belongs to a temporary AccessKey; zero for a long-lived one.
	SecurityToken otsauth.Secret
	// Expires is when the AccessKey that it is derived from expires; zero:
	// not before the day ends.
	Expires time.Time
}

// DeriveV4Key derives the key of c for region and the UTC day of at. If c is a
// V4Key itself, it is that key, and of no other region or day. The error is a
// [*otsauth.ConfigError].
func DeriveV4Key(c otsauth.Credentials, region string, at time.Time) (V4Key, error) {
	if err := c.Validate(); err != nil {
		return V4Key{}, err
	}
	if region == "" {
		return V4Key{}, errNoRegion()
	}
	if err := checkRegion(region); err != nil {
		return V4Key{}, err
	}
	date := at.UTC().Format(signDateLayout)
	if k, ok := parseV4Key(&c); ok {
		if k.Region != region || k.Date != date {
			return V4Key{}, &otsauth.ConfigError{Field: "credentials", Problem: fmt.Sprintf("are a V4Key of %s for %q; no key of %s for %q can be derived from it", k.Date, k.Region, date, region)}
		}
		k.Expires = c.Expires
		return k, nil
	}
	return V4Key{
		AccessKeyID:   c.AccessKeyID,
		Date:          date,
		Region:        region,
		Key:           deriveV4Key(c.AccessKeySecret, date, region),
		SecurityToken: c.SecurityToken,
		Expires:       c.Expires,
	}, nil
}

// v4KeyPrefix marks a V4Key where credentials have their secret, which is
// letters and digits only.
const v4KeyPrefix = "v4key/"

// Credentials returns k as credentials that expire at the end of its day, or
// when k does. A Signer of the same region signs with them as with any others,
// so a provider that fetches a V4Key a day and returns its Credentials rotates
// like any other. No other signature can be made with them. The error is a [*otsauth.ConfigError]
// for a field that is missing or malformed.
func (k V4Key) Credentials() (otsauth.Credentials, error) {
	day, err := time.Parse(signDateLayout, k.Date)
	if err != nil {
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "V4Key.Date", Problem: `is not a day such as "20260131"`}
	}
	if k.Region == "" {
		return otsauth.Credentials{}, errNoRegion()
	}
	if err := checkRegion(k.Region); err != nil {
		return otsauth.Credentials{}, err
	}
	if raw, err := base64.StdEncoding.DecodeString(k.Key.Reveal()); err != nil || len(raw) != sha256.Size {
		return otsauth.Credentials{}, &otsauth.ConfigError{Field: "V4Key.Key", Problem: "is not the base64 of 32 bytes; it is the text that DeriveV4Key returns"}
	}
	expires := day.AddDate(0, 0, 1)
	if !k.Expires.IsZero() && k.Expires.Before(expires) {
		expires = k.Expires
	}
	c := otsauth.Credentials{
		AccessKeyID:     k.AccessKeyID,
		AccessKeySecret: otsauth.NewSecret(v4KeyPrefix + k.Date + "/" + k.Region + "/" + k.Key.Reveal()),
		SecurityToken:   k.SecurityToken,
		Expires:         expires,
		Source:          "v4key",
	}
	return c, c.Validate()
}

// parseV4Key undoes V4Key.Credentials.
func parseV4Key(c *otsauth.Credentials) (V4Key, bool) {
	text, ok := strings.CutPrefix(c.AccessKeySecret.Reveal(), v4KeyPrefix)
	parts := strings.SplitN(text, "/", 3)
	if !ok || len(parts) != 3 {
		return V4Key{}, false
	}
	return V4Key{AccessKeyID: c.AccessKeyID, Date: parts[0], Region: parts[1], Key: otsauth.NewSecret(parts[2]), SecurityToken: c.SecurityToken}, true
}

// usableIn returns why k cannot sign for a Signer of region, which is empty
// for V2, or nil.
func (k *V4Key) usableIn(region string) error {
	switch {
	case k == nil || k.Region == region:
		return nil
	case region == "":
		return &otsauth.ConfigError{Field: "Region", Problem: fmt.Sprintf("is empty, but the credentials are a V4Key; set it to %q", k.Region)}
	}
	return &otsauth.ConfigError{Field: "Region", Problem: fmt.Sprintf("is %q, but the credentials are a V4Key for %q", region, k.Region)}
}

// deriveV4Key returns the key that signs the requests of one day in one
// region. The key is the base64 text of the last HMAC, not its 32 bytes.
// (Source: CalculateV4SigningKeyUtil of the official Java SDK, and
// common/credentials.go of the Go SDK.)
func deriveV4Key(secret otsauth.Secret, date, region string) otsauth.Secret {
	key := []byte("aliyun_v4" + secret.Reveal())
	for _, part := range []string{date, region, v4Salt, "aliyun_v4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return otsauth.NewSecret(base64.StdEncoding.EncodeToString(key))
}

// newV4 returns the HMAC of signature V4: SHA-256, keyed with a derived key.
func newV4(key otsauth.Secret) hash.Hash { return hmac.New(sha256.New, []byte(key.Reveal())) }

// checkRegion accepts a region's name, also the empty one.
func checkRegion(region string) error {
	if strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return &otsauth.ConfigError{Field: "Region", Problem: fmt.Sprintf(`is %q; a region looks like "cn-hangzhou"`, region)}
	}
	return nil
}

func errNoRegion() error {
	return &otsauth.ConfigError{Field: "Region", Problem: `is empty; V4 needs the instance's region, as in "cn-hangzhou"`}
}
