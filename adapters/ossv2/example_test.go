package ossv2_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/adapters/ossv2"
)

func ExampleNew() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		scope, _, _ := strings.Cut(r.Header.Get("Authorization"), "/")
		fmt.Println(scope)
	})) // stands for OSS
	defer server.Close()

	cache := otsauth.NewCache(otsauth.Static(otsauth.Credentials{
		AccessKeyID:     "LTAI5tExample",
		AccessKeySecret: otsauth.NewSecret("example-secret"),
	}), nil) // otsauth.Default(nil) in a program
	defer cache.Close()

	client := oss.NewClient(oss.LoadDefaultConfig().
		WithRegion("cn-hangzhou").
		WithEndpoint(server.URL).WithUsePathStyle(true). // leave out in a program
		WithCredentialsProvider(ossv2.New(cache)))
	_, err := client.HeadObject(context.Background(), &oss.HeadObjectRequest{Bucket: oss.Ptr("bucket"), Key: oss.Ptr("key")})
	fmt.Println(err)
	// Output:
	// OSS4-HMAC-SHA256 Credential=LTAI5tExample
	// <nil>
}
