// Package dpop checks proofs of possession (RFC 9449): the JWTs in a DPoP header with which a client
// shows, request by request, that it holds the private key its access token is bound to.
//
// It owns what makes a proof good: its form, the algorithms and keys it may be signed with, the request
// it is made for, its age, and that it counts once. It does not know tokens: who calls it compares
// [Proof.Thumbprint] with the one the token carries, and keeps what has been seen as a [Seen].
//
// It guarantees that a proof is accepted for one method and one URL, within [MaxAge] of its iat, with
// the access token it names and no other, once on all nodes together, in exactly one spelling.
//
// Nonces (RFC 9449 section 8) are not asked for: clocks of clients are trusted within the limits above,
// and every proof counts once.
package dpop
