package otsauth_test

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

func TestECSRoleAsksForOneTokenAndOneRoleName(t *testing.T) {
	clearEnv(t)
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		p := otsauth.ECSRole(server.Metadata().ECSOptions())
		for range 10 {
			creds, err := p.Retrieve(t.Context())
			require.NoError(t, err)
			require.Equal(t, "ecs", creds.Source)
			require.False(t, creds.SecurityToken.IsZero())
		}
		calls := server.Metadata().Calls
		require.Equal(t, 1, calls("PUT /latest/api/token"))
		require.Equal(t, 1, calls("GET /latest/meta-data/ram/security-credentials/"))
		require.Equal(t, 10, calls("GET /latest/meta-data/ram/security-credentials/otstest"))

		time.Sleep(6 * time.Hour) // the metadata token's life
		_, err := p.Retrieve(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, calls("PUT /latest/api/token"))

		server.Metadata().DropTokens() // the service forgets them: 401
		_, err = p.Retrieve(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, calls("PUT /latest/api/token"))
	})
}

func TestECSRole(t *testing.T) {
	for name, c := range map[string]struct {
		prepare    func(t *testing.T, m *otstest.Metadata, o *otsauth.ECSOptions)
		want       string // "": credentials
		configured bool
	}{
		"a service that requires a token": {func(_ *testing.T, m *otstest.Metadata, _ *otsauth.ECSOptions) { m.RequireToken(true) }, "", true},
		"an old service without tokens":   {func(_ *testing.T, m *otstest.Metadata, _ *otsauth.ECSOptions) { m.OnlyV1(true) }, "", true},
		"a role that was named":           {func(_ *testing.T, _ *otstest.Metadata, o *otsauth.ECSOptions) { o.RoleName = "otstest" }, "", true},
		"a role named by the environment": {func(t *testing.T, _ *otstest.Metadata, _ *otsauth.ECSOptions) {
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA", "otstest")
		}, "", true},
		"a named role that is another":          {func(_ *testing.T, _ *otstest.Metadata, o *otsauth.ECSOptions) { o.RoleName = "other" }, "no credentials of the role other; check the role's name (HTTP 404)", true},
		"an old service with version 1 refused": {func(_ *testing.T, m *otstest.Metadata, o *otsauth.ECSOptions) { m.OnlyV1(true); o.DisableIMDSv1 = true }, "requests without one are disabled", true},
		"version 1 refused by the environment": {func(t *testing.T, m *otstest.Metadata, _ *otsauth.ECSOptions) {
			m.OnlyV1(true)
			t.Setenv("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")
		}, "requests without one are disabled", true},
		"an instance without a role": {func(_ *testing.T, m *otstest.Metadata, _ *otsauth.ECSOptions) { m.SetRole("") }, "no RAM role is attached", false},
		"disabled by the environment": {func(t *testing.T, _ *otstest.Metadata, _ *otsauth.ECSOptions) {
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
		}, "ALIBABA_CLOUD_ECS_METADATA_DISABLED", false},
		"an endpoint that is not a URL": {func(_ *testing.T, _ *otstest.Metadata, o *otsauth.ECSOptions) { o.Endpoint = "100.100.100.200" }, "is not a URL", true},
		"a redirect, which is not followed": {func(_ *testing.T, _ *otstest.Metadata, o *otsauth.ECSOptions) {
			o.HTTPClient = &http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if req.URL.Host == "elsewhere.example.com" {
					return nil, errors.New("followed the redirect")
				}
				return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"http://elsewhere.example.com/"}}, Body: http.NoBody, Request: req}, nil
			})}
		}, "HTTP 302", true},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			server := otstest.NewServer(t, nil)
			opts := server.Metadata().ECSOptions()
			c.prepare(t, server.Metadata(), opts)
			creds, err := otsauth.ECSRole(opts).Retrieve(t.Context())
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, creds.Validate())
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Equal(t, !c.configured, errors.Is(err, otsauth.ErrNotConfigured))
			require.ErrorContains(t, err, "otsauth: ecs: ")
		})
	}
}

func TestOnlyAServiceWithoutTokensIsAskedWithoutOne(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		want     string // "": credentials, without a token
		passes   bool   // whether the error says that waiting helps
	}{
		"a service that does not know them":    {[]int{400, 404, 405, 501}, "", false},
		"a service that refuses them":          {[]int{403}, "", false},
		"a service that is overloaded":         {[]int{429, 500, 502, 503, 504}, "gives no token now", true},
		"a service that answers anything else": {[]int{200, 302, 401}, "gives no token now", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, status := range c.statuses {
				clearEnv(t)
				server := otstest.NewServer(t, nil)
				opts := server.Metadata().ECSOptions()
				opts.HTTPClient = &http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodPut {
						return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
					}
					require.Empty(t, c.want, "asked without a token")
					return server.Transport().RoundTrip(req)
				})}
				_, err := otsauth.ECSRole(opts).Retrieve(t.Context())
				if c.want == "" {
					require.NoError(t, err, status)
					continue
				}
				require.ErrorContains(t, err, c.want, status)
				require.NotErrorIs(t, err, otsauth.ErrNotConfigured)
				var r interface{ Retryable() bool }
				require.Equal(t, c.passes, errors.As(err, &r) && r.Retryable(), status)
			}
		})
	}
}

func TestAMetadataServiceThatIsSilentIsNotConfiguredOnlyUntilItsFirstAnswer(t *testing.T) {
	clearEnv(t)
	server := otstest.NewServer(t, nil)
	silent := true
	opts := server.Metadata().ECSOptions()
	opts.HTTPClient = &http.Client{Transport: roundTripFunc(func(req *http.Request) (*http.Response, error) {
		if silent {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}
		}
		return server.Transport().RoundTrip(req)
	})}
	p := otsauth.ECSRole(opts)
	_, err := p.Retrieve(t.Context())
	require.ErrorIs(t, err, otsauth.ErrNotConfigured)
	silent = false
	_, err = p.Retrieve(t.Context())
	require.NoError(t, err)
	server.Metadata().DropTokens()
	silent = true
	_, err = p.Retrieve(t.Context())
	require.Error(t, err)
	require.NotErrorIs(t, err, otsauth.ErrNotConfigured, "the chain would make the service somebody else")
}
