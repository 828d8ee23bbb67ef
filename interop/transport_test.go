package interop_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/common"
	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"
	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

// The official SDK on our credentials: it is built with keys that mean nothing,
// and its Transport signs anew.
func TestTheSDKRunsOnOurTransport(t *testing.T) {
	for _, region := range []string{"", "cn-hangzhou"} {
		server := otstest.NewServer(t, &otstest.Options{TokenLifetime: time.Hour})
		s, err := signer.New(server.STS().Provider(), server.Instance(), &signer.Options{Region: region})
		require.NoError(t, err)
		config := sdkConfig()
		config.Transport = &signer.Transport{Signer: s}
		c := tablestore.NewClientWithConfig(server.URL(), server.Instance(), "nobody", "nothing", "", config)
		_, err = c.CreateTable(createTableRequest("t"))
		require.NoError(t, err)
		_, err = c.PutRow(putRowRequest("t", tablestore.RowExistenceExpectation_IGNORE))
		require.NoError(t, err)
		got, err := c.GetRow(getRowRequest("t", sdkKey("a", 1)))
		require.NoError(t, err)
		require.Len(t, got.Columns, 5)
		require.NoError(t, s.Close())
	}
}

// The official SDK follows redirects to other hosts and takes the token and the
// signature along; on our transport it does not.
func TestNoOtherHostGetsTheToken(t *testing.T) {
	var leaked []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = append(leaked, r.Header.Clone()) }))
	defer other.Close()
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer redirecting.Close()
	c := otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token")}

	theirs := tablestore.NewClientWithConfig(redirecting.URL, "instance", c.AccessKeyID, "sk", "token", sdkConfig())
	_, _ = theirs.ListTable()
	require.NotEmpty(t, leaked, "the SDK no longer follows redirects: this test and the README can go")
	require.Equal(t, "token", leaked[0].Get("x-ots-ststoken"))

	leaked = nil
	s, err := signer.New(otsauth.Static(c), "instance", nil)
	require.NoError(t, err)
	defer s.Close()
	config := sdkConfig()
	config.Transport = &signer.Transport{Signer: s}
	ours := tablestore.NewClientWithConfig(redirecting.URL, "instance", c.AccessKeyID, "sk", "token", config)
	_, err = ours.ListTable()
	require.Error(t, err)
	require.Empty(t, leaked)
}

// FuzzSignatures signs the same headers with the SDK and with us, V2 and V4.
func FuzzSignatures(f *testing.F) {
	f.Add("secret", "ListTable", "2024-08-08T03:22:47.8123Z", "id", "instance", "token", " tag ", false)
	f.Add("secret", "GetRow", "garbage", "STS.x", "i", "", "云", true)
	f.Fuzz(func(t *testing.T, secret, action, date, id, instance, token, tag string, v4 bool) {
		h := http.Header{}
		for name, value := range map[string]string{
			"x-ots-date": date, "x-ots-apiversion": "2015-12-31", "x-ots-accesskeyid": id, "x-ots-instancename": instance,
			"x-ots-contentmd5": "1B2M2Y8AsgTpgAmY7PhCfg==", "x-ots-ststoken": token, "x-ots-request-tag": tag,
		} {
			if strings.TrimSpace(value) != value || strings.ContainsAny(value, "\r\n\x00") {
				return // trimmed by net/http, or refused
			}
			if value != "" { // the SDK leaves empty values out; see TestWhereTheSDKSignsSomethingElseThanItSends
				h.Set(name, value)
			}
		}
		plain := &common.DefaultCredentials{AccessKeyID: id, AccessKeySecret: secret, SecurityToken: token}
		var credentials common.Credentials = plain
		key, salt := secret, ""
		if v4 {
			derived := common.CreateByCredentials(plain, "cn-hangzhou")
			h.Set("x-ots-signdate", derived.GetSigningDate())
			h.Set("x-ots-signregion", "cn-hangzhou")
			credentials, key, salt = derived, derived.GetAccessKeySecret(), "ots"
		}
		want, err := tablestore.GetSignature("/"+action, "POST", credentials, h)
		if err != nil {
			return // a required header is empty
		}
		text := signer.StringToSign("POST", "/"+action, h) + salt
		mac := common.GetHmac("HmacSHA1", []byte(key))
		if v4 {
			mac = hmac.New(sha256.New, []byte(key))
		}
		mac.Write([]byte(text))
		if got := base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Fatalf("the SDK signs %s, we sign %s, over %q", want, got, text)
		}
	})
}
