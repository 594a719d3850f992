package instance

import (
	"context"
	"slices"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/search"
	"castellan/internal/store"
)

// TestTotal: a count that is known is right after everything that can happen to it, on any node.
func TestTotal(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		one := Search{Page: search.Page{Limit: 1}}
		nodes := []*Lister{f.lister(), f.lister()}
		want := func(n uint64) {
			f.Helper()
			for i, node := range nodes {
				for range 2 {
					if found, err := node.List(f.Context(), Reading{}, one); err != nil || found.Total != n {
						f.Errorf("node %d counts %d, %v, want %d", i, found.Total, err, n)
					}
				}
			}
		}
		want(0)
		f.fill(5)
		want(5)
		_, err := f.add("999", with("new.example")...)
		f.must(err)
		want(6)
		f.drop("999")
		want(5)
		f.rename("100", "other")
		known := nodes[0].counted.Load()
		want(5)
		if nodes[0].counted.Load() != known {
			f.Error("another name made the count uncertain")
		}
		// More events than are looked at.
		f.append("100", slices.Repeat([]eventlog.Payload{Changed{Name: "x"}}, 1000)...)
		_, err = f.add("999999", with("newer.example")...)
		f.must(err)
		want(6)
		// A repair leaves no event.
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `DELETE FROM instances WHERE instance_id = '100'`)
		}))
		f.clock.Advance(countLife)
		want(5)
		_, err = f.log.RebuildTable(f.Context(), "instances", eventlog.Progress{})
		f.must(err)
		f.clock.Advance(countLife)
		want(6)
	})
}

// A count and a place that a transaction in flight will change are not believed once that has
// committed, although others have committed before it.
func TestTotalWithATransactionInFlight(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		if f.db.Dialect().Name == "sqlite" {
			f.Skip("with one writer no transaction overtakes another")
		}
		f.fill(3)
		one := Search{Page: search.Page{Limit: 1}}
		lister := f.lister()
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- f.log.Write(f.Context(), "slow", "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: "slow", Owner: "slow"}, with("slow.example")...)
				if err == nil {
					err = Require(ctx, w, "100") // reading, the engine has sent what it held back
				}
				close(begun)
				select {
				case <-end:
				case <-ctx.Done(): // the test has failed
				}
				return err
			})
		}()
		<-begun
		_, err := f.add("fast", with("fast.example")...)
		f.must(err)
		for range 2 {
			found, err := lister.List(f.Context(), Reading{}, one)
			f.wantIDs("before the commit", found, err, []string{"fast"}, 4)
		}
		place := lister.places.Find("", one.name(), 1)
		close(end)
		f.must(<-done)
		found, err := lister.List(f.Context(), Reading{}, one)
		f.wantIDs("after the commit", found, err, []string{"slow"}, 5)
		one.Page.Offset = 1
		lister.places.Keep("", one.name(), 1, place)
		found, err = lister.List(f.Context(), Reading{}, one)
		f.wantIDs("the second after the commit", found, err, []string{"fast"}, 5)
	})
}
