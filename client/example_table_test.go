package client_test

import (
	"context"
	"fmt"
	"time"

	"github.com/otsauth/otsauth/client"
)

// A table whose second key column the service numbers.
func ExampleOTSClient_CreateTable() {
	c, stop := start()
	defer stop()
	ctx := context.Background()
	_, err := c.CreateTable(ctx, &client.CreateTableRequest{
		Table: "messages",
		PrimaryKey: []client.KeySchema{
			{Name: "room", Type: client.KeyString},
			{Name: "seq", Type: client.KeyInteger, AutoIncrement: true},
		},
		TimeToLive:  30 * 24 * time.Hour,
		MaxVersions: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := c.ListTable(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list.Tables)
	// Output: [messages]
}

func ExampleOTSClient_ListTable() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	list, err := c.ListTable(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list.Tables)
	// Output: [users]
}

// UpdateTable sends only what is to change.
func ExampleOTSClient_UpdateTable() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.UpdateTable(context.Background(), &client.UpdateTableRequest{
		Table: "users", Options: client.TableOptions{MaxVersions: 5},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Options.MaxVersions, got.Options.TimeToLive == client.Forever)
	// Output: 5 true
}

func ExampleOTSClient_PutRow() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	put, err := c.PutRow(context.Background(), &client.PutRowRequest{
		Table: "users", PrimaryKey: user("dave"),
		Columns:   []client.Column{{Name: "age", Value: client.Int(40)}},
		Condition: &client.Condition{RowExistence: client.ExpectNotExist},
		Return:    client.ReturnPrimaryKey,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(put.Row.Text("id"))
	// Output: dave <nil>
}

// A filter chooses at the service.
func ExampleOTSClient_GetRow() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	age := func(is client.Comparator, n int64) client.Filter {
		return client.ColumnFilter{Name: "age", Is: is, Value: client.Int(n)}
	}
	for _, filter := range []client.Filter{
		client.And(age(client.GreaterOrEqual, 18), age(client.Less, 40)),
		client.Not(age(client.Less, 40)),
	} {
		got, err := c.GetRow(context.Background(), &client.GetRowRequest{Table: "users", PrimaryKey: user("bob"), Columns: []string{"age"}, Filter: filter})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(got.Row != nil)
	}
	// Output:
	// true
	// false
}
