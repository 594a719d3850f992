package ident

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Layout of a generated id, from high to low: 41 bits of milliseconds since [Epoch], 10
// bits of slot, 12 bits of counter. 63 bits in all, so that it is a positive int64.
const (
	slotBits    = 10
	counterBits = 12

	// Slots is how many grants can be held at the same time, and so how many nodes can
	// make ids at once.
	Slots = 1 << slotBits
)

// Epoch is the zero of generated ids: 2025-01-01T00:00:00Z. Ids last until 2094.
var Epoch = time.UnixMilli(1735689600000).UTC()

// Grant is the exclusive right to make ids in one slot within [From, Until). Two grants of
// the same slot never overlap in time; that alone makes ids unique, whatever clocks say.
type Grant struct {
	Slot        int
	From, Until time.Time
}

// Grants hands out grants. Implementations remember them where every node looks, so no
// node needs to be configured with a number.
type Grants interface {
	// Claim returns a grant that covers now or starts as soon after it as possible.
	// It returns store.ErrUnavailable when the memory of grants cannot be reached.
	Claim(ctx context.Context, now time.Time) (Grant, error)
}

// Source makes ids. It is safe for concurrent use.
type Source struct {
	grants Grants
	clock  Clock

	mu      sync.Mutex
	grant   Grant
	last    int64 // milliseconds since Epoch of the newest id
	counter int64
}

// NewSource returns a source that claims its first grant on first use.
func NewSource(grants Grants, clock Clock) *Source {
	return &Source{grants: grants, clock: clock}
}

// Next returns n new ids in ascending order. It returns the error of [Grants.Claim] when a
// grant is needed and none can be had; then no id was made.
func (s *Source) Next(ctx context.Context, n int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, n)
	for i := range ids {
		id, err := s.next(ctx)
		if err != nil {
			return nil, err
		}
		ids[i] = strconv.FormatInt(id, 10)
	}
	return ids, nil
}

// next makes one id; the caller holds mu.
func (s *Source) next(ctx context.Context) (int64, error) {
	now := s.clock.Now()
	ms := max(now.Sub(Epoch).Milliseconds(), s.last)
	if ms == s.last {
		s.counter++
		if s.counter == 1<<counterBits {
			ms++ // the counter of this millisecond is used up: borrow from the next
		}
	}
	if until := s.grant.Until.Sub(Epoch).Milliseconds(); s.grant.Until.IsZero() || ms >= until {
		grant, err := s.grants.Claim(ctx, now)
		if err != nil {
			return 0, fmt.Errorf("claim a slot for ids: %w", err)
		}
		s.grant = grant
		// Strictly after the newest id, so that ids ascend even when the slot number falls.
		ms = max(s.last+1, now.Sub(Epoch).Milliseconds(), grant.From.Sub(Epoch).Milliseconds())
	}
	if ms != s.last {
		s.last, s.counter = ms, 0
	}
	return ms<<(slotBits+counterBits) | int64(s.grant.Slot)<<counterBits | s.counter, nil
}
