package vault

import (
	"container/list"
	"context"
	"sync"
)

// gate lets a bounded number of callers in at a time. The others wait in a queue for their
// key; the queues take turns, and each is first come, first served. It owns no goroutine,
// and keeps nothing about a key nobody waits for.
type gate struct {
	maxQueue, maxPerKey int

	mu      sync.Mutex
	free    int               // places inside; positive only while nobody waits
	waiting int               // callers in all queues
	queues  map[string]*queue // by key; none is empty
	turns   list.List         // the queues, the next to be served first
}

// queue holds those who wait under one key.
type queue struct {
	key     string
	waiters list.List     // of chan struct{}, closed to let one in
	turn    *list.Element // its place in gate.turns
}

func newGate(places, maxQueue, maxPerKey int) *gate {
	return &gate{free: places, maxQueue: maxQueue, maxPerKey: maxPerKey, queues: make(map[string]*queue)}
}

// enter returns nil when the caller is inside, and must leave. It returns errBusy at once
// when a queue is full, and the end of ctx as a fault.
func (g *gate) enter(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	q, place := g.join(key)
	g.mu.Unlock()
	if place == nil {
		return errBusy
	}
	admitted := place.Value.(chan struct{})
	select {
	case <-admitted:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-admitted: // both happened; hand the place on
		g.next()
	default:
		g.remove(q, place)
	}
	return ended(ctx)
}

// leave gives the place inside to whoever is next.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next()
}

// join adds a waiter at the end of the queue of key; nil when that is not allowed. The
// caller holds mu.
func (g *gate) join(key string) (*queue, *list.Element) {
	if g.waiting >= g.maxQueue {
		return nil, nil
	}
	q := g.queues[key]
	if q != nil && q.waiters.Len() >= g.maxPerKey {
		return nil, nil
	}
	if q == nil {
		q = &queue{key: key}
		q.turn = g.turns.PushBack(q)
		g.queues[key] = q
	}
	g.waiting++
	return q, q.waiters.PushBack(make(chan struct{}))
}

// next lets the first waiter of the next queue in, which then has to wait for all other
// queues, or frees the place. The caller holds mu.
func (g *gate) next() {
	turn := g.turns.Front()
	if turn == nil {
		g.free++
		return
	}
	q := turn.Value.(*queue)
	g.turns.MoveToBack(turn)
	first := q.waiters.Front()
	g.remove(q, first)
	close(first.Value.(chan struct{}))
}

// remove takes a waiter out of its queue, and the queue away when it is the last. The caller
// holds mu.
func (g *gate) remove(q *queue, place *list.Element) {
	q.waiters.Remove(place)
	g.waiting--
	if q.waiters.Len() == 0 {
		g.turns.Remove(q.turn)
		delete(g.queues, q.key)
	}
}
