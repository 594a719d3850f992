package flight

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// asker calls Do in a goroutine and keeps what it answered.
type asker struct {
	value int
	err   error
	done  chan struct{}
}

func ask(ctx context.Context, g *Group[string, int], key string, fn func(context.Context) (int, error)) *asker {
	a := &asker{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer func() {
			if recover() != nil {
				a.err = errPanic
			}
		}()
		a.value, a.err = g.Do(ctx, key, fn)
	}()
	return a
}

var (
	errPanic = errors.New("panicked")
	errWork  = errors.New("the work failed")
)

func (a *asker) check(t *testing.T, name string, value int, err error) {
	t.Helper()
	<-a.done
	if a.value != value || !errors.Is(a.err, err) {
		t.Errorf("%s: %d, %v; want %d, %v", name, a.value, a.err, value, err)
	}
}

func TestManyShareTheWorkOfOne(t *testing.T) {
	for name, want := range map[string]error{"value": nil, "error": errWork} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g Group[string, int]
				proceed, runs := make(chan struct{}), 0
				work := func(context.Context) (int, error) {
					runs++
					<-proceed
					return runs, want
				}
				var all []*asker
				for range 10 {
					all = append(all, ask(t.Context(), &g, "a", work))
					synctest.Wait()
				}
				ask(t.Context(), &g, "b", func(context.Context) (int, error) { return 9, nil }).check(t, "another key", 9, nil)
				close(proceed)
				for _, a := range all {
					a.check(t, "asker", 1, want)
				}
				if n, err := g.Do(t.Context(), "a", work); n != 2 || !errors.Is(err, want) {
					t.Errorf("who comes later got %d, %v", n, err)
				}
				if len(g.running) != 0 {
					t.Errorf("%d pieces of work are kept", len(g.running))
				}
			})
		})
	}
}

func TestWhoWaitsMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		proceed := make(chan struct{})
		work := func(context.Context) (int, error) { <-proceed; return 1, nil }
		leader := ask(t.Context(), &g, "a", work)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		waiting := ask(ctx, &g, "a", work)
		synctest.Wait()
		cancel()
		waiting.check(t, "who left", 0, context.Canceled)
		close(proceed)
		leader.check(t, "leader", 1, nil)
	})
}

// TestWhatHappensToOneAlone: the others go on when the one who does the work is called away, or falls.
func TestWhatHappensToOneAlone(t *testing.T) {
	for name, fall := range map[string]bool{"canceled": false, "panic": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g Group[string, int]
				ctx, cancel := context.WithCancel(t.Context())
				leader := ask(ctx, &g, "a", func(ctx context.Context) (int, error) {
					<-ctx.Done()
					if fall {
						panic("work")
					}
					return 0, ctx.Err()
				})
				synctest.Wait()
				var others []*asker
				for range 3 {
					others = append(others, ask(t.Context(), &g, "a", func(context.Context) (int, error) { return 2, nil }))
				}
				synctest.Wait()
				cancel()
				want := context.Canceled
				if fall {
					want = errPanic
				}
				leader.check(t, "leader", 0, want)
				for _, o := range others {
					o.check(t, "other", 2, nil)
				}
			})
		})
	}
}
