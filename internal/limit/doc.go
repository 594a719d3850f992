// Package limit is the noun for what an operator allows an instance at most: how far back its audit
// log can be read, and whether it is served at all.
//
// Events: limits.set, limits.reset.
//
// It refuses to set nothing (COMMAND-4M9vs), a negative retention, more than [MaxEntries] instances
// at once, and to reset what has not been set (COMMAND-9JToT).
//
// It guarantees that limits of several instances are set for all of them or for none, and that a
// limit which is not mentioned stays as it was. Enforcing them is the part of others: of who admits
// calls, and of who reads events.
//
// An instance has one aggregate of limits for ever, which is called like the instance: after a reset
// its row stays, with nothing in it.
//
// Beside it: quota counts, feature switches.
package limit
