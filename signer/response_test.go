package signer_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

// naiveAuthorize signs an answer as the specification reads.
func naiveAuthorize(resp *http.Response, id, key string) {
	_, lines, _ := strings.Cut(naiveStringToSign("", "", resp.Header), "\n\n\n")
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(lines + resp.Request.URL.Path))
	resp.Header.Set("Authorization", "OTS "+id+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// answer is a good answer to req.
func answer(req *http.Request, at time.Time, body []byte) *http.Response {
	sum := md5.Sum(body)
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: req}
	resp.Header.Set("x-ots-date", at.UTC().Format("2006-01-02T15:04:05.000Z"))
	resp.Header.Set("x-ots-requestid", "0005f55a")
	resp.Header.Set("x-ots-contenttype", "protocol buffer")
	resp.Header.Set("x-ots-contentmd5", base64.StdEncoding.EncodeToString(sum[:]))
	naiveAuthorize(resp, "id", "secret")
	return resp
}

func TestVerifyResponse(t *testing.T) {
	body := []byte("rows")
	for name, c := range map[string]struct {
		change func(*http.Response)
		body   string // what arrived; empty: what was sent
		check  signer.Check
		says   string
	}{
		"a good answer":                       {func(*http.Response) {}, "", "", ""},
		"a date without a fraction":           {func(r *http.Response) { redate(r, time.Now().UTC().Format("2006-01-02T15:04:05Z")) }, "", "", ""},
		"a date 14 minutes ahead":             {func(r *http.Response) { redate(r, time.Now().Add(14*time.Minute).UTC().Format(time.RFC3339)) }, "", "", ""},
		"no MD5":                              {func(r *http.Response) { r.Header.Del("x-ots-contentmd5") }, "", signer.CheckHeader, "x-ots-contentmd5 is missing"},
		"no request ID":                       {func(r *http.Response) { r.Header.Del("x-ots-requestid") }, "", signer.CheckHeader, "x-ots-requestid is missing"},
		"no date":                             {func(r *http.Response) { r.Header.Del("x-ots-date") }, "", signer.CheckHeader, "x-ots-date is missing"},
		"no content type":                     {func(r *http.Response) { r.Header.Del("x-ots-contenttype") }, "", signer.CheckHeader, "x-ots-contenttype is missing"},
		"no authorization":                    {func(r *http.Response) { r.Header.Del("Authorization") }, "", signer.CheckHeader, "authorization is missing"},
		"a body that was changed":             {func(*http.Response) {}, "r0ws", signer.CheckMD5, "4 bytes"},
		"a body that was cut off":             {func(*http.Response) {}, "row", signer.CheckMD5, "3 bytes"},
		"a date that is none":                 {func(r *http.Response) { redate(r, "yesterday") }, "", signer.CheckDate, "is not a date"},
		"a date 16 minutes behind":            {func(r *http.Response) { redate(r, time.Now().Add(-16*time.Minute).UTC().Format(time.RFC3339)) }, "", signer.CheckDate, " off this machine's clock"},
		"an authorization of another scheme":  {func(r *http.Response) { r.Header.Set("Authorization", "Basic aWQ6c2VjcmV0") }, "", signer.CheckAuthorization, "is not"},
		"an authorization without signature":  {func(r *http.Response) { r.Header.Set("Authorization", "OTS id") }, "", signer.CheckAuthorization, "is not"},
		"a second colon in the authorization": {func(r *http.Response) { r.Header.Set("Authorization", "OTS id:a:b") }, "", signer.CheckSignature, "signature"},
		"another AccessKey ID":                {func(r *http.Response) { naiveAuthorize(r, "other", "secret") }, "", signer.CheckAccessKeyID, "another AccessKey ID"},
		"another secret":                      {func(r *http.Response) { naiveAuthorize(r, "id", "forged") }, "", signer.CheckSignature, "AccessKey secret"},
		"a header added behind the signature": {func(r *http.Response) { r.Header.Set("x-ots-traceinfo", "x") }, "", signer.CheckSignature, "AccessKey secret"},
		"an error that is signed":             {func(r *http.Response) { r.StatusCode = http.StatusConflict }, "", "", ""},
		"an error that is not signed": {func(r *http.Response) {
			r.StatusCode = http.StatusServiceUnavailable
			r.Header.Del("Authorization")
		}, "", "", ""},
		"an error of a proxy, without any header": {func(r *http.Response) { r.StatusCode, r.Header = http.StatusBadGateway, http.Header{} }, "", "", ""},
		"an error with a forged signature": {func(r *http.Response) {
			r.StatusCode = http.StatusConflict
			naiveAuthorize(r, "id", "forged")
		}, "", signer.CheckSignature, "AccessKey secret"},
		"an error whose body was changed": {func(r *http.Response) { r.StatusCode = http.StatusConflict }, "r0ws", signer.CheckMD5, "4 bytes"},
		"a 403 that is not signed": {func(r *http.Response) {
			r.StatusCode = http.StatusForbidden
			r.Header.Del("Authorization")
		}, "", "", ""},
		"a 403 with a forged signature": {func(r *http.Response) {
			r.StatusCode = http.StatusForbidden
			naiveAuthorize(r, "id", "forged")
		}, "", signer.CheckSignature, "AccessKey secret"},
		"a redirect": {func(r *http.Response) { r.StatusCode = http.StatusFound }, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigner(t, creds(""), nil)
			req := newRequest(t, "GetRow")
			used, err := s.Sign(t.Context(), req, nil)
			require.NoError(t, err)
			resp := answer(req, time.Now(), body) //nolint:bodyclose // it has none
			c.change(resp)
			arrived := body
			if c.body != "" {
				arrived = []byte(c.body)
			}
			err = s.VerifyResponse(used, resp, arrived)
			if c.check == "" {
				require.NoError(t, err)
				return
			}
			var re *signer.ResponseError
			require.ErrorAs(t, err, &re)
			require.Equal(t, c.check, re.Check)
			require.Equal(t, "GetRow", re.Action)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), string(arrived), "the body stays out of the error")
		})
	}
}

// redate sets the date and signs again.
func redate(r *http.Response, date string) {
	r.Header.Set("x-ots-date", date)
	naiveAuthorize(r, "id", "secret")
}

// A key that the service does not know as this machine does shows itself as
// OTSAuthFailed, signed with the service's idea of the key. That error is worth
// more than one about the answer.
func TestA403ThatSaysAuthFailedIsNotLookedAtFurther(t *testing.T) {
	s := newSigner(t, creds(""), nil)
	req := newRequest(t, "GetRow")
	used, err := s.Sign(t.Context(), req, nil)
	require.NoError(t, err)
	body := []byte("\n\rOTSAuthFailed\x12\x13Signature mismatch.")
	resp := answer(req, time.Now(), body) //nolint:bodyclose // it has none
	resp.StatusCode = http.StatusForbidden
	naiveAuthorize(resp, "id", "what the service has")
	require.NoError(t, s.VerifyResponse(used, resp, body))
}

func FuzzVerifyResponse(f *testing.F) {
	f.Add(200, "OTS id:sig", "2026-01-01T00:00:00.000Z", "1B2M2Y8AsgTpgAmY7PhCfg==", "x-ots-a", "v", []byte{})
	f.Add(403, "OTS ", "", "", "X-Ots-Date", "\x00", []byte("OTSAuthFailed"))
	s := newSigner(f, creds(""), &signer.Options{Region: "cn-hangzhou"})
	f.Fuzz(func(t *testing.T, status int, authorization, date, sum, name, value string, body []byte) {
		req := newRequest(t, "GetRow")
		used, err := s.Sign(t.Context(), req, nil)
		require.NoError(t, err)
		resp := &http.Response{StatusCode: status, Request: req, Header: http.Header{
			"Authorization": {authorization}, "X-Ots-Date": {date}, "X-Ots-Contentmd5": {sum}, name: {value},
		}}
		err = s.VerifyResponse(used, resp, body)
		if err == nil && status >= 200 && status < 300 {
			t.Fatalf("%q is taken for a signature", authorization)
		}
		if s.LearnSkew(used, resp) && authorization != "" {
			t.Fatalf("an answer with the forged signature %q taught a clock skew", authorization)
		}
	})
}

// A reply is an answer whose body was read and closed.
type reply struct {
	answer *http.Response
	status int
	body   []byte
}

func send(t *testing.T, transport *signer.Transport, req *http.Request) reply {
	t.Helper()
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp, resp.StatusCode, body}
}

// The other side of these tests reads the specification on its own.
func TestTheServiceAndTheSignerUnderstandEachOther(t *testing.T) {
	for name, region := range map[string]string{"V2": "", "V4": "cn-hangzhou"} {
		t.Run(name, func(t *testing.T) {
			server := otstest.NewServer(t, nil)
			for kind, provider := range map[string]otsauth.Provider{
				"a long-lived key": server.Provider(),
				"a temporary key":  server.STS().Provider(),
			} {
				s, err := signer.New(provider, server.Instance(), &signer.Options{Region: region})
				require.NoError(t, err)
				defer s.Close()
				transport := &signer.Transport{Signer: s, Base: server.Transport()}
				got := send(t, transport, newRequest(t, "ListTable"))
				require.Equal(t, http.StatusOK, got.status, "%s: %s", kind, got.body)
				used, err := s.Sign(t.Context(), newRequest(t, "ListTable"), nil)
				require.NoError(t, err)
				require.NoError(t, s.VerifyResponse(used, got.answer, got.body), kind)

				server.Fail(1, otstest.Fault{WrongSignature: true})
				got = send(t, transport, newRequest(t, "ListTable"))
				var re *signer.ResponseError
				require.ErrorAs(t, s.VerifyResponse(used, got.answer, got.body), &re, kind)
				require.Equal(t, signer.CheckSignature, re.Check)
			}
		})
	}
}

func TestTheTransportReplacesARejectedTokenAndSendsOnceMore(t *testing.T) {
	server := otstest.NewServer(t, nil)
	s, err := signer.New(server.STS().Provider(), server.Instance(), nil)
	require.NoError(t, err)
	defer s.Close()
	transport := &signer.Transport{Signer: s, Base: server.Transport()}
	used, err := s.Sign(t.Context(), newRequest(t, "ListTable"), nil)
	require.NoError(t, err)
	require.True(t, server.Revoke(used.AccessKeyID))
	require.Equal(t, http.StatusOK, send(t, transport, newRequest(t, "ListTable")).status)
	s.Invalidate(used) // a late rejection of the same set
	again, err := s.Sign(t.Context(), newRequest(t, "ListTable"), nil)
	require.NoError(t, err)
	require.Equal(t, int64(2), server.Stats().STSCalls)
	require.NotEqual(t, used.AccessKeyID, again.AccessKeyID)
}
