// Package flight lets many who want the same thing at the same time share the work of one.
//
// It owns [Group], and keeps nothing while nobody asks: a result is given to those who were waiting for
// it, and forgotten. Whoever comes later starts again. It has no neighbours; webkey makes the first keys of
// an instance through it, and fresh reads what is not in a cache.
//
// It guarantees that who waits leaves when its own ctx ends, and that nobody fails because the ctx of
// another has ended, or because another has panicked.
package flight

import (
	"context"
	"errors"
	"sync"
)

// Group is work that is going on, by what it is about. The zero value is ready; it is safe for concurrent
// use, and must not be copied.
type Group[K comparable, V any] struct {
	mu      sync.Mutex
	running map[K]*flight[V]
}

// flight is one piece of work. What it came to is set when done is closed.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
	// again says that the work ended for a reason of its leader alone.
	again bool
}

// Do runs fn, unless somebody is doing so for the same key: then it waits for that and returns what it came
// to, value or error. It returns ctx's error when ctx ends while it waits.
//
// What fn returns is shared: nobody may change it.
func (g *Group[K, V]) Do(ctx context.Context, key K, fn func(ctx context.Context) (V, error)) (V, error) {
	for {
		f, leads := g.join(key)
		if leads {
			g.lead(ctx, key, f, fn)
			return f.value, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			var zero V
			return zero, ctx.Err()
		}
		if !f.again {
			return f.value, f.err
		}
	}
}

// join returns the flight of a key, and whether the caller has to do the work.
func (g *Group[K, V]) join(key K) (_ *flight[V], leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.running[key]; f != nil {
		return f, false
	}
	if g.running == nil {
		g.running = make(map[K]*flight[V])
	}
	f := &flight[V]{done: make(chan struct{}), again: true}
	g.running[key] = f
	return f, true
}

// lead does the work. Should fn not return, because it panics, the others do it again.
func (g *Group[K, V]) lead(ctx context.Context, key K, f *flight[V], fn func(ctx context.Context) (V, error)) {
	defer func() {
		g.mu.Lock()
		delete(g.running, key)
		g.mu.Unlock()
		close(f.done)
	}()
	f.value, f.err = fn(ctx)
	f.again = ctx.Err() != nil && errors.Is(f.err, ctx.Err())
}
