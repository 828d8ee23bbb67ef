package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// Options that a service might set: it is told of each attempt, waits less long, and
// sends its idempotent writes again.
func ExampleNew() {
	server, err := otstest.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case "level", "msg", "action", "attempt", "status":
				return a
			}
			return slog.Attr{} // differs from run to run
		},
	}))
	c, err := client.New(server.URL(), server.Instance(), server.STS().Provider(), &client.Options{
		Timeout: 5 * time.Second, MaxConnections: 200, Retry: client.WriteRetryPolicy{}, Region: "cn-hangzhou", Logger: logger,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	server.Fail(1, otstest.Unavailable(false))
	_, err = c.ListTable(context.Background())
	fmt.Println(err)
	// Output:
	// level=DEBUG msg="otsauth: attempt" action=ListTable attempt=1 status=503
	// level=DEBUG msg="otsauth: attempt" action=ListTable attempt=2 status=200
	// <nil>
}

// atMost is a policy that repeats what the default does, and gives up after a while.
type atMost struct{ elapsed time.Duration }

func (p atMost) Next(a client.Attempt) (time.Duration, bool) {
	delay, retry := client.DefaultRetryPolicy{}.Next(a)
	return delay, retry && a.Elapsed+delay < p.elapsed
}

func ExampleRetryPolicy() {
	server, err := otstest.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c, err := client.New("https://otstest.invalid", server.Instance(), server.Provider(), &client.Options{
		Transport: server.Transport(), Retry: atMost{50 * time.Millisecond}, // type atMost struct{ elapsed time.Duration }
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	server.Fail(-1, otstest.Throttled(false))
	_, err = c.ListTable(context.Background())
	var e *client.Error
	fmt.Println(errors.As(err, &e), e.Code, e.Attempts)
	// Output: true OTSServerBusy 1
}

// A row with more columns than one answer holds is read part by part.
func ExampleOTSClient_GetRow_wide() {
	c, stop := start()
	defer stop()
	ctx := context.Background()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	key := client.PrimaryKey{{Name: "id", Value: client.String("alice")}}
	columns := 0
	for request := (&client.GetRowRequest{Table: "users", PrimaryKey: key}); ; {
		got, err := c.GetRow(ctx, request)
		if err != nil {
			fmt.Println(err)
			return
		}
		if got.Row != nil {
			columns += len(got.Row.Columns)
		}
		if request.Token = got.NextToken; request.Token == nil {
			break
		}
	}
	fmt.Println(columns)
	// Output: 1
}

func ExampleColumnError() {
	row := &client.Row{Columns: []client.Column{{Name: "age", Value: client.String("37")}}}
	for _, name := range []string{"age", "weight"} {
		_, err := row.Int(name)
		var e *client.ColumnError
		if errors.As(err, &e) && e.Missing() {
			fmt.Println(name, "is not there")
		} else {
			fmt.Println(err)
		}
	}
	// Output:
	// client: column "age" is of kind string, not int; Row.Get returns any
	// weight is not there
}

// A write whose answer was lost: it says so, and is not sent again.
func ExampleError_maybeExecuted() {
	server, err := otstest.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c, err := client.New("https://otstest.invalid", server.Instance(), server.Provider(), &client.Options{Transport: server.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	server.Fail(1, otstest.Fault{ResetAfter: true}) // the answer is lost
	_, err = c.UpdateRow(context.Background(), &client.UpdateRowRequest{
		Table: "users", PrimaryKey: client.PrimaryKey{{Name: "id", Value: client.String("alice")}},
		Changes: []client.Change{client.IncrementColumn("visits", 1)},
	})
	var e *client.Error
	if errors.As(err, &e) && e.MaybeExecuted {
		fmt.Println(e.Hint)
	}
	// Output: it may have been done; read what is there before you send it again
}
