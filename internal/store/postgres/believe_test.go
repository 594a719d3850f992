package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestWhatIsBelieved: not longer than for a period after the node was sure, by both clocks, and nothing that was
// seen before somebody had doubts.
func TestWhatIsBelieved(t *testing.T) {
	const period = time.Hour
	pc, err := pgx.ParseConfig("")
	if err != nil {
		t.Fatal(err)
	}
	l := newLone(newGate(period), pc)
	l.wanted.Store(true) // nobody has to look
	alone := func(when string, want bool) {
		t.Helper()
		if _, ok := l.version(); ok != want {
			t.Errorf("%s: alone: %v, want %v", when, ok, want)
		}
	}
	alone("at first", false)
	l.believe(time.Now(), l.doubts)
	alone("when it is sure", true)
	seen := l.doubts
	l.doubts++
	l.until.Store(0)
	l.believe(time.Now(), seen)
	alone("when doubts came while it looked", false)
	l.believe(time.Now(), l.doubts)
	alone("when it looked afterwards", true)
	l.forget()
	alone("when it has let another in", false)
	l.believe(time.Now().Add(-period), l.doubts)
	alone("when it was sure a period ago", false)
	l.believe(time.Now(), l.doubts)
	l.untilUnix.Store(time.Now().UnixNano() - 1)
	alone("when the machine was suspended", false)
	before := l.commits.Load()
	l.believe(time.Now(), l.doubts)
	if l.commits.Load() == before {
		t.Error("nobody can have been there while the machine was suspended")
	}
	before = l.commits.Load()
	l.believe(time.Now(), l.doubts)
	if l.commits.Load() != before {
		t.Error("what is kept is lost each time the node makes sure")
	}
}
