package eventlog_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// keepShelves declares that shelves may be kept as settings, and things as access.
func keepShelves(foundOnly bool) *eventlog.Noun[shelf] {
	return declareShelf(func(n *eventlog.Noun[shelf]) {
		n.Tables[0].Kept = eventlog.Kept{Epoch: eventlog.Settings, FoundOnly: foundOnly}
		n.Tables[1].Kept = eventlog.Kept{Epoch: eventlog.Access, FoundOnly: foundOnly}
	})
}

// epochs returns those of an instance.
func (f *fixture) epochs(id ident.InstanceID) eventlog.Epochs {
	f.Helper()
	all, err := f.log.Epochs(f.Context(), f.db, id)
	f.must(err)
	e, ok := all[id]
	if !ok {
		f.Fatalf("instance %s has no epochs", id)
	}
	return e
}

// moves fails unless fn moves the epochs of instance 1, and no others, as wanted.
func (f *fixture) moves(name string, want eventlog.EpochSet, fn func()) {
	f.Helper()
	before, other := f.epochs("1"), f.epochs("2")
	fn()
	if got := f.epochs("1").Since(before); got != want {
		f.Errorf("%s moves %b, want %b", name, got, want)
	}
	if f.epochs("2") != other {
		f.Errorf("%s moves the epochs of another instance", name)
	}
}

const (
	settings = eventlog.EpochSet(1 << eventlog.Settings)
	accesses = eventlog.EpochSet(1 << eventlog.Access)
)

func TestWhatMovesEpochs(t *testing.T) {
	for name, foundOnly := range map[string]bool{"lists": false, "found": true} {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				noun := keepShelves(foundOnly)
				f.log = f.newLog(noun)
				f.instance("1", "2")
				inserted := func(s eventlog.EpochSet) eventlog.EpochSet {
					if foundOnly {
						return 0
					}
					return s
				}
				var s shelf
				do := func(payloads ...eventlog.Payload) func() {
					return func() {
						f.Helper()
						f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) (err error) {
							if s.Exists() {
								s, err = eventlog.Append(ctx, w, noun, s, payloads...)
							} else {
								s, err = eventlog.Begin(ctx, w, noun, eventlog.Origin{ID: "a", Owner: "org"}, payloads...)
							}
							return err
						}))
					}
				}
				f.moves("nothing", 0, func() { f.must(f.write("1", func(context.Context, *eventlog.Writer) error { return nil })) })
				f.moves("a new row", inserted(settings), do(shelfAdded{Name: "a"}))
				f.moves("a new row of another table", settings|inserted(accesses), do(thingPut{Thing: "cup", Note: "x"}))
				f.moves("the same again", settings, do(thingPut{Thing: "cup", Note: "x"}))
				f.moves("a change", settings|accesses, do(thingPut{Thing: "cup", Note: "y"}))
				f.moves("a row less", settings|accesses, do(thingTaken{Thing: "cup"}))
				f.moves("a write that fails", 0, func() {
					broken := errors.New("broken")
					err := f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
						if _, err := eventlog.Append(ctx, w, noun, s, thingPut{Thing: "pot"}); err != nil {
							return err
						}
						return broken
					})
					if !errors.Is(err, broken) {
						f.Errorf("%v", err)
					}
				})
				f.moves("rows that are saved on the way", settings|inserted(accesses), func() {
					f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) (err error) {
						if s, err = eventlog.Append(ctx, w, noun, s, thingPut{Thing: "pot"}); err != nil {
							return err
						}
						return w.Save(ctx)
					}))
				})
				f.moves("the end", settings|accesses, do(shelfRemoved{}))
			})
		})
	}
}

func TestRebuildsMoveEpochs(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.log = f.newLog(keepShelves(true))
		f.instance("1", "2")
		f.begin("1", "a", "cup")
		before := f.epochs("1")
		_, err := f.log.RebuildTable(f.Context(), "shelves", eventlog.Progress{})
		f.must(err)
		if moved := f.epochs("1").Since(before); moved != settings|accesses {
			f.Errorf("a rebuild of a table moves %b", moved)
		}
		before, other := f.epochs("1"), f.epochs("2")
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			_, err := f.log.Rebuild(ctx, tx)
			return err
		}))
		if f.epochs("1").Since(before) != settings|accesses || f.epochs("2").Since(other) != settings|accesses {
			f.Error("a rebuild of everything does not move everything")
		}
	})
}

// TestEpochsEndWithTheirInstance: nothing that is kept of it is good for anything.
func TestEpochsEndWithTheirInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		noun := keepShelves(false)
		f.log = f.newLog(noun)
		f.instance("1", "2")
		s := f.begin("1", "a", "cup")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			if _, err := eventlog.Append(ctx, w, noun, s, shelfRemoved{}); err != nil {
				return err
			}
			if err := w.Save(ctx); err != nil {
				return err
			}
			return w.Destroy(ctx)
		}))
		check := func() {
			f.Helper()
			all, err := f.log.Epochs(f.Context(), f.db, "1", "2", "3")
			f.must(err)
			if _, there := all["2"]; len(all) != 1 || !there {
				f.Errorf("epochs %v", all)
			}
		}
		check()
		for more := true; more; {
			var err error
			more, err = f.log.Reclaim(f.Context())
			f.must(err)
		}
		_, err := f.log.RebuildTable(f.Context(), "shelves", eventlog.Progress{})
		f.must(err)
		check()
	})
}

func TestEpochsOfManyInstances(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.log = f.newLog(keepShelves(false))
		f.instance("1", "2", "3")
		f.begin("1", "a")
		f.begin("2", "a", "cup")
		all, err := f.log.Epochs(f.Context(), f.db, "3", "1", "2", "4")
		f.must(err)
		if len(all) != 3 || all["1"] != f.epochs("1") || all["2"] != f.epochs("2") || all["3"] != (eventlog.Epochs{}) {
			f.Errorf("%v", all)
		}
	})
}

// TestEpochsAreMovedLast: writes that are under way, in any order and of any instances, hold up nobody.
func TestEpochsAreMovedLast(t *testing.T) {
	whereWritersOverlap(t, func(f *fixture) {
		noun := keepShelves(false)
		f.log = f.newLog(noun)
		f.instance("1", "2")
		a, b := f.begin("1", "a"), f.begin("1", "b")
		held, proceed := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			var once sync.Once
			done <- f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
				if _, err := eventlog.Append(ctx, w, noun, a, thingPut{Thing: "cup"}); err != nil {
					return err
				}
				if err := w.Save(ctx); err != nil {
					return err
				}
				// What is queued is sent with a query.
				if _, err := f.log.Epochs(ctx, w, "1"); err != nil {
					return err
				}
				once.Do(func() { close(held) })
				<-proceed
				return nil
			})
		}()
		<-held
		before := f.epochs("1")
		f.must(f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Append(ctx, w, noun, b, thingPut{Thing: "pot"})
			return err
		}))
		if f.epochs("1").Since(before) != settings|accesses {
			f.Error("the write that overtook moved nothing")
		}
		before = f.epochs("1")
		close(proceed)
		f.must(<-done)
		if f.epochs("1").Since(before) != settings|accesses {
			f.Error("the write that was overtaken moved nothing")
		}
	})
}

// TestManyMoveTheSameEpochs: writes of the same instances, named in different orders, all succeed and are
// all counted.
func TestManyMoveTheSameEpochs(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		noun := keepShelves(false)
		f.log = f.newLog(noun)
		f.instance("1", "2")
		const writers, writes = 8, 10
		before := f.epochs("1")
		var group sync.WaitGroup
		for n := range writers {
			group.Go(func() {
				order := []ident.InstanceID{"1", "2"}
				if n%2 == 0 {
					order = []ident.InstanceID{"2", "1"}
				}
				for i := range writes {
					id := string(rune('a'+n)) + string(rune('a'+i))
					if err := f.log.WriteEach(f.Context(), order, "ada", func(ctx context.Context, w *eventlog.Writer) error {
						_, err := eventlog.Begin(ctx, w, noun, eventlog.Origin{ID: id, Owner: "org"}, shelfAdded{Name: id})
						return err
					}); err != nil {
						f.Error(err)
					}
				}
			})
		}
		group.Wait()
		if moved := f.epochs("1").Settings - before.Settings; moved != writers*writes {
			f.Errorf("%d writes have moved the epoch by %d", writers*writes, moved)
		}
	})
}
