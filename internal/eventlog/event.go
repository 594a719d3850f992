package eventlog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Payload is what an event says beyond its envelope. It is a plain struct that survives
// encoding/json; its JSON names are stable for ever (contract event_payloads.tsv).
type Payload interface {
	// EventType is the stable name of the event, for example org.domain.added.
	EventType() string
}

// Event is one fact about one aggregate.
type Event struct {
	Position  Position
	Instance  ident.InstanceID
	Aggregate Aggregate
	// Sequence counts the events of the aggregate from 1.
	Sequence uint64
	// Owner is the organization the aggregate belongs to, or the instance; set by its first
	// event, for ever.
	Owner string
	Actor ident.Actor
	// At is the time of the write, the same for all its events, in microseconds.
	At time.Time
	// Type is the name of the event, also when the payload cannot be read any more.
	Type string
	// Payload is nil when the key of the instance has been destroyed.
	Payload Payload
}

// Aggregate names what an event is about, within its instance.
type Aggregate struct {
	Type string // the noun, for example org
	ID   string
}

// Position is a place in the log of all instances. The zero Position is before every event.
// Positions are ordered; no event ever appears before a position a follower has seen.
type Position struct {
	Commit int64 // the number of the transaction, see store.Dialect.CommitID
	Number int64 // the order within all transactions with that number
}

// String is the form in which a position is kept by others: two decimal numbers and a dot.
func (p Position) String() string {
	return strconv.FormatInt(p.Commit, 10) + "." + strconv.FormatInt(p.Number, 10)
}

// Before reports whether p comes before q in the log.
func (p Position) Before(q Position) bool {
	return p.Commit < q.Commit || p.Commit == q.Commit && p.Number < q.Number
}

// ErrPosition means that a text is no position.
var ErrPosition = errors.New("eventlog: not a position")

// ParsePosition reads the form that String writes. It returns ErrPosition for anything else.
func ParsePosition(s string) (Position, error) {
	commit, number, ok := strings.Cut(s, ".")
	c, err1 := strconv.ParseInt(commit, 10, 64)
	n, err2 := strconv.ParseInt(number, 10, 64)
	p := Position{Commit: c, Number: n}
	if !ok || err1 != nil || err2 != nil || c < 0 || n < 0 || p.String() != s {
		return Position{}, fmt.Errorf("%w: %.60q", ErrPosition, s)
	}
	return p, nil
}

// Head is what every state remembers of its history. Nouns embed it in their State and
// advance it first thing in apply: s.Head = s.Head.After(e).
type Head struct {
	Instance  ident.InstanceID
	ID        string
	Owner     string
	Sequence  uint64
	CreatedAt time.Time
	ChangedAt time.Time
}

// Stream returns the head itself; embedding Head makes a state a [State].
func (h Head) Stream() Head { return h }

// Exists reports whether anything has happened to the aggregate.
func (h Head) Exists() bool { return h.Sequence > 0 }

// After returns the head once e has happened.
func (h Head) After(e Event) Head {
	if h.Sequence == 0 {
		h.Instance, h.ID, h.Owner, h.CreatedAt = e.Instance, e.Aggregate.ID, e.Owner, e.At
	}
	h.Sequence, h.ChangedAt = e.Sequence, e.At
	return h
}

// Row returns the columns sequence, created_at and changed_at, which every table of states
// ends with.
func (h Head) Row() []any {
	return []any{int64(h.Sequence), store.Micros(h.CreatedAt), store.Micros(h.ChangedAt)}
}

// Restore returns the head that Row has taken apart.
func Restore(instance ident.InstanceID, id, owner string, sequence uint64, createdAt, changedAt int64) Head {
	return Head{
		Instance: instance, ID: id, Owner: owner, Sequence: sequence,
		CreatedAt: store.Time(createdAt), ChangedAt: store.Time(changedAt),
	}
}

// State is the fold of an aggregate's events.
type State interface {
	Stream() Head
}
