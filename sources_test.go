package otsauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

const providerARN = "acs:ram::123456789012:oidc-provider/ack-rrsa"

// clearEnv hides the machine's own variables and files from a test.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ALIBABA_CLOUD_") || strings.HasPrefix(name, "OTS_") || strings.HasPrefix(name, "TABLESTORE_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
}

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func oidcOptions(server *otstest.Server) *otsauth.OIDCOptions {
	o := server.STS().AssumeRoleOptions()
	return &otsauth.OIDCOptions{Endpoint: o.Endpoint, HTTPClient: o.HTTPClient}
}

func TestTheOtherSourcesKeepTheContract(t *testing.T) {
	clearEnv(t)
	server := otstest.NewServer(t, nil)
	path := tokenFile(t, server.STS().IssueOIDCToken(time.Hour))
	for name, newProvider := range map[string]func() (otsauth.Provider, error){
		"AssumeRoleWithOIDC": func() (otsauth.Provider, error) {
			return otsauth.AssumeRoleWithOIDC(otsauth.FileToken(path), providerARN, roleARN, oidcOptions(server))
		},
		"ECSRole": func() (otsauth.Provider, error) { return otsauth.ECSRole(server.Metadata().ECSOptions()), nil },
		"URI": func() (otsauth.Provider, error) {
			return otsauth.URI(server.Metadata().CredentialsURI(), &otsauth.URIOptions{HTTPClient: &http.Client{Transport: server.Transport()}})
		},
		"Process": func() (otsauth.Provider, error) {
			return otsauth.Process([]string{"printf", "%s", `{"mode":"AK","access_key_id":"id","access_key_secret":"a-secret"}`}, nil)
		},
		"Profile": func() (otsauth.Provider, error) {
			return otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, `{"current":"a","profiles":[{"name":"a","mode":"AK","access_key_id":"id","access_key_secret":"a-secret"}]}`)}), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			otstest.TestProvider(t, func() otsauth.Provider {
				p, err := newProvider()
				require.NoError(t, err)
				return p
			})
		})
	}
}

func TestOIDCReadsTheTokenFileAtEachFetch(t *testing.T) {
	server := otstest.NewServer(t, nil)
	path := tokenFile(t, "  "+server.STS().IssueOIDCToken(time.Hour)+"\n")
	p, err := otsauth.AssumeRoleWithOIDC(otsauth.FileToken(path), providerARN, roleARN, oidcOptions(server))
	require.NoError(t, err)
	creds, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "oidc", creds.Source)

	require.NoError(t, os.WriteFile(path, []byte("a-rotated-token-that-sts-does-not-know"), 0o600))
	_, err = p.Retrieve(t.Context())
	var se *otsauth.STSError
	require.ErrorAs(t, err, &se)
	require.Equal(t, "AuthenticationFail.OIDCToken.Invalid", se.Code)
	require.ErrorContains(t, err, "Kubernetes rotates its file")
	require.NotContains(t, err.Error(), "a-rotated-token")

	require.NoError(t, os.Remove(path))
	_, err = p.Retrieve(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
}

func TestOIDCRefusesWhatCannotWork(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for name, c := range map[string]struct {
		token     otsauth.TokenSource
		arn, role string
		field     string
	}{
		"no token source":         {nil, providerARN, roleARN, "token source"},
		"a wrong provider ARN":    {otsauth.FileToken("x"), roleARN, roleARN, "OIDC provider ARN"},
		"a wrong role ARN":        {otsauth.FileToken("x"), providerARN, providerARN, "role ARN"},
		"an empty token file":     {otsauth.FileToken(tokenFile(t, "\n")), providerARN, roleARN, "OIDC token"},
		"a token that is too big": {otsauth.FileToken(tokenFile(t, strings.Repeat("a", 20_001))), providerARN, roleARN, "OIDC token"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := otsauth.AssumeRoleWithOIDC(c.token, c.arn, c.role, oidcOptions(server))
			if err == nil {
				_, err = p.Retrieve(t.Context())
			}
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, c.field, ce.Field)
		})
	}
}

func TestURI(t *testing.T) {
	server := otstest.NewServer(t, nil)
	client := &http.Client{Transport: server.Transport()}
	p, err := otsauth.URI(server.Metadata().CredentialsURI(), &otsauth.URIOptions{HTTPClient: client})
	require.NoError(t, err)
	creds, err := p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "uri", creds.Source)

	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"another status":  {500, "{}", "HTTP 500"},
		"a redirect":      {302, "", "HTTP 302"},
		"HTML":            {200, "<html>" + hiddenSecret, "not JSON"},
		"a failure":       {200, `{"Code":"Failed"}`, `code "Failed"`},
		"no expiration":   {200, `{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + `","SecurityToken":"t"}`, "Expiration is missing"},
		"no token":        {200, `{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + `","Expiration":"2030-01-01T00:00:00Z"}`, "security token is missing"},
		"a padded secret": {200, `{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + `\n","SecurityToken":"t","Expiration":"2030-01-01T00:00:00Z"}`, "line feed"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: c.status, Header: http.Header{"Location": {"/other"}}, Body: readCloser(c.body), Request: req}, nil
			})}
			p, err := otsauth.URI("http://localhost/?secret="+hiddenSecret, &otsauth.URIOptions{HTTPClient: client})
			require.NoError(t, err)
			_, err = p.Retrieve(t.Context())
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), hiddenSecret)
			var r interface{ Retryable() bool }
			require.Equal(t, c.status >= 500, errors.As(err, &r) && r.Retryable(), "whether waiting helps")
		})
	}
	for _, wrong := range []string{"", "localhost:80", "file:///etc/passwd", "http://", "http://\x7f"} {
		_, err := otsauth.URI(wrong, nil)
		var ce *otsauth.ConfigError
		require.ErrorAs(t, err, &ce, wrong)
	}
}

type stringBody struct{ *strings.Reader }

func (stringBody) Close() error { return nil }

func readCloser(s string) stringBody { return stringBody{strings.NewReader(s)} }

func TestProcess(t *testing.T) {
	clearEnv(t)
	for name, c := range map[string]struct {
		output string
		check  func(t *testing.T, c otsauth.Credentials)
		want   string
	}{
		"a long-lived key": {`{"mode":"AK","access_key_id":"id","access_key_secret":"a-secret"}`, func(t *testing.T, c otsauth.Credentials) {
			require.Equal(t, "id", c.AccessKeyID)
			require.Zero(t, c.Expires)
		}, ""},
		"a token": {`{"mode":"StsToken","access_key_id":"id","access_key_secret":"a-secret","sts_token":"tok","expiration":"2036-01-02T15:04:05Z"}`, func(t *testing.T, c otsauth.Credentials) {
			require.Equal(t, "tok", c.SecurityToken.Reveal())
			require.Equal(t, 2036, c.Expires.Year())
		}, ""},
		"a token without an expiration": {`{"mode":"StsToken","access_key_id":"id","access_key_secret":"a-secret","sts_token":"tok"}`, func(t *testing.T, c otsauth.Credentials) {
			require.WithinDuration(t, time.Now().Add(time.Minute), c.Expires, 10*time.Second)
		}, ""},
		"the spelling of the OSS SDK": {`{"AccessKeyId":"id","AccessKeySecret":"a-secret","SecurityToken":"tok","Expiration":"2036-01-02T15:04:05Z"}`, func(t *testing.T, c otsauth.Credentials) {
			require.Equal(t, "tok", c.SecurityToken.Reveal())
			require.Equal(t, 2036, c.Expires.Year())
		}, ""},
		"no JSON":             {hiddenSecret, nil, "29 bytes are not JSON"},
		"nothing":             {"", nil, "0 bytes are not JSON"},
		"another mode":        {`{"mode":"RamRoleArn"}`, nil, `mode is "RamRoleArn"`},
		"a mode and no token": {`{"mode":"StsToken","access_key_id":"id","access_key_secret":"` + hiddenSecret + `"}`, nil, "security token is missing"},
		"no secret":           {`{"mode":"AK","access_key_id":"id"}`, nil, "AccessKey secret is empty"},
		"a wrong expiration":  {`{"access_key_id":"id","access_key_secret":"` + hiddenSecret + `","sts_token":"t","expiration":"soon"}`, nil, "expiration is not a time"},
		"too much":            {strings.Repeat("x", 70_000), nil, "prints more than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := otsauth.Process([]string{"cat", tokenFile(t, c.output)}, nil)
			require.NoError(t, err)
			creds, err := p.Retrieve(t.Context())
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "process", creds.Source)
				c.check(t, creds)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), hiddenSecret)
		})
	}
	t.Run("the arguments reach no shell", func(t *testing.T) {
		p, err := otsauth.Process([]string{"printf", "%s", `{"mode":"AK","access_key_id":"$(id)","access_key_secret":"a-secret"}`}, nil)
		require.NoError(t, err)
		creds, err := p.Retrieve(t.Context())
		require.NoError(t, err)
		require.Equal(t, "$(id)", creds.AccessKeyID)
	})
	t.Run("what a failing program says is shown with keys masked", func(t *testing.T) {
		p, err := otsauth.Process([]string{"sh", "-c", "echo login first, token " + hiddenToken + " >&2; exit 3"}, nil)
		require.NoError(t, err)
		_, err = p.Retrieve(t.Context())
		require.ErrorContains(t, err, "exit status 3: login first, token [redacted]")
	})
	t.Run("a program that hangs is killed with its children", func(t *testing.T) {
		p, err := otsauth.Process([]string{"sh", "-c", "sleep 100 & sleep 100"}, &otsauth.ProcessOptions{Timeout: 100 * time.Millisecond})
		require.NoError(t, err)
		begun := time.Now()
		_, err = p.Retrieve(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begun), 50*time.Second)
	})
	t.Run("a program that is not there", func(t *testing.T) {
		p, err := otsauth.Process([]string{"/no/such/program"}, nil)
		require.NoError(t, err)
		_, err = p.Retrieve(t.Context())
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("nothing runs where it is forbidden", func(t *testing.T) {
		t.Setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "1")
		p, err := otsauth.Process([]string{"printf", "x"}, nil)
		require.NoError(t, err)
		_, err = p.Retrieve(t.Context())
		require.ErrorContains(t, err, "forbidden")
	})
	t.Run("an empty command", func(t *testing.T) {
		for _, argv := range [][]string{nil, {}, {""}} {
			_, err := otsauth.Process(argv, nil)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
		}
	})
}

func TestDefaultAsksTheSourcesInOrder(t *testing.T) {
	server := otstest.NewServer(t, nil)
	config := `{"current":"a","profiles":[{"name":"a","mode":"AK","access_key_id":"from-profile","access_key_secret":"a-secret"}]}`
	steps := []struct {
		source string
		set    func(t *testing.T)
	}{
		{"chain/uri", func(t *testing.T) { t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", server.URL()+"/credentials") }},
		{"chain/profile/static", func(t *testing.T) { t.Setenv("ALIBABA_CLOUD_CONFIG_FILE", configFile(t, config)) }},
		{"chain/env", func(t *testing.T) {
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "from-env")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "a-secret")
		}},
	}
	clearEnv(t)
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
	cache := otsauth.Default(nil)
	defer cache.Close()
	_, err := cache.Retrieve(t.Context())
	var ce *otsauth.ChainError
	require.ErrorAs(t, err, &ce)
	require.Len(t, ce.Errors, 5)
	for i, name := range []string{"env", "oidc", "profile", "ecs", "uri"} {
		require.ErrorContains(t, ce.Errors[i], "otsauth: "+name+": not configured")
	}
	for _, step := range steps { // each is asked before those that are set already
		step.set(t)
		cache := otsauth.Default(nil)
		creds, err := cache.Retrieve(t.Context())
		require.NoError(t, err)
		require.Equal(t, step.source, creds.Source)
		require.NoError(t, cache.Close())
	}
}

func TestDefaultStopsAtOIDCThatIsSetUpButBroken(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"no role":       {"ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/no/such/file", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": providerARN},
		"no provider":   {"ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/no/such/file", "ALIBABA_CLOUD_ROLE_ARN": roleARN},
		"no token file": {"ALIBABA_CLOUD_OIDC_PROVIDER_ARN": providerARN, "ALIBABA_CLOUD_ROLE_ARN": roleARN},
		"an unreadable token file": {
			"ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/no/such/file", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": providerARN, "ALIBABA_CLOUD_ROLE_ARN": roleARN,
		},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/")
			for name, value := range vars {
				t.Setenv(name, value)
			}
			_, err := otsauth.DefaultChain().Retrieve(t.Context())
			require.ErrorContains(t, err, "otsauth: oidc: ")
			require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
		})
	}
}

func TestExplainTellsWhatEachProviderSaid(t *testing.T) {
	clearEnv(t)
	t.Setenv("ALIBABA_CLOUD_CONFIG_FILE", configFile(t, `{"current":"a","profiles":[{"name":"a","mode":"AK","access_key_id":"id","access_key_secret":"`+hiddenSecret+`"}]}`))
	chain := otsauth.DefaultChain()
	steps := chain.Explain(t.Context())
	require.Len(t, steps, 3)
	require.Equal(t, "env", steps[0].Provider)
	require.ErrorIs(t, steps[0].Err, otsauth.ErrNotConfigured)
	require.Equal(t, "oidc", steps[1].Provider)
	require.Equal(t, "profile/static", steps[2].Provider)
	require.NoError(t, steps[2].Err)
	require.Equal(t, "id", steps[2].Credentials.AccessKeyID)
	for _, print := range printers() {
		require.False(t, leaks(print(steps), hiddenSecret))
	}
	stopped := otsauth.Chain(script("a", errAbsent), script("b", errBroken), script("c", nil)).Explain(t.Context())
	require.Len(t, stopped, 2)
	require.ErrorIs(t, stopped[1].Err, errBroken)
}

func TestPrintedSourcesShowNoSecret(t *testing.T) {
	clearEnv(t)
	server := otstest.NewServer(t, nil)
	uri, err := otsauth.URI("http://localhost/?key="+hiddenSecret, nil)
	require.NoError(t, err)
	process, err := otsauth.Process([]string{"echo", hiddenSecret}, nil)
	require.NoError(t, err)
	profile := otsauth.Profile(&otsauth.ProfileOptions{ConfigFile: configFile(t, profiles(`{"name":"p","mode":"AK","access_key_id":"id","access_key_secret":"`+hiddenSecret+`"}`))})
	_, err = profile.Retrieve(t.Context())
	require.NoError(t, err)
	oidc, err := otsauth.AssumeRoleWithOIDC(func(context.Context) (otsauth.Secret, error) { return otsauth.NewSecret(hiddenSecret), nil }, providerARN, roleARN, oidcOptions(server))
	require.NoError(t, err)
	for _, p := range []otsauth.Provider{uri, process, profile, oidc} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			require.False(t, leaks(fmt.Sprintf(verb, p), hiddenSecret), "%s of %T", verb, p)
		}
	}
}

// FuzzSTSAnswers answers AssumeRole with anything, as a proxy or a broken
// service may.
func FuzzSTSAnswers(f *testing.F) {
	f.Add(200, `{"RequestId":"r","Credentials":{"AccessKeyId":"id","AccessKeySecret":"`+hiddenSecret+`","SecurityToken":"t","Expiration":"2036-01-01T00:00:00Z"}}`)
	f.Add(400, `{"Code":"SignatureDoesNotMatch","Message":"server string to sign is:`+hiddenSecret+`"}`)
	f.Add(200, `{"Credentials":{"AccessKeySecret":"`+hiddenSecret+`\n"}}`)
	server, err := otstest.Start(nil)
	if err != nil {
		f.Fatal(err)
	}
	p := server.STS().Provider()
	f.Fuzz(func(t *testing.T, status int, body string) {
		if body == "" || status < 200 || status > 599 {
			return
		}
		server.Fail(1, otstest.Fault{STS: true, StatusCode: status, PlainBody: body})
		c, err := p.Retrieve(t.Context())
		if err == nil && c.Validate() != nil {
			t.Fatalf("accepted unusable credentials: %v", c.Validate())
		}
		if err != nil && strings.Contains(err.Error(), hiddenSecret) && !quotable(body) {
			t.Fatalf("the error shows a secret: %v", err)
		}
	})
}

// quotable reports whether an answer has the secret where an error quotes it.
func quotable(body string) bool {
	var answer struct{ RequestID, Code, Message string }
	_ = json.Unmarshal([]byte(body), &answer)
	return strings.Contains(answer.RequestID+answer.Code+answer.Message, hiddenSecret)
}
