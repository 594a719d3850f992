// Package isolation is the matrix of who can reach what: every RPC the program serves, every field of its
// request that holds an id or a domain, and every kind of caller who has no business there. An
// RPC without a case, and a field nobody has thought about, fail the tests.
package isolation
