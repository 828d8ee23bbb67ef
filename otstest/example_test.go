package otstest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// STS goes down and comes back; the cache goes on with the token it has.
func ExampleServer_Fail() {
	server, err := otstest.Start(&otstest.Options{TokenLifetime: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	cache := otsauth.NewCache(server.STS().Provider(), nil)
	defer cache.Close()

	ctx := context.Background()
	_, err = cache.Retrieve(ctx)
	fmt.Println("before:", err)

	server.Fail(-1, otstest.Unavailable(true))
	_, err = cache.Retrieve(ctx)
	fmt.Println("STS is down:", err)

	server.Heal()
	fmt.Println("calls:", server.Stats().STSCalls)
	// Output:
	// before: <nil>
	// STS is down: <nil>
	// calls: 1
}

// The server tells why it refused a request.
func ExampleServer_Requests() {
	server, err := otstest.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	resp, err := server.Client().Post(server.TLSURL()+"/ListTable", "", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	last := server.Requests()[0]
	fmt.Println(last.StatusCode, last.Code, last.Message)
	fmt.Println(last.Reason)
	// Output:
	// 400 OTSParameterInvalid Missing header: x-ots-date.
	// the request has no x-ots-date
}
