package otsauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

func lookupIn(vars map[string]string) *otsauth.EnvOptions {
	return &otsauth.EnvOptions{Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok }}
}

func TestEnvTakesTheFirstCompletePair(t *testing.T) {
	for name, c := range map[string]struct {
		vars              map[string]string
		id, secret, token string
	}{
		"the documentation's names": {
			map[string]string{"OTS_AK_ENV": "id1", "OTS_SK_ENV": "sk1"}, "id1", "sk1", "",
		},
		"the documentation's names with a token": {
			map[string]string{"OTS_AK_ENV": "id1", "OTS_SK_ENV": "sk1", "OTS_STS_TOKEN_ENV": "tok1"}, "id1", "sk1", "tok1",
		},
		"the Java SDK's names": {
			map[string]string{"TABLESTORE_ACCESS_KEY_ID": "id2", "TABLESTORE_ACCESS_KEY_SECRET": "sk2", "TABLESTORE_SESSION_TOKEN": "tok2"}, "id2", "sk2", "tok2",
		},
		"the names of all Alibaba Cloud SDKs": {
			map[string]string{"ALIBABA_CLOUD_ACCESS_KEY_ID": "id3", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sk3", "ALIBABA_CLOUD_SECURITY_TOKEN": "tok3"}, "id3", "sk3", "tok3",
		},
		"the first of three families": {
			map[string]string{
				"OTS_AK_ENV": "id1", "OTS_SK_ENV": "sk1",
				"TABLESTORE_ACCESS_KEY_ID": "id2", "TABLESTORE_ACCESS_KEY_SECRET": "sk2",
				"ALIBABA_CLOUD_ACCESS_KEY_ID": "id3", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sk3",
			}, "id1", "sk1", "",
		},
		"another family's token is not borrowed": {
			map[string]string{"OTS_AK_ENV": "id1", "OTS_SK_ENV": "sk1", "ALIBABA_CLOUD_SECURITY_TOKEN": "tok3"}, "id1", "sk1", "",
		},
		"variables set to nothing count as not set": {
			map[string]string{"OTS_AK_ENV": "", "OTS_SK_ENV": "", "ALIBABA_CLOUD_ACCESS_KEY_ID": "id3", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sk3"}, "id3", "sk3", "",
		},
		"half a pair after a complete one": {
			map[string]string{"OTS_AK_ENV": "id1", "OTS_SK_ENV": "sk1", "ALIBABA_CLOUD_ACCESS_KEY_ID": "id3"}, "id1", "sk1", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			creds, err := otsauth.Env(lookupIn(c.vars)).Retrieve(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.id, creds.AccessKeyID)
			require.Equal(t, c.secret, creds.AccessKeySecret.Reveal())
			require.Equal(t, c.token, creds.SecurityToken.Reveal())
			require.Equal(t, "env", creds.Source)
			require.Zero(t, creds.Expires)
		})
	}
}

func TestEnvRefusesWhatCannotWork(t *testing.T) {
	for name, c := range map[string]struct {
		vars       map[string]string
		configured bool
		want       string
	}{
		"no variable at all":  {nil, false, "none of OTS_AK_ENV, TABLESTORE_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_ID is set"},
		"only a token":        {map[string]string{"ALIBABA_CLOUD_SECURITY_TOKEN": "t"}, false, "not configured"},
		"an ID and no secret": {map[string]string{"OTS_AK_ENV": "id1"}, true, "OTS_SK_ENV is not set although OTS_AK_ENV is"},
		"a secret and no ID":  {map[string]string{"TABLESTORE_ACCESS_KEY_SECRET": "sk"}, true, "TABLESTORE_ACCESS_KEY_ID is not set although TABLESTORE_ACCESS_KEY_SECRET is"},
		"an ID and a secret set to nothing": {
			map[string]string{"OTS_AK_ENV": "id1", "OTS_SK_ENV": ""}, true, "OTS_SK_ENV is not set",
		},
		"half a pair ahead of a complete one, which may be another identity": {
			map[string]string{"OTS_AK_ENV": "id1", "ALIBABA_CLOUD_ACCESS_KEY_ID": "id3", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sk3"}, true, "OTS_SK_ENV is not set",
		},
		"an ID of one family and a secret of another": {
			map[string]string{"OTS_AK_ENV": "id1", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sk3"}, true, "OTS_SK_ENV is not set",
		},
		"a secret with a line end": {map[string]string{"OTS_AK_ENV": "id1", "OTS_SK_ENV": hiddenSecret + "\n"}, true, "line feed"},
		"an ID in quotes":          {map[string]string{"OTS_AK_ENV": `"id1"`, "OTS_SK_ENV": hiddenSecret}, true, "double quote"},
		"a padded ID":              {map[string]string{"OTS_AK_ENV": "id1 ", "OTS_SK_ENV": hiddenSecret}, true, "a space at byte 4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := otsauth.Env(lookupIn(c.vars)).Retrieve(t.Context())
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), hiddenSecret)
			var pe *otsauth.ProviderError
			require.ErrorAs(t, err, &pe)
			require.Equal(t, "env", pe.Provider)
			if c.configured {
				var ce *otsauth.ConfigError
				require.ErrorAs(t, err, &ce)
				require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
			} else {
				require.ErrorIs(t, err, otsauth.ErrNotConfigured)
			}
		})
	}
}

func TestEnvIsReadAtEachFetch(t *testing.T) {
	p := otsauth.Env(nil)
	t.Setenv("OTS_AK_ENV", "before")
	t.Setenv("OTS_SK_ENV", "secret")
	creds, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "before", creds.AccessKeyID)
	t.Setenv("OTS_AK_ENV", "after")
	creds, err = p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "after", creds.AccessKeyID)
}

func TestStatic(t *testing.T) {
	creds, err := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")}).Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "static", creds.Source)

	var pe *otsauth.ProviderError
	_, err = otsauth.Static(otsauth.Credentials{}).Retrieve(t.Context())
	require.ErrorAs(t, err, &pe)
	require.ErrorContains(t, err, "AccessKey ID is empty")

	_, err = otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk"), Expires: hiddenCredentials().Expires.AddDate(-1, 0, 0)}).Retrieve(t.Context())
	require.ErrorIs(t, err, otsauth.ErrExpired)
}
