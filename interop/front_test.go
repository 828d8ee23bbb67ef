package interop_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// instanceName is that of otstest's servers.
const instanceName = "otstest"

// scenarioKey is the key that all clients use at all servers.
func scenarioKey() otsauth.Credentials {
	return otsauth.Credentials{AccessKeyID: "LTAI5tScenarios", AccessKeySecret: otsauth.NewSecret("not-much-of-a-secret")}
}

// A driver makes a client do a step.
type driver struct {
	name  string
	front *front
	do    func(ctx context.Context, s *step) *result
}

// A front is the one address that a client knows. Each scenario has its own
// server behind it. It remembers the bodies of requests.
type front struct {
	*httptest.Server

	mu      sync.Mutex // guards the fields below
	backend *otstest.Server
	bodies  [][]byte
}

func newFront(t *testing.T) *front {
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(f.forward))
	t.Cleanup(f.Close)
	return f
}

// serve makes server the one behind the front.
func (f *front) serve(server *otstest.Server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backend = server
}

// fail makes the next request fail.
func (f *front) fail(how *failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backend.Fail(1, otstest.Fault{StatusCode: how.Status, Code: how.Code, Message: how.Message})
}

// taken returns the bodies since it was last called.
func (f *front) taken() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	bodies := f.bodies
	f.bodies = nil
	return bodies
}

func (f *front) forward(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f.mu.Lock()
	f.bodies = append(f.bodies, body)
	backend := f.backend
	f.mu.Unlock()
	request := r.Clone(r.Context())
	request.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := backend.Transport().RoundTrip(request)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}
