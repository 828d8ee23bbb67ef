package client_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	for name, c := range map[string]struct {
		endpoint, instance string
		provider           otsauth.Provider
		opts               *client.Options
		want               string
	}{
		"no endpoint":                 {"", "i", p, nil, `endpoint is empty; it looks like "https://`},
		"no scheme":                   {"i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "has no scheme"},
		"http":                        {"http://i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "set InsecureHTTP"},
		"another scheme":              {"ftp://i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, `scheme "ftp"`},
		"no host":                     {"https://", "i", p, nil, "has no host name"},
		"only a port":                 {"https://:443", "i", p, nil, "has no host name"},
		"an action in the path":       {"https://i.cn-hangzhou.ots.aliyuncs.com/GetRow", "i", p, nil, "something after the host"},
		"a query":                     {"https://i.cn-hangzhou.ots.aliyuncs.com?a=b", "i", p, nil, "something after the host"},
		"a fragment":                  {"https://i.cn-hangzhou.ots.aliyuncs.com#a", "i", p, nil, "something after the host"},
		"a password":                  {"https://user:hunter2@i.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "has a user name"},
		"white space":                 {" https://i.cn-hangzhou.ots.aliyuncs.com\n", "i", p, nil, "white space around"},
		"a bad escape":                {"https://hunter2%zz.com", "i", p, nil, "is not a URL"},
		"a port that is none":         {"https://i.cn-hangzhou.ots.aliyuncs.com:hunter2", "i", p, nil, "is not a URL"},
		"no instance":                 {"https://example.com", "", p, nil, "instance name is empty"},
		"a region's endpoint":         {"https://cn-hangzhou.vpc.tablestore.aliyuncs.com", "", p, nil, "host does not begin with one"},
		"another instance's endpoint": {"https://a.cn-hangzhou.ots.aliyuncs.com", "b", p, nil, `is "b", but the endpoint is that of "a"`},
		"an instance with a dot":      {"https://example.com", "a.b", p, nil, "'.' at byte 2"},
		"no provider":                 {"https://example.com", "i", nil, nil, "provider is nil"},
		"a region that is a host":     {"https://example.com", "i", p, &client.Options{Region: "a.b"}, "a region looks like"},
		"a TLS version that is none":  {"https://example.com", "i", p, &client.Options{TLSMinVersion: 1}, "TLSMinVersion is 0x1; use a constant"},
		"a newest TLS that is none":   {"https://example.com", "i", p, &client.Options{TLSMaxVersion: 0x305}, "TLSMaxVersion is 0x305"},
		"a port above 65535":          {"https://example.com:99999", "i", p, nil, "a port that is none"},
		"port zero":                   {"https://example.com:0", "i", p, nil, "a port that is none"},
		"a port that was forgotten":   {"https://example.com:", "i", p, nil, "a port that is none"},
		"an empty label":              {"https://a..b", "i", p, nil, "no host name that can be"},
		"a label that is a hyphen":    {"https://-", "i", p, nil, "no host name that can be"},
		"a forgotten instance":        {"https://.cn-hangzhou.ots.aliyuncs.com", "i", p, nil, "no host name that can be"},
		"a question mark":             {"https://example.com/?", "i", p, nil, "something after the host"},
		"a user agent of two lines":   {"https://example.com", "i", p, &client.Options{UserAgent: "a/1\r\nb: c"}, "UserAgent has a line end"},
		"a user agent with a NUL":     {"https://example.com", "i", p, &client.Options{UserAgent: "a\x00"}, "UserAgent has a line end or another control character"},
		"TLS bounds the wrong way":    {"https://example.com", "i", p, &client.Options{TLSMinVersion: tls.VersionTLS13, TLSMaxVersion: tls.VersionTLS12}, "TLSMaxVersion is lower"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.New(c.endpoint, c.instance, c.provider, c.opts)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestNewAcceptsTheUsualForms(t *testing.T) {
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	for _, c := range []struct {
		endpoint, instance string
		opts               *client.Options
	}{
		{"https://i.cn-hangzhou.ots.aliyuncs.com", "i", nil},
		{"https://i.cn-hangzhou.ots.aliyuncs.com/", "", nil},
		{"https://i.cn-hangzhou.ots.aliyuncs.com:443", "i", nil},
		{"https://I.cn-hangzhou.OTS.aliyuncs.com", "i", nil},
		{"https://i.cn-hangzhou.vpc.tablestore.aliyuncs.com", "", nil},
		{"https://i.cn-hangzhou.ots-internal.aliyuncs.com", "", nil},
		{"http://i.cn-hangzhou.vpc.tablestore.aliyuncs.com", "i", &client.Options{InsecureHTTP: true}},
		{"http://localhost:8080", "i", nil},
		{"http://127.0.0.1:8080/", "i", nil},
		{"http://[::1]:8080", "i", nil},
		{"https://proxy.example.com", "i", &client.Options{Region: "cn-hangzhou"}},
	} {
		cl, err := client.New(c.endpoint, c.instance, p, c.opts)
		require.NoError(t, err, c.endpoint)
		require.NoError(t, cl.Close())
	}
}

func TestANegativeOptionIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.Provider(), client.Options{Timeout: -1})
		server.Fail(1, otstest.Fault{Delay: 10 * time.Minute})
		resp, err := c.ListTable(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, resp.Attempts)
	})
}

// FuzzEndpoint checks that an accepted endpoint is a scheme and a host, is safe,
// and is accepted again as it is used.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{
		"https://i.cn-hangzhou.ots.aliyuncs.com/", "http://127.0.0.1:80", "http://[::1]:80", "http://example.com", "https://u:p@h",
		"https://h/a?b#c", "https:", "://", "https://h:port", "https://%zz", "HTTPS://H", "https://h//", "https://[fe80::1%25eth0]", "https://[::%25\x94]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		base, instance, err := client.ParseEndpoint(s)
		if err != nil {
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			return
		}
		u, err := url.Parse(base + "/GetRow")
		require.NoError(t, err)
		require.Equal(t, "/GetRow", u.Path)
		require.True(t, u.User == nil && u.RawQuery == "" && u.Fragment == "" && u.Hostname() != "")
		if u.Scheme != "https" {
			ip := net.ParseIP(u.Hostname())
			require.True(t, u.Scheme == "http" && (strings.EqualFold(u.Hostname(), "localhost") || ip.IsLoopback()), base)
		}
		again, instanceAgain, err := client.ParseEndpoint(base)
		require.NoError(t, err)
		require.Equal(t, base, again)
		require.Equal(t, instance, instanceAgain)
	})
}

// TestTheProxyComesFromTheEnvironment asks another process, since net/http reads the
// environment once.
func TestTheProxyComesFromTheEnvironment(t *testing.T) {
	const endpoint = "https://i.cn-hangzhou.ots.aliyuncs.com"
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	if os.Getenv("OTSAUTH_TEST_PROXIED") != "" {
		c, err := client.New(endpoint, "", p, &client.Options{Retry: client.NoRetryPolicy{}})
		require.NoError(t, err)
		defer c.Close()
		_, err = c.ListTable(t.Context())
		require.ErrorContains(t, err, "I'm a teapot")
		return
	}
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusTeapot)
	}))
	defer proxy.Close()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), "OTSAUTH_TEST_PROXIED=1", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Equal(t, "CONNECT i.cn-hangzhou.ots.aliyuncs.com:443", <-asked)
}

func TestTheUserAgentIsSent(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for given, want := range map[string]string{"": "otsauth-go", "shop/1.2": "shop/1.2"} {
		var got string
		watch := roundTripFunc(func(req *http.Request) (*http.Response, error) {
			got = req.Header.Get("User-Agent")
			return server.Transport().RoundTrip(req)
		})
		_, err := inProcess(t, server, server.Provider(), client.Options{Transport: watch, UserAgent: given}).ListTable(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestAProxyThatRefusesIsAMistakeAtFirst(t *testing.T) {
	if proxy := os.Getenv("OTSAUTH_TEST_PROXY"); proxy != "" { // the environment is read once a process
		c, err := client.New("https://i.cn-hangzhou.ots.aliyuncs.com", "", otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")}), nil)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.ListTable(t.Context())
		require.EqualError(t, err, "client: ListTable: the proxy refused to connect: 407 Proxy Authentication Required; "+
			"check HTTPS_PROXY and NO_PROXY, the user name and password in them, and what the proxy allows")
		return
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	proxy := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	})}
	go func() { _ = proxy.Serve(listener) }()
	defer proxy.Close()
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	self.Env = append(os.Environ(), "OTSAUTH_TEST_PROXY=1", "HTTPS_PROXY=http://"+listener.Addr().String(), "NO_PROXY=")
	output, err := self.CombinedOutput()
	require.NoError(t, err, string(output))
}
