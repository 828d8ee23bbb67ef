package otstest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

const tokenHeader, ttlHeader = "X-aliyun-ecs-metadata-token", "X-aliyun-ecs-metadata-token-ttl-seconds"

// askMetadata sends a request with one header, if it has a name.
func askMetadata(t *testing.T, s *Server, method, path, header, value string) outcome {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://metadata.otstest.invalid"+path, nil)
	require.NoError(t, err)
	if header != "" {
		req.Header.Set(header, value)
	}
	return roundTrip(s.Transport(), req)
}

func TestMetadata(t *testing.T) {
	for name, c := range map[string]struct {
		setUp             func(m *Metadata)
		method, path, ttl string // a ttl asks for a token; else one is used
		withToken         bool
		status            int
		want              string
	}{
		"a token":                             {nil, "PUT", metadataToken, "60", false, 200, ""},
		"a token for too long":                {nil, "PUT", metadataToken, "21601", false, 400, ""},
		"a token for no time":                 {nil, "PUT", metadataToken, "0", false, 400, ""},
		"a token by GET":                      {nil, "GET", metadataToken, "60", false, 405, ""},
		"a token of an old service":           {func(m *Metadata) { m.OnlyV1(true) }, "PUT", metadataToken, "60", false, 404, ""},
		"the role with a token":               {nil, "GET", metadataRoles, "", true, 200, "otstest\n"},
		"the role without a token":            {nil, "GET", metadataRoles, "", false, 200, "otstest\n"},
		"the role, and a token is required":   {func(m *Metadata) { m.RequireToken(true) }, "GET", metadataRoles, "", false, 401, ""},
		"the role with a token that is gone":  {func(m *Metadata) { m.DropTokens() }, "GET", metadataRoles, "", true, 401, ""},
		"the role by POST":                    {nil, "POST", metadataRoles, "", true, 405, ""},
		"no role":                             {func(m *Metadata) { m.SetRole("") }, "GET", metadataRoles, "", true, 404, ""},
		"credentials":                         {nil, "GET", metadataRoles + "otstest", "", true, 200, `"Code":"Success"`},
		"credentials of another role":         {nil, "GET", metadataRoles + "other", "", true, 404, ""},
		"something else":                      {nil, "GET", "/latest/meta-data/zone-id", "", true, 404, ""},
		"credentials by their URI":            {nil, "GET", credentialsPath, "", false, 200, `"Code":"Success"`},
		"credentials by their URI, with POST": {nil, "POST", credentialsPath, "", false, 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t, nil)
			header, value := "", ""
			if c.withToken {
				header, value = tokenHeader, string(askMetadata(t, s, "PUT", metadataToken, ttlHeader, "60").body)
			} else if c.ttl != "" {
				header, value = ttlHeader, c.ttl
			}
			if c.setUp != nil {
				c.setUp(s.Metadata())
			}
			got := askMetadata(t, s, c.method, c.path, header, value)
			require.NoError(t, got.err)
			require.Equal(t, c.status, got.status)
			require.Contains(t, string(got.body), c.want)
			require.Positive(t, s.Metadata().Calls(c.method+" "+c.path))
		})
	}
}

func TestMetadataTokensAndCredentialsEnd(t *testing.T) {
	clock := &testClock{time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	s := NewServer(t, &Options{Now: clock.Now})
	token := string(askMetadata(t, s, "PUT", metadataToken, ttlHeader, "60").body)
	credentials := func() otsauth.Credentials {
		var answer struct{ AccessKeyID, AccessKeySecret, SecurityToken, Expiration string }
		require.NoError(t, json.Unmarshal(askMetadata(t, s, "GET", metadataRoles+"otstest", "", "").body, &answer))
		expires, err := time.Parse(time.RFC3339, answer.Expiration)
		require.NoError(t, err)
		return otsauth.Credentials{
			AccessKeyID: answer.AccessKeyID, AccessKeySecret: otsauth.NewSecret(answer.AccessKeySecret),
			SecurityToken: otsauth.NewSecret(answer.SecurityToken), Expires: expires,
		}
	}
	first := credentials()
	require.Equal(t, clock.now.Add(6*time.Hour), first.Expires)
	status, _, _ := send(t, s, signedRequest(s, first, "ListTable", nil))
	require.Equal(t, 200, status)

	clock.now = clock.now.Add(time.Minute)
	require.Equal(t, 401, askMetadata(t, s, "GET", metadataRoles, tokenHeader, token).status)
	clock.now = clock.now.Add(2 * time.Hour)
	require.True(t, first.Equal(credentials()), "the same set until half of its life is over")
	clock.now = clock.now.Add(time.Hour)
	second := credentials()
	require.False(t, first.Equal(second))
	s.Metadata().Rotate()
	require.False(t, second.Equal(credentials()))
}

func TestAssumeRoleWithOIDC(t *testing.T) {
	clock := &testClock{time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	s := NewServer(t, &Options{Now: clock.Now})
	token, old := s.STS().IssueOIDCToken(time.Hour), s.STS().IssueOIDCToken(0)
	set := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	for name, c := range map[string]struct {
		method string
		change func(url.Values)
		status int
		code   string
	}{
		"nothing wrong":           {"POST", func(url.Values) {}, 200, ""},
		"a GET":                   {"GET", func(url.Values) {}, 400, "UnsupportedHTTPMethod"},
		"another version":         {"POST", set("Version", "1"), 404, "InvalidAction.NotFound"},
		"no timestamp":            {"POST", set("Timestamp", ""), 400, "MissingTimestamp"},
		"a provider that is none": {"POST", set("OIDCProviderArn", "x"), 400, "InvalidParameter.OIDCProviderArn"},
		"no token":                {"POST", set("OIDCToken", ""), 400, "InvalidParameter.OIDCToken"},
		"too long a token":        {"POST", set("OIDCToken", strings.Repeat("x", 20001)), 400, "InvalidParameter.OIDCToken"},
		"an unknown token":        {"POST", set("OIDCToken", token+"x"), 400, "AuthenticationFail.OIDCToken.Invalid"},
		"an old token":            {"POST", set("OIDCToken", old), 400, "AuthenticationFail.OIDCToken.Expired"},
		"a role that is none":     {"POST", set("RoleArn", "x"), 400, "InvalidParameter.RoleArn"},
	} {
		t.Run(name, func(t *testing.T) {
			params := url.Values{
				"Action": {"AssumeRoleWithOIDC"}, "Version": {"2015-04-01"}, "Format": {"JSON"}, "Timestamp": {"2026-07-01T12:00:00Z"},
				"OIDCProviderArn": {"acs:ram::123456789012:oidc-provider/ack"}, "OIDCToken": {token},
				"RoleArn": {testRole}, "RoleSessionName": {"test"},
			}
			c.change(params)
			got := askSTS(t, s, c.method, nil, params)
			require.Equal(t, c.status, got.status, got.Message)
			require.Equal(t, c.code, got.Code)
			require.NotContains(t, got.Message, token)
			if c.code == "" {
				require.Equal(t, "2026-07-01T13:00:00Z", got.Credentials.Expiration)
			}
		})
	}
}
