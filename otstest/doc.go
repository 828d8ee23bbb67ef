// Package otstest is a local Tablestore instance, and the Security Token
// Service that issues tokens for it, for tests: it checks signatures, dates,
// digests and tokens as strictly as the real service, and answers with the
// service's own codes, messages and signatures.
//
// Start one with [NewServer]. Over a socket it is at [Server.URL] and
// [Server.TLSURL]; through [Server.Transport] it answers in process, also in a
// testing/synctest bubble where hours pass at once. [Server.Fail] makes
// requests go wrong, [Server.Requests] tells why a request was refused,
// [Server.Dump] shows all data, and [TestProvider] checks an implementation of
// [otsauth.Provider].
//
// The actions on tables, rows, ranges and batches work on an ordered store in
// memory, with versions, time to live (by [Options].Now), auto-increment keys,
// conditions and filters, and atomic batches. A secondary index that CreateTable makes
// is read under its own name, and a global one follows its table at once, as a local
// one does: the service takes a moment. There are no search, SQL, time series or
// transactions; a request that belongs to a transaction is refused, and streams are
// described and do nothing. A version may have any timestamp, so that tests can use
// small ones; the service refuses those that are further from the present than the
// table's MaxTimeDeviation.
//
// Where the official SDKs' own tests, which are run against the real service, and
// its documentation differ, otstest does as those tests expect. What it does in a few
// cases is in neither; docs/decisions.md of this module lists what is assumed there,
// and [Options] can change some of it.
package otstest
