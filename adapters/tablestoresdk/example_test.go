package tablestoresdk_test

import (
	"fmt"
	"log/slog"

	"github.com/aliyun/aliyun-tablestore-go-sdk/tablestore"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/adapters/tablestoresdk"
	"github.com/otsauth/otsauth/otstest"
)

func Example() {
	server, err := otstest.Start(nil) // stands for the instance
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	cache := otsauth.NewCache(server.STS().Provider(), nil) // otsauth.Default(nil) in a program
	defer cache.Close()
	provider, err := tablestoresdk.New(cache, &tablestoresdk.Options{
		Region: "cn-hangzhou", // signs with V4
		Logger: slog.Default(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := tablestore.NewClientWithCredentialsProvider(server.URL(), server.Instance(), provider, nil)
	tables, err := client.ListTable()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(tables.TableNames), "tables")
	// Output: 0 tables
}
