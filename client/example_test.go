package client_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// start returns a client of a local Tablestore that stands for the real one,
// with temporary credentials of a role.
func start() (*client.OTSClient, func()) {
	server, err := otstest.Start(nil)
	if err != nil {
		panic(err)
	}
	c, err := client.New("https://otstest.invalid", server.Instance(), server.STS().Provider(), &client.Options{Transport: server.Transport()})
	if err != nil {
		panic(err)
	}
	return c, func() { _ = c.Close(); server.Close() }
}

func Example() {
	c, stop := start()
	defer stop()
	ctx := context.Background()

	_, err := c.CreateTable(ctx, &client.CreateTableRequest{
		Table:      "users",
		PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := client.PrimaryKey{{Name: "id", Value: client.String("alice")}}
	_, err = c.PutRow(ctx, &client.PutRowRequest{
		Table: "users", PrimaryKey: key,
		Columns: []client.Column{{Name: "age", Value: client.Int(37)}, {Name: "admin", Value: client.Bool(true)}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.GetRow(ctx, &client.GetRowRequest{Table: "users", PrimaryKey: key})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, column := range got.Row.Columns {
		fmt.Println(column.Name, column.Value)
	}
	// Output:
	// admin true
	// age 37
}

// The service's errors compare with their codes.
func ExampleError() {
	c, stop := start()
	defer stop()
	_, err := c.GetRow(context.Background(), &client.GetRowRequest{
		Table: "users", PrimaryKey: client.PrimaryKey{{Name: "id", Value: client.String("alice")}},
	})
	fmt.Println(errors.Is(err, client.CodeObjectNotExist))

	var e *client.Error
	if errors.As(err, &e) {
		fmt.Println(e.Action, e.StatusCode, e.Message)
		fmt.Println(e.Hint)
	}
	// Output:
	// true
	// GetRow 404 Requested table does not exist.
	// create the table, or check its name
}

// Do sends an action that has no method of its own.
func ExampleOTSClient_Do() {
	c, stop := start()
	defer stop()
	resp, err := c.Do(context.Background(), "ListTable", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(resp.Body), resp.Attempts, resp.Header.Get("x-ots-contenttype"))
	// Output: 0 1 protocol buffer
}
