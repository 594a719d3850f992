package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"castellan/internal/store"
)

// concurrencyCases are about transactions and readers that run at the same time.
var concurrencyCases = []conformanceCase{
	{"NoUpdateIsLost", noUpdateIsLost},
	{"WritersDoNotWait", writersDoNotWait},
	{"DeadlockIsRetried", deadlockIsRetried},
	{"RebuildsExcludeWriters", rebuildsExcludeWriters},
	{"CancelledBefore", cancelledBefore},
	{"CancelledInside", cancelledInside},
	{"CancelEndsWaiting", cancelEndsWaiting},
	{"CancelEndsReading", cancelEndsReading},
	{"NeighboursAreLeftAlone", neighboursAreLeftAlone},
	{"SnapshotIsOneMoment", snapshotIsOneMoment},
	{"CommitIsSignalled", commitIsSignalled},
	{"NodesHearEachOther", nodesHearEachOther},
	{"LogOrderIsCommitOrder", logOrderIsCommitOrder},
}

// noUpdateIsLost reads, adds one and writes, from many at once.
func noUpdateIsLost(s *suite) {
	const writers, rounds = 8, 25
	s.mustExec(insert, "counter", 0)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range rounds {
				err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
					n, err := one[int64](ctx, tx, `SELECT n FROM things WHERE id = $1`+s.db.Dialect().ForUpdate, "counter")
					if err != nil {
						return err
					}
					return tx.Exec(ctx, `UPDATE things SET n = $1 WHERE id = $2`, n+1, "counter")
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := s.number(s.db, `SELECT n FROM things`); got != writers*rounds {
		s.Errorf("counted to %d, want %d", got, writers*rounds)
	}
}

// writersDoNotWait commits a transaction while another, on another row, is open.
func writersDoNotWait(s *suite) {
	a := s.hold("a")
	b := spawn(func() error { return s.exec(insert, "b", 1) })
	if err := receive(s, "the second writer while the first is open", b); err != nil {
		s.Error(err)
	}
	s.wantThings(1)
	a.end(s)
	s.wantThings(2)
}

// deadlockIsRetried lets two transactions lock two rows in opposite order. The database ends one,
// which is run again.
func deadlockIsRetried(s *suite) {
	s.mustExec(insert, "left", 0)
	s.mustExec(insert, "right", 0)
	var runs atomic.Int64
	var both sync.WaitGroup // until each holds its first row
	both.Add(2)
	add := func(first, second string) func() error {
		var once sync.Once
		return func() error {
			return s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
				runs.Add(1)
				const touch = `UPDATE things SET n = n + 1 WHERE id = $1 RETURNING n`
				if _, err := one[int64](ctx, tx, touch, first); err != nil {
					return err
				}
				once.Do(func() {
					both.Done()
					both.Wait()
				})
				_, err := one[int64](ctx, tx, touch, second)
				return err
			})
		}
	}
	a, b := spawn(add("left", "right")), spawn(add("right", "left"))
	for _, c := range []<-chan error{a, b} {
		if err := receive(s, "a transaction out of the deadlock", c); err != nil {
			s.Error(err)
		}
	}
	if got := s.number(s.db, `SELECT sum(n) FROM things`); got != 4 {
		s.Errorf("the rows add up to %d, want 4", got)
	}
	if runs.Load() < 3 {
		s.Errorf("the functions ran %d times: there was no deadlock", runs.Load())
	}
}

// rebuildsExcludeWriters holds each lock on an instance while others ask for theirs. Who must not
// wait gets it; who must, gets it when the holder has ended.
func rebuildsExcludeWriters(s *suite) {
	d := s.db.Dialect()
	locked := func(sql, instance string, inside func()) func() error {
		return func() error {
			return s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
				args := []any{instance}
				if sql == d.RebuildAllLock {
					args = nil
				}
				if err := tx.Exec(ctx, sql, args...); err != nil {
					return err
				}
				_, err := one[int64](ctx, tx, `SELECT count(*) FROM things`)
				if err == nil && inside != nil {
					inside()
				}
				return err
			})
		}
	}
	for name, c := range map[string]struct {
		holder, other, instance string // the holder's is a
		waits                   bool
	}{
		"a writer and another":                 {d.WriteLock, d.WriteLock, "a", false},
		"a writer and a rebuild":               {d.WriteLock, d.RebuildLock, "a", true},
		"a writer and a rebuild of another":    {d.WriteLock, d.RebuildLock, "b", false},
		"a writer and a rebuild of all":        {d.WriteLock, d.RebuildAllLock, "", true},
		"a rebuild and a writer":               {d.RebuildLock, d.WriteLock, "a", true},
		"a rebuild and a writer of another":    {d.RebuildLock, d.WriteLock, "b", false},
		"a rebuild and another":                {d.RebuildLock, d.RebuildLock, "a", true},
		"a rebuild and one of another":         {d.RebuildLock, d.RebuildLock, "b", false},
		"a rebuild and one of all":             {d.RebuildLock, d.RebuildAllLock, "", true},
		"a rebuild of all and a writer":        {d.RebuildAllLock, d.WriteLock, "b", true},
		"a rebuild of all and another rebuild": {d.RebuildAllLock, d.RebuildLock, "b", true},
	} {
		var ended atomic.Bool
		open, release := make(chan struct{}), make(chan struct{})
		holder := spawn(locked(c.holder, "a", func() {
			close(open)
			<-release
			ended.Store(true)
		}))
		receive(s, name+": the first", open)
		other := spawn(locked(c.other, c.instance, func() {
			if ended.Load() != c.waits {
				s.Errorf("%s: the second waited: %v, want %v", name, ended.Load(), c.waits)
			}
		}))
		if c.waits {
			select {
			case <-time.After(20 * time.Millisecond): // most likely it waits by now; if not it has still to ask
			case err := <-other:
				s.Fatalf("%s: the second did not wait: %v", name, err)
			}
			close(release)
		}
		if err := receive(s, name+": the second", other); err != nil {
			s.Errorf("%s: %v", name, err)
		}
		if !c.waits {
			close(release)
		}
		if err := receive(s, name+": the end of the first", holder); err != nil {
			s.Errorf("%s: %v", name, err)
		}
	}
}

// cancelledBefore runs nothing.
func cancelledBefore(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	s.mustBe(s.db.Update(ctx, func(context.Context, store.Tx) error {
		s.Error("the function ran")
		return nil
	}), context.Canceled)
	s.mustBe(s.db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		_, err := one[int64](ctx, q, `SELECT count(*) FROM things`)
		return err
	}), context.Canceled)
	_, err := one[int64](ctx, s.db, `SELECT count(*) FROM things`)
	s.mustBe(err, context.Canceled)
}

// cancelledInside ends the ctx after a write.
func cancelledInside(s *suite) {
	for name, rest := range map[string]func(ctx context.Context, tx store.Tx) error{
		"and returns":      func(context.Context, store.Tx) error { return nil },
		"and runs another": func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, insert, "b", 1) },
		"and reads": func(ctx context.Context, tx store.Tx) error {
			_, err := one[int64](ctx, tx, `SELECT count(*) FROM things`)
			return err
		},
	} {
		ctx, cancel := context.WithCancel(s.Context())
		err := s.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Exec(ctx, insert, "a", 1); err != nil {
				return err
			}
			cancel()
			return rest(ctx, tx)
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			s.Errorf("cancelled inside %s: %v, want the ctx's error", name, err)
		}
		s.wantThings(0)
	}
	s.mustExec(insert, "a", 1)
}

// cancelEndsWaiting cancels a transaction that waits for a row, or for its turn.
func cancelEndsWaiting(s *suite) {
	for i, held := range []bool{false, true} { // whether the statement is held back until the commit
		a := s.hold(key(i))
		ctx, cancel := context.WithCancel(s.Context())
		b := spawn(func() error {
			return s.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
				if held {
					return tx.Exec(ctx, insert, key(i), 2)
				}
				_, err := one[string](ctx, tx, insert+` RETURNING id`, key(i), 2)
				return err
			})
		})
		select {
		case err := <-b:
			s.Fatalf("the second writer of a row did not wait for the first: %v", err)
		case <-time.After(20 * time.Millisecond): // most likely it waits by now; the case holds anyway
		}
		cancel()
		err := receive(s, "the cancelled transaction while the first is open", b)
		if !errors.Is(err, context.Canceled) {
			s.Errorf("cancelled while waiting: %v, want the ctx's error", err)
		}
		a.end(s)
		if errors.Is(err, store.ErrUnavailable) {
			continue // the cancellation and the statement have passed each other: the outcome is unknown, and said to be
		}
		if got := s.number(s.db, `SELECT n FROM things WHERE id = $1`, key(i)); got != 0 {
			s.Errorf("the cancelled transaction has written %d", got)
		}
	}
}

// cancelEndsReading ends the ctx in the middle of many rows.
func cancelEndsReading(s *suite) {
	for i := range 3 {
		s.mustExec(insert, key(i), i)
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	rows, err := s.db.Query(ctx, `SELECT a.id FROM things a, things b, things c, things d, things e`)
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	read := 0
	for rows.Next() {
		if read++; read == 1 {
			cancel()
		}
	}
	// Rows that were on their way already may still be read.
	if err := rows.Err(); err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("after cancelling: %v", err)
	} else if err == nil && read != 243 {
		s.Errorf("read %d rows without an error, want all 243", read)
	}
	s.wantThings(3)
}

// neighboursAreLeftAlone runs transactions of every fate at the same time, again and again. What
// is in the table afterwards must be what was reported to have been written.
func neighboursAreLeftAlone(s *suite) {
	fates := []string{"commit", "error", "conflict", "cancel", "panic", "late commit"}
	rapid.Check(s, func(t *rapid.T) {
		if err := s.exec(`DELETE FROM things`); err != nil {
			t.Fatal(err)
		}
		if err := s.exec(insert, "taken", 1); err != nil {
			t.Fatal(err)
		}
		plan := rapid.SliceOfN(rapid.SampledFrom(fates), 1, 12).Draw(t, "fates")
		errs := make([]error, len(plan))
		var group sync.WaitGroup
		for i, fate := range plan {
			group.Go(func() { errs[i] = s.meet(fate, key(i)) })
		}
		group.Wait()
		want := []string{}
		for i, fate := range plan {
			if committed := errs[i] == nil; committed != (fate == "commit" || fate == "late commit") {
				t.Fatalf("transaction %d, fate %s: %v", i, fate, errs[i])
			} else if committed {
				want = append(want, key(i), key(i)+" too")
			}
		}
		got, err := column[string](s.Context(), s.db, `SELECT id FROM things WHERE id <> 'taken' ORDER BY id`)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("the table holds %q, %v, want %q", got, err, want)
		}
	})
}

// meet writes two rows in a transaction that ends as its fate says.
func (s *suite) meet(fate, id string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panicked: %v", v)
		}
	}()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	return s.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if _, err := one[string](ctx, tx, insert+` RETURNING id`, id, 1); err != nil {
			return err
		}
		if err := tx.Exec(ctx, insert, id+" too", 2); err != nil {
			return err
		}
		switch fate {
		case "error":
			return errMine
		case "conflict":
			return tx.Exec(ctx, insert, "taken", 1)
		case "cancel":
			cancel()
		case "panic":
			panic(errMine)
		case "late commit":
			_, err := one[int64](ctx, tx, `SELECT count(*) FROM things`)
			return err
		}
		return nil
	})
}

// snapshotIsOneMoment commits while a snapshot is being read.
func snapshotIsOneMoment(s *suite) {
	s.mustExec(insert, "a", 1)
	err := s.db.Snapshot(s.Context(), func(ctx context.Context, q store.Querier) error {
		const count = `SELECT count(*) FROM things`
		if n := s.number(q, count); n != 1 {
			s.Errorf("the snapshot begins with %d rows, want 1", n)
		}
		if err := receive(s, "a writer during the snapshot", spawn(func() error { return s.exec(insert, "b", 2) })); err != nil {
			return err
		}
		s.wantThings(2)
		if n := s.number(q, count); n != 1 {
			s.Errorf("the snapshot has %d rows after another commit, want 1", n)
		}
		return errMine
	})
	s.mustBe(err, errMine)
	if err := s.db.Snapshot(s.Context(), func(context.Context, store.Querier) error { return nil }); err != nil {
		s.Errorf("an empty snapshot: %v", err)
	}
}

// follow reads the counter whenever a signal comes, until it has reached the end. It sees the
// last commit only when the last signal was not lost.
func (s *suite) follow(db store.DB, end int64) <-chan error {
	signal, stop := db.Committed()
	return spawn(func() error {
		defer stop()
		for {
			n, err := one[int64](s.Context(), db, `SELECT n FROM things WHERE id = 'counter'`)
			if err != nil || n == end {
				return err
			}
			select {
			case <-signal:
			case <-time.After(patience):
				return fmt.Errorf("no signal after the commit of %d", n)
			}
		}
	})
}

func (s *suite) countTo(end int64) {
	for n := range end {
		s.mustExec(`UPDATE things SET n = $1 WHERE id = 'counter'`, n+1)
	}
}

// commitIsSignalled has two followers and one who does not listen.
func commitIsSignalled(s *suite) {
	s.mustExec(insert, "counter", 0)
	followers := []<-chan error{s.follow(s.db, 100), s.follow(s.db, 100)}
	_, stop := s.db.Committed() // one who never listens holds nobody up
	s.countTo(100)
	for _, f := range followers {
		if err := receive(s, "a follower", f); err != nil {
			s.Error(err)
		}
	}
	stop()
	stop()
	s.countTo(1)
}

// nodesHearEachOther follows on another node.
func nodesHearEachOther(s *suite) {
	if !s.engine.MultiNode {
		s.Skip("one node")
	}
	s.mustExec(insert, "counter", 0)
	other := s.database.Open(s)
	follower := s.follow(other, 100)
	s.countTo(100)
	if err := receive(s, "the other node", follower); err != nil {
		s.Error(err)
	}
}

// entry is the place of one transaction's row in the log.
type entry struct{ commit, number, writer int64 }

// logOrderIsCommitOrder lets many write entries while a follower reads those that are settled,
// always after the last it saw. It must see each once.
func logOrderIsCommitOrder(s *suite) {
	const writers, rounds = 8, 20
	d := s.db.Dialect()
	signal, stop := s.db.Committed()
	defer stop()
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range rounds {
				err := s.db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
					return errors.Join(
						tx.Exec(ctx, `INSERT INTO entries (commit_id, writer) VALUES (`+d.CommitID+`, $1)`, w),
						tx.Exec(ctx, `INSERT INTO entries (commit_id, writer) VALUES (`+d.CommitID+`, $1)`, w))
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	defer group.Wait()
	tick := time.NewTicker(50 * time.Millisecond) // other tests of the cluster can delay settling
	defer tick.Stop()
	giveUp := time.After(patience)
	var last entry
	seen := make(map[int64]int)
	for total := 0; total < 2*writers*rounds; {
		entries, err := store.All(s.Context(), s.db, func(row store.Scanner) (e entry, err error) {
			return e, row.Scan(&e.commit, &e.number, &e.writer)
		}, `SELECT commit_id, log_number, writer FROM entries WHERE `+d.After("$1", "$2")+` AND `+d.Settled+`
ORDER BY commit_id, log_number LIMIT 7`, last.commit, last.number)
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range entries {
			seen[e.number]++
			last = e
		}
		if total += len(entries); len(entries) > 0 {
			continue
		}
		select {
		case <-signal:
		case <-tick.C:
		case <-giveUp:
			s.Fatalf("the follower saw %d entries of %d", total, 2*writers*rounds)
		}
	}
	for number, times := range seen {
		if times != 1 {
			s.Errorf("entry %d was seen %d times", number, times)
		}
	}
}
