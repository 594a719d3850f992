package usermetadata

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1 and 2. Each has the machine ci and the human
// ada, of organization 7.
type fixture struct {
	*testing.T
	db       store.DB
	clock    *ident.ManualClock
	log      *eventlog.Log
	metadata *Service
}

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

var errNoUser = fault.New(fault.NotFound, "QUERY-Dfbg2", "Errors.User.NotFound")

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, Noun)
		f.metadata = &Service{
			DB: db, Log: f.log, IDs: ident.NewSource(grant{}, f.clock), Clock: f.clock,
			Keep: func(_ context.Context, _ store.Tx, _ ident.InstanceID, user ident.UserID) (ident.OrgID, error) {
				if user != "ci" && user != "ada" {
					return "", errNoUser
				}
				return "7", nil
			},
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused checks the id of a fault, and that nothing was written.
func (f *fixture) refused(id string, do func() error) {
	f.Helper()
	before := logtest.Types(f, f.db, f.log, "1")
	err := do()
	if err == nil || fault.Of(err).ID != id {
		f.Errorf("err = %v, want %s", err, id)
	}
	if now := logtest.Types(f, f.db, f.log, "1"); !slices.Equal(before, now) {
		f.Errorf("refused with %s, and wrote %v", id, now[len(before):])
	}
}

// has checks what a user of instance 1 has: keys and values.
func (f *fixture) has(user ident.UserID, want ...string) {
	f.Helper()
	all, err := OfUser(f.Context(), f.db, "1", user)
	f.must(err)
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprintf("%s=%s/%d", s.Key, s.Value, s.Sequence))
	}
	if !slices.Equal(got, want) {
		f.Errorf("%s has %q, want %q", user, got, want)
	}
}

func TestService(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		set := func(at ident.InstanceID, user ident.UserID, entries ...Entry) error {
			when, err := f.metadata.Set(f.Context(), at, "bob", user, entries)
			if err == nil && !when.Equal(f.clock.Now()) {
				f.Errorf("set at %s", when)
			}
			return err
		}
		f.must(set("1", "ci", Entry{"b", []byte("1")}, Entry{"a", []byte("2")}, Entry{"b", []byte("3")}))
		f.must(set("1", "ada", Entry{"a", nil}))
		f.must(set("2", "ci", Entry{"a", []byte("other")}))
		f.has("ci", "a=2/1", "b=3/1")
		f.has("ada", "a=/1")
		f.clock.Advance(time.Minute)
		f.must(set("1", "ci", Entry{"a", []byte("2")}, Entry{"b", []byte("4")}, Entry{"c", []byte("5")}))
		f.must(set("1", "ada", Entry{"a", nil}))
		f.has("ci", "a=2/1", "b=4/2", "c=5/1")
		f.has("ada", "a=/1")

		f.refused("META-9mm2d", func() error { return set("1", "ci") })
		f.refused("META-2m00f", func() error { return set("1", "ci", Entry{"d", nil}, Entry{"", nil}) })
		f.refused("QUERY-Dfbg2", func() error { return set("1", "nobody", Entry{"a", nil}) })

		remove := func(user ident.UserID, keys ...string) error {
			_, err := f.metadata.Remove(f.Context(), "1", "bob", user, keys)
			return err
		}
		f.refused("META-9mw2d", func() error { return remove("ci") })
		f.refused("META-2nnds", func() error { return remove("ci", "a", "nothing") })
		f.refused("QUERY-Dfbg2", func() error { return remove("nobody", "a") })
		f.must(remove("ci", "c", "a", "c"))
		f.has("ci", "b=4/2")
		f.has("ada", "a=/1")
		// What comes again is another entry, with a history of its own.
		f.must(set("1", "ci", Entry{"a", []byte("6")}))
		f.has("ci", "a=6/1", "b=4/2")
	})
}

// As part of another write, all of it or nothing is written.
func TestPutting(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		put, err := f.metadata.Putting(f.Context(), []Entry{{"a", []byte("1")}})
		f.must(err)
		write := func(then error) error {
			return f.log.Write(f.Context(), "1", "bob", func(ctx context.Context, w *eventlog.Writer) error {
				if err := put(ctx, w, "ci", "7"); err != nil {
					return err
				}
				return then
			})
		}
		f.refused("QUERY-Dfbg2", func() error { return write(errNoUser) })
		f.has("ci")
		f.must(write(nil))
		f.has("ci", "a=1/1")
	})
}

func TestRowsMatchColumns(t *testing.T) {
	s := logtest.Fold(t, Noun, Set{User: "8", Key: "a"})
	if got, want := len(tables[0].Rows(s)[0]), len(strings.Split(Noun.Tables[0].Columns(), ", ")); got != want {
		t.Errorf("a row has %d values for %d columns", got, want)
	}
}
