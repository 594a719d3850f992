package spent

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func eachEngine(t *testing.T, fn func(t *testing.T, b *Book, clock *ident.ManualClock)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		clock := ident.NewManualClock(start)
		fn(t, &Book{DB: db, Clock: clock}, clock)
	})
}

func once(t *testing.T, b *Book, at ident.InstanceID, id string, until time.Time) bool {
	t.Helper()
	first, err := b.Once(t.Context(), at, sha256.Sum256([]byte(id)), until)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

func count(t *testing.T, b *Book) int {
	t.Helper()
	rows, err := store.All(t.Context(), b.DB, scanNumber, `SELECT expires_at FROM spent_ids`)
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

func TestOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, b *Book, clock *ident.ManualClock) {
		until := start.Add(time.Minute)
		if !once(t, b, "1", "a", until) || once(t, b, "1", "a", until) || once(t, b, "1", "a", until.Add(time.Hour)) {
			t.Error("an id does not count exactly once")
		}
		if !once(t, b, "2", "a", until) || !once(t, b, "1", "b", until) {
			t.Error("another id, or one of another instance, does not count")
		}
		clock.Advance(time.Minute - time.Microsecond)
		if once(t, b, "1", "a", until) {
			t.Error("it counts again before its time")
		}
		clock.Advance(time.Microsecond)
		later := until.Add(time.Minute)
		if !once(t, b, "1", "a", later) || once(t, b, "1", "a", later) {
			t.Error("afterwards it does not count exactly once more")
		}
	})
}

func TestOneOfManyIsFirst(t *testing.T) {
	eachEngine(t, func(t *testing.T, b *Book, _ *ident.ManualClock) {
		var group sync.WaitGroup
		var firsts atomic.Int64
		for range 16 {
			group.Go(func() {
				if once(t, b, "1", "a", start.Add(time.Minute)) {
					firsts.Add(1)
				}
			})
		}
		group.Wait()
		if firsts.Load() != 1 {
			t.Errorf("%d were the first", firsts.Load())
		}
	})
}

func TestSweep(t *testing.T) {
	eachEngine(t, func(t *testing.T, b *Book, clock *ident.ManualClock) {
		once(t, b, "1", "a", start)
		once(t, b, "2", "a", start)
		once(t, b, "1", "b", start.Add(time.Hour))
		for _, tt := range []struct {
			after time.Duration
			left  int
		}{{0, 3}, {sweepMargin - time.Microsecond, 3}, {time.Microsecond, 1}, {time.Hour, 0}, {0, 0}} {
			clock.Advance(tt.after)
			if err := b.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, b); n != tt.left {
				t.Errorf("at %s there are %d left, want %d", clock.Now(), n, tt.left)
			}
		}
	})
}

func TestSweepInBatches(t *testing.T) {
	eachEngine(t, func(t *testing.T, b *Book, clock *ident.ManualClock) {
		err := b.DB.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for i := range sweepBatch + 1 {
				id := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
				if err := tx.Exec(ctx, `INSERT INTO spent_ids (instance_id, id_hash, expires_at) VALUES ('1', $1, 0)`, id[:]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Sweep(t.Context()); err != nil || count(t, b) != 0 {
			t.Errorf("%d left, %v", count(t, b), err)
		}
	})
}

func TestErrorsOfTheDatabase(t *testing.T) {
	eachEngine(t, func(t *testing.T, b *Book, _ *ident.ManualClock) {
		if _, err := b.Once(ended(t), "1", [sha256.Size]byte{}, start); !errors.Is(err, context.Canceled) {
			t.Errorf("Once: %v", err)
		}
		if err := b.Sweep(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("Sweep: %v", err)
		}
	})
}

// ended is a context that has.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
