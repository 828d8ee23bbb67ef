package client_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

func TestErrors(t *testing.T) {
	server := otstest.NewServer(t, nil)
	c := inProcess(t, server, server.Provider(), client.Options{Retry: client.NoRetryPolicy{}})

	t.Run("of the service compare with their code", func(t *testing.T) {
		err := putRow(t.Context(), c)
		require.ErrorIs(t, err, client.CodeObjectNotExist)
		require.NotErrorIs(t, err, client.CodeAuthFailed)
		var ce *client.Error
		require.ErrorAs(t, err, &ce)
		require.Equal(t, "PutRow", ce.Action)
		require.Equal(t, 404, ce.StatusCode)
		require.Equal(t, server.Requests()[0].RequestID, ce.RequestID)
		require.Equal(t, "client: PutRow: OTSObjectNotExist: Requested table does not exist. (HTTP 404), request "+ce.RequestID+"; create the table, or check its name", err.Error())
	})
	t.Run("of the network keep their cause", func(t *testing.T) {
		server.Fail(1, otstest.Fault{Reset: true})
		require.ErrorIs(t, putRow(t.Context(), c), syscall.ECONNRESET)
	})
	t.Run("of a cancelled context keep it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, putRow(ctx, c), context.Canceled)
	})
	for check, fault := range map[signer.Check]otstest.Fault{
		signer.CheckMD5:       {WrongMD5: true},
		signer.CheckSignature: {WrongSignature: true},
		signer.CheckDate:      {ClockOffset: 16 * time.Minute},
		signer.CheckHeader:    {PlainBody: "hello", StatusCode: 200},
	} {
		t.Run("of an answer that fails the "+string(check)+" check are of their own type", func(t *testing.T) {
			server.Fail(1, fault)
			_, err := c.ListTable(t.Context())
			var re *signer.ResponseError
			require.ErrorAs(t, err, &re)
			require.Equal(t, check, re.Check)

			server.Fail(1, fault)
			unchecked := inProcess(t, server, server.Provider(), client.Options{InsecureSkipResponseCheck: true})
			_, err = unchecked.Do(t.Context(), "ListTable", nil)
			require.NoError(t, err)
		})
	}
	t.Run("of a nil argument are no panic", func(t *testing.T) {
		var none context.Context
		var ce *otsauth.ConfigError
		require.ErrorAs(t, putRow(none, c), &ce)
		_, err := c.PutRow(t.Context(), nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.GetRow(t.Context(), nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.CreateTable(t.Context(), nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.Do(t.Context(), "Get Row", nil)
		require.ErrorAs(t, err, &ce)
		_, err = c.Do(t.Context(), "", nil)
		require.ErrorAs(t, err, &ce)
	})
	t.Run("of a number that does not fit name it", func(t *testing.T) {
		key := []client.KeySchema{{Name: "id", Type: client.KeyString}}
		for want, call := range map[string]func() error{
			"MaxVersions is 4294967297": func() error {
				_, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "t", PrimaryKey: rowKey("a"), MaxVersions: 1<<32 + 1})
				return err
			},
			"MaxVersions is -1": func() error {
				_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{Table: "t", PrimaryKey: key, MaxVersions: -1})
				return err
			},
			"Reserved is -1 and 0": func() error {
				_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{Table: "t", PrimaryKey: key, Reserved: client.Capacity{Read: -1}})
				return err
			},
			"TimeToLive is 1.5s": func() error {
				_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{Table: "t", PrimaryKey: key, TimeToLive: 1500 * time.Millisecond})
				return err
			},
			"TimeToLive is -2s": func() error {
				_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{Table: "t", PrimaryKey: key, TimeToLive: 2 * client.Forever})
				return err
			},
			"primary key column id has no type": func() error {
				_, err := c.CreateTable(t.Context(), &client.CreateTableRequest{Table: "t", PrimaryKey: []client.KeySchema{{Name: "id"}}})
				return err
			},
			"RowExistence is none of": func() error {
				_, err := c.PutRow(t.Context(), &client.PutRowRequest{Table: "t", PrimaryKey: rowKey("a"), Condition: &client.Condition{RowExistence: 3}})
				return err
			},
		} {
			err := call()
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce, want)
			require.ErrorContains(t, err, want)
		}
	})
	t.Run("of a row that cannot be sent name the column", func(t *testing.T) {
		for want, req := range map[string]*client.PutRowRequest{
			"table name is empty":                     {PrimaryKey: rowKey("a")},
			"primary key is empty":                    {Table: "t"},
			"column has an empty name":                {Table: "t", PrimaryKey: client.PrimaryKey{{Value: client.Int(1)}}},
			"column a has no value":                   {Table: "t", PrimaryKey: client.PrimaryKey{{Name: "a"}}},
			"column b has a string that is not UTF-8": {Table: "t", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "b", Value: client.String("\xff")}}},
			"has a name that is not UTF-8":            {Table: "t", PrimaryKey: rowKey("a"), Columns: []client.Column{{Name: "\xff", Value: client.Int(1)}}},
			"table name is not UTF-8":                 {Table: "\xff", PrimaryKey: rowKey("a")},
		} {
			_, err := c.PutRow(t.Context(), req)
			var ce *otsauth.ConfigError
			require.ErrorAs(t, err, &ce, want)
			require.ErrorContains(t, err, want)
		}
	})
}

func TestASecretThatIsSentNeverReachesAnError(t *testing.T) {
	server := otstest.NewServer(t, nil)
	creds, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	c := inProcess(t, server, otsauth.Static(creds), client.Options{Retry: client.NoRetryPolicy{}})
	for _, fault := range []otstest.Fault{
		{Reset: true},
		{Truncate: true},
		{WrongMD5: true},
		{PlainBody: creds.SecurityToken.Reveal(), StatusCode: 400},
		{StatusCode: 403, Code: "OTSAuthFailed", Message: "Signature mismatch."},
	} {
		server.Fail(1, fault)
		err := putRow(t.Context(), c)
		require.Error(t, err)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
			require.False(t, strings.Contains(text, creds.SecurityToken.Reveal()) || strings.Contains(text, creds.AccessKeySecret.Reveal()), text)
		}
	}
}

func TestATokenThatAnAnswerEchoesIsNotShown(t *testing.T) {
	const token = "tok-tok-tok-secret"
	denied := &otspb.AccessDeniedDetail{AuthAction: proto.String("a " + token), AuthPrincipalDisplayName: proto.String(token), NoPermissionType: proto.String(token)}
	refused := &otspb.Error{Code: proto.String("OTSNoPermissionAccess"), Message: proto.String(token), AccessDeniedDetail: denied}
	for name, c := range map[string]struct {
		status int
		answer proto.Message
		check  bool
	}{
		"an error":                       {http.StatusForbidden, refused, false},
		"a code":                         {http.StatusForbidden, &otspb.Error{Code: proto.String("OTS" + token)}, false},
		"an answer that does not verify": {http.StatusOK, &otspb.ListTableResponse{}, true},
		"a row of a batch": {http.StatusOK, &otspb.BatchGetRowResponse{Tables: []*otspb.TableInBatchGetRowResponse{
			{TableName: proto.String("t"), Rows: []*otspb.RowInBatchGetRowResponse{{IsOk: proto.Bool(false), Error: refused}}},
		}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := proto.Marshal(c.answer)
			require.NoError(t, err)
			echo := roundTripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: c.status, Header: http.Header{"X-Ots-Requestid": {"id " + token}}, ContentLength: int64(len(content)), Body: io.NopCloser(bytes.NewReader(content)),
				}, nil
			})
			var log bytes.Buffer
			creds := otsauth.Credentials{AccessKeyID: "STS.id", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret(token)}
			cl, err := client.New("https://stub.invalid", "stub", otsauth.Static(creds), &client.Options{
				Transport: echo, Retry: client.NoRetryPolicy{}, InsecureSkipResponseCheck: !c.check,
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			require.NoError(t, err)
			defer cl.Close()
			_, listErr := cl.ListTable(t.Context())
			answer, err := cl.BatchGetRow(t.Context(), &client.BatchGetRowRequest{Tables: []client.BatchGetTable{{Table: "t", PrimaryKeys: []client.PrimaryKey{idKey("a")}}}})
			if err == nil {
				err = answer.Results[0][0].Err
			}
			require.Error(t, err)
			require.NotContains(t, fmt.Sprint(listErr, err), token)
			require.NotContains(t, log.String(), token)
			require.Contains(t, log.String(), "redacted")
		})
	}
}

// A proxy may echo the request, and net/http quotes what it does not understand.
func TestAnAnswerThatIsNotHTTPIsNotQuoted(t *testing.T) {
	creds := otsauth.Credentials{AccessKeyID: "STS.id", AccessKeySecret: otsauth.NewSecret("sk"), SecurityToken: otsauth.NewSecret("the-token")}
	for name, answer := range map[string]string{
		"no HTTP":                  "X-Ots-Ststoken: the-token\r\n\r\n",
		"no status code":           "HTTP/1.1 the-token OK\r\n\r\n",
		"a header without a colon": "HTTP/1.1 200 OK\r\nX-Ots-Ststoken the-token\r\n\r\n",
		"a length that is none":    "HTTP/1.1 200 OK\r\nContent-Length: the-token\r\n\r\n",
		"an unknown encoding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: the-token\r\n\r\n",
		"a chunk that is none":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nthe-token\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			}()
			var log bytes.Buffer
			c, err := client.New("http://"+listener.Addr().String(), "i", otsauth.Static(creds), &client.Options{
				Retry: client.NoRetryPolicy{}, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			require.NoError(t, err)
			defer c.Close()
			_, err = c.ListTable(t.Context())
			require.Error(t, err)
			for _, text := range []string{err.Error(), fmt.Sprintf("%#v", err), log.String()} {
				require.NotContains(t, text, "token", text)
			}
		})
	}
}

func TestLogsHaveTheFactsAndNoSecret(t *testing.T) {
	server := otstest.NewServer(t, nil)
	var out bytes.Buffer
	c := inProcess(t, server, server.STS().Provider(), client.Options{Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	createTable(t, c)
	require.NoError(t, putRow(t.Context(), c))
	_, err := c.GetRow(t.Context(), &client.GetRowRequest{Table: "none", PrimaryKey: rowKey("a")})
	require.Error(t, err)

	var records []map[string]any
	for line := range strings.Lines(out.String()) {
		record := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		records = append(records, record)
	}
	require.Len(t, records, 4) // three attempts, one failed call
	requests := server.Requests()
	for i, action := range []string{"CreateTable", "PutRow", "GetRow"} {
		require.Equal(t, "DEBUG", records[i]["level"])
		require.Equal(t, action, records[i]["action"])
		require.EqualValues(t, 1, records[i]["attempt"])
		require.Equal(t, requests[i+1].RequestID, records[i]["request_id"])
		require.EqualValues(t, requests[i+1].StatusCode, records[i]["status"])
		require.Contains(t, records[i], "took")
		require.Positive(t, records[i]["request_bytes"])
	}
	require.Equal(t, "ERROR", records[3]["level"])
	require.Contains(t, records[3]["error"], "OTSObjectNotExist")

	creds, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	require.NotContains(t, out.String(), creds.SecurityToken.Reveal()[:10], "all tokens of the server begin alike")
}

func TestWhatTheServiceSaysIsShownOnOneLineWithoutSecrets(t *testing.T) {
	server := otstest.NewServer(t, nil)
	var logged bytes.Buffer
	cache := otsauth.NewCache(server.STS().Provider(), nil)
	defer cache.Close()
	creds, err := cache.Retrieve(t.Context())
	require.NoError(t, err)
	token := creds.SecurityToken.Reveal()
	c := inProcess(t, server, cache, client.Options{
		Retry: client.NoRetryPolicy{}, Logger: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	for name, message := range map[string]string{
		"a token":          "the token " + token + " is unknown to this instance",
		"a string-to-sign": "Signature mismatch of instance, string to sign: /GetRow\nx-ots-ststoken:" + token,
		"a long text":      strings.Repeat("instance\n", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			logged.Reset()
			server.Fail(1, otstest.Fault{StatusCode: 403, Code: "OTSAuthFailed", Message: message})
			_, err := c.ListTable(t.Context())
			require.ErrorIs(t, err, client.CodeAuthFailed)
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), logged.String()} {
				require.NotContains(t, text, token)
			}
			require.NotContains(t, err.Error(), "\n")
			require.Less(t, len(err.Error()), 600)
		})
	}
}

func TestAnErrorSaysWhoseTimeRanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := otstest.NewServer(t, nil)
		c := inProcess(t, server, server.Provider(), client.Options{Timeout: 20 * time.Second, Retry: client.NoRetryPolicy{}})
		server.Fail(-1, otstest.Fault{Delay: time.Minute})
		_, err := c.ListTable(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "the attempt took longer than Options.Timeout, which is 20s")

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = c.ListTable(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotContains(t, err.Error(), "Options.Timeout")

		_, err = c.ListTable(ctx) // which has ended
		require.EqualError(t, err, "client: ListTable: context deadline exceeded, 0 attempts")
	})
}

func TestAnEndWhileARetryWaitsForAConnectionKeepsTheServicesAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		service := stub(func(action string, _ []byte) (int, proto.Message) {
			if action == "ListTable" { // which holds the only connection
				<-released
				return http.StatusOK, &otspb.ListTableResponse{}
			}
			return http.StatusServiceUnavailable, &otspb.Error{Code: proto.String("OTSServerBusy"), Message: proto.String("Server is busy.")}
		})
		c := service.client(t, client.Options{MaxConnections: 1, Timeout: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		go func() {
			time.Sleep(50 * time.Millisecond) // between the first attempt and the second
			_, _ = c.ListTable(context.Background())
		}()
		err := getRow(ctx, c)
		close(released)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, client.CodeServerBusy)
		require.ErrorContains(t, err, "waiting for one of 1 connections: context deadline exceeded; the last attempt: OTSServerBusy: Server is busy. (HTTP 503), request id; send less")
	})
}

func TestACauseIsPrintedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := stub(func(string, []byte) (int, proto.Message) {
			return http.StatusServiceUnavailable, &otspb.Error{Code: proto.String("OTSServerBusy"), Message: proto.String("Server is busy.")}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := busy.client(t, client.Options{}).ListTable(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, client.CodeServerBusy)
		require.EqualError(t, err, "client: ListTable: context deadline exceeded; the last attempt: OTSServerBusy: Server is busy. (HTTP 503), request id; "+
			"send less at once; a table spreads its load by its first primary key column")
	})
}

func TestTheServiceSaysWhichPermissionIsMissing(t *testing.T) {
	c := stub(func(string, []byte) (int, proto.Message) {
		return http.StatusForbidden, &otspb.Error{Code: proto.String("OTSNoPermissionAccess"), AccessDeniedDetail: &otspb.AccessDeniedDetail{
			AuthAction: proto.String("ots:ListTable"), AuthPrincipalDisplayName: proto.String("app"), NoPermissionType: proto.String("ImplicitDeny"),
		}}
	}).client(t, client.Options{})
	_, err := c.ListTable(t.Context())
	require.ErrorContains(t, err, "; grant the RAM user or role the action and table in a policy: ots:ListTable is denied to app (ImplicitDeny)")
}

func TestAStringThatCannotBeExpressedIsNamed(t *testing.T) {
	rows := pb.Append(nil, numbered(1), &pb.Row{
		PrimaryKey: []pb.Cell{{Name: "n", Value: pb.IntValue(2)}}, Columns: []pb.Cell{{Name: "greeting", Value: pb.StringValue("สวัสดี")}},
	})
	c := stub(func(string, []byte) (int, proto.Message) {
		return http.StatusOK, &otspb.GetRangeResponse{Consumed: consumed(), Rows: answered(rows)}
	}).client(t, client.Options{Encoding: simplifiedchinese.GBK})
	_, err := c.GetRange(t.Context(), allRows())
	require.ErrorContains(t, err, `row 2: column "greeting": the answer has a string that the client's encoding cannot express`)
	require.ErrorContains(t, err, "; read it with a client that has another Encoding")
}

func TestWhatFailsIsLoggedAsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		answer proto.Message
		call   func(context.Context, *client.OTSClient) error
		want   string
	}{
		"an answer that cannot be decoded": {http.StatusOK, &otspb.ListTableResponse{}, getRow, "the answer cannot be decoded"},
		"a row of a batch": {http.StatusOK, &otspb.BatchGetRowResponse{Tables: []*otspb.TableInBatchGetRowResponse{{
			TableName: proto.String("t"), Rows: []*otspb.RowInBatchGetRowResponse{{IsOk: proto.Bool(false), Error: &otspb.Error{Code: proto.String("OTSInvalidPK")}}},
		}}}, func(ctx context.Context, c *client.OTSClient) error {
			answer, err := c.BatchGetRow(ctx, &client.BatchGetRowRequest{Tables: []client.BatchGetTable{{Table: "t", PrimaryKeys: []client.PrimaryKey{idKey("a")}}}})
			return errors.Join(err, answer.Results[0][0].Err)
		}, "action=BatchGetRow failed=1 rows=1 request_id=id"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			cl := stub(func(string, []byte) (int, proto.Message) { return c.status, c.answer }).client(t, client.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.Error(t, c.call(t.Context(), cl))
			require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
			require.Contains(t, log.String(), c.want)
		})
	}
}

func TestAnAttemptWithoutCredentialsIsLoggedWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		slow := otsauth.ProviderFunc(func(context.Context) (otsauth.Credentials, error) {
			time.Sleep(3 * time.Second)
			return otsauth.Credentials{}, io.ErrUnexpectedEOF
		})
		c, err := client.New("https://stub.invalid", "stub", slow, &client.Options{
			Transport: stub(nil), Retry: client.NoRetryPolicy{}, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		require.NoError(t, err)
		defer c.Close()
		_, err = c.ListTable(t.Context())
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Contains(t, log.String(), "action=ListTable attempt=1 took=3s")
	})
}
