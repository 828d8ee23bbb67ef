// Package client is a thin Tablestore client that never fails because a token
// expired: it asks its provider for credentials at each request, and gets new
// ones when the service rejects them.
//
// Make one [OTSClient] with [New] when the program starts and share it. The
// typed methods ([OTSClient.PutRow], [OTSClient.GetRow] and so on) are built on
// [OTSClient.Do], which sends any action by name.
package client
