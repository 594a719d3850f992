package eventlog

import (
	"context"
	"sync"

	"castellan/internal/ident"
)

// Moment is what one request has been told about epochs: all its questions can be answered as of its
// beginning, so each instance has to be asked about once. A write of the request itself ends that: what
// follows sees it. The zero Moment is nothing yet; it is safe for concurrent use.
type Moment struct {
	mu    sync.Mutex
	known []known
	// writes counts those that were made with the Moment: what was asked before is of no use after them.
	writes int
}

// known are the epochs of an instance.
type known struct {
	instance ident.InstanceID
	epochs   Epochs
}

// maxKnown is how many instances a Moment remembers. A request is about one, rarely about two.
const maxKnown = 4

type momentKey struct{}

// WithMoment begins a request: what it reads through package fresh is as of now, or later. It is not for
// what goes on for long, such as a stream.
func WithMoment(ctx context.Context) context.Context {
	return &withMoment{Context: ctx}
}

// withMoment is a context with a Moment.
type withMoment struct {
	context.Context
	moment Moment
}

// Value implements context.Context.
func (c *withMoment) Value(key any) any {
	if key == (momentKey{}) {
		return &c.moment
	}
	return c.Context.Value(key)
}

// MomentOf returns the Moment of a request, or nil.
func MomentOf(ctx context.Context) *Moment {
	m, _ := ctx.Value(momentKey{}).(*Moment)
	return m
}

// Epochs returns what is known of an instance, and for Note how many writes there have been. A nil Moment
// knows nothing.
func (m *Moment) Epochs(instance ident.InstanceID) (e Epochs, ok bool, writes int) {
	if m == nil {
		return Epochs{}, false, 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.known {
		if k.instance == instance {
			return k.epochs, true, m.writes
		}
	}
	return Epochs{}, false, m.writes
}

// Note remembers the epochs of an instance, unless there has been another write since they were asked for.
func (m *Moment) Note(instance ident.InstanceID, e Epochs, writes int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if writes == m.writes && len(m.known) < maxKnown {
		m.known = append(m.known, known{instance, e})
	}
}

// wrote forgets everything: the request has written, or tried to.
func (m *Moment) wrote() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.writes = nil, m.writes+1
}
