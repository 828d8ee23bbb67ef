package client_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otsauth/otsauth/client"
)

// users makes a table with three rows.
func users(c *client.OTSClient) error {
	ctx := context.Background()
	_, err := c.CreateTable(ctx, &client.CreateTableRequest{
		Table:      "users",
		PrimaryKey: []client.KeySchema{{Name: "id", Type: client.KeyString}},
	})
	for i, name := range []string{"alice", "bob", "carol"} {
		if err == nil {
			_, err = c.PutRow(ctx, &client.PutRowRequest{
				Table: "users", PrimaryKey: user(name), Columns: []client.Column{{Name: "age", Value: client.Int(int64(30 + i))}},
			})
		}
	}
	return err
}

func user(name string) client.PrimaryKey {
	return client.PrimaryKey{{Name: "id", Value: client.String(name)}}
}

func ExampleOTSClient_UpdateRow() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.UpdateRow(context.Background(), &client.UpdateRowRequest{
		Table: "users", PrimaryKey: user("alice"),
		Changes: []client.Change{
			client.PutColumn("city", client.String("Hangzhou")),
			client.IncrementColumn("age", 1),
			client.DeleteColumn("nickname"),
			client.DeleteVersion("email", time.UnixMilli(1003)),
		},
		Return: client.ReturnAfterModify, ReturnColumns: []string{"age"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Row.Int("age"))
	// Output: 31 <nil>
}

// A row is deleted only if it is as it was read.
func ExampleOTSClient_DeleteRow() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	for _, age := range []int64{99, 30} {
		_, err := c.DeleteRow(context.Background(), &client.DeleteRowRequest{
			Table: "users", PrimaryKey: user("alice"),
			Condition: &client.Condition{
				RowExistence: client.ExpectExist,
				Column:       client.ColumnFilter{Name: "age", Is: client.Equal, Value: client.Int(age), FailIfMissing: true},
			},
		})
		fmt.Println(age, errors.Is(err, client.CodeConditionCheckFail), err == nil)
	}
	// Output:
	// 99 true false
	// 30 false true
}

// Rows reads all pages of a range.
func ExampleOTSClient_Rows() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	rows := c.Rows(context.Background(), &client.GetRangeRequest{
		Table:    "users",
		Start:    client.PrimaryKey{{Name: "id", Value: client.InfMax()}},
		End:      client.PrimaryKey{{Name: "id", Value: client.InfMin()}},
		Backward: true,
		Filter:   client.ColumnFilter{Name: "age", Is: client.Greater, Value: client.Int(30)},
	})
	for row, err := range rows {
		if err != nil {
			fmt.Println(err)
			return
		}
		id, _ := row.Text("id")
		age, _ := row.Int("age")
		fmt.Println(id, age)
	}
	// Output:
	// carol 32
	// bob 31
}

// GetRange reads one page.
func ExampleOTSClient_GetRange() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	page, err := c.GetRange(context.Background(), &client.GetRangeRequest{
		Table: "users",
		Start: client.PrimaryKey{{Name: "id", Value: client.InfMin()}},
		End:   client.PrimaryKey{{Name: "id", Value: client.InfMax()}},
		Limit: 2,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(page.Rows), page.Next[0].Value)
	// Output: 2 "carol"
}

func ExampleOTSClient_BatchGetRow() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.BatchGetRow(context.Background(), &client.BatchGetRowRequest{Tables: []client.BatchGetTable{
		{Table: "users", PrimaryKeys: []client.PrimaryKey{user("bob"), user("nobody"), user("alice")}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, result := range got.Results[0] {
		switch {
		case result.Err != nil:
			fmt.Println(result.Err)
		case result.Row == nil:
			fmt.Println("no such row")
		default:
			fmt.Println(result.Row.Int("age"))
		}
	}
	// Output:
	// 31 <nil>
	// no such row
	// 30 <nil>
}

// Each row has its own result.
func ExampleOTSClient_BatchWriteRow() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.BatchWriteRow(context.Background(), &client.BatchWriteRowRequest{Rows: []client.Write{
		&client.PutRowRequest{Table: "users", PrimaryKey: user("dave")},
		&client.PutRowRequest{Table: "users", PrimaryKey: user("bob"), Condition: &client.Condition{RowExistence: client.ExpectNotExist}},
		&client.DeleteRowRequest{Table: "users", PrimaryKey: user("carol")},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, result := range got.Results {
		fmt.Println(i, result.Err == nil, errors.Is(result.Err, client.CodeConditionCheckFail))
	}
	// Output:
	// 0 true false
	// 1 false true
	// 2 true false
}

func ExampleOTSClient_DescribeTable() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	_, err := c.UpdateTable(ctx, &client.UpdateTableRequest{
		Table: "users", Options: client.TableOptions{TimeToLive: 30 * 24 * time.Hour, MaxVersions: 3},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.DescribeTable(ctx, "users")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Table, got.PrimaryKey[0].Name, got.Options.TimeToLive, got.Options.MaxVersions)
	// Output: users id 720h0m0s 3
}

func ExampleOTSClient_DeleteTable() {
	c, stop := start()
	defer stop()
	if err := users(c); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := c.DeleteTable(ctx, "users"); err != nil {
		fmt.Println(err)
		return
	}
	got, err := c.ListTable(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(got.Tables))
	// Output: 0
}

func ExampleRow_Int() {
	row := client.Row{Columns: []client.Column{{Name: "age", Value: client.Int(37)}, {Name: "name", Value: client.String("Alice")}}}
	fmt.Println(row.Int("age"))
	fmt.Println(row.Int("name"))
	var e *client.ColumnError
	_, err := row.Int("size")
	fmt.Println(errors.As(err, &e) && e.Missing())
	// Output:
	// 37 <nil>
	// 0 client: column "name" is of kind string, not int; Row.Get returns any
	// true
}
