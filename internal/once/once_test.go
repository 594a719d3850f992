package once

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is a book on one database, and an instance whose key seals the answers.
type fixture struct {
	*testing.T
	db    store.DB
	keys  *vault.Keyring
	clock *ident.ManualClock
	book  *Book
}

const instance = "1"

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		t.Parallel()
		f := &fixture{
			T: t, db: db, clock: ident.NewManualClock(start),
			keys: vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil),
		}
		f.book = NewBook(f.keys, f.clock)
		f.must(db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			_, err := f.keys.Create(ctx, tx, instance)
			return err
		}))
		fn(f)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// key names a write that asks for request.
func key(name, request string) Key {
	return Key{Actor: "ada", Name: name, Request: sha256.Sum256([]byte(request))}
}

// keep records an answer in a transaction of its own.
func (f *fixture) keep(k Key, answer string) error {
	return f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
		sealer, err := f.keys.Get(ctx, tx, instance)
		if err != nil {
			return err
		}
		return f.book.Keep(ctx, tx, instance, sealer, k, []byte(answer))
	})
}

// wants fails unless the answer under k is the given one.
func (f *fixture) wants(k Key, answer string) {
	f.Helper()
	got, found, err := f.book.Answer(f.Context(), f.db, k)
	if err != nil || !found || string(got) != answer {
		f.Errorf("answer of %s: %q, found %v, %v, want %q", k.Name, got, found, err, answer)
	}
}

// wantsNone fails unless there is nothing under k.
func (f *fixture) wantsNone(k Key) {
	f.Helper()
	got, found, err := f.book.Answer(f.Context(), f.db, k)
	if err != nil || found || got != nil {
		f.Errorf("answer of %s: %q, found %v, %v, want none", k.Name, got, found, err)
	}
}

func (f *fixture) count() (n int64) {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM idempotency_keys`)
	f.must(err)
	return n
}

func TestSameAnswer(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		f.wantsNone(k)
		f.must(f.keep(k, "answer\x00\xff"))
		for range 3 {
			f.wants(k, "answer\x00\xff")
		}
		f.wantsNone(key("K", "request"))
		other := k
		other.Actor = "grace"
		f.wantsNone(other) // a key is its caller's own
		f.must(f.keep(other, "hers"))
		f.wants(other, "hers")
		f.wants(k, "answer\x00\xff")
	})
}

func TestEmptyAnswer(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		f.must(f.keep(k, ""))
		f.wants(k, "")
	})
}

func TestOtherRequestIsRefused(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(f.keep(key("k", "request"), "answer"))
		answer, found, err := f.book.Answer(f.Context(), f.db, key("k", "another"))
		logtest.CheckRefusal(f, err, logtest.Refusal{
			Kind: fault.AlreadyExists, ID: "ONCE-other", Fields: []string{"idempotency-key"},
		})
		if found || answer != nil {
			f.Errorf("refused, yet answered %q, %v", answer, found)
		}
		f.wants(key("k", "request"), "answer")
	})
}

func TestSecondKeepIsAConflict(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		f.must(f.keep(k, "first"))
		f.clock.Advance(Window - time.Microsecond)
		if err := f.keep(k, "second"); !store.ConflictIn(err, Table) {
			f.Errorf("second Keep = %v, want a conflict in %s", err, Table)
		}
		f.wants(k, "first")
	})
}

func TestWindow(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		f.must(f.keep(k, "first"))
		f.clock.Advance(Window - time.Microsecond)
		f.wants(k, "first")
		f.clock.Advance(time.Microsecond)
		f.wantsNone(k)
		f.wantsNone(key("k", "another")) // past its window it refuses nothing
		f.must(f.keep(key("k", "another"), "second"))
		f.wants(key("k", "another"), "second")
		if n := f.count(); n != 1 {
			f.Errorf("%d rows, want the expired one replaced", n)
		}
	})
}

func TestSweep(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(f.book.Sweep(f.Context(), f.db))
		for i := range 3 {
			f.must(f.keep(key(fmt.Sprint(i), "request"), "answer"))
			f.clock.Advance(time.Hour)
		}
		f.clock.Advance(Window - 2*time.Hour) // the first is past its window, the second ends now
		f.must(f.book.Sweep(f.Context(), f.db))
		if n := f.count(); n != 1 {
			f.Errorf("%d rows after the sweep, want 1", n)
		}
		f.wants(key("2", "request"), "answer")
	})
}

func TestDestroyedInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(f.keep(key("k", "request"), "answer"))
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return f.keys.Destroy(ctx, tx, instance)
		}))
		for _, request := range []string{"request", "another"} {
			_, found, err := f.book.Answer(f.Context(), f.db, key("k", request))
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.NotFound, ID: "ONCE-gone1"})
			if found {
				f.Error("found the answer of an instance that is gone")
			}
		}
		f.clock.Advance(Window)
		f.wantsNone(key("k", "request"))
	})
}

// Of many writers with one key exactly one commits, whatever else they write; the others
// conflict here and find its answer.
func TestConcurrentWriters(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for round, expired := range []bool{false, true} {
			k := key("k", fmt.Sprint(round))
			if expired {
				f.clock.Advance(Window)
			}
			const writers = 10
			results := make(chan error, writers)
			for i := range writers {
				go func() { results <- f.keep(k, fmt.Sprint(i)) }()
			}
			won := 0
			for range writers {
				switch err := <-results; {
				case err == nil:
					won++
				case !store.ConflictIn(err, Table):
					f.Errorf("a loser was told %v, want a conflict in %s", err, Table)
				}
			}
			if won != 1 {
				f.Errorf("%d writers committed, want 1", won)
			}
			if answer, found, err := f.book.Answer(f.Context(), f.db, k); err != nil || !found || len(answer) != 1 {
				f.Errorf("answer %q, found %v, %v", answer, found, err)
			}
		}
	})
}

// A write that fails after Keep leaves no answer.
func TestNoAnswerWithoutTheWrite(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k, failed := key("k", "request"), errors.New("failed")
		err := f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			sealer, err := f.keys.Get(ctx, tx, instance)
			if err != nil {
				return err
			}
			if err := f.book.Keep(ctx, tx, instance, sealer, k, []byte("answer")); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			f.Fatal(err)
		}
		f.wantsNone(k)
	})
}

// The row has neither the name nor the answer in the clear, and cannot be given to another
// key, caller or instance.
func TestRowsAreSealed(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const name, answer = "order-of-ada-lovelace", "the secret answer"
		k := key(name, "request")
		f.must(f.keep(k, answer))
		row, err := store.One(f.Context(), f.db, func(row store.Scanner) (all []byte, err error) {
			var actor, instance string
			var hash, sealed []byte
			err = row.Scan(&actor, &hash, &instance, &sealed)
			return bytes.Join([][]byte{[]byte(actor), hash, []byte(instance), sealed}, nil), err
		}, `SELECT actor, key_hash, instance_id, answer FROM idempotency_keys`)
		f.must(err)
		for _, clear := range []string{name, answer, "request", string(k.Request[:])} {
			if bytes.Contains(row, []byte(clear)) {
				f.Errorf("the row holds %q in the clear", clear)
			}
		}
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			_, err := f.keys.Create(ctx, tx, "2")
			return err
		}))
		moved := key("moved", "request")
		other := Key{Actor: "grace", Name: name, Request: k.Request}
		for sql, key := range map[string]Key{
			`UPDATE idempotency_keys SET key_hash = $1`:     moved,
			`UPDATE idempotency_keys SET actor = 'grace'`:   other,
			`UPDATE idempotency_keys SET instance_id = '2'`: k,
			`UPDATE idempotency_keys SET answer = key_hash`: k,
		} {
			undo := errors.New("undo")
			err := f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
				var args []any
				if strings.Contains(sql, "$1") {
					args = []any{key.hash()}
				}
				if err := tx.Exec(ctx, sql, args...); err != nil {
					return err
				}
				if answer, found, err := f.book.Answer(ctx, tx, key); !errors.Is(err, vault.ErrOpen) || found || answer != nil {
					f.Errorf("after %s: answer %q, found %v, %v, want it refused", sql, answer, found, err)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				f.Fatal(err)
			}
		}
		f.wants(k, answer)
	})
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"k", "!", "~", "2f1e-4", strings.Repeat("k", MaxKey)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	for _, name := range []string{"", " ", "a b", "a\tb", "a\n", "a\x00", "a\x7f", "ü", "\xff", strings.Repeat("k", MaxKey+1)} {
		logtest.CheckRefusal(t, CheckName(name), logtest.Refusal{
			Kind: fault.InvalidArgument, ID: "ONCE-name1", Fields: []string{"idempotency-key"},
		})
	}
}

func FuzzCheckName(f *testing.F) {
	for _, name := range []string{"k", "", " ", "ü", "\x7f", strings.Repeat("k", 256)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 1000 {
			return
		}
		visible := strings.IndexFunc(name, func(r rune) bool { return r < '!' || r > '~' }) < 0
		if err := CheckName(name); (err == nil) != (visible && len(name) >= 1 && len(name) <= MaxKey) {
			t.Fatalf("%q: %v", name, err)
		}
	})
}
