package otsauth_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

func configFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// profiles returns a configuration file's text.
func profiles(list ...string) string {
	return `{"current":"p","profiles":[` + strings.Join(list, ",") + `],"meta_path":""}`
}

func TestProfileModes(t *testing.T) {
	clearEnv(t)
	server := otstest.NewServer(t, nil)
	owner, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	keys := `"access_key_id":"` + owner.AccessKeyID + `","access_key_secret":"` + owner.AccessKeySecret.Reveal() + `"`
	token := server.STS().IssueOIDCToken(time.Hour)
	role := `"ram_role_arn":"` + roleARN + `"`
	for name, c := range map[string]struct {
		config string
		source string
	}{
		"AK":                     {profiles(`{"name":"p","mode":"AK",` + keys + `}`), "profile/static"},
		"a mode in lower case":   {profiles(`{"name":"p","mode":"ak",` + keys + `}`), "profile/static"},
		"no mode":                {profiles(`{"name":"p",` + keys + `}`), "profile/static"},
		"StsToken":               {profiles(`{"name":"p","mode":"StsToken","access_key_id":"STS.a","access_key_secret":"sk","sts_token":"t","sts_expiration":4102444800}`), "profile/static"},
		"RamRoleArn":             {profiles(`{"name":"p","mode":"RamRoleArn",` + keys + `,` + role + `,"ram_session_name":"me","expired_seconds":900,"policy":"{}","external_id":"ext"}`), "profile/assume-role/static"},
		"EcsRamRole":             {profiles(`{"name":"p","mode":"EcsRamRole","ram_role_name":"otstest"}`), "profile/ecs"},
		"RamRoleArnWithRoleName": {profiles(`{"name":"p","mode":"RamRoleArnWithRoleName","ram_role_name":"otstest",` + role + `}`), "profile/assume-role/ecs"},
		"OIDC with a file":       {profiles(`{"name":"p","mode":"OIDC","oidc_provider_arn":"` + providerARN + `","oidc_token_file":"` + tokenFile(t, token) + `",` + role + `}`), "profile/oidc"},
		"OIDC with a token":      {profiles(`{"name":"p","mode":"OIDC","oidc_provider_arn":"` + providerARN + `","oidc_token":"` + token + `",` + role + `}`), "profile/oidc"},
		"ChainableRamRoleArn":    {profiles(`{"name":"p","mode":"ChainableRamRoleArn","source_profile":"q",`+role+`}`, `{"name":"q","mode":"ChainableRamRoleArn","source_profile":"r",`+role+`}`, `{"name":"r","mode":"AK",`+keys+`}`), "profile/assume-role/assume-role/static"},
		"External":               {profiles(`{"name":"p","mode":"External","process_command":"printf '%s' '{\"mode\":\"AK\",\"access_key_id\":\"id\",\"access_key_secret\":\"sk\"}'"}`), "profile/process"},
		"CredentialsURI":         {profiles(`{"name":"p","mode":"CredentialsURI","credentials_uri":"` + server.Metadata().CredentialsURI() + `"}`), "profile/uri"},
	} {
		t.Run(name, func(t *testing.T) {
			p := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, c.config), HTTPClient: &http.Client{Transport: server.Transport()}})
			creds, err := p.Retrieve(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.source, creds.Source)
		})
	}
}

func TestProfilesThatCannotWorkSayWhy(t *testing.T) {
	clearEnv(t)
	for name, c := range map[string]struct{ config, name, want string }{
		"no JSON":                     {`{"access_key_secret":"` + hiddenSecret + `",`, "", "is not the JSON"},
		"fields of other types":       {`{"profiles":[{"name":1,"access_key_secret":"` + hiddenSecret + `"}]}`, "", "is not the JSON"},
		"a name that is not there":    {profiles(`{"name":"p","mode":"AK","access_key_id":"id","access_key_secret":"sk"}`), "other", `no profile "other"`},
		"an unknown mode":             {profiles(`{"name":"p","mode":"Telepathy"}`), "", `mode "Telepathy" is not supported`},
		"a mode that needs a browser": {profiles(`{"name":"p","mode":"CloudSSO"}`), "", "needs a browser"},
		"half a key":                  {profiles(`{"name":"p","mode":"AK","access_key_id":"id"}`), "", "AccessKey secret is empty"},
		"a token that is missing":     {profiles(`{"name":"p","mode":"StsToken","access_key_id":"id","access_key_secret":"sk"}`), "", "sts_token is empty"},
		"a profile that names itself": {profiles(`{"name":"p","mode":"ChainableRamRoleArn","source_profile":"p","ram_role_arn":"` + roleARN + `"}`), "", "p -> p name each other in a circle"},
		"profiles in a circle": {
			profiles(`{"name":"p","mode":"ChainableRamRoleArn","source_profile":"q","ram_role_arn":"`+roleARN+`"}`, `{"name":"q","mode":"ChainableRamRoleArn","source_profile":"p","ram_role_arn":"`+roleARN+`"}`), "", "p -> q -> p name each other in a circle",
		},
		"a current profile that is gone":   {profiles(`{"name":"staging","mode":"AK","access_key_id":"id","access_key_secret":"sk"}`), "", `current profile "p" of the configuration file does not exist`},
		"a current profile of no profiles": {`{"current":"prod","profiles":[]}`, "", `current profile "prod"`},
		"a source that is not there":       {profiles(`{"name":"p","mode":"ChainableRamRoleArn","source_profile":"q","ram_role_arn":"` + roleARN + `"}`), "", `source_profile "q" does not exist`},
		"a role that is none":              {profiles(`{"name":"p","mode":"RamRoleArn","access_key_id":"id","access_key_secret":"sk","ram_role_arn":"x"}`), "", "role ARN is"},
		"a duration that is refused":       {profiles(`{"name":"p","mode":"RamRoleArn","access_key_id":"id","access_key_secret":"sk","ram_role_arn":"` + roleARN + `","expired_seconds":60}`), "", "Duration is 1m0s"},
		"a command with an open quotation": {
			profiles(`{"name":"p","mode":"External","process_command":"a 'b"}`), "", "ends inside a quotation",
		},
		"an empty command": {profiles(`{"name":"p","mode":"External","process_command":" "}`), "", "command is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, c.config), Name: c.name}).Retrieve(t.Context())
			require.ErrorContains(t, err, c.want)
			require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
			require.NotContains(t, err.Error(), hiddenSecret)
			require.ErrorContains(t, err, "otsauth: profile: ")
		})
	}
	t.Run("a file that was named and is not there", func(t *testing.T) {
		_, err := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: "/no/such/file"}).Retrieve(t.Context())
		require.ErrorIs(t, err, os.ErrNotExist)
		require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
	})
	t.Run("an ECS role where there is no metadata service does not let a chain move on", func(t *testing.T) {
		absent := &http.Client{Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}
		})}
		chain := otsauth.Chain(
			otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, profiles(`{"name":"p","mode":"EcsRamRole","ram_role_name":"r"}`)), HTTPClient: absent}),
			otsauth.Static(otsauth.Credentials{AccessKeyID: "another", AccessKeySecret: otsauth.NewSecret("identity")}),
		)
		_, err := chain.Retrieve(t.Context())
		require.ErrorContains(t, err, "otsauth: profile: what the profile names has no credentials: ecs: not configured")
		require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
	})
	for mode, command := range map[string]string{"External": `"process_command":"printf x"`, "CredentialsURI": `"credentials_uri":"http://127.0.0.1:1/"`} {
		t.Run(mode+" where it is forbidden", func(t *testing.T) {
			t.Setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "true")
			_, err := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, profiles(`{"name":"p","mode":"`+mode+`",`+command+`}`))}).Retrieve(t.Context())
			require.ErrorContains(t, err, "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS")
		})
	}
}

func TestProfileIsNotConfigured(t *testing.T) {
	for name, config := range map[string]string{
		"without any file":                     "",
		"with a file that has no profile":      `{"current":"","profiles":[]}`,
		"with a default profile that is gone":  `{"current":"default","profiles":[]}`,
		"with the empty profile of a new tool": `{"current":"default","profiles":[{"name":"default","mode":"AK","access_key_id":"","access_key_secret":""}]}`,
		"with profiles of other names only":    `{"profiles":[{"name":"x","mode":"AK","access_key_id":"id","access_key_secret":"sk"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			if config != "" {
				t.Setenv("ALIBABA_CLOUD_CONFIG_FILE", configFile(t, config))
			}
			_, err := otsauth.Profile(nil).Retrieve(t.Context())
			require.ErrorIs(t, err, otsauth.ErrNotConfigured)
		})
	}
}

func TestTheProfileIsChosenByOptionThenEnvironmentThenFile(t *testing.T) {
	clearEnv(t)
	text := `{"current":"current","profiles":[`
	for _, name := range []string{"current", "env", "option"} {
		text += `{"name":"` + name + `","mode":"AK","access_key_id":"` + name + `","access_key_secret":"sk"},`
	}
	path := configFile(t, strings.TrimSuffix(text, ",")+"]}")
	get := func(opts otsauth.ProfileOptions) string {
		opts.ConfigFile = path
		creds, err := otsauth.Profile(&opts).Retrieve(t.Context())
		require.NoError(t, err)
		return creds.AccessKeyID
	}
	require.Equal(t, "current", get(otsauth.ProfileOptions{}))
	t.Setenv("ALIBABA_CLOUD_PROFILE", "env")
	require.Equal(t, "env", get(otsauth.ProfileOptions{}))
	require.Equal(t, "option", get(otsauth.ProfileOptions{Name: "option"}))
}

func TestTheSharedCredentialsFile(t *testing.T) {
	clearEnv(t)
	server := otstest.NewServer(t, nil)
	owner, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	text := "# keys\n[default]\ntype = access_key  # a comment\naccess_key_id = " + owner.AccessKeyID + "\naccess_key_secret = " + owner.AccessKeySecret.Reveal() +
		"\n[role]\ntype=ram_role_arn\naccess_key_id=" + owner.AccessKeyID + "\naccess_key_secret=" + owner.AccessKeySecret.Reveal() +
		"\nrole_arn=" + roleARN + "\nrole_session_name=me\n[ecs]\ntype = ecs_ram_role\n[odd]\ntype = odd\n"
	path := filepath.Join(os.Getenv("HOME"), ".alibabacloud", "credentials")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	client := &http.Client{Transport: server.Transport()}
	for name, want := range map[string]string{"": "profile/static", "role": "profile/assume-role/static", "ecs": "profile/ecs"} {
		creds, err := otsauth.Profile(&otsauth.ProfileOptions{Name: name, HTTPClient: client}).Retrieve(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, want, creds.Source)
	}
	_, err = otsauth.Profile(&otsauth.ProfileOptions{Name: "odd"}).Retrieve(t.Context())
	require.ErrorContains(t, err, `mode "odd" is not supported`)

	require.NoError(t, os.WriteFile(path, []byte("[default]\n"+hiddenSecret), 0o600))
	_, err = otsauth.Profile(nil).Retrieve(t.Context())
	require.ErrorContains(t, err, "line 2")
	require.NotContains(t, err.Error(), hiddenSecret)
}

func TestACurrentProfileThatIsGoneDoesNotLetAChainMoveOn(t *testing.T) {
	clearEnv(t)
	profile := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, `{"current":"prod","profiles":[{"name":"staging","mode":"AK","access_key_id":"staging","access_key_secret":"sk"}]}`)})
	next := otsauth.Static(otsauth.Credentials{AccessKeyID: "another", AccessKeySecret: otsauth.NewSecret("identity")})
	_, err := otsauth.Chain(profile, next).Retrieve(t.Context())
	require.ErrorContains(t, err, `current profile "prod" of the configuration file does not exist`)
}

func TestProfileFilesAreReadAtEachFetchAndNeverWritten(t *testing.T) {
	clearEnv(t)
	path := configFile(t, profiles(`{"name":"p","mode":"AK","access_key_id":"before","access_key_secret":"sk","unknown":1}`))
	p := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: path})
	creds, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "before", creds.AccessKeyID)
	after := profiles(`{"name":"p","mode":"AK","access_key_id":"after","access_key_secret":"sk","unknown":1}`)
	require.NoError(t, os.WriteFile(path, []byte(after), 0o600))
	creds, err = p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "after", creds.AccessKeyID)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, after, string(text))
}

// writeToken makes the file's only profile a token of the mode StsToken, with more
// fields.
func writeToken(t *testing.T, path string, c otsauth.Credentials, more string) {
	t.Helper()
	text := fmt.Sprintf(`{"name":"p","mode":"StsToken","access_key_id":%q,"access_key_secret":%q,"sts_token":%q%s}`,
		c.AccessKeyID, c.AccessKeySecret.Reveal(), c.SecurityToken.Reveal(), more)
	require.NoError(t, os.WriteFile(path, []byte(profiles(text)), 0o600))
}

func TestATokenInAFileIsFoundWhenSomebodyRenewsIt(t *testing.T) {
	clearEnv(t)
	path := configFile(t, "")
	t.Run("without an expiration, within a minute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			writeToken(t, path, numbered(1), "")
			c := otsauth.NewCache(otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: path}), nil)
			defer c.Close()
			require.Equal(t, "STS.1", mustRetrieve(t, c).AccessKeyID)
			writeToken(t, path, numbered(2), "")
			time.Sleep(time.Minute)
			mustRetrieve(t, c) // the cache had lapsed perhaps
			synctest.Wait()
			require.Equal(t, "STS.2", mustRetrieve(t, c).AccessKeyID)
		})
	})
	t.Run("after its expiration, within ten seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			expiration := func(d time.Duration) string { return fmt.Sprintf(`,"sts_expiration":%d`, time.Now().Add(d).Unix()) }
			writeToken(t, path, numbered(1), expiration(time.Minute))
			c := otsauth.NewCache(otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: path}), nil)
			defer c.Close()
			require.Equal(t, "STS.1", mustRetrieve(t, c).AccessKeyID)
			time.Sleep(time.Minute)
			_, err := c.Retrieve(t.Context())
			require.ErrorIs(t, err, otsauth.ErrExpired)
			time.Sleep(30 * time.Second)
			writeToken(t, path, numbered(2), expiration(time.Hour))
			time.Sleep(10 * time.Second)
			require.Equal(t, "STS.2", mustRetrieve(t, c).AccessKeyID)
		})
	})
	t.Run("and an expired one says what to do", func(t *testing.T) {
		writeToken(t, path, numbered(1), `,"sts_expiration":1`)
		_, err := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: path}).Retrieve(t.Context())
		require.ErrorIs(t, err, otsauth.ErrExpired)
		require.ErrorContains(t, err, "renew sts_token in the file")
		var r interface{ Retryable() bool }
		require.ErrorAs(t, err, &r)
		require.True(t, r.Retryable())
	})
	t.Run("of a shared credentials file as well", func(t *testing.T) {
		shared := filepath.Join(t.TempDir(), "credentials")
		require.NoError(t, os.WriteFile(shared, []byte("[default]\ntype=sts\naccess_key_id=STS.1\naccess_key_secret=sk\nsts_token=t\n"), 0o600))
		creds, err := otsauth.Profile(&otsauth.ProfileOptions{CredentialsFile: shared}).Retrieve(t.Context())
		require.NoError(t, err)
		require.False(t, creds.ExpiresWithin(0))
		require.True(t, creds.ExpiresWithin(time.Minute))
	})
}

func TestAFileThatOthersCanReadEarnsOneWarning(t *testing.T) {
	clearEnv(t)
	path := configFile(t, profiles(`{"name":"p","mode":"AK","access_key_id":"id","access_key_secret":"`+hiddenSecret+`"}`))
	require.NoError(t, os.Chmod(path, 0o644))
	var logged strings.Builder
	p := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: path, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	for range 3 {
		_, err := p.Retrieve(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, 1, strings.Count(logged.String(), "can be read by other users"))
	require.NotContains(t, logged.String(), hiddenSecret)
}
