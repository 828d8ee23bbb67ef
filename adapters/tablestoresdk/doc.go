// Package tablestoresdk gives the official Tablestore SDK for Go
// (github.com/aliyun/aliyun-tablestore-go-sdk v1.9.3) the credentials of an
// [otsauth.Provider]: pass a [Provider] to
// tablestore.NewClientWithCredentialsProvider, its timeseries sibling, or
// tunnel.NewTunnelClientWithCredentialsProvider.
//
// The SDK's clients of tables also take an http.RoundTripper. There
// signer.Transport is the better choice: it reports why there are no
// credentials, which the interface of this package cannot, learns the service's
// clock, and follows no redirect with a token. This package is for tunnels,
// which take no transport, and for programs that set a transport of their own.
//
// The package is in a module of its own with the other adapters, so that only
// those who import it download the SDK.
package tablestoresdk
