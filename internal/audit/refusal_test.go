package audit

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"castellan/internal/ident"
)

// refused is the entry of a call of a user of an instance that was refused.
func refused() Entry {
	e := entry(0)
	e.ActorInstance, e.Outcome = "1", "PermissionDenied"
	return e
}

// TestTheFirstOfAKindIsRecorded: what a caller chooses itself makes no new kind.
func TestTheFirstOfAKindIsRecorded(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(e *Entry)
		after  time.Duration
		want   Fate
	}{
		"the same":                   {func(*Entry) {}, 0, Repeated},
		"almost a minute later":      {func(*Entry) {}, time.Minute - 1, Repeated},
		"a minute later":             {func(*Entry) {}, time.Minute, Recorded},
		"when the clock is set back": {func(*Entry) {}, -time.Second, Recorded},
		"another instance's":         {func(e *Entry) { e.ActorInstance = "2" }, 0, Recorded},
		"another actor":              {func(e *Entry) { e.Actor = "bob" }, 0, Recorded},
		"another method":             {func(e *Entry) { e.Method = "/a.b.Service/Set" }, 0, Recorded},
		"another outcome":            {func(e *Entry) { e.Outcome = "ResourceExhausted" }, 0, Recorded},
		"about another instance":     {func(e *Entry) { e.Instance = "2" }, 0, Repeated},
		"another request":            {func(e *Entry) { e.RequestID = "mine" }, 0, Repeated},
		"from elsewhere":             {func(e *Entry) { e.RemoteAddress = "192.0.2.2:1" }, 0, Repeated},
		"over another protocol":      {func(e *Entry) { e.Protocol = "grpc" }, 0, Repeated},
	} {
		f := newFixture(t, nil, nil)
		f.equal("the first", f.log.RecordFirst(refused()), Recorded)
		f.clock.Advance(tt.after)
		next := refused()
		tt.change(&next)
		f.equal(name, f.log.RecordFirst(next), tt.want)
		f.equal(name+": entries", f.log.Len(), map[Fate]int{Recorded: 2, Repeated: 1}[tt.want])
	}
}

// TestWhatHasNoPlaceWaitsForNone: and it is not taken for written.
func TestWhatHasNoPlaceWaitsForNone(t *testing.T) {
	f := newFixture(t, nil, func(c *Config) { c.Queue = 1 })
	slot, err := f.log.Reserve(t.Context())
	f.must(err)
	f.equal("a refusal without a place", f.log.RecordFirst(refused()), Full)
	f.equal("an entry without a place", f.log.TryRecord(entry(0)), false)
	f.equal("entries", f.log.Len(), 0)
	slot.Release()
	f.equal("the next refusal", f.log.RecordFirst(refused()), Recorded)
	f.equal("entries", f.log.Len(), 1)
}

// TestManyAtOnceAreOne: refusals of one kind that come at the same time leave one entry.
func TestManyAtOnceAreOne(t *testing.T) {
	f := newFixture(t, nil, nil)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { f.log.RecordFirst(refused()) })
	}
	all.Wait()
	f.equal("entries", f.log.Len(), 1)
}

// TestTheMemoryOfRefusalsIsBounded: however many are refused.
func TestTheMemoryOfRefusalsIsBounded(t *testing.T) {
	f := newFixture(t, nil, nil)
	for i := range 2 * maxRefusals {
		e := refused()
		e.Actor = ident.Actor(strconv.Itoa(i))
		f.log.RecordFirst(e)
	}
	f.log.refusals.CleanUp()
	if n := f.log.refusals.EstimatedSize(); n > maxRefusals || n == 0 {
		t.Errorf("%d refusals are remembered", n)
	}
}
