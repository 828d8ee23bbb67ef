package signer_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

// A service that holds a day's key and no secret signs for months.
func TestV4KeysThatAreFetchedEachDaySignWithoutTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		fetches := 0
		keys := otsauth.NewCache(otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
			fetches++
			owner, err := server.Provider().Retrieve(ctx) // in another process
			if err != nil {
				return otsauth.Credentials{}, err
			}
			key, err := signer.DeriveV4Key(owner, "cn-hangzhou", time.Now())
			if err != nil {
				return otsauth.Credentials{}, err
			}
			return key.Credentials()
		}), &otsauth.CacheOptions{RefreshBefore: -1})
		defer keys.Close()
		s, err := signer.New(keys, server.Instance(), &signer.Options{Region: "cn-hangzhou"})
		require.NoError(t, err)
		transport := &signer.Transport{Signer: s, Base: server.Transport()}
		for hour := range 7 * 24 {
			got := send(t, transport, newRequest(t, "ListTable"))
			require.Equal(t, http.StatusOK, got.status, "hour %d: %s", hour, got.body)
			used, err := keys.Retrieve(t.Context())
			require.NoError(t, err)
			require.NoError(t, s.VerifyResponse(used, got.answer, got.body))
			time.Sleep(time.Hour)
		}
		require.Equal(t, 7, fetches)
	})
}

func TestAV4KeySignsLikeTheSecretItComesFrom(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 59, 59, 999_000_000, time.UTC)
	opts := &signer.Options{Region: "cn-hangzhou", Now: func() time.Time { return at }}
	key, err := signer.DeriveV4Key(creds("token"), "cn-hangzhou", at)
	require.NoError(t, err)
	require.Equal(t, "20261123", key.Date)
	require.NotContains(t, fmt.Sprintf("%+v %#v", key, key), key.Key.Reveal())

	fixed, err := key.Credentials()
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), fixed.Expires)
	fixed.Expires = time.Time{} // the test's clock is not the cache's

	one, two := newRequest(t, "GetRow"), newRequest(t, "GetRow")
	_, err = newSigner(t, creds("token"), opts).Sign(t.Context(), one, nil)
	require.NoError(t, err)
	_, err = newSigner(t, fixed, opts).Sign(t.Context(), two, nil)
	require.NoError(t, err)
	require.Equal(t, one.Header, two.Header)

	// The date header goes on, the day stays that of the key in use.
	at = at.Add(time.Second)
	_, err = newSigner(t, fixed, opts).Sign(t.Context(), two, nil)
	require.NoError(t, err)
	require.Equal(t, "20261123", two.Header.Get("x-ots-signdate"))
}

func TestTheKeysExpiryIsTheEarlierOfTheTwo(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ expires, want time.Time }{
		"a key that expires that day":  {at.Add(time.Hour), at.Add(time.Hour)},
		"a key that lives longer":      {at.Add(24 * time.Hour), at.Add(12 * time.Hour)},
		"a key that does never expire": {time.Time{}, at.Add(12 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			source := creds("")
			source.Expires = c.expires
			key, err := signer.DeriveV4Key(source, "cn-hangzhou", at)
			require.NoError(t, err)
			got, err := key.Credentials()
			require.NoError(t, err)
			require.Equal(t, c.want, got.Expires)
		})
	}
}

func TestAV4KeyIsRefusedWhereItCannotSign(t *testing.T) {
	key, err := signer.DeriveV4Key(creds(""), "cn-hangzhou", time.Now())
	require.NoError(t, err)
	fixed, err := key.Credentials()
	require.NoError(t, err)
	for name, c := range map[string]struct{ region, says string }{
		"a V2 signer":    {"", `is empty, but the credentials are a V4Key; set it to "cn-hangzhou"`},
		"another region": {"cn-beijing", `is "cn-beijing", but the credentials are a V4Key for "cn-hangzhou"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigner(t, fixed, &signer.Options{Region: c.region})
			_, err := s.Sign(t.Context(), newRequest(t, "GetRow"), nil)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.ErrorContains(t, err, c.says)
			_, err = s.Signature(fixed, "POST", "/GetRow", nil)
			require.ErrorAs(t, err, &ce)
		})
	}
	for name, change := range map[string]func(*signer.V4Key){
		"no date":                        func(k *signer.V4Key) { k.Date = "" },
		"a date that is none":            func(k *signer.V4Key) { k.Date = "20261332" },
		"no region":                      func(k *signer.V4Key) { k.Region = "" },
		"a region with a slash":          func(k *signer.V4Key) { k.Region = "cn/hangzhou" },
		"no key":                         func(k *signer.V4Key) { k.Key = otsauth.Secret{} },
		"the secret itself":              func(k *signer.V4Key) { k.Key = otsauth.NewSecret("LTAI5tSecretSecretSecretSecretSecret") },
		"no AccessKey ID":                func(k *signer.V4Key) { k.AccessKeyID = "" },
		"a security token with a quote":  func(k *signer.V4Key) { k.SecurityToken = otsauth.NewSecret(`"t"`) },
		"a key of raw bytes, not base64": func(k *signer.V4Key) { k.Key = otsauth.NewSecret("0123456789abcdef0123456789abcdef") },
	} {
		t.Run(name, func(t *testing.T) {
			bad := key
			change(&bad)
			_, err := bad.Credentials()
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			if secret := bad.Key.Reveal(); secret != "" {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
	for name, c := range map[string]struct {
		creds  otsauth.Credentials
		region string
	}{
		"no credentials": {otsauth.Credentials{}, "cn-hangzhou"},
		"no region":      {creds(""), ""},
		"a wrong region": {creds(""), "Hangzhou"},
	} {
		t.Run("deriving from "+name, func(t *testing.T) {
			_, err := signer.DeriveV4Key(c.creds, c.region, time.Now())
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
		})
	}
}

func TestSignatureIsOverTheHeadersAsTheyStand(t *testing.T) {
	s := newSigner(t, creds("token"), &signer.Options{Region: "cn-hangzhou"})
	req := newRequest(t, "GetRow")
	_, err := s.Sign(t.Context(), req, nil)
	require.NoError(t, err)
	got, err := s.Signature(creds("token"), "POST", "/GetRow", req.Header)
	require.NoError(t, err)
	require.Equal(t, req.Header.Get("x-ots-signaturev4"), got)

	for name, c := range map[string]struct{ header, value, says string }{
		"no sign date":       {"x-ots-signdate", "", "x-ots-signdate"},
		"a region elsewhere": {"x-ots-signregion", "cn-beijing", "x-ots-signregion"},
	} {
		t.Run(name, func(t *testing.T) {
			h := req.Header.Clone()
			h.Set(c.header, c.value)
			_, err := s.Signature(creds("token"), "POST", "/GetRow", h)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, c.says, ce.Field)
		})
	}
}

func TestAV4KeyIsDerivedFromItselfAndFromNothingElse(t *testing.T) {
	day := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	key, err := signer.DeriveV4Key(creds("token"), "cn-hangzhou", day)
	require.NoError(t, err)
	derived, err := key.Credentials()
	require.NoError(t, err)
	again, err := signer.DeriveV4Key(derived, "cn-hangzhou", day)
	require.NoError(t, err)
	require.True(t, key.Key.Equal(again.Key) && again.SecurityToken.Equal(key.SecurityToken))
	var ce *otsauth.ConfigError
	_, err = signer.DeriveV4Key(derived, "cn-beijing", day)
	require.ErrorAs(t, err, &ce)
	_, err = signer.DeriveV4Key(derived, "cn-hangzhou", day.AddDate(0, 0, 1))
	require.ErrorAs(t, err, &ce)
}
