package otsauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

const roleARN = "acs:ram::123456789012:role/app"

func assumeRole(t testing.TB, source otsauth.Provider, opts *otsauth.AssumeRoleOptions) otsauth.Provider {
	t.Helper()
	p, err := otsauth.AssumeRole(source, roleARN, opts)
	require.NoError(t, err)
	return p
}

func TestProvidersKeepTheContract(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for name, newProvider := range map[string]func() otsauth.Provider{
		"Static": func() otsauth.Provider { return otsauth.Static(hiddenCredentialsWithoutExpiry()) },
		"Env": func() otsauth.Provider {
			return otsauth.Env(lookupIn(map[string]string{"OTS_AK_ENV": "id", "OTS_SK_ENV": "a-secret"}))
		},
		"AssumeRole": func() otsauth.Provider { return server.STS().Provider() },
		"a role of a role": func() otsauth.Provider {
			return assumeRole(t, server.STS().Provider(), server.STS().AssumeRoleOptions())
		},
		"Chain": func() otsauth.Provider {
			return otsauth.Chain(otsauth.Env(lookupIn(nil)), server.STS().Provider())
		},
		"Cache": func() otsauth.Provider { return otsauth.NewCache(server.STS().Provider(), nil) },
		"ProviderFunc": func() otsauth.Provider {
			return otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { return hiddenCredentialsWithoutExpiry(), nil })
		},
	} {
		t.Run(name, func(t *testing.T) { otstest.TestProvider(t, newProvider) })
	}
}

func hiddenCredentialsWithoutExpiry() otsauth.Credentials {
	c := hiddenCredentials()
	c.Expires = time.Time{}
	return c
}

func TestAssumeRole(t *testing.T) {
	server := otstest.NewServer(t, nil)
	opts := server.STS().AssumeRoleOptions()
	opts.SessionName, opts.Duration, opts.Policy, opts.ExternalID = "session-1", 30*time.Minute, `{"Version":"1"}`, "external:1"
	creds, err := assumeRole(t, server.Provider(), opts).Retrieve(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(creds.AccessKeyID, "STS."))
	require.False(t, creds.SecurityToken.IsZero())
	require.WithinDuration(t, time.Now().Add(30*time.Minute), creds.Expires, 5*time.Second)
	require.Equal(t, "assume-role/otstest", creds.Source)

	// Its credentials assume the next role.
	chained, err := assumeRole(t, otsauth.Static(creds), server.STS().AssumeRoleOptions()).Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "assume-role/assume-role/otstest", chained.Source)
	require.NotEqual(t, creds.AccessKeyID, chained.AccessKeyID)
}

// recorder keeps the requests that it passes on.
type recorder struct {
	next   http.RoundTripper
	url    []string
	header []http.Header
	form   []url.Values
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	r.url, r.header, r.form = append(r.url, req.URL.String()), append(r.header, req.Header), append(r.form, form)
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return r.next.RoundTrip(req)
}

func TestAssumeRoleSendsEverythingInTheBody(t *testing.T) {
	server := otstest.NewServer(t, nil)
	base, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	seen := &recorder{next: server.Transport()}
	p := assumeRole(t, otsauth.Static(base), &otsauth.AssumeRoleOptions{
		Endpoint: "sts.otstest.invalid", HTTPClient: &http.Client{Transport: seen},
		Policy: "a policy", ExternalID: "external",
	})
	_, err = p.Retrieve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "https://sts.otstest.invalid/", seen.url[0])
	form := seen.form[0]
	require.Equal(t, base.SecurityToken.Reveal(), form.Get("SecurityToken"))
	for name, want := range map[string]string{
		"Action": "AssumeRole", "Version": "2015-04-01", "Format": "JSON", "RoleArn": roleARN, "RoleSessionName": "otsauth",
		"DurationSeconds": "3600", "Policy": "a policy", "ExternalId": "external", "SignatureMethod": "HMAC-SHA1",
	} {
		require.Equal(t, want, form.Get(name), name)
	}
}

func TestAssumeRoleChoosesTheEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		opts otsauth.AssumeRoleOptions
		want string
	}{
		"the central one":           {otsauth.AssumeRoleOptions{}, "https://sts.aliyuncs.com/"},
		"a region's":                {otsauth.AssumeRoleOptions{Region: "cn-hangzhou"}, "https://sts.cn-hangzhou.aliyuncs.com/"},
		"a region's inside the VPC": {otsauth.AssumeRoleOptions{Region: "cn-hangzhou", VPC: true}, "https://sts-vpc.cn-hangzhou.aliyuncs.com/"},
		"a host":                    {otsauth.AssumeRoleOptions{Endpoint: "sts.example.com"}, "https://sts.example.com/"},
		"a host with a port":        {otsauth.AssumeRoleOptions{Endpoint: "sts.example.com:8443"}, "https://sts.example.com:8443/"},
		"a URL":                     {otsauth.AssumeRoleOptions{Endpoint: "https://sts.example.com/"}, "https://sts.example.com/"},
		"http on loopback":          {otsauth.AssumeRoleOptions{Endpoint: "http://127.0.0.1:1234"}, "http://127.0.0.1:1234/"},
	} {
		t.Run(name, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			seen := &recorder{next: server.Transport()}
			c.opts.HTTPClient = &http.Client{Transport: seen}
			_, err := assumeRole(t, server.Provider(), &c.opts).Retrieve(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.want, seen.url[0])
		})
	}
}

func TestAssumeRoleRefusesArgumentsThatCannotWork(t *testing.T) {
	for name, c := range map[string]struct {
		source otsauth.Provider
		arn    string
		opts   otsauth.AssumeRoleOptions
		field  string
	}{
		"no source":                         {nil, roleARN, otsauth.AssumeRoleOptions{}, "source provider"},
		"an empty role ARN":                 {otsauth.Env(nil), "", otsauth.AssumeRoleOptions{}, "role ARN"},
		"the ARN of a user":                 {otsauth.Env(nil), "acs:ram::123456789012:user/me", otsauth.AssumeRoleOptions{}, "role ARN"},
		"an ARN with a line end":            {otsauth.Env(nil), roleARN + "\n", otsauth.AssumeRoleOptions{}, "role ARN"},
		"a session name of one letter":      {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{SessionName: "a"}, "SessionName"},
		"a session name with a space":       {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{SessionName: "my session"}, "SessionName"},
		"a duration below 15 minutes":       {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Duration: 14 * time.Minute}, "Duration"},
		"a duration above 12 hours":         {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Duration: 13 * time.Hour}, "Duration"},
		"a negative duration":               {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Duration: -time.Hour}, "Duration"},
		"a duration with a fraction":        {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Duration: time.Hour + time.Millisecond}, "Duration"},
		"a policy that is too long":         {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Policy: strings.Repeat("a", 2049)}, "Policy"},
		"an external ID that is too long":   {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{ExternalID: strings.Repeat("a", 1225)}, "ExternalID"},
		"an external ID with a space":       {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{ExternalID: "a b"}, "ExternalID"},
		"VPC without a region":              {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{VPC: true}, "VPC"},
		"a region that is a host":           {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Region: "evil.example.com/"}, "Region"},
		"an endpoint and a region":          {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "a.b", Region: "cn-hangzhou"}, "Endpoint"},
		"an endpoint over http":             {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "http://sts.aliyuncs.com"}, "Endpoint"},
		"an endpoint with a path":           {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "https://sts.aliyuncs.com/x"}, "Endpoint"},
		"an endpoint with a user":           {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "https://u:" + hiddenSecret + "@sts.aliyuncs.com"}, "Endpoint"},
		"an endpoint of another scheme":     {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "ftp://sts.aliyuncs.com"}, "Endpoint"},
		"an endpoint that does not parse":   {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "https://" + hiddenSecret + "\x7f"}, "Endpoint"},
		"an endpoint with nothing but dots": {otsauth.Env(nil), roleARN, otsauth.AssumeRoleOptions{Endpoint: "://"}, "Endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := otsauth.AssumeRole(c.source, c.arn, &c.opts)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, c.field, ce.Field)
			require.NotContains(t, err.Error(), hiddenSecret)
		})
	}
}

func TestSTSErrorsSayWhatToDo(t *testing.T) {
	server := otstest.NewServer(t, nil)
	owner, err := server.Provider().Retrieve(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		prepare   func(sts *otstest.STS, fault func(otstest.Fault))
		source    otsauth.Credentials
		code      string
		hint      string
		retryable bool
	}{
		"no permission": {
			func(_ *otstest.STS, fault func(otstest.Fault)) {
				fault(otstest.Fault{STS: true, StatusCode: 403, Code: "NoPermission", Message: "You are not authorized to do this action."})
			}, owner, "NoPermission", "trust policy", false,
		},
		"the role does not exist": {
			func(sts *otstest.STS, _ func(otstest.Fault)) { sts.SetRoles("acs:ram::1:role/other") }, owner, "EntityNotExist.Role", "role ARN", false,
		},
		"throttled":   {func(_ *otstest.STS, fault func(otstest.Fault)) { fault(otstest.Throttled(true)) }, owner, "Throttling.User", "share one Cache", true},
		"unavailable": {func(_ *otstest.STS, fault func(otstest.Fault)) { fault(otstest.Unavailable(true)) }, owner, "ServiceUnavailable", "try again later", true},
		"a wrong secret": {
			nil, otsauth.Credentials{AccessKeyID: owner.AccessKeyID, AccessKeySecret: otsauth.NewSecret(hiddenSecret)}, "SignatureDoesNotMatch", "secret belongs to", false,
		},
		"an unknown key": {
			nil, otsauth.Credentials{AccessKeyID: "nobody", AccessKeySecret: otsauth.NewSecret(hiddenSecret)}, "InvalidAccessKeyId.NotFound", "exists and is enabled", false,
		},
		"another key's token": {
			nil, otsauth.Credentials{AccessKeyID: owner.AccessKeyID, AccessKeySecret: owner.AccessKeySecret, SecurityToken: otsauth.NewSecret(hiddenToken)}, "InvalidSecurityToken.MismatchWithAccessKey", "get new ones", false,
		},
		"a proxy's answer": {
			func(_ *otstest.STS, fault func(otstest.Fault)) {
				fault(otstest.Fault{STS: true, StatusCode: 407, PlainBody: "<html>" + hiddenSecret + "</html>"})
			}, owner, "", "check the endpoint and the proxy", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server.STS().SetRoles()
			if c.prepare != nil {
				c.prepare(server.STS(), func(f otstest.Fault) { server.Fail(1, f) })
			}
			_, err := assumeRole(t, otsauth.Static(c.source), server.STS().AssumeRoleOptions()).Retrieve(t.Context())
			var se *otsauth.STSError
			require.ErrorAs(t, err, &se)
			require.Equal(t, c.code, se.Code)
			require.Equal(t, c.retryable, se.Retryable())
			require.ErrorContains(t, err, c.hint)
			require.ErrorContains(t, err, "assume-role: AssumeRole")
			if c.code != "" {
				require.NotEmpty(t, se.RequestID)
				require.ErrorContains(t, err, se.RequestID)
			}
			require.NotContains(t, err.Error(), hiddenSecret)
			require.NotContains(t, err.Error(), hiddenToken)
		})
	}
}

func TestAClockThatIsOffIsSaid(t *testing.T) {
	server := otstest.NewServer(t, &otstest.Options{Now: func() time.Time { return time.Now().Add(20 * time.Minute) }})
	_, err := server.STS().Provider().Retrieve(t.Context())
	var se *otsauth.STSError
	require.ErrorAs(t, err, &se)
	require.Equal(t, "InvalidTimeStamp.Expired", se.Code)
	require.ErrorContains(t, err, "set this machine's clock")
}

func TestAnswersThatAreNotSTSsAreErrorsWithoutTheirText(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for name, c := range map[string]struct{ body, want string }{
		"HTML":                   {"<html>" + hiddenSecret, "not the JSON of STS"},
		"nothing":                {" ", "not the JSON of STS"},
		"too much":               {strings.Repeat(hiddenSecret, 5000), "larger than 65536 bytes"},
		"no credentials":         {`{"RequestId":"r-1"}`, "security token is missing"},
		"no token":               {`{"Credentials":{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + `","Expiration":"2030-01-01T00:00:00Z"}}`, "security token is missing"},
		"no expiration":          {`{"RequestId":"r-1","Credentials":{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + `","SecurityToken":"t"}}`, "Expiration is missing"},
		"an unusable expiration": {`{"Credentials":{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + `","SecurityToken":"t","Expiration":"tomorrow"}}`, "Expiration is missing or not a time"},
		"a padded secret":        {`{"Credentials":{"AccessKeyId":"id","AccessKeySecret":"` + hiddenSecret + ` ","SecurityToken":"t","Expiration":"2030-01-01T00:00:00Z"}}`, "a space at byte 30"},
		"no AccessKey ID":        {`{"Credentials":{"AccessKeySecret":"` + hiddenSecret + `","SecurityToken":"t","Expiration":"2030-01-01T00:00:00Z"}}`, "AccessKey ID is empty"},
		"fields of other types":  {`{"Credentials":{"AccessKeyId":1}}`, "not the JSON of STS"},
	} {
		t.Run(name, func(t *testing.T) {
			server.Fail(1, otstest.Fault{STS: true, PlainBody: c.body})
			_, err := server.STS().Provider().Retrieve(t.Context())
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), hiddenSecret)
			var pe *otsauth.ProviderError
			require.ErrorAs(t, err, &pe)
			require.Equal(t, "assume-role", pe.Provider)
		})
	}
}

func TestNetworkErrorsOfSTSNameTheHostAndNoMore(t *testing.T) {
	server := otstest.NewServer(t, nil)
	server.Fail(1, otstest.Fault{STS: true, Reset: true})
	_, err := server.STS().Provider().Retrieve(t.Context())
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.ErrorContains(t, err, "no answer from sts.otstest.invalid")

	server.Fail(1, otstest.Fault{STS: true, Truncate: true})
	_, err = server.STS().Provider().Retrieve(t.Context())
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// Over a socket, with the provider's own HTTP client.
func TestAssumeRoleOverASocket(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, err := otstest.Start(nil)
	require.NoError(t, err)
	defer server.Close()
	p := assumeRole(t, server.Provider(), &otsauth.AssumeRoleOptions{Endpoint: server.URL()})
	_, err = p.Retrieve(t.Context())
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	server.Fail(1, otstest.Fault{STS: true, Delay: time.Hour})
	done := make(chan error)
	go func() { _, err := p.Retrieve(ctx); done <- err }()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestAssumeRoleFollowsNoRedirect(t *testing.T) {
	server := otstest.NewServer(t, nil)
	elsewhere := 0
	client := &http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == "elsewhere.example.com" {
			elsewhere++
		}
		return &http.Response{
			StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example.com/"}},
			Body: http.NoBody, Request: req,
		}, nil
	})}
	_, err := assumeRole(t, server.Provider(), &otsauth.AssumeRoleOptions{HTTPClient: client}).Retrieve(t.Context())
	var se *otsauth.STSError
	require.ErrorAs(t, err, &se)
	require.Equal(t, http.StatusTemporaryRedirect, se.StatusCode)
	require.Zero(t, elsewhere, "the request, and the token in it, went to another host")
	require.Nil(t, client.CheckRedirect, "the caller's client was changed")
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestAssumeRoleRenewsASourceThatSTSRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		source := otsauth.NewCache(server.STS().Provider(), nil)
		defer source.Close()
		p := assumeRole(t, source, server.STS().AssumeRoleOptions())
		_, err := p.Retrieve(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, server.RevokeTokens())
		_, err = p.Retrieve(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, source.Stats().Invalidations)
	})
}

func TestTheSourcesErrorIsTheRolesError(t *testing.T) {
	_, err := assumeRole(t, otsauth.Env(lookupIn(nil)), nil).Retrieve(t.Context())
	require.ErrorIs(t, err, otsauth.ErrNotConfigured)
	require.EqualError(t, err, "otsauth: assume-role: env: not configured: none of OTS_AK_ENV, TABLESTORE_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_ID is set")

	_, err = assumeRole(t, otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) { panic(errors.New(hiddenSecret)) }), nil).Retrieve(t.Context())
	require.ErrorContains(t, err, "panicked")
	require.NotContains(t, err.Error(), hiddenSecret)
}
