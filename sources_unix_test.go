//go:build unix

package otsauth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

func TestProfileReadsTheSharedFileOnlyIfItMust(t *testing.T) {
	const good, blank = `{"name":"p","mode":"AK","access_key_id":"cli","access_key_secret":"sk"}`, `{"name":"p","mode":"AK","access_key_id":"","access_key_secret":""}`
	const shared = "[default]\ntype = access_key\naccess_key_id = shared\naccess_key_secret = sk\n[q]\ntype = access_key\naccess_key_id = q\naccess_key_secret = sk\n"
	for name, c := range map[string]struct{ config, shared, name, want string }{
		"the configuration file has the current profile":      {profiles(good), shared, "", "cli"},
		"its current profile is blank":                        {profiles(blank), shared, "", "shared"},
		"its current profile is not there":                    {`{"current":"gone","profiles":[]}`, shared, "", "shared"},
		"it has no profiles":                                  {`{}`, shared, "", "shared"},
		"the named profile is in the configuration file":      {profiles(good), shared, "p", "cli"},
		"the named profile is in the shared file":             {profiles(good), shared, "q", "q"},
		"the shared file is broken and not needed":            {profiles(good), "junk", "", "cli"},
		"the shared file is broken and needed":                {profiles(blank), "junk", "", "the shared credentials file cannot be read"},
		"the named profile is in neither":                     {profiles(good), shared, "r", `there is no profile "r"`},
		"a source profile is looked for in its own file only": {profiles(`{"name":"p","mode":"ChainableRamRoleArn","source_profile":"q","ram_role_arn":"` + roleARN + `"}`), shared, "", `source_profile "q" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			creds, err := otsauth.Profile(&otsauth.ProfileOptions{
				ConfigFile: configFile(t, c.config), CredentialsFile: configFile(t, c.shared), Name: c.name,
			}).Retrieve(t.Context())
			if err != nil {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.Equal(t, c.want, creds.AccessKeyID)
		})
	}
}

func TestAFileThatCouldKeepItsReaderWaitingIsRefused(t *testing.T) {
	clearEnv(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, err := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: pipe}).Retrieve(t.Context())
	require.ErrorContains(t, err, "not a regular file")
	_, err = otsauth.FileToken(pipe)(t.Context())
	require.ErrorContains(t, err, "not a regular file")
}

func TestTheProhibitionOfProgramsHoldsForAProfileInUse(t *testing.T) {
	clearEnv(t)
	server := otstest.NewServer(t, nil)
	p := otsauth.Profile(&otsauth.ProfileOptions{
		ConfigFile: configFile(t, profiles(`{"name":"p","mode":"CredentialsURI","credentials_uri":"http://127.0.0.1/credentials"}`)),
		HTTPClient: &http.Client{Transport: server.Transport()},
	})
	_, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	t.Setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "true")
	_, err = p.Retrieve(t.Context())
	require.ErrorContains(t, err, "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS")
}

func TestSourceProfilesWithoutACircleAreNotCalledOne(t *testing.T) {
	clearEnv(t)
	var all []string
	for n := range 10 {
		all = append(all, `{"name":"p`+string(rune('0'+n))+`","mode":"ChainableRamRoleArn","source_profile":"p`+string(rune('1'+n))+`","ram_role_arn":"`+roleARN+`"}`)
	}
	_, err := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, profiles(all...)), Name: "p0"}).Retrieve(t.Context())
	require.ErrorContains(t, err, "more than 8 deep")
	require.NotContains(t, err.Error(), "circle")
}

func TestCredentialsThatHaveExpiredAreNotHandedOut(t *testing.T) {
	clearEnv(t)
	const answer = `{"Code":"Success","AccessKeyId":"STS.id","AccessKeySecret":"sk","SecurityToken":"t","Expiration":"2001-01-01T00:00:00Z"}`
	answering := &http.Client{Transport: roundTripFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: closer{bytes.NewReader([]byte(answer))}, Header: http.Header{}}, nil
	})}
	uri, err := otsauth.URI("http://127.0.0.1/credentials", &otsauth.URIOptions{HTTPClient: answering})
	require.NoError(t, err)
	program, err := otsauth.Process([]string{"echo", `{"access_key_id":"STS.id","access_key_secret":"sk","sts_token":"t","expiration":"2001-01-01T00:00:00Z"}`}, nil)
	require.NoError(t, err)
	for name, p := range map[string]otsauth.Provider{
		"uri": uri, "process": program, "ecs": otsauth.ECSRole(&otsauth.ECSOptions{RoleName: "r", HTTPClient: answering}), "a chain": otsauth.Chain(uri),
	} {
		_, err := p.Retrieve(t.Context())
		require.ErrorIs(t, err, otsauth.ErrExpired, name)
	}
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func TestAProgramThatLeavesSomethingBehind(t *testing.T) {
	clearEnv(t)
	p, err := otsauth.Process([]string{"sh", "-c", `sleep 100 & echo '{"access_key_id":"id","access_key_secret":"sk"}'`}, nil)
	require.NoError(t, err)
	creds, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "id", creds.AccessKeyID)
}

func TestAnEncodedTokenOfAFailingProgramIsMasked(t *testing.T) {
	clearEnv(t)
	p, err := otsauth.Process([]string{"sh", "-c", "echo tok=CAISxx%2Babcdefghijk%2Fabcdefghijklm%2Bsecretpart >&2; exit 1"}, nil)
	require.NoError(t, err)
	_, err = p.Retrieve(t.Context())
	require.ErrorContains(t, err, "[redacted]")
	require.NotContains(t, err.Error(), "secretpart")
}

func TestAMetadataServiceThatTakesConnectionsAndSaysNothing(t *testing.T) {
	clearEnv(t)
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		silent := true
		opts := server.Metadata().ECSOptions()
		opts.HTTPClient = &http.Client{Timeout: 2 * time.Second, Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
			if silent {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return server.Transport().RoundTrip(req)
		})}
		p := otsauth.ECSRole(opts)
		begun := time.Now()
		_, err := p.Retrieve(t.Context())
		require.Equal(t, time.Second, time.Since(begun))
		require.ErrorIs(t, err, otsauth.ErrNotConfigured)

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = p.Retrieve(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, otsauth.ErrNotConfigured, "the caller had no time; that says nothing about the machine")

		silent = false
		_, err = p.Retrieve(t.Context())
		require.NoError(t, err)
		server.Metadata().DropTokens()
		silent = true
		_, err = p.Retrieve(t.Context())
		require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
	})
}

func TestDefaultWarnsOfAFileThatOthersCanRead(t *testing.T) {
	clearEnv(t)
	var logged bytes.Buffer
	path := configFile(t, profiles(`{"name":"p","mode":"AK","access_key_id":"id","access_key_secret":"sk"}`))
	require.NoError(t, syscall.Chmod(path, 0o644))
	t.Setenv("ALIBABA_CLOUD_CONFIG_FILE", path)
	cache := otsauth.Default(&otsauth.CacheOptions{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	defer cache.Close()
	_, err := cache.Retrieve(t.Context())
	require.NoError(t, err)
	require.Contains(t, logged.String(), "can be read by other users")
}
