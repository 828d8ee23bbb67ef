package interop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

const roleARN = "acs:ram::123456789012:role/interop"

// credentialsGo returns credentials-go's client of a server's STS.
func credentialsGo(t testing.TB, server *otstest.Server, c otsauth.Credentials) credentials.Credential {
	t.Helper()
	kind, session, seconds := "ram_role_arn", "interop", 900
	id, secret, arn := c.AccessKeyID, c.AccessKeySecret.Reveal(), roleARN
	endpoint := strings.TrimPrefix(server.TLSURL(), "https://")
	config := &credentials.Config{
		Type: &kind, AccessKeyId: &id, AccessKeySecret: &secret, RoleArn: &arn, RoleSessionName: &session,
		RoleSessionExpiration: &seconds, STSEndpoint: &endpoint,
	}
	if token := c.SecurityToken.Reveal(); token != "" {
		config.SecurityToken = &token
	}
	credential, err := credentials.NewCredential(config)
	require.NoError(t, err)
	return credential
}

func TestCredentialsGoAssumesARoleAtOtstest(t *testing.T) {
	server := otstest.NewServer(t, nil)
	for name, source := range map[string]otsauth.Provider{"from a long-lived key": server.Provider(), "from a role": server.STS().Provider()} {
		t.Run(name, func(t *testing.T) {
			c, err := source.Retrieve(t.Context())
			require.NoError(t, err)
			got, err := credentialsGo(t, server, c).GetCredential()
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(*got.AccessKeyId, "STS."))

			// What it got is good for Tablestore, signed by the official SDK.
			_, err = officialClient(server, otsauth.Credentials{
				AccessKeyID: *got.AccessKeyId, AccessKeySecret: otsauth.NewSecret(*got.AccessKeySecret), SecurityToken: otsauth.NewSecret(*got.SecurityToken),
			}).ListTable()
			require.NoError(t, err)
		})
	}
}

func TestCredentialsGoGetsTheErrorsOfSTS(t *testing.T) {
	server := otstest.NewServer(t, nil)
	owner := ownerOf(t, server)
	wrong := owner
	wrong.AccessKeySecret = otsauth.NewSecret("wrong")
	expired := otsauth.Credentials{AccessKeyID: "STS.old", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: time.Now().Add(-time.Minute)}
	server.AddKey(expired)
	for name, c := range map[string]struct {
		credentials otsauth.Credentials
		fault       *otstest.Fault
		want        string
	}{
		"a wrong secret":   {wrong, nil, "SignatureDoesNotMatch"},
		"an unknown key":   {otsauth.Credentials{AccessKeyID: "nobody", AccessKeySecret: otsauth.NewSecret("sk")}, nil, "InvalidAccessKeyId.NotFound"},
		"an expired token": {expired, nil, "InvalidSecurityToken.Expired"},
		"a throttled STS":  {owner, throttled(), "Throttling.User"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.fault != nil {
				server.Fail(1, *c.fault)
			}
			_, err := credentialsGo(t, server, c.credentials).GetCredential()
			require.ErrorContains(t, err, c.want)
		})
	}
}

// For the same random parameters, otstest accepts what both sign; it checks
// with code of its own.
func TestBothSignRPCRequestsThatTheServiceAccepts(t *testing.T) {
	server := otstest.NewServer(t, nil)
	owner := ownerOf(t, server)
	_, err := credentialsGo(t, server, owner).GetCredential()
	require.NoError(t, err)
	ours, err := otsauth.AssumeRole(otsauth.Static(owner), roleARN, &otsauth.AssumeRoleOptions{
		Endpoint: server.TLSURL(), HTTPClient: server.Client(), SessionName: "a.b@c-d_e", Policy: `{"a": "~*+ &=/云"}`,
	})
	require.NoError(t, err)
	_, err = ours.Retrieve(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, server.Stats().TokensIssued)
}

func throttled() *otstest.Fault {
	f := otstest.Throttled(true)
	return &f
}
