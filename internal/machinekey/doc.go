// Package machinekey is the noun for machine keys: RSA keys with which a machine user signs
// assertions (RFC 7523) until the key expires.
//
// Events: user.machine.key.added, user.machine.key.removed.
//
// It refuses an expiry that has passed (DOMAIN-dv3t5, see expiry). It holds the public half only; the
// private half leaves the server once, in the answer of the call that made it, and is not
// kept. Expiry is checked when the key is used.
//
// Beside it: pat is the other thing machines authenticate with; user owns both; vault makes
// the keys.
package machinekey
