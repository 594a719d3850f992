// Package assertion checks JSON Web Tokens that somebody signed with a key of their own to prove who
// they are: system users on the System API (contract section 4), machine users and applications at the
// token endpoint (RFC 7523, contract section 5.2).
//
// It owns the form of such a token and its times ([Parse], [Assertion.ValidAt]), public keys pinned to
// the algorithms that fit them ([Key]), and the other side, for clients and the command line
// ([ParsePrivateKey], [Sign]). It does not know whose key is the right one, nor whether a token may be
// used once or often: that belongs to those who ask, systemuser and oidc. Tokens that this system signs
// itself are no assertions.
//
// It guarantees that every accepted text has one spelling: three parts of canonical base64url, at most
// [MaxSize] bytes, JSON objects without repeated members, no crit and no b64; that alg is one that
// fits the key, never one the token chose; that keys the token brings (jwk, jku, x5c, x5u) are not
// looked at; and that no text, key or signature appears in an error.
package assertion
