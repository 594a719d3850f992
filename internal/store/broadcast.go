package store

import "sync"

// Broadcast hands a signal to every subscriber of one process. Engines build
// [DB.Committed] on it. The zero value is ready; it is safe for concurrent use.
type Broadcast struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

// Signal wakes every subscriber. It never blocks: a subscriber that has not yet taken its
// last signal finds one waiting, and that one stands for both.
func (b *Broadcast) Signal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Subscribe returns a channel that receives after each Signal from now on. stop ends the
// subscription, more than once without harm; the channel is not closed.
func (b *Broadcast) Subscribe() (signal <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = make(map[chan struct{}]struct{})
	}
	b.subs[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, c)
	}
}
