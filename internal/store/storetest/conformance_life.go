package storetest

import (
	"context"
	"errors"
	"sync"

	"castellan/internal/store"
)

// lifeCases are about opening and closing.
var lifeCases = []conformanceCase{
	{"CloseWaits", closeWaits},
	{"ClosedIsUnavailable", closedIsUnavailable},
	{"ReopeningKeepsData", reopeningKeepsData},
	{"NewerSchemaIsRefused", newerSchemaIsRefused},
	{"PingAnswers", pingAnswers},
	{"ManyReadersShareThePool", manyReadersShareThePool},
}

// another returns a handle that the case closes itself; where there is one handle, the case's.
func (s *suite) another() store.DB {
	if !s.engine.MultiNode {
		return s.db
	}
	db, err := s.database.TryOpen(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return db
}

// closeWaits closes while a transaction is open, which must still be able to commit.
func closeWaits(s *suite) {
	db := s.another()
	open, release := make(chan struct{}), make(chan struct{})
	writer := spawn(func() error {
		return db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
			close(open)
			<-release
			if _, err := one[int64](ctx, tx, `SELECT count(*) FROM things`); err != nil {
				return err
			}
			return tx.Exec(ctx, insert, "a", 1)
		})
	})
	receive(s, "the transaction to open", open)
	closed := spawn(db.Close)
	select {
	case err := <-closed:
		s.Errorf("Close returned %v while a transaction was running", err)
	default:
	}
	close(release)
	if err := receive(s, "the transaction", writer); err != nil {
		s.Errorf("a transaction that had begun before Close: %v", err)
	}
	if err := receive(s, "Close", closed); err != nil {
		s.Errorf("Close: %v", err)
	}
	reopened := s.database.Open(s)
	if n := s.number(reopened, `SELECT count(*) FROM things`); n != 1 {
		s.Errorf("%d rows after Close, want 1", n)
	}
}

// closedIsUnavailable uses everything after Close.
func closedIsUnavailable(s *suite) {
	db := s.another()
	signal, stop := db.Committed()
	for range 2 {
		if err := db.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
	stop()
	select {
	case _, ok := <-signal:
		if !ok {
			s.Error("the channel of signals is closed, which would wake its reader again and again")
		}
	default:
	}
	ctx := s.Context()
	nothing := func(ctx context.Context, q store.Querier) error {
		_, err := one[int64](ctx, q, `SELECT 1`)
		return err
	}
	_, err := db.Query(ctx, `SELECT 1`)
	for what, err := range map[string]error{
		"Query":    err,
		"Snapshot": db.Snapshot(ctx, nothing),
		"Update":   db.Update(ctx, func(ctx context.Context, tx store.Tx) error { return nothing(ctx, tx) }),
		"Ping":     db.Ping(ctx),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			s.Errorf("%s of a closed database: %v, want ErrUnavailable", what, err)
		}
	}
}

// reopeningKeepsData opens again and again.
func reopeningKeepsData(s *suite) {
	s.mustExec(insert, "a", 1)
	if err := s.db.Close(); err != nil {
		s.Fatal(err)
	}
	for want := int64(1); want < 4; want++ {
		db, err := s.database.TryOpen(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		if n := s.number(db, `SELECT count(*) FROM things`); n != want {
			s.Errorf("%d rows after opening again, want %d", n, want)
		}
		err = db.Update(s.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, insert, key(int(want)), 1)
		})
		if err := errors.Join(err, db.Close()); err != nil {
			s.Fatal(err)
		}
	}
}

// newerSchemaIsRefused opens what a later program has migrated.
func newerSchemaIsRefused(s *suite) {
	s.mustExec(`INSERT INTO schema_version (version_id, is_applied) VALUES ($1, $2)`, 99999, true)
	if err := s.db.Close(); err != nil {
		s.Fatal(err)
	}
	db, err := s.database.TryOpen(s.Context())
	if err == nil {
		s.Error("opened a database of a newer program")
		err = db.Close()
	}
	if !errors.Is(err, store.ErrNewerSchema) || errors.Is(err, store.ErrUnavailable) {
		s.Errorf("got %v, want ErrNewerSchema", err)
	}
}

func pingAnswers(s *suite) {
	if err := s.db.Ping(s.Context()); err != nil {
		s.Error(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	s.mustBe(s.db.Ping(ctx), context.Canceled)
}

// manyReadersShareThePool runs more reads at the same time than there are connections.
func manyReadersShareThePool(s *suite) {
	s.mustExec(insert, "a", 7)
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for range 5 {
				if n, err := one[int64](s.Context(), s.db, `SELECT n FROM things WHERE id = $1`, "a"); err != nil || n != 7 {
					s.Errorf("read %d, %v", n, err)
				}
			}
		})
	}
	group.Wait()
}
