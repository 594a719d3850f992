// Package lapse bounds how long something may take, at next to no cost while nobody waits.
//
// It owns [After], which is context.WithTimeout but for when its timer is started: by the first who asks
// for Done, and that is who waits. Most requests are answered from memory and wait for nothing, and a timer
// and its place among the children of the request would be a good part of their work. It has no neighbours;
// oidc and dispatch bound requests with it.
//
// It guarantees that the context ends when its time is over, whoever looks and however: by Done, by Err, or
// by a context that was made of it.
package lapse

import (
	"context"
	"sync"
	"time"
)

// After returns a context that ends with its parent, when cancel is called, or after a time. What cancel
// releases is held until then. It is safe for concurrent use.
func After(parent context.Context, limit time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	c := &lapsing{Context: parent, end: time.Now().Add(limit)}
	if earlier, ok := parent.Deadline(); ok && earlier.Before(c.end) {
		c.end = earlier
	}
	return c, c.cancel
}

// lapsing is a context whose timer has not been needed yet, or has.
type lapsing struct {
	context.Context // the parent
	end             time.Time

	mu    sync.Mutex
	timed context.Context    // nil until somebody waits, or it is over
	stop  context.CancelFunc // of timed
}

// Deadline implements context.Context.
func (c *lapsing) Deadline() (time.Time, bool) { return c.end, true }

// Done implements context.Context.
func (c *lapsing) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start().Done()
}

// Err implements context.Context.
func (c *lapsing) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil && c.Context.Err() == nil && time.Now().Before(c.end) {
		return nil
	}
	return c.start().Err()
}

// cancel ends the context.
func (c *lapsing) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil && time.Now().Before(c.end) && c.Context.Err() == nil {
		c.timed, c.stop = canceled, func() {}
	}
	c.start()
	c.stop()
}

// start returns a context of the standard library that ends when c does. c.mu is held.
func (c *lapsing) start() context.Context {
	if c.timed == nil {
		c.timed, c.stop = context.WithDeadline(c.Context, c.end)
	}
	return c.timed
}

// canceled is what remains of a context that was canceled and for whose end nobody has waited.
var canceled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
