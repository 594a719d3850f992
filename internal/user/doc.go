// Package user is the noun for users: humans with a profile, an e-mail address and perhaps
// a password, and machines, which authenticate with tokens and keys.
//
// Events: user.human.added, user.human.email.verified, user.machine.added.
//
// It refuses missing names (USER-UCej2, USER-4hB7d, COMMAND-bs9Ds, COMMAND-bm9Ds), bad
// e-mail addresses (EMAIL-...) and passwords the complexity policy does not allow
// (COMMA-...). It never sees a password once it is hashed: events and rows hold the hash.
//
// It guarantees that user names are unique in their instance whatever their case, as a
// conflict in [Table].
//
// Beside it: pat and machinekey are what machines authenticate with; member says what a
// user may do; vault hashes passwords.
package user
