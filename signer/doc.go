// Package signer signs requests to Tablestore, and checks that an answer was
// signed by the service.
//
// Make one [Signer] for each instance with [New] and share it: it is safe for
// concurrent use, asks its provider for credentials at each request, and so
// never signs with a token that has expired. Most programs need nothing of
// this package: package client calls it. To let another SDK send requests on
// this module's credentials, give it a [Transport]. To find out why the service
// answers "Signature mismatch", ask [Explain].
package signer
