package otsauth

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The vector of the RPC signature page in Alibaba Cloud's API documentation
// (DescribeRegions with AccessKey ID "testid" and secret "testsecret").
func TestRPCStringToSignIsTheDocumentationsExample(t *testing.T) {
	params := url.Values{
		"Timestamp": {"2016-02-23T12:46:24Z"}, "Format": {"XML"}, "AccessKeyId": {"testid"}, "Action": {"DescribeRegions"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"},
		"Version": {"2014-05-26"}, "SignatureVersion": {"1.0"},
	}
	require.Equal(t, "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML%26SignatureMethod%3DHMAC-SHA1"+
		"%26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf%26SignatureVersion%3D1.0"+
		"%26Timestamp%3D2016-02-23T12%253A46%253A24Z%26Version%3D2014-05-26",
		rpcStringToSign("GET", params))
	require.Equal(t, "OLeaidS1JvxuMvnyHOwuJ+uX5qY=", rpcSignature("testsecret", "GET", params))
}

func TestSignRPCSetsTheCommonParameters(t *testing.T) {
	params := url.Values{"Action": {"AssumeRole"}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 8*3600))
	signRPC(params, Credentials{AccessKeyID: "id", AccessKeySecret: NewSecret("sk"), SecurityToken: NewSecret("tok")}, now)
	require.Equal(t, "2026-01-01T19:04:05Z", params.Get("Timestamp"))
	require.Equal(t, "tok", params.Get("SecurityToken"))
	require.NotEmpty(t, params.Get("Signature"))

	again := url.Values{}
	signRPC(again, Credentials{AccessKeyID: "id", AccessKeySecret: NewSecret("sk")}, now)
	require.NotEqual(t, params.Get("SignatureNonce"), again.Get("SignatureNonce"))
	require.NotContains(t, again, "SecurityToken")
}

func TestPercentEncodeLeavesOnlyUnreservedCharacters(t *testing.T) {
	require.Equal(t, "%20%2A~%2B%2F%3D%26-_.aZ9%E4%BA%91", percentEncode(" *~+/=&-_.aZ9云"))
}

func FuzzPercentEncode(f *testing.F) {
	f.Add("a b*c~d+e%7Ef/云\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		encoded := percentEncode(s)
		for _, c := range []byte(encoded) {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~%", rune(c)) {
				t.Fatalf("%q encodes to %q", s, encoded)
			}
		}
		decoded, err := url.PathUnescape(encoded)
		if err != nil || decoded != s {
			t.Fatalf("%q encodes to %q, which decodes to %q, %v", s, encoded, decoded, err)
		}
	})
}
