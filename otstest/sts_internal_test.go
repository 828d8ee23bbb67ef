package otstest

import (
	"crypto/sha1"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// The vector of the RPC signature page in Alibaba Cloud's API documentation.
func TestRPCSignatureVector(t *testing.T) {
	text := rpcStringToSign("GET", url.Values{
		"Timestamp": {"2016-02-23T12:46:24Z"}, "Format": {"XML"}, "AccessKeyId": {"testid"}, "Action": {"DescribeRegions"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"},
		"Version": {"2014-05-26"}, "SignatureVersion": {"1.0"}, "Signature": {"is not signed"},
	})
	require.Equal(t, "OLeaidS1JvxuMvnyHOwuJ+uX5qY=", sum(sha1.New, "testsecret&", text))
}

const testRole = "acs:ram::123456789012:role/app"

// rpc returns the parameters of a request that STS grants, but for Signature.
func rpc(c otsauth.Credentials, now time.Time, nonce string) url.Values {
	params := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2015-04-01"}, "Format": {"JSON"}, "AccessKeyId": {c.AccessKeyID},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureNonce": {nonce},
		"Timestamp": {now.UTC().Format("2006-01-02T15:04:05Z")},
		"RoleArn":   {testRole}, "RoleSessionName": {"b@test"}, "DurationSeconds": {"900"}, "Policy": {`{"a": "*~ +云"}`},
	}
	if token := c.SecurityToken.Reveal(); token != "" {
		params.Set("SecurityToken", token)
	}
	return params
}

func signRPC(method string, params url.Values, c otsauth.Credentials) {
	params.Set("Signature", sum(sha1.New, c.AccessKeySecret.Reveal()+"&", rpcStringToSign(method, params)))
}

// stsAnswer is what STS says, granted or not.
type stsAnswer struct {
	status                           int
	RequestID, HostID, Code, Message string
	Credentials                      struct{ AccessKeyID, AccessKeySecret, SecurityToken, Expiration string }
	AssumedRoleUser                  struct{ ARN, AssumedRoleID string }
}

// askSTS sends some parameters in the query and the others in the body.
func askSTS(t *testing.T, s *Server, method string, query, form url.Values) stsAnswer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://sts.otstest.invalid/?"+query.Encode(), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	resp, err := s.Transport().RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := stsAnswer{status: resp.StatusCode}
	require.NoError(t, json.Unmarshal(body, &a))
	return a
}

func TestSTSGrantsWhatIsSigned(t *testing.T) {
	split := func(params url.Values) (query, form url.Values) {
		query, form = url.Values{}, url.Values{}
		for name, values := range params {
			switch name {
			case "RoleArn", "RoleSessionName", "DurationSeconds", "Policy":
				form[name] = values
			default:
				query[name] = values
			}
		}
		return query, form
	}
	for name, c := range map[string]struct {
		method string
		parts  func(url.Values) (query, form url.Values)
	}{
		"all in the body":               {"POST", func(v url.Values) (url.Values, url.Values) { return nil, v }},
		"all in the query":              {"GET", func(v url.Values) (url.Values, url.Values) { return v, nil }},
		"as credentials-go splits them": {"POST", split},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &testClock{time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
			s := NewServer(t, &Options{Now: clock.Now})
			params := rpc(s.key, clock.now, "n")
			signRPC(c.method, params, s.key)
			query, form := c.parts(params)
			got := askSTS(t, s, c.method, query, form)

			require.Equal(t, 200, got.status, got.Message)
			require.Equal(t, "2026-07-01T12:15:00Z", got.Credentials.Expiration)
			require.Equal(t, "acs:ram::123456789012:assumed-role/app/b@test", got.AssumedRoleUser.ARN)
			require.True(t, strings.HasPrefix(got.Credentials.AccessKeyID, "STS."))
			require.Greater(t, len(got.Credentials.SecurityToken), 600, "a real token is about 700 bytes long")
			require.Equal(t, Stats{STSCalls: 1, TokensIssued: 1}, s.Stats())
			require.EqualValues(t, 1, s.Calls("STS.AssumeRole"))

			issued := otsauth.Credentials{
				AccessKeyID:     got.Credentials.AccessKeyID,
				AccessKeySecret: otsauth.NewSecret(got.Credentials.AccessKeySecret),
				SecurityToken:   otsauth.NewSecret(got.Credentials.SecurityToken),
			}
			status, _, _ := send(t, s, signedRequest(s, issued, "ListTable", nil))
			require.Equal(t, 200, status, "Tablestore takes the token at once")
			clock.now = clock.now.Add(15 * time.Minute)
			status, _, refused := send(t, s, signedRequest(s, issued, "ListTable", nil))
			require.Equal(t, 403, status)
			require.Equal(t, "The security token has expired.", refused.GetMessage())
		})
	}
}

func TestTheLifetimeOfATokenCanBeChosen(t *testing.T) {
	clock := &testClock{time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	s := NewServer(t, &Options{Now: clock.Now, TokenLifetime: 1500 * time.Millisecond})
	nonce := 0
	expiry := func() string {
		nonce++
		params := rpc(s.key, clock.now, strings.Repeat("n", nonce))
		signRPC("POST", params, s.key)
		return askSTS(t, s, "POST", nil, params).Credentials.Expiration
	}
	require.Equal(t, "2026-07-01T12:00:01.5Z", expiry())
	s.STS().SetLifetime(time.Hour)
	require.Equal(t, "2026-07-01T13:00:00Z", expiry(), "SetLifetime wins over the options")
	s.STS().SetLifetime(-1)
	require.Equal(t, "2026-07-01T12:00:01.5Z", expiry())

	_, err := Start(&Options{TokenLifetime: -1})
	var config *otsauth.ConfigError
	require.ErrorAs(t, err, &config)
	require.Equal(t, "TokenLifetime", config.Field)
}

func TestSTSRefusals(t *testing.T) {
	now := time.Now()
	s := NewServer(t, nil)
	s.STS().SetRoles(testRole)
	temporary := func(id string, expires time.Time) otsauth.Credentials {
		c := otsauth.Credentials{AccessKeyID: id, AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("to+ken/=="), Expires: expires}
		s.AddKey(c)
		return c
	}
	good, expired := temporary("STS.good", now.Add(time.Hour)), temporary("STS.expired", now)
	wrong := s.key
	wrong.AccessKeySecret = otsauth.NewSecret("wrong")
	wrongToken := good
	wrongToken.SecurityToken = otsauth.NewSecret("other")
	noToken := good
	noToken.SecurityToken = otsauth.Secret{}
	wrongTemporary := good
	wrongTemporary.AccessKeySecret = otsauth.NewSecret("wrong")

	set := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	del := func(name string) func(url.Values) { return func(v url.Values) { v.Del(name) } }
	for name, c := range map[string]struct {
		key    otsauth.Credentials
		change func(url.Values)
		status int
		code   string
	}{
		"nothing wrong":                     {s.key, nil, 200, ""},
		"nothing wrong with a token":        {good, nil, 200, ""},
		"no duration":                       {s.key, del("DurationSeconds"), 200, ""},
		"no action":                         {s.key, del("Action"), 400, "MissingAction"},
		"no nonce":                          {s.key, del("SignatureNonce"), 400, "MissingSignatureNonce"},
		"no timestamp":                      {s.key, del("Timestamp"), 400, "MissingTimestamp"},
		"two timestamps":                    {s.key, func(v url.Values) { v.Add("Timestamp", "x") }, 400, "InvalidParameter"},
		"another action":                    {s.key, set("Action", "GetCallerIdentity"), 404, "InvalidAction.NotFound"},
		"another version":                   {s.key, set("Version", "2014-05-26"), 404, "InvalidAction.NotFound"},
		"another signature method":          {s.key, set("SignatureMethod", "HMAC-SHA256"), 400, "InvalidParameter.SignatureMethod"},
		"a timestamp that is none":          {s.key, set("Timestamp", "today"), 400, "InvalidTimeStamp.Format"},
		"a timestamp of an hour ago":        {s.key, set("Timestamp", now.Add(-time.Hour).UTC().Format("2006-01-02T15:04:05Z")), 400, "InvalidTimeStamp.Expired"},
		"an unknown key":                    {otsauth.Credentials{AccessKeyID: "nobody", AccessKeySecret: otsauth.NewSecret("sk")}, nil, 404, "InvalidAccessKeyId.NotFound"},
		"a temporary key without its token": {noToken, nil, 404, "InvalidAccessKeyId.NotFound"},
		"another key's token":               {wrongToken, nil, 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		"an expired token":                  {expired, nil, 400, "InvalidSecurityToken.Expired"},
		"a wrong secret":                    {wrong, nil, 400, "SignatureDoesNotMatch"},
		"a wrong secret of a temporary key": {wrongTemporary, nil, 400, "SignatureDoesNotMatch"},
		"a role that is none":               {s.key, set("RoleArn", "app"), 400, "InvalidParameter.RoleArn"},
		"a role that does not exist":        {s.key, set("RoleArn", testRole+"2"), 404, "EntityNotExist.Role"},
		"a session name that is too short":  {s.key, set("RoleSessionName", "a"), 400, "InvalidParameter.RoleSessionName"},
		"a session name with a space":       {s.key, set("RoleSessionName", "a b"), 400, "InvalidParameter.RoleSessionName"},
		"14 minutes 59 seconds":             {s.key, set("DurationSeconds", "899"), 400, "InvalidParameter.DurationSeconds"},
		"more than 12 hours":                {s.key, set("DurationSeconds", "43201"), 400, "InvalidParameter.DurationSeconds"},
		"a duration that is not a number":   {s.key, set("DurationSeconds", "1h"), 400, "InvalidParameter.DurationSeconds"},
	} {
		t.Run(name, func(t *testing.T) {
			params := rpc(c.key, now, name)
			if c.change != nil {
				c.change(params)
			}
			signRPC("POST", params, c.key)
			issued := s.Stats().TokensIssued
			got := askSTS(t, s, "POST", nil, params)
			require.Equal(t, c.status, got.status, got.Message)
			require.Equal(t, c.code, got.Code)
			require.NotEmpty(t, got.RequestID)

			seen := s.Requests()[len(s.Requests())-1]
			require.Equal(t, got.RequestID, seen.RequestID)
			require.Equal(t, c.code, seen.Code)
			kept := seen.Message + seen.Reason + seen.StringToSign
			require.NotContains(t, kept, "to%25") // the token, encoded twice
			require.NotContains(t, kept, "to+ken")
			if c.code == "" {
				require.Equal(t, issued+1, s.Stats().TokensIssued)
				return
			}
			require.Equal(t, issued, s.Stats().TokensIssued)
			require.NotEmpty(t, got.Message)
			require.NotEmpty(t, got.HostID)
		})
	}
}

func TestANonceIsGoodOnce(t *testing.T) {
	clock := &testClock{time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	s := NewServer(t, &Options{Now: clock.Now})
	ask := func() stsAnswer {
		params := rpc(s.key, clock.now, "n")
		signRPC("POST", params, s.key)
		return askSTS(t, s, "POST", nil, params)
	}
	require.Equal(t, 200, ask().status)
	require.Equal(t, "SignatureNonceUsed", ask().Code)
	clock.now = clock.now.Add(31 * time.Minute)
	require.Equal(t, 200, ask().status, "a nonce is forgotten when its timestamp is long refused")
}

func TestSTSRefusesABodyThatIsNoForm(t *testing.T) {
	s := NewServer(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://sts.otstest.invalid/", strings.NewReader("%zz"))
	require.NoError(t, err)
	resp, err := s.Transport().RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 400, resp.StatusCode)
	require.Equal(t, "InvalidParameter", s.Requests()[0].Code)
}

func FuzzSTS(f *testing.F) {
	s, err := Start(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Action=AssumeRole", "Version=2015-04-01&%zz")
	f.Add(rpc(s.key, time.Now(), "n").Encode(), "DurationSeconds=-1")
	f.Fuzz(func(t *testing.T, query, form string) {
		req := &http.Request{
			Method: "POST", URL: &url.URL{Scheme: "https", Host: "sts.otstest.invalid", Path: "/", RawQuery: query},
			Body: io.NopCloser(strings.NewReader(form)),
		}
		resp, err := s.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode == 200 || resp.StatusCode >= 500 {
			t.Fatalf("an unsigned request is answered with %d", resp.StatusCode)
		}
		if err := json.NewDecoder(resp.Body).Decode(&stsAnswer{}); err != nil {
			t.Fatal(err)
		}
	})
}
