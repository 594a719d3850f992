// Package user is the noun for users: humans with a profile, an e-mail address and perhaps a telephone
// number and a password, and machines, which authenticate with tokens, keys and secrets.
//
// Events: user.human.added, user.machine.added, user.username.changed, user.human.profile.changed,
// user.human.email.changed and verified, user.human.phone.changed, verified and removed,
// user.human.password.changed, user.machine.changed, user.machine.secret.set and removed,
// user.human.mfa.init.skipped, user.deactivated, reactivated, locked, unlocked, impersonated and removed; and of codes
// with which somebody shows that an address is its own, or sets a password: user.human.*.code.added, of
// wrong ones user.human.*.failed, and of invitations user.human.invite.check.succeeded.
//
// It refuses missing names (USER-UCej2, USER-4hB7d, COMMAND-bs9Ds, COMMAND-bm9Ds), bad e-mail addresses
// (EMAIL-...) and telephone numbers (PHONE-so0wa), passwords the complexity policy does not allow
// (COMMA-...), user names that are taken (V3-DKcYh) or below the domain of another organization
// (COMMAND-SFd21), and changes of state that the state does not allow, see life.go. It never sees a
// password once it is hashed: events and rows hold the hash, and of a code a sealed one.
//
// It guarantees that user names are unique in their instance whatever their case, as a conflict in
// [Table]; that nobody takes a text as id or name by which another user is named already; that the id of a user
// who was removed does not come back; and that a code counts once, for an hour or three days, and not after five
// wrong attempts.
//
// Beside it: pat and machinekey are what machines authenticate with; usermetadata is what others keep
// about a user; member says what a user may do; policy what a password must contain; vault hashes
// passwords.
package user
