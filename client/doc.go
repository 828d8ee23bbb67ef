// Package client is a Tablestore client that never fails because a token
// expired: it asks its provider for credentials at each request, and gets new
// ones when the service rejects them.
//
// Make one [OTSClient] with [New] when the program starts and share it. It has a
// method for each action on tables ([OTSClient.CreateTable] and so on), single
// rows ([OTSClient.PutRow], [OTSClient.GetRow], [OTSClient.UpdateRow],
// [OTSClient.DeleteRow]) and many rows ([OTSClient.Rows], [OTSClient.GetRange],
// [OTSClient.BatchGetRow], [OTSClient.BatchWriteRow]). All are built on
// [OTSClient.Do], which sends any action by name.
package client
