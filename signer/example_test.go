package signer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
	"github.com/otsauth/otsauth/signer"
)

// Sign a request of your own, and check the answer to it.
func ExampleSigner_Sign() {
	server, err := otstest.Start(nil) // in the place of Tablestore
	if err != nil {
		panic(err)
	}
	defer server.Close()
	s, err := signer.New(server.STS().Provider(), server.Instance(), nil)
	if err != nil {
		panic(err)
	}
	defer s.Close()

	ctx := context.Background()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://otstest.cn-hangzhou.ots.aliyuncs.com/ListTable", nil)
	if err != nil {
		panic(err)
	}
	used, err := s.Sign(ctx, req, nil)
	if err != nil {
		panic(err)
	}
	resp, err := server.Transport().RoundTrip(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(resp.StatusCode, s.VerifyResponse(used, resp, body))
	// Output: 200 <nil>
}

// Give another SDK, which takes an http.RoundTripper or an http.Client, the
// credentials of this module.
func ExampleTransport() {
	server, err := otstest.Start(nil) // in the place of Tablestore
	if err != nil {
		panic(err)
	}
	defer server.Close()
	s, err := signer.New(server.STS().Provider(), server.Instance(), nil)
	if err != nil {
		panic(err)
	}
	defer s.Close()

	client := &http.Client{Transport: &signer.Transport{Signer: s, Base: server.Transport()}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://otstest.cn-hangzhou.ots.aliyuncs.com/ListTable", nil)
	if err != nil {
		panic(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 200
}

// Find out what "Signature mismatch" means this time.
func ExampleExplain() {
	keys := otsauth.Credentials{AccessKeyID: "LTAI5tExample", AccessKeySecret: otsauth.NewSecret("example")}
	s, err := signer.New(otsauth.Static(keys), "my-instance", &signer.Options{
		Now: func() time.Time { return time.Date(2026, 1, 31, 8, 30, 0, 0, time.UTC) },
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	ctx := context.Background()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://my-instance.cn-hangzhou.ots.aliyuncs.com/ListTable", nil)
	if err != nil {
		panic(err)
	}
	if _, err := s.Sign(ctx, req, nil); err != nil {
		panic(err)
	}
	req.Header.Set("X-Ots-Request-Tag", "nightly") // too late

	why, err := signer.Explain(req, nil, &signer.ExplainOptions{Credentials: keys})
	if err != nil {
		panic(err)
	}
	fmt.Print(why)
	// Output:
	// signature: V2
	// string-to-sign:
	//   /ListTable
	//   POST
	//
	//   x-ots-accesskeyid:LTAI5tExample
	//   x-ots-apiversion:2015-12-31
	//   x-ots-contentmd5:1B2M2Y8AsgTpgAmY7PhCfg==
	//   x-ots-date:2026-01-31T08:30:00.000Z
	//   x-ots-instancename:my-instance
	//   x-ots-request-tag:nightly
	// likely cause:
	//   - the signature is not the one of these headers with this secret: a header was changed after it was made, or it was made with another secret
}

// Let a service sign that does not hold the secret: it is handed a key a day.
func ExampleV4Key() {
	owner := otsauth.Credentials{AccessKeyID: "LTAI5tExample", AccessKeySecret: otsauth.NewSecret("example")}
	handOut := func(context.Context) (signer.V4Key, error) { // in reality a call to the owner of the secret
		return signer.DeriveV4Key(owner, "cn-hangzhou", time.Now())
	}

	provider := otsauth.ProviderFunc(func(ctx context.Context) (otsauth.Credentials, error) {
		key, err := handOut(ctx)
		if err != nil {
			return otsauth.Credentials{}, err
		}
		return key.Credentials()
	})
	s, err := signer.New(provider, "my-instance", &signer.Options{Region: "cn-hangzhou"})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	ctx := context.Background()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://my-instance.cn-hangzhou.ots.aliyuncs.com/ListTable", nil)
	if err != nil {
		panic(err)
	}
	_, err = s.Sign(ctx, req, nil)
	fmt.Println(len(req.Header.Get("x-ots-signaturev4")), err)
	// Output: 44 <nil>
}

func ExampleStringToSign() {
	h := http.Header{}
	h.Set("x-ots-date", "2026-01-31T08:30:00.000Z")
	h.Set("x-ots-apiversion", "2015-12-31")
	h.Set("Content-Type", "application/octet-stream")
	fmt.Printf("%q\n", signer.StringToSign("POST", "/GetRow", h))
	// Output: "/GetRow\nPOST\n\nx-ots-apiversion:2015-12-31\nx-ots-date:2026-01-31T08:30:00.000Z\n"
}
