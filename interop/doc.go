// Package interop runs the official SDKs as clients of otstest, and compares
// them with ours. It has tests only.
//
// testdata/scenarios is one table of scenarios for three clients: ours, the
// official Go SDK and the official Node SDK, each driven from the same steps by
// a driver of its own. What is compared, for each step:
//
//   - What a client gets: rows with their keys, columns, types, values to the
//     last bit and the timestamps that the request chose, the key that the next
//     page begins with, the capacity units, tables with the times and names that
//     the service chose, the whole row that a write returned, and the status, code
//     and message of errors. A scenario states it, so that three equal mistakes do
//     not pass. What one client does not tell, another does.
//   - What it sends: the request of each SDK is decoded with the official Go
//     SDK's protobuf messages and compared with ours field by field, rows, keys
//     and filters byte for byte. The test lists the few known differences, and
//     fails if one of them is no more.
//
// A scenario that a client cannot express says why and what that client gets
// instead, which is compared as well.
//
// The Node SDK runs in Node, which interop/node/install installs with all it
// needs. Without it the scenarios are skipped for Node, unless
// OTSAUTH_REQUIRE_NODE is 1: then the test fails.
//
// Other tests sign with each client's signature, plug our credentials and our
// transport into other SDKs, and theirs into ours.
package interop
