// Package pat is the noun for personal access tokens: opaque secrets with which a user,
// mostly a machine, calls the APIs of its instance until the token expires.
//
// Events: user.pat.added, user.pat.removed.
//
// It refuses an expiry that has passed (DOMAIN-dv3t5, see expiry). It never sees the token, only its
// hash; vault makes and hashes tokens. Expiry is checked when the token is used.
//
// Beside it: machinekey is the other thing machines authenticate with; user owns both.
package pat
