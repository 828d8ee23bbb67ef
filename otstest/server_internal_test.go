package otstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

func TestBothSocketsAnswerTheSame(t *testing.T) {
	s := NewServer(t, &Options{Instance: "another"})
	require.Equal(t, s.URL(), s.URL())
	require.Equal(t, s.TLSURL(), s.TLSURL())
	for _, base := range []string{s.URL(), s.TLSURL()} {
		req := signedRequest(s, s.key, "ListTable", nil)
		to, err := req.URL.Parse(base + "/ListTable")
		require.NoError(t, err)
		req.URL = to
		require.Equal(t, 200, roundTrip(s.Client().Transport, req).status)
	}
}

func TestTheCertificateIsTrustedByTheServersClientOnly(t *testing.T) {
	s := NewServer(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.TLSURL()+"/ListTable", nil)
	require.NoError(t, err)
	stranger := &http.Transport{}
	defer stranger.CloseIdleConnections()
	require.ErrorContains(t, roundTrip(stranger, req).err, "certificate")
}

func TestAClosedServerRefusesConnections(t *testing.T) {
	early, late := NewServer(t, nil), NewServer(t, nil)
	address := early.URL()
	early.Close()
	early.Close()
	require.Equal(t, address, early.URL())
	late.Close()
	for _, s := range []*Server{early, late} {
		for _, base := range []string{s.URL(), s.TLSURL()} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", base, nil)
			require.NoError(t, err)
			require.ErrorIs(t, roundTrip(&http.Transport{DisableKeepAlives: true}, req).err, syscall.ECONNREFUSED)
		}
	}
}

func TestTheTransportKeepsTheRulesOfRoundTripper(t *testing.T) {
	s := NewServer(t, nil)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("the disk is gone")
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   func(error) bool
	}{
		"a context that is done":      {func(r *http.Request) { *r = *r.WithContext(cancelled) }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"a body that cannot be read":  {func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(broken)) }, func(err error) bool { return errors.Is(err, broken) }},
		"no URL":                      {func(r *http.Request) { r.URL = nil }, func(err error) bool { return errors.As(err, new(*otsauth.ConfigError)) }},
		"no body, no method, no host": {func(r *http.Request) { r.Body, r.Method, r.URL.Host = nil, "", "" }, func(err error) bool { return err == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			req := signedRequest(s, s.key, "ListTable", nil)
			c.change(req)
			closed := &closeCounter{}
			if req.Body != nil {
				closed.Reader, req.Body = req.Body, closed
			}
			before := req.Header.Clone()
			got := roundTrip(s.Transport(), req)
			require.True(t, c.want(got.err), got.err)
			require.Equal(t, before, req.Header)
			if req.Body != nil {
				require.Equal(t, 1, closed.n)
			}
		})
	}
}

type closeCounter struct {
	io.Reader
	n int
}

func (c *closeCounter) Close() error { c.n++; return nil }

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	s := NewServer(t, nil)
	status, _, refused := send(t, s, signedRequest(s, s.key, "PutRow", make([]byte, maxBody+1)))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, "OTSRequestBodyTooLarge", refused.GetCode())
}

func TestTheLastRequestsAreRemembered(t *testing.T) {
	s := NewServer(t, nil)
	const n = 2*maxRecorded + 1
	for i := range n {
		req := signedRequest(s, s.key, "ListTable", nil)
		req.Header.Set("x-ots-accesskeyid", fmt.Sprint(i))
		roundTrip(s.Transport(), req)
	}
	kept := s.Requests()
	require.LessOrEqual(t, len(kept), maxRecorded)
	require.Greater(t, len(kept), maxRecorded/2)
	for i, r := range kept {
		require.Equal(t, fmt.Sprint(n-len(kept)+i), r.AccessKeyID, "oldest first, and none is missing")
	}
	require.EqualValues(t, n, s.Calls("ListTable"))
	for i := range 2 * maxRecorded {
		roundTrip(s.Transport(), signedRequest(s, s.key, fmt.Sprint("Made", i), nil))
	}
	require.LessOrEqual(t, len(s.calls), maxRecorded, "made-up names do not fill the memory")
}

// Run with the race detector.
func TestManyGoroutinesAtOnce(t *testing.T) {
	s, clock := newTable(t, nil)
	const workers, each = 64, 20
	var wg sync.WaitGroup
	failed := make(chan string, workers*each)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				pk := key(fmt.Sprint(w), int64(i))
				body, _ := proto.Marshal(&otspb.PutRowRequest{TableName: proto.String("t"), Row: encoded(pk, integer("x", int64(i))), Condition: ignore()})
				if o := roundTrip(s.Transport(), signedRequest(s, s.key, "PutRow", body)); o.status != 200 {
					failed <- fmt.Sprintf("PutRow: %d %q %v", o.status, o.body, o.err)
				}
				body, _ = proto.Marshal(&otspb.GetRowRequest{TableName: proto.String("t"), PrimaryKey: encoded(pk), MaxVersions: proto.Int32(1)})
				o := roundTrip(s.Transport(), signedRequest(s, s.key, "GetRow", body))
				got := &otspb.GetRowResponse{}
				if err := proto.Unmarshal(o.body, got); err != nil || got.GetRow() != string(encoded(pk, at(integer("x", int64(i)), clock.now.UnixMilli()))) {
					failed <- fmt.Sprintf("GetRow: %d %q %v", o.status, o.body, err)
				}
			}
			_, _ = s.Stats(), s.Requests()
		})
	}
	wg.Wait()
	close(failed)
	for problem := range failed {
		t.Error(problem)
	}
	require.Equal(t, Stats{Requests: 1 + 2*workers*each}, s.Stats())
	rows := 0
	s.store.read("t", func(t *table) { rows = len(t.rows) })
	require.Equal(t, workers*each, rows)
}
