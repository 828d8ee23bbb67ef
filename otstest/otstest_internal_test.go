package otstest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

// The vectors of the official SDKs' own tests; package signer has them too,
// for its own code.
func TestSignatureVectors(t *testing.T) {
	const secret = "credentials_test_secret"
	r := &inbound{method: "POST", path: "/ListTable", header: http.Header{
		"X-Ots-Accesskeyid": {"credentials_test_id"}, "X-Ots-Apiversion": {"2015-12-31"},
		"X-Ots-Contentmd5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}, "X-Ots-Date": {"2024-08-08T03:22:47.8123Z"},
		"X-Ots-Instancename": {"credentials_test"}, "X-Ots-Signature": {"x"}, "User-Agent": {"x"},
	}}
	require.Equal(t, "A940TpusldxW4mUEOFbhrtwctoU=", sum(sha1.New, secret, stringToSign(r)))

	r.header.Set("x-ots-signdate", "20240808")
	r.header.Set("x-ots-signregion", "cn-hangzhou")
	key := v4Key(secret, "20240808", "cn-hangzhou")
	require.Equal(t, "RNN1/s8/m45SdD+EzXlvpyGxc4Enu0RiODs1Lg+xFpo=", key)
	require.Equal(t, "mUSbIuIfN/JuO4/mCOaQZ72JHDc8z6gjPdBpPyAd/ac=", sum(sha256.New, key, stringToSign(r)+"ots"))

	answer := http.Header{
		"X-Ots-Contentmd5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}, "X-Ots-Contenttype": {"protocol buffer"},
		"X-Ots-Date": {"2024-08-08T03:22:47.000Z"}, "X-Ots-Requestid": {"0005f55a-0000-0000-0000-000000000000"},
	}
	signed := &inbound{path: "/ListTable", header: http.Header{}, key: &accessKey{Credentials: otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret(secret)}}}
	signAnswer(answer, signed)
	require.Equal(t, "OTS id:HretZKImn8a4Jd0e0ND+LfH8NDc=", answer.Get("Authorization"))

	java := http.Header{"X-Ots-Contentmd5": {"md5"}, "X-Ots-Contenttype": {"json"}}
	require.Equal(t, "yxS9NtV7YZ+VtKXGkyeLOlYsH5o=", sum(sha1.New, "sk", signedHeaders(java)+"/action"))
}

// Computed from the specification, with the token of a temporary key.
func TestSignatureVectorsWithAToken(t *testing.T) {
	const secret = "credentials_test_secret"
	r := &inbound{method: "POST", path: "/ListTable", header: http.Header{
		"X-Ots-Accesskeyid": {"credentials_test_id"}, "X-Ots-Apiversion": {"2015-12-31"},
		"X-Ots-Contentmd5": {"1B2M2Y8AsgTpgAmY7PhCfg=="}, "X-Ots-Date": {"2024-08-08T03:22:47.8123Z"},
		"X-Ots-Instancename": {"credentials_test"}, "X-Ots-Ststoken": {"credentials_test_token"},
	}}
	require.Equal(t, "63Op73S0mORAqej4yWA9XkuCy5M=", sum(sha1.New, secret, stringToSign(r)))

	r.header.Set("x-ots-signdate", "20240808")
	r.header.Set("x-ots-signregion", "cn-hangzhou")
	require.Equal(t, "pfo4ZAnIKPjfDuSVRYiNzjlpLqXED4+0Wa++5L7ViAA=", sum(sha256.New, v4Key(secret, "20240808", "cn-hangzhou"), stringToSign(r)+"ots"))
}

// signedRequest is a request that the server accepts.
func signedRequest(s *Server, c otsauth.Credentials, action string, body []byte) *http.Request {
	req := &http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: "otstest.invalid", Path: "/" + action}, Header: http.Header{}}
	req.Header.Set("x-ots-date", s.opts.Now().UTC().Format("2006-01-02T15:04:05.123456Z"))
	req.Header.Set("x-ots-apiversion", apiVersion)
	req.Header.Set("x-ots-accesskeyid", c.AccessKeyID)
	req.Header.Set("x-ots-instancename", s.Instance())
	req.Header.Set("x-ots-contentmd5", md5Of(body))
	if !c.SecurityToken.IsZero() {
		req.Header.Set("x-ots-ststoken", c.SecurityToken.Reveal())
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	sign(req, c)
	return req
}

func sign(req *http.Request, c otsauth.Credentials) {
	text := stringToSign(&inbound{method: req.Method, path: req.URL.Path, header: req.Header})
	req.Header.Set("x-ots-signature", sum(sha1.New, c.AccessKeySecret.Reveal(), text))
}

func signV4(req *http.Request, c otsauth.Credentials, day, region string) {
	req.Header.Del("x-ots-signature")
	req.Header.Set("x-ots-signdate", day)
	req.Header.Set("x-ots-signregion", region)
	text := stringToSign(&inbound{method: req.Method, path: req.URL.Path, header: req.Header})
	req.Header.Set("x-ots-signaturev4", sum(sha256.New, v4Key(c.AccessKeySecret.Reveal(), day, region), text+"ots"))
}

// send returns the answer's status and headers, and its Error message.
func send(t *testing.T, s *Server, req *http.Request) (int, http.Header, *otspb.Error) {
	t.Helper()
	resp, err := s.Transport().RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	answer := &otspb.Error{}
	if resp.StatusCode != http.StatusOK {
		require.NoError(t, proto.Unmarshal(body, answer))
	}
	return resp.StatusCode, resp.Header, answer
}

func TestRefusals(t *testing.T) {
	s := NewServer(t, nil)
	now := time.Now()
	owner := s.key
	temporary := otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: now.Add(time.Hour)}
	expired := otsauth.Credentials{AccessKeyID: "STS.b", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: now.Add(-time.Second)}
	revoked := otsauth.Credentials{AccessKeyID: "STS.c", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: now.Add(time.Hour)}
	s.AddKey(temporary)
	s.AddKey(expired)
	s.AddKey(revoked)
	require.True(t, s.Revoke("STS.c"))
	require.False(t, s.Revoke("STS.unknown"))
	wrongSecret := owner
	wrongSecret.AccessKeySecret = otsauth.NewSecret("wrong")
	today := now.UTC().Format("20060102")

	without := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Del(name); sign(r, owner); r.Header.Del(name) }
	}
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value); sign(r, owner) }
	}
	for name, c := range map[string]struct {
		key     otsauth.Credentials
		change  func(*http.Request)
		status  int
		code    string
		message string
		reason  string
	}{
		"nothing wrong":                      {owner, nil, 200, "", "", ""},
		"nothing wrong with a token":         {temporary, nil, 200, "", "", ""},
		"nothing wrong with V4":              {owner, func(r *http.Request) { signV4(r, owner, today, "cn-hangzhou") }, 200, "", "", ""},
		"an unknown header that is signed":   {owner, with("x-ots-custom", "v"), 200, "", "", ""},
		"a date with no fraction":            {owner, with("x-ots-date", now.UTC().Format(time.RFC3339)), 200, "", "", ""},
		"a date 14 minutes off":              {owner, with("x-ots-date", now.Add(14*time.Minute).UTC().Format(time.RFC3339)), 200, "", "", ""},
		"a GET":                              {owner, func(r *http.Request) { r.Method = "GET"; sign(r, owner) }, 405, "OTSMethodNotAllowed", "Only POST method for requests is supported.", "the method is GET"},
		"no date":                            {owner, without("x-ots-date"), 400, codeParameterInvalid, "Missing header: x-ots-date.", "no x-ots-date"},
		"no API version":                     {owner, without("x-ots-apiversion"), 400, codeParameterInvalid, "Missing header: x-ots-apiversion.", "no x-ots-apiversion"},
		"no AccessKey ID":                    {owner, without("x-ots-accesskeyid"), 400, codeParameterInvalid, "Missing header: x-ots-accesskeyid.", "no x-ots-accesskeyid"},
		"no instance":                        {owner, without("x-ots-instancename"), 400, codeParameterInvalid, "Missing header: x-ots-instancename.", "no x-ots-instancename"},
		"no MD5":                             {owner, without("x-ots-contentmd5"), 400, codeParameterInvalid, "Missing header: x-ots-contentmd5.", "no x-ots-contentmd5"},
		"no signature":                       {owner, func(r *http.Request) { r.Header.Del("x-ots-signature") }, 400, codeParameterInvalid, "Missing header: x-ots-signature.", "no x-ots-signature"},
		"V4 without a region":                {owner, func(r *http.Request) { signV4(r, owner, today, ""); r.Header.Del("x-ots-signregion") }, 400, codeParameterInvalid, "Missing header: x-ots-signregion.", "no x-ots-signregion"},
		"another API version":                {owner, with("x-ots-apiversion", "2014-08-08"), 400, codeParameterInvalid, "Invalid API version: 2014-08-08.", ""},
		"an unknown operation":               {owner, func(r *http.Request) { r.URL.Path = "/HelloWorld" }, 400, codeParameterInvalid, "Unsupported operation: 'HelloWorld'.", ""},
		"an unknown AccessKey":               {otsauth.Credentials{AccessKeyID: "nobody", AccessKeySecret: otsauth.NewSecret("sk")}, nil, 403, codeAuthFailed, "The AccessKeyID does not exist.", `no AccessKey "nobody"`},
		"a temporary key without its token":  {otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("sk")}, nil, 403, codeAuthFailed, "The AccessKeyID does not exist.", "no x-ots-ststoken"},
		"another key's token":                {otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("other")}, nil, 403, codeAuthFailed, "The security token has expired.", "not the token of"},
		"an expired token":                   {expired, nil, 403, codeAuthFailed, "The security token has expired.", "expired"},
		"a revoked token":                    {revoked, nil, 403, codeAuthFailed, "The security token has expired.", "was revoked"},
		"a wrong secret":                     {wrongSecret, nil, 403, codeAuthFailed, "Signature mismatch.", "not the one of the string-to-sign"},
		"a header that is not signed":        {owner, func(r *http.Request) { r.Header.Set("x-ots-custom", "v") }, 403, codeAuthFailed, "Signature mismatch.", ""},
		"a header sent twice":                {owner, func(r *http.Request) { r.Header.Add("x-ots-date", "v") }, 403, codeAuthFailed, "Signature mismatch.", "sent 2 times"},
		"a signature for another action":     {owner, func(r *http.Request) { r.URL.Path = "/GetRow" }, 403, codeAuthFailed, "Signature mismatch.", ""},
		"a V4 signature of last week":        {owner, func(r *http.Request) { signV4(r, owner, now.AddDate(0, 0, -7).UTC().Format("20060102"), "cn-hangzhou") }, 403, codeAuthFailed, "Signature mismatch.", "x-ots-signdate"},
		"a V4 signature for another region":  {owner, func(r *http.Request) { signV4(r, owner, today, "cn-beijing") }, 403, codeAuthFailed, "Signature mismatch.", "x-ots-signregion"},
		"a V4 signature with another secret": {owner, func(r *http.Request) { signV4(r, wrongSecret, today, "cn-hangzhou") }, 403, codeAuthFailed, "Signature mismatch.", "V4"},
		"a date that is none":                {owner, with("x-ots-date", "blahblah"), 400, codeParameterInvalid, "Invalid date format: blahblah.", ""},
		"a date 16 minutes off":              {owner, with("x-ots-date", now.Add(-16*time.Minute).UTC().Format(time.RFC3339)), 403, codeAuthFailed, "Mismatch between system time and x-ots-date: " + now.Add(-16*time.Minute).UTC().Format(http.TimeFormat) + ".", "off"},
		"another body's MD5":                 {owner, with("x-ots-contentmd5", md5Of([]byte("other"))), 403, codeAuthFailed, "Mismatch between MD5 value of request body and x-ots-contentmd5 in header.", "0 bytes"},
		"a query":                            {owner, func(r *http.Request) { r.URL.RawQuery = "a=b" }, 403, codeAuthFailed, "Signature mismatch.", ""},
		"the form comes before the key":      {otsauth.Credentials{AccessKeyID: "nobody", AccessKeySecret: otsauth.NewSecret("sk")}, with("x-ots-contentmd5", md5Of([]byte("other"))), 403, codeAuthFailed, "Mismatch between MD5 value of request body and x-ots-contentmd5 in header.", "0 bytes"},
		"the key comes before the time":      {wrongSecret, func(r *http.Request) { r.Header.Set("x-ots-date", "2014-06-07T14:25:40Z") }, 403, codeAuthFailed, "Signature mismatch.", ""},
		"another instance":                   {owner, with("x-ots-instancename", "other"), 403, codeAuthFailed, "The instance is not found.", `"other"`},
	} {
		t.Run(name, func(t *testing.T) {
			req := signedRequest(s, c.key, "ListTable", nil)
			if c.change != nil {
				c.change(req)
			}
			status, header, answer := send(t, s, req)
			require.Equal(t, c.status, status, answer.GetMessage())
			require.Equal(t, c.code, answer.GetCode())
			require.Equal(t, c.message, answer.GetMessage())
			require.NotEmpty(t, header.Get("x-ots-requestid"))

			recorded := s.Requests()
			last := recorded[len(recorded)-1]
			require.Equal(t, header.Get("x-ots-requestid"), last.RequestID)
			require.Equal(t, c.message, last.Message)
			require.Contains(t, last.Reason, c.reason)
			require.NotContains(t, last.StringToSign+last.Reason, "x-ots-ststoken:token")
			if c.status == 200 {
				require.Contains(t, header.Get("Authorization"), "OTS "+c.key.AccessKeyID+":")
			}
		})
	}
}

func TestTheDocumentedAlternativesCanBeChosen(t *testing.T) {
	s := NewServer(t, &Options{
		MissingHeaderCode:        "OTSMissingHeader",
		UnsupportedOperationCode: "OTSUnsupportOperation",
		ExpiredToken:             Refusal{403, "OTSNoPermissionAccess", "You have no permission"},
	})
	req := signedRequest(s, s.key, "ListTable", nil)
	req.Header.Del("x-ots-date")
	_, _, answer := send(t, s, req)
	require.Equal(t, "OTSMissingHeader", answer.GetCode())
	require.Equal(t, "Missing header: 'x-ots-date'.", answer.GetMessage())

	_, _, answer = send(t, s, signedRequest(s, s.key, "HelloWorld", nil))
	require.Equal(t, "OTSUnsupportOperation", answer.GetCode())

	c := otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token"), Expires: time.Now().Add(-1)}
	s.AddKey(c)
	_, _, answer = send(t, s, signedRequest(s, c, "ListTable", nil))
	require.Equal(t, "OTSNoPermissionAccess", answer.GetCode())
}

func FuzzServeTablestore(f *testing.F) {
	s, err := Start(nil)
	if err != nil {
		f.Fatal(err)
	}
	if _, refused := s.createTable(tableRequest("t", nil, nil)); refused != nil {
		f.Fatal(refused.Message)
	}
	put, _ := proto.Marshal(&otspb.PutRowRequest{TableName: proto.String("t"), Row: []byte("\x75\x00\x00\x00"), Condition: &otspb.Condition{RowExistence: otspb.RowExistenceExpectation_IGNORE.Enum()}})
	f.Add("PutRow", put)
	f.Add("GetRow", []byte{})
	f.Add("GetRange", wire(rangeRequest(otspb.Direction_BACKWARD, key("b", 1), key("a", 1))))
	f.Add("BatchWriteRow", wire(writes(write(otspb.OperationType_PUT, encoded(key("a", 1), integer("x", 1)), ignore()))))
	f.Add("CreateTable", []byte{})
	f.Fuzz(func(t *testing.T, action string, body []byte) {
		if strings.ContainsAny(action, "\r\n") {
			return
		}
		resp, err := s.Transport().RoundTrip(signedRequest(s, s.key, action, body))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode >= 500 {
			t.Fatal(resp.Status)
		}
	})
}
