package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"castellan/internal/fault"
)

// TestGateServesKeysInTurn floods the gate with one key; a single caller of another comes
// in next but one, not last.
func TestGateServesKeysInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 100, 100)
		if err := g.enter(t.Context(), "first"); err != nil {
			t.Fatal(err)
		}
		var (
			mu     sync.Mutex
			served []string
		)
		wait := func(key, name string) {
			go func() {
				if err := g.enter(t.Context(), key); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				served = append(served, name)
				mu.Unlock()
				g.leave()
			}()
			synctest.Wait() // the caller has joined its queue
		}
		for i := range 3 {
			wait("a", fmt.Sprint("a", i))
		}
		wait("b", "b0")
		wait("c", "c0")
		wait("b", "b1")
		g.leave()
		synctest.Wait()
		if got, want := strings.Join(served, " "), "a0 b0 c0 a1 b1 a2"; got != want {
			t.Errorf("served %s, want %s", got, want)
		}
		assertEmpty(t, g, 1)
	})
}

// assertEmpty checks that the gate has kept nothing.
func assertEmpty(t *testing.T, g *gate, places int) {
	t.Helper()
	if g.free != places || g.waiting != 0 || len(g.queues) != 0 || g.turns.Len() != 0 {
		t.Errorf("left behind: free %d of %d, waiting %d, queues %d, turns %d",
			g.free, places, g.waiting, len(g.queues), g.turns.Len())
	}
}

func TestGateBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		const places, perKey, queue = 2, 3, 4
		g := newGate(places, queue, perKey)
		results := make(chan error, 10)
		enter := func(key string) {
			go func() { results <- g.enter(ctx, key) }()
			synctest.Wait()
		}
		for range places {
			enter("a")
			if err := <-results; err != nil {
				t.Fatalf("a free gate: %v", err)
			}
		}
		for range perKey {
			enter("a")
		}
		enter("a")
		if err := <-results; !errors.Is(err, errBusy) {
			t.Errorf("queue of the key full: err = %v, want VAULT-busy1", err)
		}
		enter("b")
		enter("c")
		if err := <-results; fault.Of(err).Kind != fault.ResourceExhausted || fault.Of(err).ID != "VAULT-busy1" {
			t.Errorf("queue full: err = %v, want VAULT-busy1", err)
		}
		select {
		case err := <-results:
			t.Errorf("a waiter returned early: %v", err)
		default:
		}
		cancel()
		for range queue {
			if err := <-results; fault.KindOf(err) != fault.Canceled || !errors.Is(err, context.Canceled) {
				t.Errorf("canceled waiter: err = %v", err)
			}
		}
		for range places {
			g.leave()
		}
		assertEmpty(t, g, places)
	})
}

func TestGateRespectsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10, 10)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.enter(gone, "a"); fault.KindOf(err) != fault.Canceled {
			t.Errorf("ended before: err = %v, want Canceled", err)
		}
		assertEmpty(t, g, 1)

		if err := g.enter(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		late, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		err := g.enter(late, "a")
		if fault.KindOf(err) != fault.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended while waiting: err = %v, want DeadlineExceeded", err)
		}
		g.leave()
		assertEmpty(t, g, 1)
	})
}

// TestGateLosesNoPlace lets a context end and, before the waiter can see to it, its turn come.
func TestGateLosesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10, 10)
		if err := g.enter(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		unlucky, lucky := make(chan error, 1), make(chan error, 1)
		go func() { unlucky <- g.enter(ctx, "a") }()
		synctest.Wait()
		go func() { lucky <- g.enter(t.Context(), "a") }()
		synctest.Wait()
		g.mu.Lock()
		cancel() // wakes the waiter, which now wants the lock
		g.next() // lets it in
		g.mu.Unlock()
		if err := <-unlucky; fault.KindOf(err) != fault.Canceled {
			t.Errorf("its context has ended: err = %v", err)
		}
		if err := <-lucky; err != nil {
			t.Errorf("the next one: %v", err)
		}
		g.leave()
		assertEmpty(t, g, 1)
	})
}

// TestGateUnderLoad ends half of the contexts at some time and counts who is inside.
func TestGateUnderLoad(t *testing.T) {
	g := newGate(2, 1000, 1000)
	var wg sync.WaitGroup
	inside := make(chan struct{}, 2)
	for i := range 300 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%2 == 0 {
				go cancel()
			}
			if err := g.enter(ctx, fmt.Sprint(i%7)); err != nil {
				if i%2 != 0 {
					t.Error(err)
				}
				return
			}
			select {
			case inside <- struct{}{}:
				<-inside
			default:
				t.Error("more callers inside than places")
			}
			g.leave()
		})
	}
	wg.Wait()
	assertEmpty(t, g, 2)
}

func TestHasherUsesItsGate(t *testing.T) {
	h := NewHasher(HasherConfig{Workers: 1, Queue: 1, QueuePerKey: 1})
	encoded, err := h.Hash(t.Context(), "a", "x")
	if err != nil {
		t.Fatal(err)
	}
	assertEmpty(t, h.gate, 1)
	if err := h.gate.enter(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, hashErr := h.Hash(ctx, "a", "x")
	_, verifyErr := h.Verify(ctx, "a", encoded, "x")
	for _, err := range []error{hashErr, verifyErr} {
		if fault.KindOf(err) != fault.Canceled {
			t.Errorf("err = %v, want Canceled", err)
		}
	}
	h.gate.leave()
	if ok, err := h.Verify(t.Context(), "a", encoded, "x"); !ok || err != nil {
		t.Errorf("Verify = %v, %v", ok, err)
	}
	assertEmpty(t, h.gate, 1)
	if d := NewHasher(HasherConfig{}).gate; d.free < 1 || d.maxQueue < d.maxPerKey || d.maxPerKey < 1 {
		t.Errorf("defaults: %d places, queue %d, per key %d", d.free, d.maxQueue, d.maxPerKey)
	}
}

func TestHasherBounded(t *testing.T) {
	h := NewHasher(HasherConfig{Workers: 1, Queue: 2})
	if err := h.gate.enter(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	// The queue of key b is full with one waiter; the caller learns so at once.
	_, place := h.gate.join("b")
	errs := make([]error, 0, 2)
	_, err := h.Hash(t.Context(), "b", "x")
	errs = append(errs, err)
	_, err = h.Verify(t.Context(), "b", knownHashes[0], "x")
	errs = append(errs, err)
	if place == nil || slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, errBusy) }) {
		t.Errorf("errs = %v, want VAULT-busy1 twice", errs)
	}
}

func BenchmarkGate(b *testing.B) {
	g := newGate(2, 100, 100)
	b.ReportAllocs()
	for b.Loop() {
		if err := g.enter(b.Context(), "1"); err != nil {
			b.Fatal(err)
		}
		g.leave()
	}
}
