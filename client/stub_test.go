package client_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// stub answers requests as a test says: with an HTTP status and a message.
type stub func(action string, body []byte) (status int, answer proto.Message)

// RoundTrip implements [http.RoundTripper].
func (s stub) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	status, answer := s(strings.TrimPrefix(req.URL.Path, "/"), body)
	content, err := proto.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, ContentLength: int64(len(content)), Body: io.NopCloser(bytes.NewReader(content)),
		Header: http.Header{"X-Ots-Requestid": {"id"}},
	}, nil
}

// client returns a client of the stub.
func (s stub) client(t testing.TB, opts client.Options) *client.OTSClient {
	t.Helper()
	opts.Transport, opts.InsecureSkipResponseCheck = s, true
	p := otsauth.Static(otsauth.Credentials{AccessKeyID: "id", AccessKeySecret: otsauth.NewSecret("sk")})
	c, err := client.New("https://stub.invalid", "stub", p, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// recorder returns a stub that keeps the last request in request, and answers
// with answer.
func recorder(t testing.TB, action string, request, answer proto.Message) stub {
	return func(got string, body []byte) (int, proto.Message) {
		require.Equal(t, action, got)
		require.NoError(t, proto.Unmarshal(body, request))
		return http.StatusOK, answer
	}
}

// answered returns rows as an answer has them.
func answered(rows []byte) *string { return proto.String(string(rows)) }

// onWire returns a row with the key id=id and an integer column n, if any.
func onWire(id string, n ...int64) []byte {
	row := &pb.Row{PrimaryKey: []pb.Cell{{Name: "id", Value: pb.StringValue(id)}}}
	for _, v := range n {
		row.Columns = append(row.Columns, pb.Cell{Name: "n", Value: pb.IntValue(v), HasTimestamp: true, Timestamp: 1000})
	}
	return pb.Append(nil, row)
}

func idKey(id string) client.PrimaryKey {
	return client.PrimaryKey{{Name: "id", Value: client.String(id)}}
}
