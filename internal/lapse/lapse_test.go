package lapse

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type key struct{}

// started reports whether somebody has made a context start its timer.
func started(ctx context.Context) bool {
	c := ctx.(*lapsing)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timed != nil
}

// TestAfter compares it with the standard library's, whoever ends it and whoever looks first.
func TestAfter(t *testing.T) {
	const limit = time.Second
	ends := map[string]func(endParent, cancel context.CancelFunc){
		"nothing":    func(_, _ context.CancelFunc) {},
		"its cancel": func(_, cancel context.CancelFunc) { cancel() },
		"its parent": func(endParent, _ context.CancelFunc) { endParent() },
		"time":       func(_, _ context.CancelFunc) { time.Sleep(limit) },
		"both":       func(endParent, cancel context.CancelFunc) { endParent(); cancel() },
		"late":       func(_, cancel context.CancelFunc) { time.Sleep(2 * limit); cancel() },
	}
	looks := map[string]func(ctx context.Context) error{
		"Err": func(ctx context.Context) error { return ctx.Err() },
		"Done": func(ctx context.Context) error {
			synctest.Wait()
			select {
			case <-ctx.Done():
				return ctx.Err()
			default:
				return nil
			}
		},
		"a child": func(ctx context.Context) error {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			synctest.Wait()
			return child.Err()
		},
		"Cause": context.Cause,
	}
	for ended, end := range ends {
		for looked, look := range looks {
			for _, before := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					try := func(make func(context.Context, time.Duration) (context.Context, context.CancelFunc)) error {
						parent, endParent := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
						defer endParent()
						ctx, cancel := make(parent, limit)
						defer cancel()
						if ctx.Value(key{}) != "kept" {
							t.Error("a value is lost")
						}
						if at, ok := ctx.Deadline(); !ok || !at.Equal(time.Now().Add(limit)) {
							t.Errorf("deadline %v, %v", at, ok)
						}
						if before && look(ctx) != nil {
							t.Error("it has ended at once")
						}
						end(endParent, cancel)
						synctest.Wait()
						return look(ctx)
					}
					want, got := try(context.WithTimeout), try(After)
					if !errors.Is(got, want) || !errors.Is(want, got) {
						t.Errorf("ended by %s, seen by %s (before as well: %v): %v, want %v", ended, looked, before, got, want)
					}
				})
			}
		}
	}
}

func TestAnEarlierEndOfTheParentCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		ctx, cancel := After(parent, time.Hour)
		defer cancel()
		if at, _ := ctx.Deadline(); !at.Equal(time.Now().Add(time.Second)) {
			t.Errorf("deadline %v", at)
		}
		<-ctx.Done()
		if ctx.Err() != context.DeadlineExceeded {
			t.Error(ctx.Err())
		}
	})
}

// TestNothingIsStartedForNobody is what it is for.
func TestNothingIsStartedForNobody(t *testing.T) {
	ctx, cancel := After(t.Context(), time.Hour)
	if ctx.Err() != nil || ctx.Value(key{}) != nil || started(ctx) {
		t.Error("a timer was started")
	}
	cancel()
	if ctx.Err() != context.Canceled {
		t.Error(ctx.Err())
	}
}
