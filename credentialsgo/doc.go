// Package credentialsgo connects otsauth with
// github.com/aliyun/credentials-go, in both directions.
//
// [Credential] makes any [otsauth.Provider] a credentials-go Credential, which
// the Alibaba Cloud SDKs for Go take: their requests then use the chain and the
// cache of this project. [Provider] makes any Credential a provider; it is the
// way to the sources that need a browser, CloudSSO and OAuth.
//
// The package is a module of its own, so that only those who import it
// download credentials-go and what that needs.
package credentialsgo
