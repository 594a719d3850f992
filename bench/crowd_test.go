package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// patient is a member whose answers are there when they have been looked for some times.
type patient struct {
	looks, left int
	sent, taken int
	err         error // of receive
}

func (p *patient) send() error {
	if p.sent != p.taken {
		return errors.New("sent before the answer was taken")
	}
	p.sent, p.left = p.sent+1, p.looks
	return nil
}

func (p *patient) answered() bool { return p.left < 0 }

func (p *patient) receive() error {
	p.taken++
	return p.err
}

// crowdOf is a crowd that looks at its members.
func crowdOf(all ...*patient) crowd {
	c := crowd{look: func() error {
		for _, p := range all {
			p.left--
		}
		return nil
	}}
	for _, p := range all {
		c.members = append(c.members, p)
	}
	return c
}

func TestCrowdStopsAtTheCount(t *testing.T) {
	quick, slow := &patient{}, &patient{looks: 3}
	s, err := crowdOf(quick, slow).round(t.Context(), limit{calls: 4})
	if err != nil {
		t.Fatal(err)
	}
	if quick.taken != 4 || slow.taken != 4 || len(s.took) != 8 {
		t.Errorf("%d and %d calls, %d measured; want 4, 4 and 8", quick.taken, slow.taken, len(s.took))
	}
	for _, took := range s.took {
		if took <= 0 || took > s.elapsed {
			t.Errorf("a call took %v of a round of %v", took, s.elapsed)
		}
	}
}

func TestCrowdTakesAllAnswersWhenTheTimeIsOver(t *testing.T) {
	all := crowdOf(&patient{}, &patient{looks: 5})
	s, err := all.round(t.Context(), limit{time: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.took) != len(all.members) || s.elapsed <= 0 {
		t.Errorf("%d calls in %v, want the one of each", len(s.took), s.elapsed)
	}
}

func TestCrowdReturnsTheError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := crowdOf(&patient{}, &patient{err: broken}).round(t.Context(), limit{time: time.Minute}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestCrowdReturnsTheErrorOfItsLook(t *testing.T) {
	broken := errors.New("broken")
	c := crowdOf(&patient{})
	c.look = func() error { return broken }
	if _, err := c.round(t.Context(), limit{time: time.Minute}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestCrowdEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := crowdOf(&patient{looks: 1e9}).round(ctx, limit{calls: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestCrowdRefusesNoLimit(t *testing.T) {
	if _, err := crowdOf().round(t.Context(), limit{}); err == nil {
		t.Error("a round without a limit began")
	}
}
