package postgres

import (
	"context"
	"fmt"

	"castellan/internal/store"
)

// lockSpace is the key of the advisory lock on all instances, and the seed of those on each.
const lockSpace = "7163118450021417"

// The locks of the dialect, and what is tried at first instead of each: it has no row when somebody
// holds the lock, or waits for it.
const (
	onAll      = "(" + lockSpace + ")"
	onInstance = "(hashtextextended($1::text, " + lockSpace + "))"

	writeLock      = "SELECT pg_advisory_xact_lock_shared" + onAll + ", pg_advisory_xact_lock_shared" + onInstance
	rebuildLock    = "SELECT pg_advisory_xact_lock_shared" + onAll + ", pg_advisory_xact_lock" + onInstance
	rebuildAllLock = "SELECT pg_advisory_xact_lock" + onAll

	tryWriteLock      = "SELECT 1 WHERE pg_try_advisory_xact_lock_shared" + onAll + " AND pg_try_advisory_xact_lock_shared" + onInstance
	tryRebuildLock    = "SELECT 1 WHERE pg_try_advisory_xact_lock_shared" + onAll + " AND pg_try_advisory_xact_lock" + onInstance
	tryRebuildAllLock = "SELECT 1 WHERE pg_try_advisory_xact_lock" + onAll
)

// trying returns what is tried instead of a statement that locks.
func trying(sql string) (try string, locks bool) {
	switch sql {
	case writeLock:
		return tryWriteLock, true
	case rebuildLock:
		return tryRebuildLock, true
	case rebuildAllLock:
		return tryRebuildAllLock, true
	}
	return "", false
}

// errHeld means that a lock was not to be had at once.
var errHeld = fmt.Errorf("%w: a lock on an instance is held", store.ErrSerialization)

// waiters bounds how many connections wait for locks, to a quarter of the pool and at least one. The
// server's own queue is where they wait, for it is fair: a writer gets its turn between two transactions of
// a rebuild, which follow each other at once, and a rebuild between writers. Who asks now and then would
// rarely find such a gap. All others wait for a place here, without a connection, so that a rebuild
// of one instance, of which many may want to write to it, leaves the pool to the others.
type waiters chan struct{}

func newWaiters(conns int32) waiters { return make(waiters, max(1, conns/4)) }

// enter waits for a place, until ctx ends.
func (w waiters) enter(ctx context.Context) error {
	select {
	case w <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w waiters) leave() { <-w }
