// Package webkey is the noun for the keys with which an instance signs tokens: key pairs whose public
// halves everybody may read, as a JWK Set (RFC 7517).
//
// Events: web_key.added, web_key.activated, web_key.deactivated, web_key.removed.
//
// A key is added in state initial: it is published, and signs nothing yet. Activating it makes it the one
// that signs; the one before becomes inactive and stays published, so that what it has signed can still be
// verified. It may be activated again. Deleting a key takes it out of the set: what it has signed verifies
// no more.
//
// An instance gets its first keys when somebody first asks for them, not when it is created: RSA keys are
// the slowest part of a new instance, and most of many instances are not used at once. The first use makes
// two, as clients of the reference expect (contract section 5.4): one that is active, and one that is
// published already for the day when it is needed.
//
// It refuses to activate a key that does not exist (COMMAND-teiG3), to delete the active one
// (COMMAND-Chai1), kinds of keys there are none of (CRYPTO-Ii2ai), and more than [MaxKeys] keys.
//
// It guarantees that an instance has at most one active key, and one at all times once it has any; and
// that a private key is nowhere in the clear: in events and rows it is sealed under the key of its
// instance.
//
// Beside it: signing signs and verifies with these keys, and machinekey is what machines sign with.
package webkey
