package main

import (
	"context"
	"fmt"
	"time"
)

// glance is how often a crowd looks for answers: so often that what it loads has always something to do, and so
// seldom that looking costs nothing beside that.
const glance = time.Millisecond

// member is a client of a crowd, with a connection that is quiet.
type member interface {
	send() error
	// answered reports whether some of the answer was there when the crowd looked last.
	answered() bool
	receive() error
}

// crowd is many clients of whom each waits for its answer, and whom no answer wakes: one goroutine looks for the
// answers of all, once in a while. That matters where the load shares the processors with what it measures, and
// this is compared with something that needs no load: a client that sleeps until its answer is there is woken
// for nearly every one of them, and each time pushes aside what it loads.
type crowd struct {
	members []member
	look    func() error // for answers to any of them
}

// round lets each member make its calls, one after the other, and returns how long they took, until somebody
// looked. The first error ends the round and is returned.
func (c crowd) round(ctx context.Context, until limit) (all sample, err error) {
	if until == (limit{}) {
		return all, errNoLimit
	}
	start := time.Now()
	turns := make([]*turn, len(c.members))
	for i, m := range c.members {
		turns[i] = &turn{member: m}
		if err := turns[i].begin(start); err != nil {
			return all, err
		}
	}
	for len(turns) > 0 {
		if err := pause(ctx, glance); err != nil {
			return all, err
		}
		if err := c.look(); err != nil {
			return all, err
		}
		now, rest := time.Now(), turns[:0]
		for _, t := range turns {
			took, err := t.end(now)
			if err != nil {
				return all, err
			}
			if took > 0 {
				all.took = append(all.took, took)
				if until.over(t.made, now.Sub(start)) {
					continue
				}
				if err := t.begin(now); err != nil {
					return all, err
				}
			}
			rest = append(rest, t)
		}
		turns = rest
	}
	all.elapsed = time.Since(start)
	return all, nil
}

// turn is a member in a round.
type turn struct {
	member
	made int       // calls that were answered
	sent time.Time // when the one began that is not
}

func (t *turn) begin(now time.Time) error {
	t.sent = now
	return t.failed(t.send())
}

// end takes the answer, and returns how long that took; 0 as long as there is none.
func (t *turn) end(now time.Time) (took time.Duration, err error) {
	took = now.Sub(t.sent)
	if !t.answered() {
		if took > callLimit {
			return 0, t.failed(context.DeadlineExceeded)
		}
		return 0, nil
	}
	if err := t.receive(); err != nil {
		return 0, t.failed(err)
	}
	t.made++
	return took, nil
}

func (t *turn) failed(err error) error {
	if err != nil {
		return fmt.Errorf("call %d: %w", t.made+1, err)
	}
	return nil
}
