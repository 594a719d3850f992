package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// names tells events as aggregate/sequence.
func names(events []eventlog.Event) (all []string) {
	for _, e := range events {
		all = append(all, fmt.Sprintf("%s/%d", e.Aggregate.ID, e.Sequence))
	}
	return all
}

// settle waits until nothing can come before a position any more.
func (f *fixture) settle(p eventlog.Position) {
	f.Helper()
	ctx, done := context.WithCancel(f.Context())
	err := f.log.FollowEnvelopes(ctx, eventlog.Position{}, f.ticks(), func(_ context.Context, events []eventlog.Event) error {
		if !events[len(events)-1].Position.Before(p) {
			done()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		f.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		first := f.clock.Now()
		a := f.begin("1", "a", "x") // a/1 a/2
		f.begin("2", "a", "x", "y")
		f.clock.Advance(time.Minute)
		f.begin("1", "b") // b/1
		f.clock.Advance(time.Minute)
		f.must(f.log.Write(f.Context(), "1", "bob", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Append(ctx, w, shelves, a, thingTaken{Thing: "x"}) // a/3
			if err != nil {
				return err
			}
			_, err = eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "c", Owner: "other"}, begun("c")...) // c/1
			return err
		}))
		all := f.events("1")
		f.settle(all[4].Position)
		minute := func(n int) time.Time { return first.Add(time.Duration(n) * time.Minute) }
		for _, c := range []struct {
			name  string
			query eventlog.Query
			want  string
		}{
			{"everything", eventlog.Query{}, "a/1 a/2 b/1 a/3 c/1"},
			{"the other way round", eventlog.Query{Descending: true}, "c/1 a/3 b/1 a/2 a/1"},
			{"settled", eventlog.Query{Settled: true}, "a/1 a/2 b/1 a/3 c/1"},
			{"a page", eventlog.Query{Limit: 2}, "a/1 a/2"},
			{"a page from the end", eventlog.Query{Limit: 2, Descending: true}, "c/1 a/3"},
			{"the next page", eventlog.Query{Limit: 2, Past: all[1].Position}, "b/1 a/3"},
			{"the next page from the end", eventlog.Query{Limit: 2, Past: all[3].Position, Descending: true}, "b/1 a/2"},
			{"nothing is left", eventlog.Query{Past: all[4].Position}, ""},
			{"nothing is left from the end", eventlog.Query{Past: all[0].Position, Descending: true}, ""},
			{"of an aggregate", eventlog.Query{AggregateID: "a"}, "a/1 a/2 a/3"},
			{"of an aggregate from the end", eventlog.Query{AggregateID: "a", Descending: true, Past: all[3].Position}, "a/2 a/1"},
			{"of an aggregate of a type", eventlog.Query{AggregateID: "a", AggregateTypes: []string{"rack", "shelf"}}, "a/1 a/2 a/3"},
			{"of an aggregate of another type", eventlog.Query{AggregateID: "a", AggregateTypes: []string{"rack"}}, ""},
			{"of a type of aggregate", eventlog.Query{AggregateTypes: []string{"shelf"}}, "a/1 a/2 b/1 a/3 c/1"},
			{"of another type of aggregate", eventlog.Query{AggregateTypes: []string{"rack"}, Descending: true}, ""},
			{"of a type", eventlog.Query{Types: []string{"shelf.thing.put"}}, "a/2"},
			{"of types", eventlog.Query{Types: []string{"shelf.thing.taken", "shelf.thing.put", "none"}, Descending: true}, "a/3 a/2"},
			{"of an actor", eventlog.Query{Actor: "bob"}, "a/3 c/1"},
			{"of an owner", eventlog.Query{Owner: "other"}, "c/1"},
			{"beyond a sequence", eventlog.Query{Beyond: 1}, "a/2 a/3"},
			{"beyond a sequence from the end", eventlog.Query{Beyond: 1, Descending: true}, "a/3 a/2"},
			{"beyond all sequences", eventlog.Query{Beyond: math.MaxUint64}, ""},
			{"after a date", eventlog.Query{After: minute(0)}, "b/1 a/3 c/1"},
			{"before a date", eventlog.Query{Before: minute(2)}, "a/1 a/2 b/1"},
			{"just before a date", eventlog.Query{Before: minute(1).Add(1), Descending: true}, "b/1 a/2 a/1"},
			{"between dates", eventlog.Query{After: minute(0), Before: minute(2)}, "b/1"},
			{"all at once", eventlog.Query{
				After: minute(1), Before: minute(3), Actor: "bob", Owner: "org", Beyond: 2, Types: []string{"shelf.thing.taken"},
				AggregateID: "a", AggregateTypes: []string{"shelf"}, Past: all[0].Position, Settled: true,
			}, "a/3"},
		} {
			if c.query.Limit == 0 {
				c.query.Limit = 100
			}
			events, err := f.log.Find(f.Context(), f.db, "1", c.query)
			f.must(err)
			if got := strings.Join(names(events), " "); got != c.want {
				f.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
		found, err := f.log.Find(f.Context(), f.db, "1", eventlog.Query{Types: []string{"shelf.thing.taken"}, Limit: 1})
		f.must(err)
		if len(found) != 1 || found[0].Payload != (thingTaken{Thing: "x"}) || found[0].Actor != "bob" || found[0].Instance != "1" {
			f.Errorf("found %+v", found)
		}
		if none, err := f.log.Find(f.Context(), f.db, "404", eventlog.Query{Limit: 1}); err != nil || len(none) > 0 {
			f.Errorf("of an instance that never was: %v, %v", none, err)
		}
	})
}

// explaining shows the plan of every query instead of its rows.
type explaining struct {
	store.DB
	plans []string
}

func (e *explaining) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	steps, err := store.All(ctx, e.DB, func(row store.Scanner) (step string, err error) {
		var id, parent, unused int64
		return step, row.Scan(&id, &parent, &unused, &step)
	}, "EXPLAIN QUERY PLAN "+sql, args...)
	e.plans = append(e.plans, strings.Join(steps, "; "))
	if err != nil {
		return nil, err
	}
	return e.DB.Query(ctx, sql, args...)
}

// A page of the log of one instance is read by an index, and not sorted.
func TestFindUsesAnIndex(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		if f.engine.Name != "sqlite" {
			f.Skip("how PostgreSQL goes about it depends on what it knows of the table")
		}
		f.instance("1")
		past := eventlog.Position{Number: 7}
		for want, queries := range map[string][]eventlog.Query{
			"events_of_instance (instance_id=? AND commit_id=? AND log_number>?": {
				{}, {Past: past}, {Settled: true}, {AggregateTypes: []string{"shelf"}}, {Types: []string{"x"}, Actor: "ada", Owner: "org"},
			},
			"events_of_instance (instance_id=? AND commit_id=? AND log_number<?": {{Past: past, Descending: true}},
			"events_of_instance (instance_id=? AND commit_id>?":                  {{Descending: true}, {Descending: true, AggregateTypes: []string{"shelf"}}},
			"(instance_id=? AND aggregate_type=? AND aggregate_id=?":             {{AggregateID: "a"}, {AggregateID: "a", Descending: true, Past: past}},
		} {
			for _, query := range queries {
				query.Limit = 10
				db := &explaining{DB: f.db}
				_, err := f.log.Find(f.Context(), db, ident.InstanceID("1"), query)
				f.must(err)
				plan := db.plans[0]
				sorted := strings.Contains(plan, "TEMP B-TREE")
				if !strings.Contains(plan, want) || sorted && query.AggregateID == "" {
					f.Errorf("%+v: %s", query, plan)
				}
			}
		}
	})
}

// Page after page gives what the whole gives, in both directions, whatever the size of a page.
func TestFindPages(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		for i := range 5 {
			f.begin("1", fmt.Sprint("a", i), fmt.Sprint("x", i), fmt.Sprint("y", i))
			f.begin("2", fmt.Sprint("a", i), fmt.Sprint("x", i))
		}
		want := names(f.events("1"))
		for _, limit := range []int{1, 4, 15, 16} {
			for _, descending := range []bool{false, true} {
				var got []string
				query := eventlog.Query{Limit: limit, Descending: descending}
				for {
					page, err := f.log.Find(f.Context(), f.db, "1", query)
					f.must(err)
					got = append(got, names(page)...)
					if len(page) < limit {
						break
					}
					query.Past = page[len(page)-1].Position
				}
				if descending {
					slices.Reverse(got)
				}
				if !slices.Equal(got, want) {
					f.Errorf("pages of %d, descending %v: %v, want %v", limit, descending, got, want)
				}
			}
		}
	})
}
