package audit

import (
	"time"

	"github.com/maypok86/otter/v2"

	"castellan/internal/ident"
)

// Limits of what those can write who are told no.
const (
	// repeatAfter is how long after an entry another one just like it is worth the writing.
	repeatAfter = time.Minute
	// maxRefusals is how many entries are remembered to know that. Of what has been forgotten one
	// more entry is written.
	maxRefusals = 10_000
)

// Fate is what became of an entry that did not wait for a place.
type Fate uint8

// The fates of entries.
const (
	// Recorded is that of an entry in the queue.
	Recorded Fate = iota
	// Full is that of an entry for which there was no place.
	Full
	// Repeated is that of an entry just like one of the last minute.
	Repeated
)

// refusal is what entries are told apart by that a caller can cause as often as it likes. All of it
// comes from the node: the caller's own texts would make each of them a new one.
type refusal struct {
	instance        ident.InstanceID
	actor           ident.Actor
	method, outcome string
}

// TryRecord puts an entry into the queue if there is a place for it at once, and reports whether
// there was. It never waits.
func (l *Log) TryRecord(e Entry) bool {
	select {
	case l.places <- struct{}{}:
		l.record(e)
		return true
	default:
		return false
	}
}

// RecordFirst is TryRecord for entries that a caller can cause as often as it likes without being
// allowed anything: it takes the first in a minute of each actor, method and outcome, so that
// who is told no all day fills neither the table nor the queue that writes wait for.
func (l *Log) RecordFirst(e Entry) Fate {
	key := refusal{e.ActorInstance, e.Actor, e.Method, e.Outcome}
	if !l.first(key) {
		return Repeated
	}
	if !l.TryRecord(e) {
		l.refusals.Invalidate(key) // so that the next one may be written
		return Full
	}
	return Recorded
}

// first reports whether there was no such refusal in the last minute, and remembers this one if so.
func (l *Log) first(key refusal) (first bool) {
	now := l.config.Clock.Now()
	l.refusals.Compute(key, func(last time.Time, known bool) (time.Time, otter.ComputeOp) {
		since := now.Sub(last)
		if first = !known || since >= repeatAfter || since < 0; first { // a clock may be set back
			return now, otter.WriteOp
		}
		return last, otter.CancelOp
	})
	return first
}

// newRefusals returns an empty memory of refusals. What is too old stays in it until there are others:
// there is no timer.
func newRefusals() *otter.Cache[refusal, time.Time] {
	return otter.Must(&otter.Options[refusal, time.Time]{MaximumSize: maxRefusals})
}
