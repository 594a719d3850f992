package eventlog

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// tailSize is how many envelopes a Tail keeps: about a megabyte, and some seconds of a busy
	// system.
	tailSize = 4096
	// tailReads is how many readers that are further back read the log at the same time. Others wait:
	// they are not to occupy the database.
	tailReads = 4
)

// Tail shares the end of the log among many readers of a node: one follower reads each new event
// once, whoever is interested, and a commit wakes that follower alone. A reader that is further
// back reads the log by itself until it has come to the end. It gives envelopes, as
// [Log.FollowEnvelopes] does. While there are no readers nothing runs and nothing is kept.
type Tail struct {
	log    *Log
	ticker func() (tick <-chan time.Time, stop func())
	size   int
	reads  chan struct{} // one place for each reader that reads the log

	mu      sync.Mutex
	run     *tailRun // nil without readers
	readers int      // of run
}

// NewTail returns the end of a log. ticker makes the tick of the follower, see [Log.Follow].
func NewTail(l *Log, ticker func() (tick <-chan time.Time, stop func())) *Tail {
	return &Tail{log: l, ticker: ticker, size: tailSize, reads: make(chan struct{}, tailReads)}
}

// Open returns a reader. The caller closes it, and there is no other limit to their number.
func (t *Tail) Open() *TailReader {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.run == nil {
		t.run = &tailRun{size: t.size, grown: make(chan struct{}), ended: make(chan struct{})}
		t.readers = 0
		ctx, cancel := context.WithCancel(context.Background())
		t.run.cancel = cancel
		go t.follow(ctx, t.run)
	}
	t.readers++
	return &TailReader{tail: t, run: t.run}
}

// follow keeps a run up to date until its last reader is closed, or the log cannot be read.
func (t *Tail) follow(ctx context.Context, run *tailRun) {
	defer close(run.ended)
	defer run.cancel()
	tick, stop := t.ticker()
	defer stop()
	base, err := t.log.End(ctx)
	if err == nil {
		run.begin(base)
		err = t.log.FollowEnvelopes(ctx, base, tick, func(_ context.Context, events []Event) error {
			run.add(events)
			return nil
		})
	}
	// Its readers are told; whoever opens one from now on makes another try.
	t.mu.Lock()
	if t.run == run {
		t.run = nil
	}
	t.mu.Unlock()
	run.fail(err)
}

// close takes a reader of run away, and ends the run with its last one.
func (t *Tail) close(run *tailRun) {
	t.mu.Lock()
	last := false
	if t.run == run {
		if t.readers--; t.readers == 0 {
			t.run, last = nil, true
		}
	}
	t.mu.Unlock()
	if last {
		run.cancel()
		<-run.ended
	}
}

// TailReader reads the log from any position to its end and on. It is for one goroutine.
type TailReader struct {
	tail *Tail
	run  *tailRun
	once sync.Once
}

// Read returns the next events after a position, at most [FollowBatch], without their payloads. When
// there are none, more is closed as soon as there may be some. The events are shared and must not be
// changed. It returns ctx's error, or that of the database, after which the reader is of no more use.
func (r *TailReader) Read(ctx context.Context, after Position) (events []Event, more <-chan struct{}, err error) {
	events, more, behind, err := r.run.after(after)
	if err != nil || !behind {
		return events, more, err
	}
	select {
	case r.tail.reads <- struct{}{}:
		defer func() { <-r.tail.reads }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	events, err = r.tail.log.Envelopes(ctx, after)
	return events, more, err
}

// Close ends the reader. It may be called again.
func (r *TailReader) Close() { r.once.Do(func() { r.tail.close(r.run) }) }

// tailRun is the end of the log while there are readers.
type tailRun struct {
	size   int
	cancel context.CancelFunc
	ended  chan struct{} // closed when the follower has ended

	mu     sync.Mutex
	begun  bool          // base is known
	base   Position      // every event after it, up to the last one the follower has seen, is in events
	events []Event       // only appended to: readers hold parts of it
	grown  chan struct{} // closed, and replaced, when there is something to look at
	err    error
}

// after returns the events after a position that are kept, and whether the position lies further
// back than they do.
func (t *tailRun) after(p Position) (events []Event, more <-chan struct{}, behind bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return nil, nil, false, t.err
	}
	if !t.begun || p.Before(t.base) {
		return nil, t.grown, true, nil
	}
	from, found := slices.BinarySearchFunc(t.events, p, func(e Event, p Position) int {
		switch {
		case e.Position == p:
			return 0
		case e.Position.Before(p):
			return -1
		default:
			return 1
		}
	})
	if found {
		from++
	}
	events = t.events[from:min(from+FollowBatch, len(t.events))]
	return slices.Clip(events), t.grown, false, nil
}

func (t *tailRun) begin(base Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.base = true, base
	t.wake()
}

func (t *tailRun) add(events []Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, events...)
	if len(t.events) > 2*t.size {
		kept := slices.Clone(t.events[len(t.events)-t.size:])
		t.base = t.events[len(t.events)-t.size-1].Position
		t.events = kept
	}
	t.wake()
}

func (t *tailRun) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	t.wake()
}

// wake is called with mu held.
func (t *tailRun) wake() {
	close(t.grown)
	t.grown = make(chan struct{})
}
