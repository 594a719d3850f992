package ident

import (
	"context"
	"fmt"
	"strconv"
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
	// Claim returns a grant that covers now or starts as soon after it as possible. It must not
	// be called in a transaction of the same database, nor must what calls it (see [Source]).
	// It returns store.ErrUnavailable when the memory of grants cannot be reached.
	Claim(ctx context.Context, now time.Time) (Grant, error)
}

// Source makes ids. It is safe for concurrent use. Ids are made before a transaction begins,
// not in it: now and then a grant has to be claimed, which is a transaction of its own.
type Source struct {
	grants Grants
	clock  Clock

	// lock holds one token while somebody makes ids, perhaps waiting for a grant. It is no mutex
	// because those who wait for it must notice when their own ctx ends.
	lock    chan struct{}
	grant   Grant
	last    int64 // milliseconds since Epoch of the newest id
	counter int64 // of the newest id
}

// NewSource returns a source that claims its first grant on first use.
func NewSource(grants Grants, clock Clock) *Source {
	return &Source{grants: grants, clock: clock, lock: make(chan struct{}, 1)}
}

// Next returns n new ids in ascending order, above all that this source made before. It returns
// the error of [Grants.Claim] when a grant is needed and none can be had, and that of ctx when it
// ends while another caller is busy; then it returns no id.
func (s *Source) Next(ctx context.Context, n int) ([]string, error) {
	select {
	case s.lock <- struct{}{}:
	default:
		select {
		case s.lock <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-s.lock }()
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

// next makes one id; the caller holds lock. Nothing is remembered of an id that could not be made.
func (s *Source) next(ctx context.Context) (int64, error) {
	// A clock that goes backwards makes ids go on from the newest, not back.
	ms, counter := max(millis(s.clock.Now()), s.last), int64(0)
	if ms == s.last {
		counter = s.counter + 1
	}
	if counter == 1<<counterBits {
		ms, counter = ms+1, 0 // the counter of this millisecond is used up: borrow from the next
	}
	grant := s.grant
	if ms >= millis(grant.Until) {
		// A new grant begins after the newest id, so that ids ascend even when the slot number falls.
		// It is claimed for that time and not for the clock's, which may be behind: it would end
		// before it could be used.
		from := Epoch.Add(time.Duration(max(ms, s.last+1)) * time.Millisecond)
		var err error
		if grant, err = s.grants.Claim(ctx, from); err != nil {
			return 0, fmt.Errorf("claim a slot for ids: %w", err)
		}
		ms, counter = max(millis(from), millis(grant.From)), 0
		if ms >= millis(grant.Until) || grant.Slot < 0 || grant.Slot >= Slots {
			return 0, fmt.Errorf("grant of slot %d from %s until %s is of no use", grant.Slot, grant.From, grant.Until)
		}
	}
	s.grant, s.last, s.counter = grant, ms, counter
	return ms<<(slotBits+counterBits) | int64(grant.Slot)<<counterBits | counter, nil
}

// millis counts a time in the unit of ids. The zero time, and all before the Epoch, is 0.
func millis(t time.Time) int64 { return max(t.Sub(Epoch).Milliseconds(), 0) }
