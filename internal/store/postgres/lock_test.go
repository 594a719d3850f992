package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/storetest"
)

// TestWaitingForALockTakesFewConnections lets many write to an instance that another node rebuilds:
// others still get a connection of the pool. All writers get their turn, or their ctx ends; none
// writes before.
func TestWaitingForALockTakesFewConnections(t *testing.T) {
	const writers = 100
	url := storetest.PostgresURL(t)
	there := mustOpen(t, url)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	mustExec(t, there, `CREATE TABLE x (id BIGINT)`)

	locked, release, rebuilt := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		rebuilt <- there.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := tx.Exec(ctx, there.Dialect().RebuildLock, "a"); err != nil {
				return err
			}
			_, err := number(ctx, tx, `SELECT 1`)
			close(locked)
			<-release
			return err
		})
	}()
	<-locked

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var refused, ended sync.WaitGroup
	refused.Add(writers)
	failed := make([]error, writers)
	for i := range writers {
		ctx := ctx
		if i%10 != 0 {
			ctx = t.Context()
		}
		ended.Go(func() {
			var once sync.Once
			failed[i] = db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
				if err := tx.Exec(ctx, db.Dialect().WriteLock, "a"); err != nil {
					return err
				}
				if i%2 == 1 { // others only write, and learn of the lock when they commit
					defer once.Do(refused.Done)
					if _, err := number(ctx, tx, `SELECT count(*) FROM x`); err != nil {
						return err
					}
				} else {
					once.Do(refused.Done)
				}
				return tx.Exec(ctx, `INSERT INTO x VALUES ($1)`, i)
			})
		})
	}
	all := make(chan struct{})
	go func() { refused.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(patience):
		t.Error("writers hold connections while they wait")
	}
	hurry, stop := context.WithTimeout(t.Context(), patience)
	if n, err := number(hurry, db, `SELECT count(*) FROM x`); err != nil || n != 0 {
		t.Errorf("a reader meanwhile: %d, %v", n, err)
	}
	if err := db.Update(hurry, func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Exec(ctx, db.Dialect().WriteLock, "b"), tx.Exec(ctx, `INSERT INTO x VALUES (-1)`))
	}); err != nil {
		t.Errorf("a writer of another instance meanwhile: %v", err)
	}
	if n := mustNumber(t, there, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`); n > 1 {
		t.Errorf("%d connections wait", n)
	}
	stop()
	cancel()
	close(release)
	if err := <-rebuilt; err != nil {
		t.Error(err)
	}
	ended.Wait()
	written := int64(1)
	for i, err := range failed {
		if err == nil {
			written++
		} else if i%10 != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if n := mustNumber(t, db, `SELECT count(*) FROM x`); n != written || n < 91 {
		t.Errorf("%d rows of %d writers", n, written)
	}
}
