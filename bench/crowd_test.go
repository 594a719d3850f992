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

func (p *patient) answered() (bool, error) {
	p.left--
	return p.left < 0, nil
}

func (p *patient) receive() error {
	p.taken++
	return p.err
}

func TestCrowdStopsAtTheCount(t *testing.T) {
	quick, slow := &patient{}, &patient{looks: 3}
	s, err := crowd{quick, slow}.round(t.Context(), limit{calls: 4})
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
	all := crowd{&patient{}, &patient{looks: 5}}
	s, err := all.round(t.Context(), limit{time: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.took) != len(all) || s.elapsed <= 0 {
		t.Errorf("%d calls in %v, want the one of each", len(s.took), s.elapsed)
	}
}

func TestCrowdReturnsTheError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := (crowd{&patient{}, &patient{err: broken}}).round(t.Context(), limit{time: time.Minute}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestCrowdEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (crowd{&patient{looks: 1e9}}).round(ctx, limit{calls: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestCrowdRefusesNoLimit(t *testing.T) {
	if _, err := (crowd{}).round(t.Context(), limit{}); err == nil {
		t.Error("a round without a limit began")
	}
}
