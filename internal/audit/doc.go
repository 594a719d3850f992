// Package audit keeps the operator's audit log: who called what about which instance, from
// where, and how it ended. Events tell how a thing came to be as it is; this log also tells what
// was refused, and what was done to an instance that is no more.
//
// It owns the table audit_log, which belongs to the system and to no tenant: its key is the time,
// a named exception to "every key starts with instance_id". Which calls are written down is
// decided by dispatch, which makes the entries; the operator's API shows them. It is no noun:
// nothing is decided from an entry, and no event leads to one.
//
// An entry is written off the path of its call. A call that will change something takes a place in a
// bounded queue before it does ([Log.Reserve]), and puts its entry there when its outcome is known; all
// entries that are waiting are then written in one transaction. When there is no place, because
// the database is slower than the callers, a call waits before it has changed anything. A call that was
// refused waits for nothing: its entry goes where there is a place ([Log.TryRecord]), and of those
// that anybody with a token can cause without end only the first in a minute ([Log.RecordFirst]).
//
// It guarantees that an entry whose place was taken is never dropped: an orderly stop writes what
// is queued, and what the database does not take even then goes to the log of the process. A
// process that dies at once loses the entries of the last [Interval]. It guarantees that an entry
// is found once, that entries are never changed, and that no text of an entry is longer than its
// limit, whatever a caller sent.
package audit
