package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

// The size of the stress: bounded in count, and small enough for every run.
const (
	stressWriters  = 8
	stressWrites   = 25 // of each writer
	stressHolders  = 3
	stressHolds    = 6  // of each holder
	stressOvertake = 5  // commits that overtake a held write
	stressKills    = 30 // of the follower
	stressShelves  = 5  // of each instance
)

var stressInstances = []ident.InstanceID{"1", "2", "3"}

// fact is what identifies an event.
type fact struct {
	instance ident.InstanceID
	shelf    string
	sequence uint64
}

// ledger is what the writers know: which events were committed, and how many writes.
type ledger struct {
	mu        sync.Mutex
	more      sync.Cond
	committed map[fact]string // to the thing of the event
	commits   int
	idle      bool // no writer is left that could commit
}

func (l *ledger) commit(facts map[fact]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f, thing := range facts {
		l.committed[f] = thing
	}
	l.commits++
	l.more.Broadcast()
}

// overtaken waits until n more writes have committed, or none will.
func (l *ledger) overtaken(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for target := l.commits + n; l.commits < target && !l.idle; {
		l.more.Wait()
	}
}

func (l *ledger) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = true
	l.more.Broadcast()
}

// stress is one run: a fixture for each node, and the ledger.
type stress struct {
	nodes  []*fixture
	ledger ledger
}

// Many writers on several instances and nodes, some of which fail, some of which stay open
// while others overtake them, and a follower that is killed and resumed all the time: it sees
// each committed event once, in the order of the log, and nothing else.
func TestFollowerSeesEachCommittedEventOnce(t *testing.T) {
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		s := &stress{nodes: []*fixture{setup(t, d)}}
		s.ledger.more.L = &s.ledger.mu
		s.ledger.committed = make(map[fact]string)
		f := s.nodes[0]
		if d.Engine.MultiNode {
			other := *f
			other.db = d.Open(t)
			other.log = other.newLog(shelves)
			s.nodes = append(s.nodes, &other)
		}
		f.instance(stressInstances...)

		kept := make(chan []eventlog.Event, 1)
		go func() { kept <- s.follow(s.nodes[len(s.nodes)-1]) }()
		for _, instance := range stressInstances {
			for i := range stressShelves {
				s.begin(instance, shelfName(i))
			}
		}
		s.write()
		s.begin("1", "sentinel")
		s.check(t, <-kept)
		logtest.CheckFold(t, f.db, f.log)
	})
}

func shelfName(i int) string { return fmt.Sprintf("shelf-%d", i) }

// begin commits a new shelf.
func (s *stress) begin(instance ident.InstanceID, id string) {
	s.nodes[0].begin(instance, id)
	s.ledger.commit(map[fact]string{{instance, id, 1}: ""})
}

// write runs all writers and holders to their end.
func (s *stress) write() {
	var writers, holders sync.WaitGroup
	for i := range stressWriters {
		writers.Go(func() { s.writer(i, s.nodes[i%len(s.nodes)]) })
	}
	for i := range stressHolders {
		// With one writer, whoever holds a transaction open holds all up.
		if s.nodes[0].engine.Exceptions["WritersDoNotWait"] == "" {
			holders.Go(func() { s.holder(i, s.nodes[i%len(s.nodes)]) })
		}
	}
	writers.Wait()
	s.ledger.rest()
	holders.Wait()
}

// writer appends to one to three shelves of an instance at a time, that others append to as
// well; every fifth write fails on purpose.
func (s *stress) writer(number int, f *fixture) {
	random := rand.New(rand.NewPCG(1, uint64(number)))
	for i := range stressWrites {
		instance := stressInstances[random.IntN(len(stressInstances))]
		chosen := random.Perm(stressShelves)[:1+random.IntN(3)]
		slices.Sort(chosen) // so that no two writers wait for each other
		fails := random.IntN(5) == 0
		var facts map[fact]string
		err := f.write(instance, func(ctx context.Context, w *eventlog.Writer) error {
			facts = make(map[fact]string)
			for _, c := range chosen {
				state, err := load(ctx, w, instance, shelfName(c), f.db.Dialect().ForUpdate)
				if err != nil {
					return err
				}
				thing := fmt.Sprintf("%d-%d-%d", number, i, c)
				if _, err := eventlog.Append(ctx, w, shelves, state, thingPut{Thing: thing}, thingTaken{Thing: thing}); err != nil {
					return err
				}
				facts[fact{instance, shelfName(c), state.Sequence + 1}] = thing
				facts[fact{instance, shelfName(c), state.Sequence + 2}] = thing
			}
			if fails {
				return errStop
			}
			return nil
		})
		switch {
		case err == nil:
			s.ledger.commit(facts)
		case !errors.Is(err, errStop) && !errors.Is(err, store.ErrSerialization):
			f.Errorf("writer %d: %v", number, err)
		}
	}
}

// holder begins shelves in writes that stay open until others have overtaken them. Every
// other one fails in the end.
func (s *stress) holder(number int, f *fixture) {
	for i := range stressHolds {
		instance := stressInstances[i%len(stressInstances)]
		id := fmt.Sprintf("held-%d-%d", number, i)
		h := f.hold(instance, id)
		s.ledger.overtaken(stressOvertake)
		if i%2 == 1 {
			h.finish(errStop)
			continue
		}
		h.finish(nil)
		s.ledger.commit(map[fact]string{{instance, id, 1}: ""})
	}
}

// follow follows from the start until the sentinel, and returns what it has kept. It dies
// again and again: before it keeps a batch, in the middle of one, or after; and it resumes
// from the last position it kept, written down as text.
func (s *stress) follow(f *fixture) []eventlog.Event {
	random := rand.New(rand.NewPCG(2, 3))
	killed := errors.New("killed")
	ticks := f.ticks()
	var kept []eventlog.Event
	last := eventlog.Position{}.String()
	keep := func(events []eventlog.Event) {
		kept = append(kept, events...)
		last = kept[len(kept)-1].Position.String()
	}
	for kills := 0; ; {
		after, err := eventlog.ParsePosition(last)
		if err != nil {
			f.Errorf("resume: %v", err)
			return kept
		}
		ctx, cancel := context.WithCancel(f.Context())
		err = f.log.Follow(ctx, after, ticks, func(_ context.Context, events []eventlog.Event) error {
			death := random.IntN(4)
			if kills++; kills > stressKills {
				death = 3
			}
			switch death {
			case 0: // before anything of the batch is kept
				return killed
			case 1: // in the middle
				keep(events[:(len(events)+1)/2])
				return killed
			case 2: // its context ends
				cancel()
			}
			keep(events)
			if kept[len(kept)-1].Aggregate.ID == "sentinel" {
				return errStop
			}
			return nil
		})
		cancel()
		switch {
		case errors.Is(err, errStop):
			return kept
		case len(kept) > 0 && kept[len(kept)-1].Aggregate.ID == "sentinel":
			return kept // kept the last event, and died
		case !errors.Is(err, killed) && !errors.Is(err, context.Canceled):
			f.Errorf("Follow = %v", err)
			return kept
		}
	}
}

// check compares what the follower kept with what the writers committed.
func (s *stress) check(t *testing.T, kept []eventlog.Event) {
	t.Helper()
	seen := make(map[fact]bool)
	last := make(map[fact]uint64) // by instance and shelf
	overtaken := 0
	for i, e := range kept {
		k := fact{e.Instance, e.Aggregate.ID, e.Sequence}
		thing, committed := s.ledger.committed[k]
		switch p := e.Payload.(type) {
		case thingPut:
			committed = committed && p.Thing == thing
		case thingTaken:
			committed = committed && p.Thing == thing
		}
		if !committed {
			t.Errorf("followed %v at %s, which was not committed", k, e.Position)
		}
		if seen[k] {
			t.Errorf("followed %v twice", k)
		}
		seen[k] = true
		stream := fact{instance: e.Instance, shelf: e.Aggregate.ID}
		if e.Sequence != last[stream]+1 {
			t.Errorf("followed %v after sequence %d", k, last[stream])
		}
		last[stream] = e.Sequence
		if i == 0 {
			continue
		}
		if before := kept[i-1].Position; !less(before, e.Position) {
			t.Errorf("position %s follows %s", e.Position, before)
		} else if before.Number > e.Position.Number {
			overtaken++ // the two were written in the other order
		}
	}
	for k := range s.ledger.committed {
		if !seen[k] {
			t.Errorf("missed %v", k)
		}
	}
	t.Logf("%d events of %d writes; %d times the order of the log is not that of writing",
		len(kept), s.ledger.commits, overtaken)
	if s.nodes[0].engine.MultiNode && overtaken == 0 {
		t.Error("no write was overtaken: the run has not shown what it is for")
	}
}
