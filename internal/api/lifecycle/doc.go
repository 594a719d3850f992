// Package lifecycle serves castellan.system.v1.InstanceLifecycleService: what operators do beside
// the System API. They stop and start instances, follow what happens to them, and look after the
// users of the System API.
//
// It owns the translation between its messages and the terms of the inner rings, and the stream of
// changes: where it begins, what it shows, and when it ends. Callers are authenticated and
// authorised, and requests validated, before a handler runs (dispatch). What an instance is belongs
// to instance, who may be a system user to systemuser, and the order of changes to eventlog.
//
// It guarantees that a stream which is resumed from a position misses no change and repeats none,
// whichever node serves it, but for those that are not shown any more; that no change older than the
// audit log retention of its instance is shown; that of an instance that was removed the removal alone
// is shown, whatever its age, and what happened during the last minute, for its retention is gone with
// it; that a stream goes on no longer than to the next beat when its caller is removed or its key
// counts no more; and that a stream holds one reader of the log, no connection of the database, and at
// most one batch of changes in memory.
package lifecycle
