// Package tablestoresdk gives the official Tablestore SDK for Go
// (github.com/aliyun/aliyun-tablestore-go-sdk v1.9.3) the credentials of an
// [otsauth.Provider]: pass a [Provider] to
// tablestore.NewClientWithCredentialsProvider, its timeseries sibling, or
// tunnel.NewTunnelClientWithCredentialsProvider.
//
// The SDK's configurations also take an http.RoundTripper. There
// signer.Transport does more: it reports why there are no credentials, which
// the interface of this package cannot, learns the service's clock, and follows
// no redirect with a token. This package is for programs that leave the signing
// to the SDK.
//
// The package is in a module of its own with the other adapters, so that only
// those who import it download the SDK.
package tablestoresdk
