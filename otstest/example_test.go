package otstest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// STS goes down and comes back.
func ExampleServer_Fail() {
	server, err := otstest.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	provider := server.STS().Provider() // a role, assumed in process
	ask := func() {
		_, err := provider.Retrieve(context.Background())
		if refused := (*otsauth.STSError)(nil); errors.As(err, &refused) {
			fmt.Println(refused.StatusCode, refused.Code)
			return
		}
		fmt.Println("granted")
	}
	ask()
	server.Fail(-1, otstest.Unavailable(true))
	ask()
	server.Heal()
	ask()
	fmt.Println("calls:", server.Stats().STSCalls, "tokens:", server.Stats().TokensIssued)
	// Output:
	// granted
	// 503 ServiceUnavailable
	// granted
	// calls: 3 tokens: 2
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
