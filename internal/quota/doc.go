// Package quota is the noun for how much of something an instance may use in a period: at most
// one quota for each unit, whom to tell at which share of it, and what has been used.
//
// Events: quota.added, quota.set, quota.notificationdue, quota.removed.
//
// It refuses a unit that is none (QUOTA-OTeSh), an interval under a minute (QUOTA-R5otd), a share of
// nothing (QUOTA-pBfjq), a URL nobody could call (QUOTA-bZ0Fj, QUOTA-HAYmN), the same notification
// twice (QUOTA-Pty2n), more than [MaxNotifications] of them, numbers and times that cannot be kept,
// to add a quota to a unit that has one and to remove one that is not there (both COMMAND-WDfFf).
//
// Use is counted, not decided, so it is no event: it stands in a table of its own, which this
// package owns because the rows end with their quota. Each period counts from nothing. So does a quota
// whose schedule (when periods begin, and how long they last) has been changed: what was used by the
// old schedule is deleted with the change and not counted into a period of the new one, what a node has
// still to record by the old one is dropped, and thresholds are told anew.
//
// It guarantees that a notification is due once for each threshold and period, whoever counts.
//
// Beside it: usage counts in memory and adds up here; limit and feature are the other settings that
// operators make for an instance.
package quota
