package ident

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// memoryGrants remembers grants as a database would: the slot that has been free the longest.
type memoryGrants struct {
	mu    sync.Mutex
	lease time.Duration
	until [Slots]time.Time
	made  []Grant
	err   error
}

func (g *memoryGrants) Claim(_ context.Context, now time.Time) (Grant, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return Grant{}, g.err
	}
	slot := 0
	for i, until := range g.until {
		if until.Before(g.until[slot]) {
			slot = i
		}
	}
	from := now
	if g.until[slot].After(from) {
		from = g.until[slot]
	}
	grant := Grant{Slot: slot, From: from, Until: from.Add(g.lease)}
	g.until[slot] = grant.Until
	g.made = append(g.made, grant)
	return grant, nil
}

func (g *memoryGrants) claims() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.made)
}

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// tester is a test, or one run of a property.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func parse(t tester, id string) (ms int64, slot int, counter int64) {
	t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n <= 0 {
		t.Fatalf("id %q is no positive number: %v", id, err)
	}
	return n >> 22, int(n >> 12 & 1023), n & 4095
}

func mustNext(t testing.TB, s *Source, n int) []string {
	t.Helper()
	ids, err := s.Next(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != n {
		t.Fatalf("got %d ids, want %d", len(ids), n)
	}
	return ids
}

// checker checks that ids are unique among all sources, ascend in each, and lie in a grant.
type checker struct {
	grants *memoryGrants
	seen   map[string]bool
	last   map[*Source]int64
}

func newChecker(g *memoryGrants) *checker {
	return &checker{grants: g, seen: make(map[string]bool), last: make(map[*Source]int64)}
}

func (c *checker) check(t tester, s *Source, ids []string) {
	t.Helper()
	for _, id := range ids {
		if c.seen[id] {
			t.Fatalf("id %s was made twice", id)
		}
		c.seen[id] = true
		ms, slot, _ := parse(t, id)
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= c.last[s] {
			t.Fatalf("id %d follows %d: %v", n, c.last[s], err)
		}
		c.last[s] = n
		if !c.granted(ms, slot) {
			t.Fatalf("id %s is outside of every grant: slot %d at %d ms", id, slot, ms)
		}
	}
}

func (c *checker) granted(ms int64, slot int) bool {
	c.grants.mu.Lock()
	defer c.grants.mu.Unlock()
	for _, g := range c.grants.made {
		if g.Slot == slot && millis(g.From) <= ms && ms < millis(g.Until) {
			return true
		}
	}
	return false
}

func TestLayout(t *testing.T) {
	clock := NewManualClock(start)
	s := NewSource(&memoryGrants{lease: time.Minute}, clock)
	ms, slot, counter := parse(t, mustNext(t, s, 1)[0])
	if at := Epoch.Add(time.Duration(ms) * time.Millisecond); !at.Equal(start) || slot != 0 || counter != 0 {
		t.Errorf("the first id is of slot %d, counter %d, at %s", slot, counter, at)
	}
	if _, _, counter := parse(t, mustNext(t, s, 3)[2]); counter != 3 {
		t.Errorf("the fourth id has counter %d", counter)
	}
	clock.Advance(time.Millisecond)
	if next, _, counter := parse(t, mustNext(t, s, 1)[0]); counter != 0 || next != ms+1 {
		t.Errorf("a millisecond later the id has counter %d at %d, want 0 at %d", counter, next, ms+1)
	}
	const years = 2094 - 2025
	if last := Epoch.AddDate(years, 0, 0).Sub(Epoch).Milliseconds(); last > math.MaxInt64>>22 {
		t.Errorf("ids end before 2094")
	}
}

func TestCounterOverflow(t *testing.T) {
	const n = 3*4096 + 10
	grants := &memoryGrants{lease: time.Minute}
	s := NewSource(grants, NewManualClock(start))
	ids := mustNext(t, s, n)
	newChecker(grants).check(t, s, ids)
	first, _, _ := parse(t, ids[0])
	last, slot, counter := parse(t, ids[n-1])
	if last-first != 3 || slot != 0 || counter != 9 {
		t.Errorf("the clock stands; after %d ids it is %d ms later, slot %d, counter %d", n, last-first, slot, counter)
	}
	if grants.claims() != 1 {
		t.Errorf("%d grants were claimed, want 1", grants.claims())
	}
}

func TestOverflowIntoTheNextGrant(t *testing.T) {
	grants := &memoryGrants{lease: 2 * time.Millisecond}
	s := NewSource(grants, NewManualClock(start))
	newChecker(grants).check(t, s, mustNext(t, s, 5*4096))
	if grants.claims() != 3 {
		t.Errorf("%d grants were claimed for 5 milliseconds, want 3", grants.claims())
	}
}

func TestClockGoesBack(t *testing.T) {
	for _, back := range []time.Duration{time.Millisecond, time.Second, time.Hour, 100 * 24 * time.Hour} {
		grants := &memoryGrants{lease: time.Minute}
		clock := NewManualClock(start)
		s := NewSource(grants, clock)
		c := newChecker(grants)
		c.check(t, s, mustNext(t, s, 10))
		clock.Advance(-back)
		c.check(t, s, mustNext(t, s, 10))
		clock.Advance(30 * time.Second)
		c.check(t, s, mustNext(t, s, 2*4096))
		other := NewSource(grants, clock) // a node that starts while the clock is behind
		c.check(t, other, mustNext(t, other, 10))
		clock.Advance(back + time.Hour)
		c.check(t, s, mustNext(t, s, 10))
		c.check(t, other, mustNext(t, other, 10))
	}
}

// TestClockGoesBackBeyondTheGrant makes ids with a clock so far behind that a grant claimed for
// its time would have ended before the newest id.
func TestClockGoesBackBeyondTheGrant(t *testing.T) {
	grants := &memoryGrants{lease: 2 * time.Millisecond}
	clock := NewManualClock(start)
	s := NewSource(grants, clock)
	c := newChecker(grants)
	c.check(t, s, mustNext(t, s, 1))
	clock.Advance(-time.Hour)
	for range 20 {
		c.check(t, s, mustNext(t, s, 4096))
	}
}

func TestClaimError(t *testing.T) {
	down := errors.New("down")
	grants := &memoryGrants{lease: time.Millisecond, err: down}
	s := NewSource(grants, NewManualClock(start))
	c := newChecker(grants)
	try := func(n int) {
		t.Helper()
		if ids, err := s.Next(t.Context(), n); !errors.Is(err, down) || ids != nil {
			t.Fatalf("got %v, %v, want the error of Claim", ids, err)
		}
	}
	try(1)
	grants.err = nil
	c.check(t, s, mustNext(t, s, 4096)) // all of the grant's only millisecond
	grants.err = down
	for range 3 { // the counter must not run on while there is no grant
		try(1)
		try(2)
	}
	grants.err = nil
	c.check(t, s, mustNext(t, s, 4096))
}

// badGrants gives grants that no id can be made with.
type badGrants Grant

func (g badGrants) Claim(context.Context, time.Time) (Grant, error) { return Grant(g), nil }

func TestUselessGrant(t *testing.T) {
	for name, g := range map[string]Grant{
		"over already": {Slot: 1, From: start.Add(-time.Hour), Until: start},
		"empty":        {Slot: 1, From: start.Add(time.Hour), Until: start.Add(time.Hour)},
		"no such slot": {Slot: Slots, From: start, Until: start.Add(time.Hour)},
		"negative":     {Slot: -1, From: start, Until: start.Add(time.Hour)},
	} {
		if ids, err := NewSource(badGrants(g), NewManualClock(start)).Next(t.Context(), 1); err == nil {
			t.Errorf("%s: made %v", name, ids)
		}
	}
}

func TestMoreSourcesThanSlots(t *testing.T) {
	grants := &memoryGrants{lease: time.Second}
	clock := NewManualClock(start)
	c := newChecker(grants)
	for range Slots + 10 {
		s := NewSource(grants, clock)
		c.check(t, s, mustNext(t, s, 2))
	}
}

func TestConcurrentSources(t *testing.T) {
	grants := &memoryGrants{lease: 3 * time.Millisecond}
	clock := NewManualClock(start)
	const sources, callers, rounds = 5, 4, 50
	var mu sync.Mutex
	seen := make(map[string]bool)
	var group sync.WaitGroup
	for range sources {
		s := NewSource(grants, clock)
		for range callers {
			group.Go(func() {
				for i := range rounds {
					ids, err := s.Next(t.Context(), 1+i%40)
					if err != nil {
						t.Error(err)
						return
					}
					clock.Advance(100 * time.Microsecond)
					mu.Lock()
					for _, id := range ids {
						if seen[id] {
							t.Errorf("id %s was made twice", id)
						}
						seen[id] = true
					}
					mu.Unlock()
				}
			})
		}
	}
	group.Wait()
}

// TestSourcesUnderAnyClocks lets nodes come and go, with clocks that jump about on their own.
func TestSourcesUnderAnyClocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := &memoryGrants{lease: time.Duration(rapid.IntRange(1, 20).Draw(t, "lease")) * time.Millisecond}
		c := newChecker(grants)
		type node struct {
			source *Source
			clock  *ManualClock
		}
		var nodes []node
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				skew := time.Duration(rapid.IntRange(-30_000, 30_000).Draw(t, "skew")) * time.Microsecond
				clock := NewManualClock(start.Add(skew))
				nodes = append(nodes, node{NewSource(grants, clock), clock})
			},
			"jump": func(t *rapid.T) {
				if len(nodes) > 0 {
					n := rapid.SampledFrom(nodes).Draw(t, "node")
					n.clock.Advance(time.Duration(rapid.IntRange(-50_000, 50_000).Draw(t, "by")) * time.Microsecond)
				}
			},
			"make": func(t *rapid.T) {
				if len(nodes) > 0 {
					n := rapid.SampledFrom(nodes).Draw(t, "node")
					count := rapid.SampledFrom([]int{1, 2, 30, 5000}).Draw(t, "count")
					ids, err := n.source.Next(context.Background(), count)
					if err != nil {
						t.Fatal(err)
					}
					c.check(t, n.source, ids)
				}
			},
		})
	})
}

// blockingGrants tells when a claim has begun, and lets it end when it is told to.
type blockingGrants struct {
	memoryGrants
	begun, proceed chan struct{}
}

func (g *blockingGrants) Claim(ctx context.Context, now time.Time) (Grant, error) {
	g.begun <- struct{}{}
	select {
	case <-g.proceed:
		return g.memoryGrants.Claim(ctx, now)
	case <-ctx.Done():
		return Grant{}, ctx.Err()
	}
}

// TestWaitingEndsWithItsContext lets one caller be stuck in a claim: others leave when their own
// ctx ends, and go on when the stuck one has left.
func TestWaitingEndsWithItsContext(t *testing.T) {
	grants := &blockingGrants{
		memoryGrants: memoryGrants{lease: time.Minute}, begun: make(chan struct{}), proceed: make(chan struct{}),
	}
	s := NewSource(grants, NewManualClock(start))
	next := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := s.Next(ctx, 1)
			done <- err
		}()
		return done
	}
	ctx, cancel := context.WithCancel(t.Context())
	stuck := next(ctx)
	<-grants.begun

	ended, end := context.WithCancel(t.Context())
	end()
	select {
	case err := <-next(ended):
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a caller whose ctx has ended got %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a caller whose ctx has ended waits for another's claim")
	}

	patient := next(t.Context())
	cancel()
	if err := <-stuck; !errors.Is(err, context.Canceled) {
		t.Errorf("the stuck caller got %v", err)
	}
	<-grants.begun
	grants.proceed <- struct{}{}
	if err := <-patient; err != nil {
		t.Errorf("the caller that could wait got %v", err)
	}
}

// TestNextWithoutWaiting: a ctx that has ended matters only where there is something to wait for.
func TestNextWithoutWaiting(t *testing.T) {
	s := NewSource(&memoryGrants{lease: time.Minute}, NewManualClock(start))
	mustNext(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := s.Next(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}
}
