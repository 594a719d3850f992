package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1, 2 and 3.
type fixture struct {
	*testing.T
	db     store.DB
	clock  *ident.ManualClock
	log    *eventlog.Log
	limits *Service
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, instance.Noun, Noun)
		f.limits = &Service{Log: f.log, Hold: (&instance.Service{DB: db, Log: f.log}).Hold}
		for _, id := range []ident.InstanceID{"1", "2", "3"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
					instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: string(id) + ".example"})
				return err
			}))
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

// has checks the limits of an instance as they are read.
func (f *fixture) has(id ident.InstanceID, want State) {
	f.Helper()
	got, err := Get(f.Context(), f.db, id)
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("limits of %s (-want +got):\n%s", id, diff)
	}
	retention, err := Retention(f.Context(), f.db, id)
	f.must(err)
	if want.AuditLogRetention == nil && retention != 0 || want.AuditLogRetention != nil && retention != *want.AuditLogRetention {
		f.Errorf("retention %s", retention)
	}
}

// What a command returns is what the next read sees; the limits of an instance are one aggregate for
// ever.
func TestCommands(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.has("1", State{})
		first, err := f.limits.Set(f.Context(), "1", "bob", Set{AuditLogRetention: new(time.Nanosecond), Block: new(true)})
		f.must(err)
		f.has("1", first)
		if first.ID != "1" || first.Owner != "1" || first.Sequence != 1 {
			f.Errorf("the head is %+v", first.Head)
		}
		f.clock.Advance(time.Minute)
		same, err := f.limits.Set(f.Context(), "1", "bob", Set{Block: new(true)})
		f.must(err)
		if diff := cmp.Diff(first, same); diff != "" {
			f.Errorf("the same limits changed something:\n%s", diff)
		}
		reset, err := f.limits.Reset(f.Context(), "1", "bob")
		f.must(err)
		f.has("1", reset)
		again, err := f.limits.Set(f.Context(), "1", "bob", Set{AuditLogRetention: new(time.Duration(1<<63 - 1))})
		f.must(err)
		f.has("1", again)
		f.has("2", State{})
		if again.Sequence != 3 || again.Block != nil || !again.CreatedAt.Equal(first.CreatedAt) {
			f.Errorf("%+v", again)
		}
		for _, err := range []error{
			refusalOf(f.limits.Set(f.Context(), "404", "bob", Set{Block: new(true)})),
			refusalOf(f.limits.Reset(f.Context(), "404", "bob")),
		} {
			if !errors.Is(err, instance.NotFound("404")) {
				f.Errorf("of no instance: %v", err)
			}
		}
	})
}

func refusalOf(_ State, err error) error { return err }

// Entries apply in their order, also several of one instance.
func TestSetEach(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.limits.Set(f.Context(), "2", "bob", Set{Block: new(true)})
		f.must(err)
		f.clock.Advance(time.Minute)
		got, err := f.limits.SetEach(f.Context(), "bob", []Entry{
			{"3", Set{Block: new(true)}},
			{"1", Set{AuditLogRetention: new(time.Hour)}},
			{"3", Set{Block: new(false)}},
			{"2", Set{Block: new(true)}}, // as it is
			{"3", Set{AuditLogRetention: new(time.Minute)}},
		})
		f.must(err)
		var said []string
		for _, s := range got {
			said = append(said, fmt.Sprint(s.Instance, " ", s.Sequence, " ", s.Block != nil && *s.Block, " ", s.AuditLogRetention != nil))
		}
		want := []string{"3 1 true false", "1 1 false true", "3 2 false false", "2 1 true false", "3 3 false true"}
		if diff := cmp.Diff(want, said); diff != "" {
			f.Errorf("(-want +got):\n%s", diff)
		}
		f.has("1", got[1])
		f.has("2", got[3])
		f.has("3", got[4])
	})
}

// One bad entry is the end of all.
func TestSetEachIsAllOrNothing(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		many := make([]Entry, MaxEntries+1)
		for i := range many {
			many[i] = Entry{"1", Set{Block: new(true)}}
		}
		for name, c := range map[string]struct {
			entries []Entry
			want    logtest.Refusal
		}{
			"no entries":   {nil, logtest.Refusal{Kind: fault.InvalidArgument, ID: "COMMAND-4M9vs", Fields: []string{"limits"}}},
			"too many":     {many, logtest.Refusal{Kind: fault.InvalidArgument, Fields: []string{"limits"}}},
			"no limits":    {[]Entry{{"1", Set{Block: new(true)}}, {"2", Set{}}}, logtest.Refusal{Kind: fault.InvalidArgument, ID: "COMMAND-4M9vs", Fields: []string{"limits[1].audit_log_retention"}}},
			"bad limits":   {[]Entry{{"1", Set{AuditLogRetention: new(time.Duration(-1))}}}, logtest.Refusal{Kind: fault.InvalidArgument, Fields: []string{"limits[0].audit_log_retention"}}},
			"no instance":  {[]Entry{{"1", Set{Block: new(true)}}, {"404", Set{Block: new(true)}}, {"2", Set{Block: new(true)}}}, logtest.Refusal{Kind: fault.NotFound, Fields: []string{"limits[1].instance_id"}}},
			"first of all": {[]Entry{{"0", Set{Block: new(true)}}, {"2", Set{Block: new(true)}}}, logtest.Refusal{Kind: fault.NotFound, Fields: []string{"limits[0].instance_id"}}},
		} {
			got, err := f.limits.SetEach(f.Context(), "bob", c.entries)
			logtest.CheckRefusal(f, err, c.want)
			if got != nil {
				f.Errorf("%s: %v", name, got)
			}
			f.has("1", State{})
			f.has("2", State{})
		}
		_, err := f.limits.SetEach(f.Context(), "bob", many[:MaxEntries])
		f.must(err)
	})
}

// Calls that name the same instances in different orders do not wait for each other for ever, and
// none of them is lost.
func TestSetEachAtTheSameTime(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const callers = 6
		var group sync.WaitGroup
		failed := make([]error, callers)
		for i := range callers {
			entries := []Entry{{"1", Set{}}, {"2", Set{}}, {"3", Set{}}}
			if i%2 == 1 {
				entries[0], entries[2] = entries[2], entries[0]
			}
			for n := range entries {
				entries[n].Set.AuditLogRetention = new(time.Duration(i + 1))
			}
			group.Go(func() { _, failed[i] = f.limits.SetEach(f.Context(), "bob", entries) })
		}
		group.Wait()
		f.must(errors.Join(failed...))
		for _, id := range []ident.InstanceID{"1", "2", "3"} {
			s, err := Get(f.Context(), f.db, id)
			f.must(err)
			if s.Sequence != callers {
				f.Errorf("instance %s has %d events", id, s.Sequence)
			}
		}
	})
}

// Limits end with their instance.
func TestRemovedInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, id := range []ident.InstanceID{"1", "2"} {
			_, err := f.limits.Set(f.Context(), id, "bob", Set{Block: new(true)})
			f.must(err)
		}
		_, err := (&instance.Service{DB: f.db, Log: f.log}).Remove(f.Context(), "1", "bob")
		f.must(err)
		for more := true; more; {
			more, err = f.log.Reclaim(f.Context())
			f.must(err)
		}
		f.has("1", State{})
		if err := refusalOf(f.limits.Set(f.Context(), "1", "bob", Set{Block: new(true)})); !errors.Is(err, instance.NotFound("1")) {
			f.Errorf("of a removed instance: %v", err)
		}
		if s, err := Get(f.Context(), f.db, "2"); err != nil || s.Block == nil {
			f.Errorf("the limits of another: %v, %v", s, err)
		}
	})
}

func TestReadsPassErrorsOn(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		if _, err := Retention(ctx, f.db, "1"); !errors.Is(err, context.Canceled) {
			f.Errorf("Retention = %v", err)
		}
		if _, err := f.limits.Set(ctx, "1", "bob", Set{Block: new(true)}); !errors.Is(err, context.Canceled) {
			f.Errorf("Set = %v", err)
		}
	})
}
