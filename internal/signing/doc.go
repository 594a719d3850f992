// Package signing signs what an instance says about its users, and verifies it: JWS in compact form (RFC
// 7515 section 7.1), with the web keys of the instance.
//
// It owns [Keys], the keys of all instances, ready for use. It does not own which keys there are: that is
// webkey, beside it; and it does not know what a token says: claims are bytes.
//
// Signing uses the active key of the instance, verifying any key that is published. Both see every change
// of the keys that was answered before they were called, on every node: a key that was deleted verifies
// nothing more.
//
// It verifies only what it has signed: the header of a token has to be, byte for byte, the one with which
// the key it names signs. So the algorithm is that of the key, and there is none called none; a key of
// another instance is no key; and there is one way to write a token.
package signing
