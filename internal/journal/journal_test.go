package journal

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/systemuser"
	"castellan/internal/user"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a journal on one database with the instances 1 and 2, made by the operator at start.
type fixture struct {
	*testing.T
	db      store.DB
	clock   *ident.ManualClock
	log     *eventlog.Log
	journal *Reader
}

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, instance.Noun, user.Noun, limit.Noun, systemuser.Noun)
		f.journal = &Reader{DB: db, Log: f.log, Clock: f.clock}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.write(id, "operator", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
					instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: string(id) + ".example"})
				return err
			})
		}
		fn(f)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) write(id ident.InstanceID, by ident.Actor, fn func(ctx context.Context, w *eventlog.Writer) error) {
	f.Helper()
	f.must(f.log.Write(f.Context(), id, by, fn))
}

// add makes a user.
func (f *fixture) add(id ident.InstanceID, user_ string, by ident.Actor, first eventlog.Payload) {
	f.Helper()
	f.write(id, by, func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: user_, Owner: "7"}, first)
		return err
	})
}

// keep sets how long events can be read.
func (f *fixture) keep(id ident.InstanceID, retention time.Duration) {
	f.Helper()
	limits := &limit.Service{Log: f.log, Hold: (&instance.Service{DB: f.db, Log: f.log}).Hold}
	_, err := limits.Set(f.Context(), id, "operator", limit.Set{AuditLogRetention: &retention})
	f.must(err)
}

// types are those of the entries that are found.
func (f *fixture) types(id ident.InstanceID, query eventlog.Query) []string {
	f.Helper()
	query.Limit = 100
	entries, err := f.journal.Find(f.Context(), id, query)
	f.must(err)
	var types []string
	for _, e := range entries {
		types = append(types, e.Type)
	}
	return types
}

func TestEntries(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.add("1", "u1", "operator", user.HumanAdded{UserName: "ada", DisplayName: "Ada Lovelace", Email: "a@b.c", PasswordHash: "$argon2id$secret"})
		f.add("1", "u2", "u1", user.MachineAdded{UserName: "bot", Name: "Robot"})
		f.add("1", "u3", "u2", user.MachineAdded{UserName: "bot2", Name: "Robot 2"})
		f.add("2", "u9", "u1", user.MachineAdded{UserName: "bot", Name: "Robot"}) // u1 is nobody there
		entries, err := f.journal.Find(f.Context(), "1", eventlog.Query{AggregateTypes: []string{"user"}, Limit: 10})
		f.must(err)
		if len(entries) != 3 {
			f.Fatalf("%d entries", len(entries))
		}
		for i, editor := range []string{"", "Ada Lovelace", "Robot"} {
			e := entries[i]
			if e.Editor != editor || e.Payload != nil || e.Owner != "7" || e.Instance != "1" {
				f.Errorf("entry %d: %+v", i, e)
			}
		}
		if got := string(entries[0].Shown); strings.Contains(got, "secret") || !strings.Contains(got, `"displayName":"Ada Lovelace"`) {
			f.Errorf("shown: %s", got)
		}
		other, err := f.journal.Find(f.Context(), "2", eventlog.Query{Actor: "u1", Limit: 10})
		f.must(err)
		if len(other) != 1 || other[0].Editor != "" {
			f.Errorf("of another instance: %+v", other)
		}
	})
}

func TestRetention(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		made := []string{"instance.added", "instance.domain.added"}
		f.clock.Advance(time.Hour)
		if got := f.types("1", eventlog.Query{}); !slices.Equal(got, made) {
			f.Errorf("without a retention: %v", got)
		}
		f.keep("1", time.Hour)
		if got := f.types("1", eventlog.Query{}); !slices.Equal(got, append(made, "limits.set")) {
			f.Errorf("just as old: %v", got)
		}
		f.clock.Advance(time.Microsecond)
		if got := f.types("1", eventlog.Query{}); !slices.Equal(got, []string{"limits.set"}) {
			f.Errorf("too old: %v", got)
		}
		if got := f.types("1", eventlog.Query{After: start.Add(-time.Hour), Descending: true}); !slices.Equal(got, []string{"limits.set"}) {
			f.Errorf("asked for what is older: %v", got)
		}
		if got := f.types("1", eventlog.Query{After: start.Add(time.Hour)}); len(got) > 0 {
			f.Errorf("asked for what is younger: %v", got)
		}
		if got := f.types("2", eventlog.Query{}); !slices.Equal(got, made) {
			f.Errorf("of another instance: %v", got)
		}
		f.keep("1", 0)
		if got := f.types("1", eventlog.Query{}); len(got) != 4 {
			f.Errorf("with a retention of everything: %v", got)
		}
	})
}

func TestTypes(t *testing.T) {
	r := &Reader{Log: eventlog.New(nil, nil, nil, user.Noun, limit.Noun, systemuser.Noun)}
	if got := r.AggregateTypes(); !slices.Equal(got, []string{"limits", "user"}) {
		t.Errorf("aggregates %v", got)
	}
	got := r.Types()
	if !slices.IsSorted(got) || !slices.Contains(got, "limits.set") || slices.Contains(got, "system.user.added") || slices.Contains(got, "org.added") {
		t.Errorf("types %v", got)
	}
}
