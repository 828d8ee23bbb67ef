// Package interop runs the official SDKs as clients of otstest, and compares
// their bytes and signatures with ours. It has tests only.
package interop
