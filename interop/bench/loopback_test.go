package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// serveVariable makes the test binary a server instead, in a process of its own:
// what that takes is not the client's.
const serveVariable = "OTSAUTH_BENCH_SERVER"

// goroutines is how many send requests at once.
const goroutines = 128

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		serve()
		return
	}
	os.Exit(m.Run())
}

// loopbackCredentials is what the server knows: a temporary set, with a token of a
// usual length.
func loopbackCredentials() otsauth.Credentials {
	return otsauth.Credentials{
		AccessKeyID: keyID, AccessKeySecret: otsauth.NewSecret(strings.Repeat("s", 44)),
		SecurityToken: otsauth.NewSecret(strings.Repeat("t", 700)),
	}
}

func loopbackKey() client.PrimaryKey {
	return client.PrimaryKey{{Name: "pk1", Value: client.String("a")}, {Name: "pk2", Value: client.Int(1)}}
}

// serve prints its address and answers each request on a connection with the same
// bytes. For each line of its standard input, until that ends, it prints how many
// connections it has accepted since the last. It takes far less than any real
// server does, which would hide what the client takes.
func serve() {
	answer, err := recordAnswer()
	if err != nil {
		panic(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var accepted atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			go answerAll(conn, answer)
		}
	}()
	_, _ = fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String())
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		_, _ = fmt.Fprintln(os.Stdout, accepted.Swap(0))
	}
}

// answerAll answers each request on conn.
func answerAll(conn net.Conn, answer []byte) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		length := 0
		for {
			line, err := reader.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
					return
				}
			}
		}
		if _, err := reader.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// recordAnswer returns what otstest answers to a GetRow, as it goes over the wire;
// its signature is good for 15 minutes.
func recordAnswer() ([]byte, error) {
	server, err := otstest.Start(&otstest.Options{Instance: instance})
	if err != nil {
		return nil, err
	}
	defer server.Close()
	server.AddKey(loopbackCredentials())
	last := &recorder{RoundTripper: server.Transport()}
	c, err := client.New("https://otstest.invalid", instance, otsauth.Static(loopbackCredentials()), &client.Options{
		Transport: last,
	})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx := context.Background()
	_, err = c.CreateTable(ctx, &client.CreateTableRequest{
		Table: "t", PrimaryKey: []client.KeySchema{{Name: "pk1", Type: client.KeyString}, {Name: "pk2", Type: client.KeyInteger}},
	})
	if err != nil {
		return nil, err
	}
	_, err = c.PutRow(ctx, &client.PutRowRequest{
		Table: "t", PrimaryKey: loopbackKey(),
		Columns: []client.Column{{Name: "a", Value: client.Int(1)}, {Name: "b", Value: client.String("text")}},
	})
	if err != nil {
		return nil, err
	}
	_, err = c.GetRow(ctx, &client.GetRowRequest{Table: "t", PrimaryKey: loopbackKey()})
	if err != nil {
		return nil, err
	}
	var wire bytes.Buffer
	answer := last.answer()
	defer answer.Body.Close()
	err = answer.Write(&wire)
	return wire.Bytes(), err
}

// recorder keeps the last answer, and answers with it from then on if it replays.
type recorder struct {
	http.RoundTripper
	replay bool
	header http.Header
	body   []byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.replay {
		return r.answer(), nil
	}
	resp, err := r.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	r.header = resp.Header
	r.body, err = io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return r.answer(), nil
}

func (r *recorder) answer() *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, ContentLength: int64(len(r.body)), Body: io.NopCloser(bytes.NewReader(r.body)),
	}
}

// A loopback is a server in another process.
type loopback struct {
	url   string
	ask   io.Writer
	lines *bufio.Scanner
}

func startServer(b *testing.B) *loopback {
	b.Helper()
	child := exec.CommandContext(context.WithoutCancel(b.Context()), os.Args[0]) // it ends with its input
	child.Env = append(os.Environ(), serveVariable+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = child.Wait()
	})
	server := &loopback{ask: stdin, lines: bufio.NewScanner(stdout)}
	server.url = server.line(b)
	return server
}

// line returns the next line that the server prints.
func (l *loopback) line(b *testing.B) string {
	b.Helper()
	if !l.lines.Scan() {
		b.Fatalf("the server ended: %v", l.lines.Err())
	}
	return l.lines.Text()
}

// connections returns how many the server has accepted since it was last asked.
func (l *loopback) connections(b *testing.B) int {
	b.Helper()
	if _, err := fmt.Fprintln(l.ask); err != nil {
		b.Fatal(err)
	}
	n, err := strconv.Atoi(l.line(b))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkGetRow reads one row over a socket with 128 goroutines.
func BenchmarkGetRow(b *testing.B) {
	server := startServer(b)
	b.Run("impl=otsauth", func(b *testing.B) {
		c, err := client.New(server.url, instance, otsauth.Static(loopbackCredentials()), &client.Options{MaxConnections: goroutines})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		request := &client.GetRowRequest{Table: "t", PrimaryKey: loopbackKey()}
		load(b, server, func(ctx context.Context) error {
			got, err := c.GetRow(ctx, request)
			if err == nil && len(got.Row.Columns) != 2 {
				err = errors.New("not the row")
			}
			return err
		})
	})
	b.Run("impl=sdk", func(b *testing.B) {
		creds := loopbackCredentials()
		c := tablestore.NewClientWithConfig(server.url, instance, creds.AccessKeyID, creds.AccessKeySecret.Reveal(), creds.SecurityToken.Reveal(), tablestore.NewDefaultTableStoreConfig())
		key := &tablestore.PrimaryKey{}
		key.AddPrimaryKeyColumn("pk1", "a")
		key.AddPrimaryKeyColumn("pk2", int64(1))
		request := &tablestore.GetRowRequest{SingleRowQueryCriteria: &tablestore.SingleRowQueryCriteria{TableName: "t", PrimaryKey: key, MaxVersion: 1}}
		load(b, server, func(context.Context) error {
			got, err := c.GetRow(request)
			if err == nil && len(got.Columns) != 2 {
				err = errors.New("not the row")
			}
			return err
		})
	})
	b.Run("impl=net_http", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConnsPerHost: goroutines}
		defer transport.CloseIdleConnections()
		body := make([]byte, 60)
		load(b, server, func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.url+"/GetRow", bytes.NewReader(body))
			if err != nil {
				return err
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return errors.Join(err, resp.Body.Close())
		})
	})
}

// load calls from 128 goroutines and reports the requests a second, the processor
// time of this process a request, and the connections that the server accepted.
func load(b *testing.B, server *loopback, call func(context.Context) error) {
	b.Helper()
	b.SetParallelism((goroutines + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	// The SDK takes no context; one that can be cancelled costs something.
	ctx := context.WithoutCancel(b.Context())
	server.connections(b) // those of the last run
	b.ResetTimer()
	used, begun := processorTime(b), time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "req/s")
	b.ReportMetric((processorTime(b)-used).Seconds()/float64(b.N), "cpu-sec/op")
	b.StopTimer()
	b.ReportMetric(float64(server.connections(b)), "conns")
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
