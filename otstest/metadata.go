package otstest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otsauth/otsauth"
)

const (
	metadataRoot  = "/latest/"
	metadataToken = "/latest/api/token"
	metadataRoles = "/latest/meta-data/ram/security-credentials/"

	credentialsPath = "/credentials"

	maxMetadataTTL = 21600 // seconds
)

// Metadata is the metadata service of an ECS instance with a RAM role: requests
// with a token (version 2) and, unless forbidden, without one. Its credentials
// are good for the server's Tablestore. Its methods are safe for concurrent use.
type Metadata struct {
	server *Server

	mu       sync.Mutex // guards the fields below
	role     string
	tokens   map[string]time.Time // when each ends
	required bool
	noTokens bool
	current  otsauth.Credentials
	calls    map[string]int
}

// Metadata returns the metadata service, at the server's URL.
func (s *Server) Metadata() *Metadata { return s.metadata }

// ECSOptions returns options for [otsauth.ECSRole] that reach the metadata
// service in process, without a socket.
func (m *Metadata) ECSOptions() *otsauth.ECSOptions {
	return &otsauth.ECSOptions{Endpoint: "http://metadata.otstest.invalid", HTTPClient: &http.Client{Transport: m.server.Transport()}}
}

// CredentialsURI returns a URI that answers with the credentials of the
// instance's role, for [otsauth.URI]; the host is one of Transport's.
func (m *Metadata) CredentialsURI() string { return "http://otstest.invalid" + credentialsPath }

// SetRole attaches another role to the instance; empty: none.
func (m *Metadata) SetRole(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.role = name
}

// RequireToken forbids (true) or allows requests without a token.
func (m *Metadata) RequireToken(required bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.required = required
}

// OnlyV1 makes the service as old ones are: it issues no tokens.
func (m *Metadata) OnlyV1(only bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noTokens = only
}

// DropTokens makes all metadata tokens invalid.
func (m *Metadata) DropTokens() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.tokens)
}

// Rotate makes the service hand out a new set of credentials.
func (m *Metadata) Rotate() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current = otsauth.Credentials{}
}

// Calls returns how often a path was asked for, as in
// "PUT /latest/api/token".
func (m *Metadata) Calls(methodAndPath string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[methodAndPath]
}

// serve answers one request.
func (m *Metadata) serve(r *http.Request) *answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[r.Method+" "+r.URL.Path]++
	switch {
	case r.URL.Path == credentialsPath:
		return m.credentials(r, "Success")
	case r.URL.Path == metadataToken:
		return m.issueToken(r)
	case r.Method != http.MethodGet:
		return plain(http.StatusMethodNotAllowed, "")
	}
	given := r.Header.Get("X-aliyun-ecs-metadata-token")
	if end, known := m.tokens[given]; given != "" && (!known || !m.server.opts.Now().Before(end)) || given == "" && m.required {
		return plain(http.StatusUnauthorized, "")
	}
	switch role, ok := strings.CutPrefix(r.URL.Path, metadataRoles); {
	case !ok || m.role == "":
		return plain(http.StatusNotFound, "")
	case role == "":
		return plain(http.StatusOK, m.role+"\n")
	case role != m.role:
		return plain(http.StatusNotFound, "")
	}
	return m.credentials(r, "Success")
}

// issueToken checks the time to live that a token is asked for with.
func (m *Metadata) issueToken(r *http.Request) *answer {
	seconds, err := strconv.Atoi(r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds"))
	switch {
	case m.noTokens:
		return plain(http.StatusNotFound, "")
	case r.Method != http.MethodPut:
		return plain(http.StatusMethodNotAllowed, "")
	case err != nil || seconds < 1 || seconds > maxMetadataTTL:
		return plain(http.StatusBadRequest, "")
	}
	token := rand.Text() + rand.Text()
	m.tokens[token] = m.server.opts.Now().Add(time.Duration(seconds) * time.Second)
	return plain(http.StatusOK, token)
}

// credentials answers with the current set; as the real service does, the same
// one until less than half of its life is left.
func (m *Metadata) credentials(r *http.Request, code string) *answer {
	if r.Method != http.MethodGet {
		return plain(http.StatusMethodNotAllowed, "")
	}
	lifetime := m.server.opts.TokenLifetime
	if lifetime == 0 {
		lifetime = 6 * time.Hour
	}
	now := m.server.opts.Now()
	if key, ok := m.server.keys.find(m.current.AccessKeyID); !ok || !key.valid(now.Add(lifetime/2)) {
		m.current = newTemporary(now.Add(lifetime))
		m.server.keys.add(m.current)
	}
	body, _ := json.Marshal(map[string]string{ // a map of strings always encodes
		"Code": code, "AccessKeyId": m.current.AccessKeyID, "AccessKeySecret": m.current.AccessKeySecret.Reveal(),
		"SecurityToken": m.current.SecurityToken.Reveal(), "Expiration": formatExpiry(m.current.Expires, now), "LastUpdated": formatExpiry(now, now),
	})
	return plain(http.StatusOK, string(body))
}

func plain(status int, body string) *answer {
	return &answer{status: status, header: http.Header{"Content-Type": {"text/plain"}}, body: []byte(body)}
}
