package credentialsgo_test

import (
	"context"
	"fmt"

	"github.com/aliyun/credentials-go/credentials"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/credentialsgo"
)

// Any SDK that takes a credentials-go Credential runs on our chain.
func ExampleCredential() {
	cache := otsauth.NewCache(otsauth.Static(otsauth.Credentials{
		AccessKeyID:     "LTAI5tExample",
		AccessKeySecret: otsauth.NewSecret("example-secret"),
	}), nil) // otsauth.Default(nil) in a program
	defer cache.Close()

	credential := credentialsgo.Credential(cache) // goes into the SDK's Config.Credential
	model, err := credential.GetCredential()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*model.AccessKeyId, *model.ProviderName)
	// Output: LTAI5tExample static
}

// What credentials-go finds, our signer and client use.
func ExampleProvider() {
	kind, id, secret := "access_key", "LTAI5tExample", "example-secret"
	credential, err := credentials.NewCredential(&credentials.Config{Type: &kind, AccessKeyId: &id, AccessKeySecret: &secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	creds, err := credentialsgo.Provider(credential).Retrieve(context.Background())
	fmt.Println(creds, err)
	// Output: LTAI5tExample(credentials-go/static_ak) <nil>
}
