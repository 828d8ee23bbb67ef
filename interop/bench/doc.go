// Package bench measures signatures, cached credentials, rows and requests beside
// the official SDKs, other clouds' caches, and the floor: the least work that any
// implementation must do. Each benchmark runs all of them in one process; what
// counts are the ratios. "make bench" writes docs/performance.md. It has
// benchmarks only.
package bench
