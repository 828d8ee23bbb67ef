package signer_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

func TestExplainNamesTheCause(t *testing.T) {
	const token = "hush-hush-token"
	type situation struct {
		req  *http.Request
		body []byte
		opts signer.ExplainOptions
	}
	server := func(s *situation, text string) { s.opts.ServerStringToSign = text }
	// asSigned is what the service would sign if nothing happened on the way.
	asSigned := func(s *situation) string {
		return signer.StringToSign(s.req.Method, s.req.URL.Path, s.req.Header)
	}
	for name, c := range map[string]struct {
		region string
		change func(*situation)
		cause  string // the first; empty: none
		part   string // where the strings differ; empty: they do not
	}{
		"nothing is wrong":             {"", func(s *situation) { server(s, asSigned(s)); s.opts.ServerMessage = "Server is busy." }, "", ""},
		"nothing is wrong with V4":     {"cn-hangzhou", func(s *situation) { s.opts.Credentials = creds(token) }, "", ""},
		"no signature":                 {"", func(s *situation) { s.req.Header.Del("x-ots-signature") }, "the request is not signed", ""},
		"both signatures":              {"cn-hangzhou", func(s *situation) { s.req.Header.Set("x-ots-signature", "x") }, "the request has both signatures", ""},
		"V2 where V4 is required":      {"", func(s *situation) { s.opts.ServerVersion = signer.V4 }, "signed with V2, and the service demands V4; set the Region", ""},
		"V4 where V2 is required":      {"cn-hangzhou", func(s *situation) { s.opts.ServerVersion = signer.V2 }, "signed with V4, and the service demands V2; leave the Region", ""},
		"another body":                 {"", func(s *situation) { s.body = []byte("bodY") }, "the body changed after it was signed", ""},
		"headers without their body":   {"", func(s *situation) { s.body = nil; s.opts.BodyUnknown = true }, "", ""},
		"another body, as it says":     {"", func(s *situation) { s.opts.ServerMessage = "Mismatch between MD5 value of request body" }, "the body changed", ""},
		"no digest":                    {"", func(s *situation) { s.req.Header.Del("x-ots-contentmd5") }, "x-ots-contentmd5 is missing", ""},
		"a clock that is behind":       {"", func(s *situation) { s.opts.ServerTime = time.Now().Add(time.Hour) }, "clock is 1h0m", ""},
		"a clock that is ahead":        {"", func(s *situation) { s.opts.ServerTime = time.Now().Add(-time.Hour) }, "ahead of the service's", ""},
		"a clock, as the service says": {"", func(s *situation) { s.opts.ServerMessage = "Mismatch between system time and x-ots-date: x." }, "more than 15 minutes off", ""},
		"a date that is none":          {"", func(s *situation) { s.req.Header.Set("x-ots-date", "now") }, "x-ots-date is not a date", ""},
		"yesterday's key": {
			"cn-hangzhou", func(s *situation) { s.req.Header.Set("x-ots-signdate", "20260101") },
			`x-ots-signdate is "20260101", which is not the day`, "",
		},
		"a header that a proxy changed": {"", func(s *situation) {
			server(s, strings.Replace(asSigned(s), "x-ots-request-tag:tag", "x-ots-request-tag:gat", 1))
		}, "x-ots-request-tag was changed after", "x-ots-request-tag"},
		"a header that a proxy dropped": {"", func(s *situation) {
			server(s, strings.Replace(asSigned(s), "x-ots-request-tag:tag\n", "", 1))
		}, "did not get x-ots-request-tag", "x-ots-request-tag"},
		"a header that a proxy added": {"", func(s *situation) {
			server(s, strings.Replace(asSigned(s), "x-ots-request-tag:", "x-ots-real-ip:1\nx-ots-request-tag:", 1))
		}, "x-ots-real-ip was added", "x-ots-real-ip"},
		"a header that a proxy added at the end":  {"", func(s *situation) { server(s, asSigned(s)+"x-ots-zone:1\n") }, "x-ots-zone was added", "x-ots-zone"},
		"white space that a proxy folded":         {"", func(s *situation) { server(s, strings.Replace(asSigned(s), ":tag", ":t ag", 1)) }, "white space in x-ots-request-tag", "x-ots-request-tag"},
		"a path that a proxy changed":             {"", func(s *situation) { server(s, "/ots"+asSigned(s)) }, "the path was changed", "path"},
		"a method that a redirect changed":        {"", func(s *situation) { server(s, strings.Replace(asSigned(s), "POST", "GET", 1)) }, "the method was changed", "method"},
		"a masked token is not a difference":      {"", func(s *situation) { server(s, strings.Replace(asSigned(s), token, "[redacted]", 1)) }, "another secret", ""},
		"the salt of V4 is not a difference":      {"cn-hangzhou", func(s *situation) { server(s, asSigned(s)+"ots") }, "another secret", ""},
		"the salt of V4 and a line feed":          {"cn-hangzhou", func(s *situation) { server(s, asSigned(s)+"ots\r\n") }, "another secret", ""},
		"line ends of Windows":                    {"cn-hangzhou", func(s *situation) { server(s, strings.ReplaceAll(asSigned(s), "\n", "\r\n")+"ots") }, "another secret", ""},
		"line feeds written out, in quotes":       {"", func(s *situation) { server(s, `"`+strings.ReplaceAll(asSigned(s), "\n", `\n`)+"\"\n") }, "another secret", ""},
		"line ends of Windows written out":        {"", func(s *situation) { server(s, strings.ReplaceAll(asSigned(s), "\n", `\r\n`)) }, "another secret", ""},
		"another token":                           {"", func(s *situation) { server(s, strings.Replace(asSigned(s), token, "hush-other-token", 1)) }, "x-ots-ststoken was changed", "x-ots-ststoken"},
		"an endpoint with a slash at its end":     {"", func(s *situation) { s.req.URL.Path = "//GetRow" }, "slash at the end of the endpoint", ""},
		"another instance than the host's":        {"", func(s *situation) { s.req.URL.Host = "other.cn-hangzhou.ots.aliyuncs.com" }, `the request is for instance "my-instance"`, ""},
		"a host of a VPC, of another instance":    {"", func(s *situation) { s.req.URL.Host = "other.cn-hangzhou.vpc.tablestore.aliyuncs.com" }, `is that of "other"`, ""},
		"an instance that does not exist":         {"", func(s *situation) { s.opts.ServerMessage = "The instance is not found." }, "no running instance", ""},
		"another region than the host's":          {"cn-hangzhou", func(s *situation) { s.req.URL.Host = "my-instance.cn-beijing.ots.aliyuncs.com" }, `its host is in "cn-beijing"`, ""},
		"another AccessKey ID":                    {"", func(s *situation) { s.opts.Credentials = creds(token); s.opts.Credentials.AccessKeyID = "di" }, `signed with AccessKey ID "id", not with "di"`, ""},
		"another set's token":                     {"", func(s *situation) { s.opts.Credentials = creds("another") }, "keep the three of one set together", ""},
		"an AccessKey ID that does not exist":     {"", func(s *situation) { s.opts.ServerMessage = "The AccessKeyID does not exist." }, `does not know AccessKey ID "id"`, ""},
		"a temporary key without its token":       {"", func(s *situation) { s.req.Header.Set("x-ots-accesskeyid", "STS.x"); s.req.Header.Del("x-ots-ststoken") }, "has no security token", ""},
		"white space in the secret":               {"", func(s *situation) { s.opts.Credentials = withSecret("hush-secret\n", token) }, "has a line feed at byte 12", ""},
		"a header that was set after signing":     {"", func(s *situation) { s.opts.Credentials = creds(token); s.req.Header.Set("x-ots-late", "v") }, "a header was changed after it was made", ""},
		"a secret that the service does not have": {"", func(s *situation) { s.opts.Credentials = creds(token); s.opts.ServerMessage = "Signature mismatch." }, "another secret for this AccessKey ID", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{req: newRequest(t, "GetRow"), body: []byte("body")}
			s.req.Header.Set("x-ots-request-tag", "tag")
			_, err := newSigner(t, creds(token), &signer.Options{Region: c.region}).Sign(t.Context(), s.req, s.body)
			require.NoError(t, err)
			c.change(&s)
			before := s.req.Clone(t.Context())
			e, err := signer.Explain(s.req, s.body, &s.opts)
			require.NoError(t, err)
			require.Equal(t, before.Header, s.req.Header)
			text := e.String()
			require.NotContains(t, text, "hush-", "a token is shown")
			require.Contains(t, text, "/GetRow\n  POST\n")
			if c.cause == "" {
				require.Empty(t, e.Causes)
				require.Contains(t, text, "none found")
			} else {
				require.NotEmpty(t, e.Causes)
				require.Contains(t, e.Causes[0], c.cause)
				require.Contains(t, text, c.cause)
			}
			if c.part == "" {
				require.Nil(t, e.Difference)
				return
			}
			require.Equal(t, c.part, e.Difference.Part)
			ours, theirs := asSigned(&s), s.opts.ServerStringToSign
			at := e.Difference.Offset
			require.Equal(t, ours[:at], theirs[:at], "the offset is behind the first difference")
			require.False(t, at < len(ours) && at < len(theirs) && ours[at] == theirs[at], "the offset is before the first difference")
		})
	}
}

func TestExplainShowsNoTokenInWhateverFormTheServicesTextComes(t *testing.T) {
	const token = "hush-hush/token+"
	req := newRequest(t, "GetRow")
	_, err := newSigner(t, creds(token), nil).Sign(t.Context(), req, []byte("body"))
	require.NoError(t, err)
	signed := signer.StringToSign(req.Method, req.URL.Path, req.Header)
	for name, text := range map[string]string{
		"all in one line":                      strings.ReplaceAll(signed, "\n", ", "),
		"line feeds written out":               strings.ReplaceAll(signed, "\n", `\n`),
		"line feeds written out, and one more": "text: " + strings.ReplaceAll(signed, "\n", `\n`) + "\n\n",
		"indented":                             "  " + strings.ReplaceAll(signed, "\n", "\n  "),
		"encoded as of a URL":                  url.QueryEscape(signed),
		"encoded as of JSON":                   strings.ReplaceAll(strings.ReplaceAll(signed, "\n", ", "), "/", `\/`),
		"a token without its name":             strings.ReplaceAll(signed, "x-ots-ststoken:", "x-ots-t:"),
		"a token without any name":             strings.ReplaceAll(signed, "x-ots-ststoken:", ""),
		"another token, run together":          strings.ReplaceAll(strings.ReplaceAll(signed, "\n", " "), token, "hush-other"),
		"another token without a colon":        strings.ReplaceAll(strings.ReplaceAll(signed, "ststoken:", "ststoken="), token, "hush-other"),
		"a token of another spelling":          strings.ReplaceAll(signed, "x-ots-ststoken:", "X-OTS-STSToken: "),
	} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []otsauth.Credentials{{}, creds(token)} {
				e, err := signer.Explain(req, []byte("body"), &signer.ExplainOptions{ServerStringToSign: text, Credentials: known})
				require.NoError(t, err)
				require.NotContains(t, e.String(), "hush", "a token is shown")
			}
		})
	}
}

func withSecret(secret, token string) otsauth.Credentials {
	c := creds(token)
	c.AccessKeySecret = otsauth.NewSecret(secret)
	return c
}

func TestExplainTakesWhatTheTestServiceKeeps(t *testing.T) {
	server := otstest.NewServer(t, nil)
	s, err := signer.New(server.STS().Provider(), server.Instance(), nil)
	require.NoError(t, err)
	defer s.Close()
	req := newRequest(t, "ListTable")
	req.URL.Host = "127.0.0.1"
	_, err = s.Sign(t.Context(), req, nil)
	require.NoError(t, err)
	onTheWay := req.Clone(t.Context())
	onTheWay.Header.Set("x-ots-proxy", "nosy")
	resp, err := server.Transport().RoundTrip(onTheWay)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusForbidden, resp.StatusCode)

	requests := server.Requests()
	seen := requests[len(requests)-1]
	e, err := signer.Explain(req, nil, &signer.ExplainOptions{ServerStringToSign: seen.StringToSign, ServerMessage: "Signature mismatch."})
	require.NoError(t, err)
	require.Equal(t, "x-ots-proxy", e.Difference.Part)
	require.Equal(t, "x-ots-proxy:nosy", e.Difference.Received)
	require.Equal(t, []string{"x-ots-proxy was added after the request was signed; look for a proxy, or a middleware behind the signer"}, e.Causes)
}

func TestExplainWithoutARequestIsAnError(t *testing.T) {
	for name, req := range map[string]*http.Request{"no request": nil, "no URL": {}} {
		t.Run(name, func(t *testing.T) {
			_, err := signer.Explain(req, nil, nil)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
		})
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("/GetRow\nPOST\n\nx-ots-ststoken:hush-hush-token\n", "Signature mismatch.", "hush-hush-token", "X-Ots-Ststoken")
	f.Add("", "", "", "")
	f.Add("/GetRow\nPOST\n\nX-ots-ststoken:*\n\n\n0", "0", "0", "0")
	f.Fuzz(func(t *testing.T, theirs, message, value, name string) {
		req := newRequest(t, "GetRow")
		req.Header[name] = []string{value}
		req.Header.Set("x-ots-ststoken", "hush-hush-token")
		e, err := signer.Explain(req, nil, &signer.ExplainOptions{ServerStringToSign: theirs, ServerMessage: message, Credentials: creds("hush-hush-token")})
		require.NoError(t, err)
		if !strings.Contains(theirs+value+name, "hush") {
			require.NotContains(t, e.String(), "hush")
		}
		if d := e.Difference; d != nil && d.Offset > len(signer.StringToSign(req.Method, req.URL.Path, req.Header))+1 {
			t.Fatalf("the offset %d is behind the end", d.Offset)
		}
	})
}
