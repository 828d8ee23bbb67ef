// Package ossv2 gives the OSS SDK for Go v2
// (github.com/aliyun/alibabacloud-oss-go-sdk-v2) the credentials of an
// [otsauth.Provider]: pass what [New] returns to its
// Config.WithCredentialsProvider.
//
// The package is in a module of its own with the other adapters, so that only
// those who import it download the SDK.
package ossv2
