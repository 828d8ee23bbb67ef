package interop_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

const oidcProviderARN = "acs:ram::123456789012:oidc-provider/interop"

// world is the surroundings that both libraries look at: an environment, files,
// and a proxy that leads to otstest whatever host is asked for.
type world struct {
	server *otstest.Server
	home   string
}

// proxyInUse is where http.DefaultTransport, and so credentials-go, sends all.
var proxyInUse atomic.Pointer[url.URL]

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{server: otstest.NewServer(t, nil), home: t.TempDir()}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ALIBABA_CLOUD_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name))
		}
	}
	t.Setenv("HOME", w.home)
	proxy := httptest.NewServer(http.HandlerFunc(w.proxy))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	proxyInUse.Store(u)
	t.Cleanup(func() { proxyInUse.Store(nil) })
	return w
}

// proxy leads every request to the server, and every tunnel to its TLS socket.
func (w *world) proxy(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		resp, err := w.server.Transport().RoundTrip(r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
		return
	}
	to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", strings.TrimPrefix(w.server.TLSURL(), "https://"))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	from, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(to, buffered); _ = to.Close() }() // what came early is in the buffer
	go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
}

func (w *world) client() *http.Client { return &http.Client{Transport: w.server.Transport()} }

func (w *world) write(t *testing.T, path, text string) string {
	t.Helper()
	path = filepath.Join(w.home, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// chain is our standard chain, on the world's transport.
func (w *world) chain() otsauth.Provider {
	ecs := w.server.Metadata().ECSOptions()
	ecs.Endpoint = "" // the real address, answered in process
	return otsauth.Chain(otsauth.Env(nil), otsauth.Profile(&otsauth.ProfileOptions{HTTPClient: w.client()}), otsauth.ECSRole(ecs))
}

// In the same environment, files and services credentials-go and we find the
// same credentials; what differs on purpose is in docs/credentials-go.md.
func TestBothFindTheSameCredentials(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, w *world, keys string) otsauth.Provider{
		"a key in the environment": func(t *testing.T, w *world, _ string) otsauth.Provider {
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
			return w.chain()
		},
		"a token in the environment": func(t *testing.T, w *world, _ string) otsauth.Provider {
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.id")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
			t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
			return w.chain()
		},
		"OIDC in the environment": func(t *testing.T, w *world, _ string) otsauth.Provider {
			file := w.write(t, "token", w.server.STS().IssueOIDCToken(time.Hour))
			t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file)
			t.Setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", oidcProviderARN)
			t.Setenv("ALIBABA_CLOUD_ROLE_ARN", roleARN)
			p, err := otsauth.AssumeRoleWithOIDC(otsauth.FileToken(file), oidcProviderARN, roleARN, &otsauth.OIDCOptions{HTTPClient: w.client()})
			require.NoError(t, err)
			return p
		},
		"the mode AK": func(t *testing.T, w *world, keys string) otsauth.Provider {
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"AK",`+keys+`}`))
			return w.chain()
		},
		"the mode StsToken": func(t *testing.T, w *world, _ string) otsauth.Provider {
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"StsToken","access_key_id":"STS.id","access_key_secret":"secret","sts_token":"token"}`))
			return w.chain()
		},
		"the mode RamRoleArn": func(t *testing.T, w *world, keys string) otsauth.Provider {
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"RamRoleArn",`+keys+`,"ram_role_arn":"`+roleARN+`","ram_session_name":"me","expired_seconds":900,"sts_region":"cn-hangzhou"}`))
			return w.chain()
		},
		"the mode EcsRamRole": func(t *testing.T, w *world, _ string) otsauth.Provider {
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"EcsRamRole","ram_role_name":"otstest"}`))
			return w.chain()
		},
		"the mode OIDC": func(t *testing.T, w *world, _ string) otsauth.Provider {
			file := w.write(t, "token", w.server.STS().IssueOIDCToken(time.Hour))
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"OIDC","oidc_token_file":"`+file+`","oidc_provider_arn":"`+oidcProviderARN+`","ram_role_arn":"`+roleARN+`","ram_session_name":"me"}`))
			return w.chain()
		},
		"the mode ChainableRamRoleArn": func(t *testing.T, w *world, keys string) otsauth.Provider {
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"ChainableRamRoleArn","source_profile":"q","ram_role_arn":"`+roleARN+`","ram_session_name":"me"}`, `{"name":"q","mode":"AK",`+keys+`}`))
			return w.chain()
		},
		"the mode External": func(t *testing.T, w *world, _ string) otsauth.Provider {
			file := w.write(t, "out.json", `{"mode":"StsToken","access_key_id":"STS.id","access_key_secret":"secret","sts_token":"token","expiration":"2036-01-01T00:00:00Z"}`)
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"External","process_command":"cat '`+file+`'"}`))
			return w.chain()
		},
		"a profile chosen by the environment": func(t *testing.T, w *world, keys string) otsauth.Provider {
			t.Setenv("ALIBABA_CLOUD_PROFILE", "q")
			w.write(t, ".aliyun/config.json", config(`{"name":"p","mode":"AK","access_key_id":"other","access_key_secret":"other"}`, `{"name":"q","mode":"AK",`+keys+`}`))
			return w.chain()
		},
		"a shared file with a key": func(t *testing.T, w *world, _ string) otsauth.Provider {
			w.write(t, ".alibabacloud/credentials", "[default]\ntype = access_key\naccess_key_id = id\naccess_key_secret = secret\n")
			return w.chain()
		},
		"a shared file with a role": func(t *testing.T, w *world, _ string) otsauth.Provider {
			owner := ownerOf(t, w.server)
			w.write(t, ".alibabacloud/credentials", "[default]\ntype = ram_role_arn\naccess_key_id = "+owner.AccessKeyID+"\naccess_key_secret = "+owner.AccessKeySecret.Reveal()+"\nrole_arn = "+roleARN+"\nrole_session_name = me\n")
			return w.chain()
		},
		"a shared file with an ECS role": func(t *testing.T, w *world, _ string) otsauth.Provider {
			w.write(t, ".alibabacloud/credentials", "[default]\ntype = ecs_ram_role\nrole_name = otstest\n")
			return w.chain()
		},
		"an ECS instance": func(_ *testing.T, w *world, _ string) otsauth.Provider { return w.chain() },
		"an ECS instance without metadata tokens": func(_ *testing.T, w *world, _ string) otsauth.Provider {
			w.server.Metadata().OnlyV1(true)
			return w.chain()
		},
		"a credentials URI": func(t *testing.T, w *world, _ string) otsauth.Provider {
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", w.server.Metadata().CredentialsURI())
			p, err := otsauth.URI(w.server.Metadata().CredentialsURI(), &otsauth.URIOptions{HTTPClient: w.client()})
			require.NoError(t, err)
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			owner := ownerOf(t, w.server)
			ours := prepare(t, w, `"access_key_id":"`+owner.AccessKeyID+`","access_key_secret":"`+owner.AccessKeySecret.Reveal()+`"`)

			theirs, err := credentials.NewCredential(nil)
			require.NoError(t, err)
			want, err := theirs.GetCredential()
			require.NoError(t, err)
			before := len(w.server.Requests())
			got, err := ours.Retrieve(t.Context())
			require.NoError(t, err)

			if calls := w.server.Requests(); len(calls) > 0 { // both asked STS, with the same key for the same action
				require.Len(t, calls, 2*before)
				require.Equal(t, calls[0].Action, calls[before].Action)
				require.Equal(t, calls[0].AccessKeyID, calls[before].AccessKeyID)
				require.Equal(t, withoutDefaults(calls[0].Parameters), withoutDefaults(calls[before].Parameters))
				require.True(t, strings.HasPrefix(*want.AccessKeyId, "STS.") && strings.HasPrefix(got.AccessKeyID, "STS."))
				return
			}
			require.Equal(t, *want.AccessKeyId, got.AccessKeyID)
			require.Equal(t, *want.AccessKeySecret, got.AccessKeySecret.Reveal())
			token := ""
			if want.SecurityToken != nil {
				token = *want.SecurityToken
			}
			require.Equal(t, token, got.SecurityToken.Reveal())
		})
	}
}

// withoutDefaults leaves out the session's name and duration where they are a
// library's own default.
func withoutDefaults(parameters map[string]string) map[string]string {
	kept := maps.Clone(parameters)
	if strings.HasPrefix(kept["RoleSessionName"], "credentials-go-") || kept["RoleSessionName"] == "otsauth" {
		delete(kept, "RoleSessionName")
	}
	if kept["DurationSeconds"] == "3600" {
		delete(kept, "DurationSeconds")
	}
	return kept
}

// Of two sources that are set up, both choose the same. Nothing here needs a
// network, so it is the standard chain itself that is asked.
func TestBothChooseTheSameOfTwoSources(t *testing.T) {
	const (
		shared = "[default]\ntype = access_key\naccess_key_id = shared\naccess_key_secret = secret\n"
		keys   = `{"name":"p","mode":"AK","access_key_id":"cli","access_key_secret":"secret"}`
		blank  = `{"name":"p","mode":"AK","access_key_id":"","access_key_secret":""}`
	)
	for name, prepare := range map[string]func(t *testing.T, w *world){
		"the environment and the configuration file": func(t *testing.T, w *world) {
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
			w.write(t, ".aliyun/config.json", config(keys))
		},
		"the environment and the shared file": func(t *testing.T, w *world) {
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
			w.write(t, ".alibabacloud/credentials", shared)
		},
		"both files": func(t *testing.T, w *world) {
			w.write(t, ".aliyun/config.json", config(keys))
			w.write(t, ".alibabacloud/credentials", shared)
		},
		"a blank current profile and the shared file": func(t *testing.T, w *world) {
			w.write(t, ".aliyun/config.json", config(blank))
			w.write(t, ".alibabacloud/credentials", shared)
		},
		"a current profile that is not there and the shared file": func(t *testing.T, w *world) {
			w.write(t, ".aliyun/config.json", `{"current":"gone","profiles":[]}`)
			w.write(t, ".alibabacloud/credentials", shared)
		},
		"the configuration file and a broken shared file": func(t *testing.T, w *world) {
			w.write(t, ".aliyun/config.json", config(keys))
			w.write(t, ".alibabacloud/credentials", "junk")
		},
		"the configuration file that is disabled and the shared file": func(t *testing.T, w *world) {
			t.Setenv("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")
			w.write(t, ".aliyun/config.json", config(keys))
			w.write(t, ".alibabacloud/credentials", shared)
		},
		"a profile that the environment names and only the shared file has": func(t *testing.T, w *world) {
			t.Setenv("ALIBABA_CLOUD_PROFILE", "q")
			w.write(t, ".aliyun/config.json", config(keys))
			w.write(t, ".alibabacloud/credentials", strings.ReplaceAll(shared, "default", "q"))
		},
		"the configuration file and a credentials URI": func(t *testing.T, w *world) {
			w.write(t, ".aliyun/config.json", config(keys))
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", w.socketURI(t))
		},
		"the shared file and a credentials URI": func(t *testing.T, w *world) {
			w.write(t, ".alibabacloud/credentials", shared)
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", w.socketURI(t))
		},
		"a blank current profile and a credentials URI": func(t *testing.T, w *world) {
			w.write(t, ".aliyun/config.json", config(blank))
			t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", w.socketURI(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
			prepare(t, w)
			theirs, err := credentials.NewCredential(nil)
			require.NoError(t, err)
			want, err := theirs.GetCredential()
			require.NoError(t, err)
			got, err := otsauth.DefaultChain().Retrieve(t.Context())
			require.NoError(t, err)
			require.Equal(t, *want.AccessKeyId, got.AccessKeyID)
			require.Equal(t, *want.AccessKeySecret, got.AccessKeySecret.Reveal())
		})
	}
}

// socketURI is the credentials URI at the server's socket, where no proxy is needed.
func (w *world) socketURI(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(w.server.Metadata().CredentialsURI())
	require.NoError(t, err)
	return w.server.URL() + u.Path
}

func config(profiles ...string) string {
	return `{"current":"p","profiles":[` + strings.Join(profiles, ",") + `]}`
}

// What credentials-go does in these cases we do otherwise on purpose.
func TestDifferencesToCredentialsGo(t *testing.T) {
	t.Run("half a pair is an error to us, and it goes on to the next source", func(t *testing.T) {
		w := newWorld(t)
		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
		theirs, err := credentials.NewCredential(nil)
		require.NoError(t, err)
		got, err := theirs.GetCredential()
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(*got.AccessKeyId, "STS."), "it became the instance's role")
		_, err = w.chain().Retrieve(t.Context())
		require.ErrorContains(t, err, "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set")
	})
	t.Run("a chain that failed once asks all sources again, and its stays with the last", func(t *testing.T) {
		w := newWorld(t)
		w.server.Metadata().SetRole("")
		theirs, err := credentials.NewCredential(nil)
		require.NoError(t, err)
		ours := w.chain()
		_, err = theirs.GetCredential()
		require.Error(t, err)
		_, err = ours.Retrieve(t.Context())
		require.ErrorIs(t, err, otsauth.ErrNotConfigured)

		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
		t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
		_, err = theirs.GetCredential()
		require.Error(t, err)
		_, err = ours.Retrieve(t.Context())
		require.NoError(t, err)
	})
	t.Run("the token file is trimmed, and it sends the line end", func(t *testing.T) {
		w := newWorld(t)
		file := w.write(t, "token", w.server.STS().IssueOIDCToken(time.Hour)+"\n")
		t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file)
		t.Setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", oidcProviderARN)
		t.Setenv("ALIBABA_CLOUD_ROLE_ARN", roleARN)
		kind := "oidc_role_arn"
		theirs, err := credentials.NewCredential(&credentials.Config{Type: &kind})
		require.NoError(t, err)
		_, err = theirs.GetCredential()
		require.ErrorContains(t, err, "OIDCToken.Invalid")
		p, err := otsauth.AssumeRoleWithOIDC(otsauth.FileToken(file), oidcProviderARN, roleARN, &otsauth.OIDCOptions{HTTPClient: w.client()})
		require.NoError(t, err)
		_, err = p.Retrieve(t.Context())
		require.NoError(t, err)
	})
	t.Run("the instance's role costs it four requests a refresh, and us one", func(t *testing.T) {
		w := newWorld(t)
		ours := w.chain()
		for range 3 {
			_, err := ours.Retrieve(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, 1, w.server.Metadata().Calls("PUT /latest/api/token"))
		require.Equal(t, 1, w.server.Metadata().Calls("GET /latest/meta-data/ram/security-credentials/"))
		theirs, err := credentials.NewCredential(nil)
		require.NoError(t, err)
		_, err = theirs.GetCredential()
		require.NoError(t, err)
		require.Equal(t, 3, w.server.Metadata().Calls("PUT /latest/api/token"))
	})
}
