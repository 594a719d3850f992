package delivery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a log of deliveries on one database.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	keys  *vault.Keyring
	log   *eventlog.Log
}

func newFixture(t *testing.T, db store.DB) *fixture {
	f := &fixture{T: t, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
	f.keys = vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	f.log = eventlog.New(db, f.keys, f.clock, Noun)
	return f
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newFixture(t, db)) })
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) service() *Service { return &Service{DB: f.db, Log: f.log} }

// instance makes instances, each nothing but a key.
func (f *fixture) instance(ids ...ident.InstanceID) {
	f.Helper()
	for _, id := range ids {
		f.must(f.log.Write(f.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
	}
}

// enqueue enqueues a message in a write of its own.
func (f *fixture) enqueue(instance ident.InstanceID, id ident.DeliveryID, d Due) error {
	return f.log.Write(f.Context(), instance, "ada", func(ctx context.Context, w *eventlog.Writer) error {
		return Enqueue(ctx, w, id, d)
	})
}

// left checks which events an instance has, and that they fold into the rows that are there.
func (f *fixture) left(instance ident.InstanceID, want ...string) {
	f.Helper()
	if got := logtest.Types(f, f.db, f.log, instance); !slices.Equal(got, want) {
		f.Errorf("events %v, want %v", got, want)
	}
	logtest.CheckFold(f, f.db, f.log)
}

// do makes a decision as a command.
func (f *fixture) do(instance ident.InstanceID, id ident.DeliveryID, decide func(State) []eventlog.Payload) State {
	f.Helper()
	s, err := f.service().change(f.Context(), instance, id, "node", decide)
	f.must(err)
	return s
}

// What Get returns is what the events fold into, until the delivery has ended.
func TestRows(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.must(f.enqueue("1", "7", due))
		f.must(f.enqueue("2", "7", Due{Kind: "other", URL: "", ContentType: "text/plain"}))
		s, err := Get(f.Context(), f.db, "1", "7")
		f.must(err)
		for range 2 {
			f.clock.Advance(time.Hour)
			for _, decide := range []func(State) []eventlog.Payload{
				Attempt{Now: f.clock.Now()}.Decide,
				Fail{Now: f.clock.Now(), Attempt: s.Attempts + 1, Error: "status 500", Status: 500}.Decide,
			} {
				s = f.do("1", "7", decide)
				got, err := Get(f.Context(), f.db, "1", "7")
				f.must(err)
				if diff := cmp.Diff(s, got); diff != "" {
					f.Errorf("Get (-want +got):\n%s", diff)
				}
				logtest.CheckFold(f, f.db, f.log)
			}
		}
		if s.Attempts != 2 || s.Failures != 2 || s.Owner != "1" || string(s.Body) != string(due.Body) || s.URL != due.URL {
			f.Errorf("the delivery is %+v", s)
		}
		f.do("1", "7", Attempt{Now: s.NextAt}.Decide)
		f.do("1", "7", Succeed{Attempt: 3, Status: 200}.Decide)
		if _, err := Get(f.Context(), f.db, "1", "7"); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("after it has arrived: %v", err)
		}
		other, err := Get(f.Context(), f.db, "2", "7")
		f.must(err)
		if other.Body != nil || other.Kind != "other" || other.Attempts != 0 {
			f.Errorf("the delivery of another instance is %+v", other)
		}
		f.left("1", "delivery.due", "delivery.attempted", "delivery.failed", "delivery.attempted", "delivery.failed",
			"delivery.attempted", "delivery.succeeded")
	})
}

// A message goes with the write that caused it, or not at all.
func TestEnqueue(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1")
		undone := errors.New("undone")
		err := f.log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			return errors.Join(Enqueue(ctx, w, "7", due), undone)
		})
		if !errors.Is(err, undone) {
			f.Fatal(err)
		}
		f.left("1")
		f.must(f.enqueue("1", "7", due))
		if err := f.enqueue("1", "7", due); !store.ConflictIn(err, "events") {
			f.Errorf("the same id again: %v", err)
		}
		if err := f.enqueue("1", "8", Due{Kind: "!"}); err == nil || !strings.HasPrefix(err.Error(), "delivery: ") {
			f.Errorf("a bad message: %v", err)
		}
		if err := f.enqueue("404", "8", due); !errors.Is(err, store.ErrNotFound) {
			f.Errorf("an instance that is not there: %v", err)
		}
		f.left("1", "delivery.due")
	})
}

func TestListFailedAndDismiss(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		lists := func(limit int, want ...Failure) {
			f.Helper()
			got, err := ListFailed(f.Context(), f.db, limit)
			f.must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				f.Errorf("failures (-want +got):\n%s", diff)
			}
		}
		fail := func(instance ident.InstanceID, id ident.DeliveryID, attempt int, final bool) {
			f.Helper()
			f.must(f.enqueue(instance, id, due))
			for n := 1; n <= attempt; n++ {
				f.do(instance, id, Attempt{Now: f.clock.Now()}.Decide)
				f.clock.Advance(24 * time.Hour)
				f.do(instance, id, Fail{Now: f.clock.Now().Add(-23 * time.Hour), Attempt: n, Error: "status 500", Final: final}.Decide)
			}
		}
		fail("1", "7", 0, false)
		lists(10)
		fail("2", "7", 1, true)
		at2 := f.clock.Now()
		fail("1", "9", 3, false)
		at9 := f.clock.Now()
		fail("1", "8", 1, false)
		all := []Failure{
			{Instance: "1", ID: "8", Kind: due.Kind, Failures: 1, Error: "status 500", FailedAt: f.clock.Now()},
			{Instance: "1", ID: "9", Kind: due.Kind, Failures: 3, Error: "status 500", FailedAt: at9},
			{Instance: "2", ID: "7", Kind: due.Kind, Failures: 1, Error: "status 500", FailedAt: at2},
		}
		lists(10, all...)
		lists(2, all[:2]...)
		f.do("1", "8", Attempt{Now: f.clock.Now()}.Decide) // under way, and still a failure
		lists(10, all...)

		dismiss := func(instance ident.InstanceID, id ident.DeliveryID, kind string) {
			f.Helper()
			f.must(f.service().Dismiss(f.Context(), instance, id, "bob", kind))
		}
		dismiss("1", "404", due.Kind) // not there
		dismiss("404", "8", due.Kind) // no instance
		dismiss("2", "8", due.Kind)   // of another instance
		dismiss("1", "8", "webhook")  // of another kind
		dismiss("1", "7", due.Kind)   // has not failed
		lists(10, all...)
		dismiss("1", "8", due.Kind)
		dismiss("2", "7", due.Kind)
		dismiss("2", "7", due.Kind)
		lists(10, all[1])
		f.left("2", "delivery.due", "delivery.attempted", "delivery.failed", "delivery.dismissed")
		if s := f.do("1", "8", Attempt{Now: f.clock.Now().Add(Keep)}.Decide); s.Exists() {
			f.Errorf("a dismissed delivery is tried again: %+v", s)
		}
	})
}
