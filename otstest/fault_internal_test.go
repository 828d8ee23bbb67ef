package otstest

import (
	"context"
	"crypto/sha1"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// outcome is what a client sees of one request.
type outcome struct {
	status int
	header http.Header
	body   []byte
	err    error // of the request, or of reading the body
}

func roundTrip(rt http.RoundTripper, req *http.Request) outcome {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return outcome{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return outcome{resp.StatusCode, resp.Header, body, err}
}

// overSocket redirects a request to the server's socket.
func overSocket(s *Server, req *http.Request) *http.Request {
	u, err := url.Parse(s.URL())
	if err != nil {
		panic(err)
	}
	req.URL.Host = u.Host
	return req
}

// A fault looks the same in process and over a socket.
func TestFaultsOfTablestore(t *testing.T) {
	authorization := func(s *Server, o outcome) string {
		return "OTS " + s.key.AccessKeyID + ":" + sum(sha1.New, s.key.AccessKeySecret.Reveal(), signedHeaders(o.header)+"/ListTable")
	}
	for name, c := range map[string]struct {
		fault Fault
		check func(t *testing.T, s *Server, o outcome)
	}{
		"throttled": {Throttled(false), func(t *testing.T, s *Server, o outcome) {
			require.Equal(t, 503, o.status)
			require.Contains(t, string(o.body), "OTSServerBusy")
			require.Equal(t, authorization(s, o), o.header.Get("Authorization"), "errors are signed as well")
		}},
		"unavailable": {Unavailable(false), func(t *testing.T, _ *Server, o outcome) {
			require.Equal(t, 503, o.status)
			require.Contains(t, string(o.body), "OTSServerUnavailable")
		}},
		"the connection is reset": {Fault{Reset: true}, func(t *testing.T, s *Server, o outcome) {
			require.ErrorIs(t, o.err, syscall.ECONNRESET)
			require.Empty(t, s.Requests()[0].StringToSign, "the request was not looked at")
		}},
		"the connection is reset when it is done": {Fault{ResetAfter: true}, func(t *testing.T, s *Server, o outcome) {
			require.ErrorIs(t, o.err, syscall.ECONNRESET)
			require.NotEmpty(t, s.Requests()[0].StringToSign)
		}},
		"the body is cut": {Fault{Truncate: true, StatusCode: 400, Code: "OTSParameterInvalid", Message: "long enough"}, func(t *testing.T, _ *Server, o outcome) {
			require.Equal(t, 400, o.status)
			require.ErrorIs(t, o.err, io.ErrUnexpectedEOF)
			require.NotEmpty(t, o.body)
		}},
		"the MD5 is wrong, and signed": {Fault{WrongMD5: true}, func(t *testing.T, s *Server, o outcome) {
			require.Equal(t, 200, o.status)
			require.NotEqual(t, md5Of(o.body), o.header.Get("x-ots-contentmd5"))
			require.Equal(t, authorization(s, o), o.header.Get("Authorization"))
		}},
		"the signature is wrong": {Fault{WrongSignature: true}, func(t *testing.T, s *Server, o outcome) {
			require.Equal(t, 200, o.status)
			require.Equal(t, md5Of(o.body), o.header.Get("x-ots-contentmd5"))
			require.NotEqual(t, authorization(s, o), o.header.Get("Authorization"))
			require.Contains(t, o.header.Get("Authorization"), s.key.AccessKeyID)
		}},
		"the clock is off": {Fault{ClockOffset: -time.Hour}, func(t *testing.T, s *Server, o outcome) {
			date, err := time.Parse(answerDateLayout, o.header.Get("x-ots-date"))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now().Add(-time.Hour), date, time.Minute)
			require.Equal(t, authorization(s, o), o.header.Get("Authorization"))
		}},
		"a proxy answers": {Fault{PlainBody: "<html>", StatusCode: 502}, func(t *testing.T, _ *Server, o outcome) {
			require.Equal(t, 502, o.status)
			require.Equal(t, "<html>", string(o.body))
			require.Empty(t, o.header.Get("x-ots-requestid"))
		}},
		"a proxy answers, and is content": {Fault{PlainBody: "<html>"}, func(t *testing.T, _ *Server, o outcome) {
			require.Equal(t, 200, o.status)
			require.Equal(t, "<html>", string(o.body))
		}},
	} {
		t.Run(name+", in process", func(t *testing.T) {
			s := NewServer(t, nil)
			s.Fail(1, c.fault)
			c.check(t, s, roundTrip(s.Transport(), signedRequest(s, s.key, "ListTable", nil)))
			require.Equal(t, 200, roundTrip(s.Transport(), signedRequest(s, s.key, "ListTable", nil)).status, "once is over")
		})
		t.Run(name+", over a socket", func(t *testing.T) {
			s := NewServer(t, nil)
			s.Fail(1, c.fault)
			c.check(t, s, roundTrip(s.Client().Transport, overSocket(s, signedRequest(s, s.key, "ListTable", nil))))
			require.Equal(t, 200, roundTrip(s.Client().Transport, overSocket(s, signedRequest(s, s.key, "ListTable", nil))).status, "once is over")
		})
	}
}

func TestAFaultComesAfterTheChecks(t *testing.T) {
	s := NewServer(t, nil)
	s.Fail(-1, Throttled(false))
	wrong := s.key
	wrong.AccessKeySecret = otsauth.NewSecret("wrong")
	require.Equal(t, 403, roundTrip(s.Transport(), signedRequest(s, wrong, "ListTable", nil)).status)
}

func TestFaultsAreUsedUpInOrder(t *testing.T) {
	s := NewServer(t, nil)
	list := func() int { return roundTrip(s.Transport(), signedRequest(s, s.key, "ListTable", nil)).status }
	s.Fail(0, Throttled(false))
	s.Fail(1, Fault{Action: "GetRow", StatusCode: 418})
	s.Fail(1, Throttled(true))
	s.Fail(2, Fault{StatusCode: 500})
	s.Fail(-1, Fault{Action: "ListTable", StatusCode: 503})
	require.Equal(t, []int{500, 500, 503, 503}, []int{list(), list(), list(), list()})
	require.Equal(t, 418, roundTrip(s.Transport(), signedRequest(s, s.key, "GetRow", nil)).status)
	s.Heal()
	require.Equal(t, 200, list())

	require.EqualValues(t, 5, s.Calls("ListTable"))
	require.EqualValues(t, 1, s.Calls("GetRow"))
	require.Zero(t, s.Calls("PutRow"))
	require.Equal(t, Stats{Requests: 6, Refused: 5}, s.Stats())
}

func TestADelayPassesInVirtualTimeOrUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(t, nil)
		s.Fail(2, Fault{Delay: time.Hour})
		begin := time.Now()
		req := signedRequest(s, s.key, "ListTable", nil)
		req.Header.Set("x-ots-date", begin.Add(time.Hour).UTC().Format(time.RFC3339)) // when it is looked at
		sign(req, s.key)
		require.Equal(t, 200, roundTrip(s.Transport(), req).status)
		require.Equal(t, time.Hour, time.Since(begin))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin = time.Now()
		require.ErrorIs(t, roundTrip(s.Transport(), signedRequest(s, s.key, "ListTable", nil).WithContext(ctx)).err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

func TestClosingEndsARequestThatIsDelayed(t *testing.T) {
	s := NewServer(t, nil)
	s.Fail(1, Fault{Delay: time.Hour})
	req := overSocket(s, signedRequest(s, s.key, "ListTable", nil))
	done := make(chan outcome)
	go func() { done <- roundTrip(s.Client().Transport, req) }()
	for planned := 1; planned > 0; runtime.Gosched() { // until the fault hits the request
		s.mu.Lock()
		planned = len(s.faults)
		s.mu.Unlock()
	}
	s.Close()
	require.Error(t, (<-done).err)
}

func TestAFaultRevokesTheTokenInUse(t *testing.T) {
	s := NewServer(t, nil)
	c, err := s.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	other, err := s.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	s.Fail(1, Fault{Revoke: true})
	for range 2 {
		require.Equal(t, 403, roundTrip(s.Transport(), signedRequest(s, c, "ListTable", nil)).status)
	}
	require.Equal(t, 200, roundTrip(s.Transport(), signedRequest(s, other, "ListTable", nil)).status)
	require.Equal(t, 1, s.RevokeTokens())
	require.Equal(t, 403, roundTrip(s.Transport(), signedRequest(s, other, "ListTable", nil)).status)
	require.Zero(t, s.RevokeTokens())
	require.Equal(t, 200, roundTrip(s.Transport(), signedRequest(s, s.key, "ListTable", nil)).status, "the owner's key is not a token")
}

func TestFaultsOfSTS(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		status int
		text   string
		err    error
	}{
		"throttled":               {Throttled(true), 429, `"Code":"Throttling.User"`, nil},
		"unavailable":             {Unavailable(true), 503, `"Code":"ServiceUnavailable"`, nil},
		"the role does not trust": {Fault{STS: true, StatusCode: 403, Code: "NoPermission"}, 403, `"Code":"NoPermission"`, nil},
		"the connection is reset": {Fault{STS: true, Reset: true}, 0, "", syscall.ECONNRESET},
		"reset when it is done":   {Fault{STS: true, ResetAfter: true}, 0, "", syscall.ECONNRESET},
		"the body is cut":         {Fault{STS: true, Truncate: true}, 200, `{`, io.ErrUnexpectedEOF},
		"a proxy answers":         {Fault{STS: true, PlainBody: "<html>"}, 200, "<html>", nil},
		"the base token expires":  {Fault{STS: true, Revoke: true}, 400, `"Code":"InvalidSecurityToken.Expired"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t, nil)
			base := otsauth.Credentials{AccessKeyID: "STS.a", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("token")}
			s.AddKey(base)
			s.Fail(1, c.fault)
			params := rpc(base, time.Now(), "n")
			signRPC("POST", params, base)
			req, err := http.NewRequestWithContext(t.Context(), "POST", "https://sts.otstest.invalid/", strings.NewReader(params.Encode()))
			require.NoError(t, err)
			got := roundTrip(s.Transport(), req)
			require.ErrorIs(t, got.err, c.err)
			require.Equal(t, c.status, got.status)
			require.Contains(t, string(got.body), c.text)
			require.Equal(t, c.status, s.Requests()[0].StatusCode)
			require.EqualValues(t, 1, s.Stats().STSCalls)
		})
	}
}
