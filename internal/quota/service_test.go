package quota

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

// fixture is a service on one database with the instances 1 and 2.
type fixture struct {
	*testing.T
	db        store.DB
	clock     *ident.ManualClock
	log       *eventlog.Log
	instances *instance.Service
	quotas    *Service
}

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(from.Add(90 * time.Minute))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, instance.Noun, Noun)
		f.log.Aside(Side)
		f.instances = &instance.Service{DB: db, Log: f.log}
		f.quotas = &Service{DB: db, Log: f.log, IDs: ident.NewSource(grant{}, f.clock), Hold: f.instances.Hold}
		for _, id := range []ident.InstanceID{"1", "2"} {
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

// has checks the quota of a unit as it is read.
func (f *fixture) has(id ident.InstanceID, unit Unit, want State) {
	f.Helper()
	got, err := Get(f.Context(), f.db, id, unit)
	f.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("quota %d of %s (-want +got):\n%s", unit, id, diff)
	}
}

// add gives an instance the quota of wish.
func (f *fixture) add(id ident.InstanceID) State {
	f.Helper()
	s, err := f.quotas.Add(f.Context(), id, "bob", wish(nil))
	f.must(err)
	return s
}

// record records uses and returns the tallies.
func (f *fixture) record(uses ...Use) (tallies []Tally) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		tallies, err = Record(ctx, tx, f.db.Dialect(), uses)
		return err
	}))
	return tallies
}

// used checks what has been used of the requests of an instance in a period.
func (f *fixture) used(id ident.InstanceID, period time.Time, want uint64) {
	f.Helper()
	got, err := Used(f.Context(), f.db, id, RequestsAllAuthenticated, period)
	f.must(err)
	if got != want {
		f.Errorf("instance %s has used %d from %s, want %d", id, got, period, want)
	}
}

// rows is the number of rows of use.
func (f *fixture) rows() int {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
		`SELECT count(*) FROM quota_usage`)
	f.must(err)
	return n
}

// What a command returns is what the next read sees, for its own unit and instance alone.
func TestCommands(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.has("1", RequestsAllAuthenticated, State{})
		first := f.add("1")
		f.has("1", RequestsAllAuthenticated, first)
		f.has("1", ActionsAllRunSeconds, State{})
		f.has("2", RequestsAllAuthenticated, State{})
		if first.Owner != "1" || first.Sequence != 1 || string(first.Quota) != first.ID || first.Notifications[0].ID == first.ID {
			f.Errorf("%+v", first)
		}
		_, err := f.quotas.Add(f.Context(), "1", "bob", wish(nil))
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.AlreadyExists, ID: "COMMAND-WDfFf", Fields: []string{"unit"}})

		f.clock.Advance(time.Minute)
		same, err := f.quotas.Set(f.Context(), "1", "bob", wish(nil))
		f.must(err)
		if diff := cmp.Diff(first, same); diff != "" {
			f.Errorf("the same quota changed something:\n%s", diff)
		}
		changed, err := f.quotas.Set(f.Context(), "1", "bob", wish(func(w *Wish) { w.Amount = MaxAmount }))
		f.must(err)
		f.has("1", RequestsAllAuthenticated, changed)
		if changed.Quota != first.Quota || changed.Sequence != 2 {
			f.Errorf("%+v", changed)
		}
		other, err := f.quotas.Set(f.Context(), "1", "bob", wish(func(w *Wish) { w.Unit = ActionsAllRunSeconds }))
		f.must(err)
		f.has("1", ActionsAllRunSeconds, other)

		removed, err := f.quotas.Remove(f.Context(), "1", "bob", RequestsAllAuthenticated)
		f.must(err)
		if !removed.Removed || removed.Sequence != 3 || !removed.ChangedAt.Equal(f.clock.Now()) {
			f.Errorf("%+v", removed)
		}
		f.has("1", RequestsAllAuthenticated, State{})
		_, err = f.quotas.Remove(f.Context(), "1", "bob", RequestsAllAuthenticated)
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.NotFound, ID: "COMMAND-WDfFf", Fields: []string{"unit"}})
		if again := f.add("1"); again.Quota == first.Quota || again.Sequence != 1 {
			f.Errorf("%+v is no new quota", again)
		}
	})
}

func TestNoInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, added := f.quotas.Add(f.Context(), "404", "bob", wish(nil))
		_, set := f.quotas.Set(f.Context(), "404", "bob", wish(nil))
		_, removed := f.quotas.Remove(f.Context(), "404", "bob", RequestsAllAuthenticated)
		for i, err := range []error{added, set, removed} {
			if !errors.Is(err, instance.NotFound("404")) {
				f.Errorf("%d: %v", i, err)
			}
		}
	})
}

// Of calls that add a quota at the same time, one does.
func TestAddAtTheSameTime(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const callers = 6
		var group sync.WaitGroup
		failed := make([]error, callers)
		for i := range callers {
			group.Go(func() { _, failed[i] = f.quotas.Add(f.Context(), "1", "bob", wish(nil)) })
		}
		group.Wait()
		added := 0
		for _, err := range failed {
			if err == nil {
				added++
				continue
			}
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.AlreadyExists, ID: "COMMAND-WDfFf", Fields: []string{"unit"}})
		}
		if added != 1 {
			f.Errorf("%d of %d have added a quota", added, callers)
		}
	})
}

// Use adds up by instance, unit and period; of a quota that is no more nothing is recorded.
func TestRecord(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.add("1"), f.add("2")
		next := from.Add(time.Hour)
		use := func(s State, period time.Time, n uint64) Use {
			return Use{Instance: s.Instance, Quota: s.Quota, Unit: s.Unit, Schedule: s.Schedule(), Period: period, Amount: n}
		}
		f.used("1", from, 0)
		f.record(use(one, from, 3))
		gone := use(one, from, 100)
		gone.Quota = "gone"
		tallies := f.record(use(one, from, 4), use(one, next, 5), gone, use(two, next, 1<<40))
		var totals []uint64
		for _, tally := range tallies {
			totals = append(totals, tally.Used)
		}
		if diff := cmp.Diff([]uint64{7, 5, 0, 1 << 40}, totals); diff != "" {
			f.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]State{one, one, {}, two}, []State{tallies[0].Quota, tallies[1].Quota, tallies[2].Quota, tallies[3].Quota}); diff != "" {
			f.Errorf("quotas (-want +got):\n%s", diff)
		}
		f.used("1", from, 7)
		f.used("1", next, 5)
		f.used("2", from, 0)
		f.used("2", next, 1<<40)
	})
}

// What was used before the last period but one is forgotten, however many there were.
func TestPeriodsAreForgotten(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		s, other := f.add("1"), f.add("2")
		f.record(Use{"2", other.Quota, other.Unit, other.Schedule(), from, 1})
		for i := range 5 {
			f.record(Use{"1", s.Quota, s.Unit, s.Schedule(), from.Add(time.Duration(i) * time.Hour), 1})
		}
		f.used("1", from.Add(2*time.Hour), 0)
		f.used("1", from.Add(3*time.Hour), 1)
		f.used("1", from.Add(4*time.Hour), 1)
		f.used("2", from, 1)
		if n := f.rows(); n != 3 {
			f.Errorf("%d rows", n)
		}
	})
}

// What has been used ends with the quota, and with the instance.
func TestUseEndsWithItsQuota(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.add("1"), f.add("2")
		f.record(Use{"1", one.Quota, one.Unit, one.Schedule(), from, 3}, Use{"2", two.Quota, two.Unit, two.Schedule(), from, 5})
		_, err := f.quotas.Remove(f.Context(), "1", "bob", RequestsAllAuthenticated)
		f.must(err)
		f.add("1")
		f.used("1", from, 0)
		f.used("2", from, 5)
		_, err = f.instances.Remove(f.Context(), "2", "bob")
		f.must(err)
		for more := true; more; {
			more, err = f.log.Reclaim(f.Context())
			f.must(err)
		}
		f.has("2", RequestsAllAuthenticated, State{})
		if n := f.rows(); n != 0 {
			f.Errorf("%d rows", n)
		}
	})
}

// Another schedule begins with nothing used, in whatever period, and what is recorded by the old one
// later does not count; another amount changes none of this.
func TestUseEndsWithItsSchedule(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		s := f.add("1")
		use := Use{"1", s.Quota, s.Unit, s.Schedule(), from, 3}
		f.record(use)
		set := func(change func(w *Wish)) State {
			s, err := f.quotas.Set(f.Context(), "1", "bob", wish(change))
			f.must(err)
			return s
		}
		set(func(w *Wish) { w.Amount++ })
		f.used("1", from, 3)
		for _, change := range []func(w *Wish){
			func(w *Wish) { w.Interval *= 2 },
			func(w *Wish) { w.From = from.Add(-time.Hour) },
			func(w *Wish) { w.From, w.Interval = from.Add(-30*time.Minute), w.Interval/2 },
		} {
			after := set(change)
			f.used("1", from, 0)
			if tally := f.record(use)[0]; tally.Used != 0 || tally.Quota.Exists() {
				f.Errorf("recorded by the old schedule: %+v", tally)
			}
			f.used("1", from, 0)
			use.Schedule = after.Schedule()
			f.record(use)
			f.used("1", from, 3)
		}
	})
}

// Who counts and who changes the quota at the same time both get their way.
func TestRecordAndChangeAtTheSameTime(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one, two := f.add("1"), f.add("2")
		const rounds = 10
		var group sync.WaitGroup
		failed := make([]error, 4)
		for i, id := range []ident.InstanceID{"1", "2"} {
			group.Go(func() {
				for n := range uint64(rounds) {
					failed[i] = errors.Join(failed[i], unlessLost(func() error {
						_, err := f.quotas.Set(f.Context(), id, "bob", wish(func(w *Wish) { w.Amount = 1000 + n + 1 }))
						return err
					}))
				}
			})
			group.Go(func() {
				for range rounds {
					failed[2+i] = errors.Join(failed[2+i], unlessLost(func() error { return f.countOne(one, two) }))
				}
			})
		}
		group.Wait()
		f.must(errors.Join(failed...))
		f.used("1", from, 2*rounds)
		f.used("2", from, 2*rounds)
		s, err := Get(f.Context(), f.db, "1", RequestsAllAuthenticated)
		f.must(err)
		if s.Sequence != 1+3*rounds || s.Amount != 1000+rounds {
			f.Errorf("%+v", s)
		}
	})
}

// unlessLost runs fn until it does not lose a race: which of two transactions that are crowded loses
// may be the same one more often than an engine tries again.
func unlessLost(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, store.ErrSerialization) {
			return err
		}
	}
}

// countOne records one use of two quotas and appends to the first.
func (f *fixture) countOne(one, two State) error {
	return f.log.Write(f.Context(), one.Instance, "castellan", func(ctx context.Context, w *eventlog.Writer) error {
		tallies, err := Record(ctx, w, f.db.Dialect(), []Use{
			{one.Instance, one.Quota, one.Unit, one.Schedule(), from, 1},
			{two.Instance, two.Quota, two.Unit, two.Schedule(), from, 1},
		})
		if err != nil {
			return err
		}
		_, err = eventlog.Append(ctx, w, Noun, tallies[0].Quota, NotificationDue{Unit: 1, ID: "n", Threshold: tallies[0].Used})
		return err
	})
}

func TestReadsPassErrorsOn(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		_, get := Get(ctx, f.db, "1", RequestsAllAuthenticated)
		_, used := Used(ctx, f.db, "1", RequestsAllAuthenticated, from)
		_, added := f.quotas.Add(ctx, "1", "bob", wish(nil))
		_, totals := totalsOf(ctx, f.db, f.db.Dialect(), []string{"1"})
		for i, err := range []error{get, used, added, totals} {
			if !errors.Is(err, context.Canceled) {
				f.Errorf("%d: %v", i, err)
			}
		}
		if _, err := decode(`{`); err == nil {
			f.Error("a broken column was read")
		}
	})
}

// The column of notifications is read as it was written.
func FuzzNotifications(f *testing.F) {
	f.Add("n1", uint32(20), true, "https://hooks.example", int64(0), uint64(0))
	f.Add("n2", uint32(1), false, "http://\"<>&\u2028", int64(-62135596800000000), uint64(1<<63))
	f.Fuzz(func(t *testing.T, id string, percent uint32, repeat bool, url string, period int64, threshold uint64) {
		if period < -62135596800000000 || period > 253402300799999999 {
			t.Skip("no date of the years 1 to 9999")
		}
		n := Notification{ID: id, Percent: percent, Repeat: repeat, CallURL: url}
		if threshold > 0 {
			n.Due = Due{Period: store.Time(period), Threshold: threshold}
		}
		text := encode([]Notification{n})
		got, err := decode(text)
		if err != nil || encode(got) != text {
			t.Errorf("%s read as %+v, %v", text, got, err)
		}
		if fmt.Sprint(got[0].Due) != fmt.Sprint(n.Due) {
			t.Errorf("due %v, want %v", got[0].Due, n.Due)
		}
	})
}
