package signer_test

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

// offClock is a clock that is off by what it is set to.
type offClock struct {
	mu  sync.Mutex // guards off
	off time.Duration
}

func (c *offClock) set(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

func (c *offClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func TestSkewIsLearnedFromTheServiceAndDroppedWhenTheClockIsSet(t *testing.T) {
	for name, region := range map[string]string{"V2": "", "V4": "cn-hangzhou"} {
		for _, off := range []time.Duration{-40 * time.Minute, 20 * time.Minute, 30 * 24 * time.Hour} {
			t.Run(name+" "+off.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var logged strings.Builder
					clock := &offClock{off: off}
					server := otstest.NewServer(t, nil)
					s, err := signer.New(server.Provider(), server.Instance(), &signer.Options{
						Region: region, Now: clock.now, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
					})
					require.NoError(t, err)
					defer s.Close()
					transport := &signer.Transport{Signer: s, Base: server.Transport()}
					list := func() (int, error) {
						got := send(t, transport, newRequest(t, "ListTable"))
						used, err := server.Provider().Retrieve(t.Context())
						require.NoError(t, err)
						return got.status, s.VerifyResponse(used, got.answer, got.body)
					}

					status, err := list()
					require.NoError(t, err, "the answer's date is compared with the corrected clock")
					require.Equal(t, http.StatusOK, status, "the request was dated anew and sent once more")
					require.Equal(t, signer.Stats{Skew: -off, SkewChanges: 1}, s.Stats())

					clock.set(0) // somebody sets the clock
					status, err = list()
					require.NoError(t, err)
					require.Equal(t, http.StatusOK, status)
					require.Equal(t, signer.Stats{SkewChanges: 2}, s.Stats())
					require.EqualValues(t, 2, server.Stats().Refused)
					require.Equal(t, 2, strings.Count(logged.String(), "clock skew changed"))
				})
			})
		}
	}
}

func TestSkewThatIsNoLongerNeededIsDroppedBeforeItDoesHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &offClock{off: -20 * time.Minute}
		server := otstest.NewServer(t, nil)
		s, err := signer.New(server.Provider(), server.Instance(), &signer.Options{Now: clock.now})
		require.NoError(t, err)
		defer s.Close()
		transport := &signer.Transport{Signer: s, Base: server.Transport()}
		send(t, transport, newRequest(t, "ListTable"))
		require.Equal(t, 20*time.Minute, s.Stats().Skew)

		// The clock is set while a request is under way: its answer shows it.
		got := send(t, transport, newRequest(t, "ListTable"))
		clock.set(10 * time.Second)
		used, err := server.Provider().Retrieve(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.VerifyResponse(used, got.answer, got.body))
		require.Zero(t, s.Stats().Skew)
		require.Equal(t, http.StatusOK, send(t, transport, newRequest(t, "ListTable")).status)
	})
}

// refused is a 403 to a request that was dated at sent, answered at served.
func refused(t *testing.T, s *signer.Signer, served time.Time) *http.Response {
	t.Helper()
	req := newRequest(t, "GetRow")
	_, err := s.Sign(t.Context(), req, nil)
	require.NoError(t, err)
	resp := answer(req, served, nil)
	resp.StatusCode = http.StatusForbidden
	return resp
}

func TestLearnSkewTrustsNobodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Response)
		learns bool
	}{
		"a signed answer":                          {func(*http.Response) {}, true},
		"an answer over https that is not signed":  {func(r *http.Response) { r.Header.Del("Authorization") }, true},
		"a front end's, with Date only":            {func(r *http.Response) { frontEnd(r, "https") }, true},
		"a signed answer over http":                {func(r *http.Response) { r.Request.URL.Scheme = "http" }, true},
		"an unsigned answer over http":             {func(r *http.Response) { frontEnd(r, "http") }, false},
		"an unsigned answer of this machine":       {func(r *http.Response) { frontEnd(r, "http"); r.Request.URL.Host = "127.0.0.1:80" }, true},
		"an answer with a forged signature":        {func(r *http.Response) { naiveAuthorize(r, "id", "forged") }, false},
		"a success":                                {func(r *http.Response) { r.StatusCode = http.StatusOK }, false},
		"an answer without a date":                 {func(r *http.Response) { r.Header = http.Header{} }, false},
		"an answer to a request without a date":    {func(r *http.Response) { r.Request.Header.Del("x-ots-date") }, false},
		"an answer that has forgotten its request": {func(r *http.Response) { r.Request = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigner(t, creds(""), nil)
			resp := refused(t, s, time.Now().Add(time.Hour)) //nolint:bodyclose // it has none
			c.change(resp)
			require.Equal(t, c.learns, s.LearnSkew(creds(""), resp))
			if c.learns {
				require.InDelta(t, time.Hour, s.Stats().Skew, float64(5*time.Second))
			} else {
				require.Zero(t, s.Stats())
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		require.False(t, newSigner(t, creds(""), nil).LearnSkew(creds(""), nil))
	})
	t.Run("a refusal for another reason, with the right time", func(t *testing.T) {
		s := newSigner(t, creds(""), nil)
		require.False(t, s.LearnSkew(creds(""), refused(t, s, time.Now().Add(10*time.Minute)))) //nolint:bodyclose // it has none
		require.Zero(t, s.Stats())
	})
}

func frontEnd(r *http.Response, scheme string) {
	date, _ := time.Parse(time.RFC3339, r.Header.Get("x-ots-date"))
	r.Header = http.Header{"Date": {date.UTC().Format(http.TimeFormat)}}
	r.Request.URL.Scheme = scheme
}

// All requests under way learn the same at once: it is one change, and each of
// them is worth sending again.
func TestManyRequestsLearnOneSkew(t *testing.T) {
	s := newSigner(t, creds(""), nil)
	answers := make([]*http.Response, 32)
	for i := range answers {
		answers[i] = refused(t, s, time.Now().Add(time.Hour+time.Duration(i)*time.Second)) //nolint:bodyclose // it has none
	}
	var wg sync.WaitGroup
	for _, resp := range answers {
		wg.Go(func() {
			if !s.LearnSkew(creds(""), resp) {
				t.Error("a refused request is not sent again")
			}
		})
	}
	wg.Wait()
	require.Equal(t, uint64(1), s.Stats().SkewChanges)
}
