package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Kind is a noun of any state, as the log needs it.
type Kind interface {
	kind() string
	payloads() []Payload
	decoders() map[string]decoder
	tableNames() []string
	slots() []slot
	reclaimSQL() []string
	refold() folder
	kept() map[string]Kept
}

// Log appends events and saves what they fold into.
type Log struct {
	db    store.DB
	keys  store.Sealers
	clock ident.Clock
	kinds map[string]Kind    // by aggregate type
	types map[string]decoder // by event type
	order []Kind             // as given to New
	kept  map[string]Kept    // by table

	rebuildEvents    int // see rebuildPage
	rebuildInstances int // see rebuildGroup

	reclaims []string      // statements that delete what an instance has left, of all tables
	removed  chan struct{} // an instance has been removed by this node
}

// New returns the log of db for the given nouns. It panics when two nouns claim the same
// aggregate or event, which is a mistake of the program.
func New(db store.DB, keys store.Sealers, clock ident.Clock, nouns ...Kind) *Log {
	l := &Log{
		db: db, keys: keys, clock: clock, order: nouns,
		kinds: make(map[string]Kind), types: make(map[string]decoder), kept: make(map[string]Kept),
		removed:       make(chan struct{}, 1),
		rebuildEvents: rebuildPage, rebuildInstances: rebuildGroup,
	}
	for _, n := range nouns {
		if l.kinds[n.kind()] != nil {
			panic("eventlog: two nouns claim the aggregate " + n.kind())
		}
		l.kinds[n.kind()] = n
		l.reclaims = append(l.reclaims, n.reclaimSQL()...)
		maps.Copy(l.kept, n.kept())
		for typ, d := range n.decoders() {
			if l.types[typ] != nil {
				panic("eventlog: two nouns claim the event " + typ)
			}
			l.types[typ] = d
		}
	}
	return l
}

// Write runs fn as one transaction on one instance: the events it appends and the states
// they fold into are saved together or not at all, and are visible to every read that
// starts after Write has returned. actor is recorded in every event.
//
// fn may run more than once, see [store.DB.Update], whose errors Write returns. Two writes
// that append to the same aggregate at the same time do not both succeed: the later one
// returns a *store.ConflictError in table events, unless it had locked the row it read.
func (l *Log) Write(ctx context.Context, instance ident.InstanceID, actor ident.Actor,
	fn func(ctx context.Context, w *Writer) error,
) error {
	return l.WriteEach(ctx, []ident.InstanceID{instance}, actor, fn)
}

// WriteEach is [Log.Write] on several instances in one transaction: fn runs once for each, in the
// order given, and what all of them write is saved together or not at all. Writes of several
// instances that lock rows should agree on an order; an instance is named once.
func (l *Log) WriteEach(ctx context.Context, instances []ident.InstanceID, actor ident.Actor,
	fn func(ctx context.Context, w *Writer) error,
) error {
	defer MomentOf(ctx).wrote()
	destroyed := false
	err := l.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		destroyed = false
		var moved moves
		now := l.clock.Now()
		if err := l.lock(ctx, tx, l.db.Dialect().WriteLock, instances); err != nil {
			return err
		}
		for _, instance := range instances {
			w := &Writer{Tx: tx, log: l, instance: instance, actor: actor, now: now}
			if err := fn(ctx, w); err != nil {
				return err
			}
			if err := w.Save(ctx); err != nil {
				return err
			}
			destroyed = destroyed || w.destroyed
			if !w.destroyed {
				moved.add(instance, w.moved)
			}
		}
		return moved.write(ctx, tx, l.db.Dialect())
	})
	if err == nil && destroyed {
		l.signalRemoval()
	}
	return err
}

// Writer is one transaction in the making. Its Tx reads, and writes what is no event.
type Writer struct {
	store.Tx

	log      *Log
	instance ident.InstanceID
	actor    ident.Actor
	now      time.Time
	sealer   store.Sealer
	streams  []saver           // aggregates appended to, in the order of their first event
	places   map[Aggregate]int // of the streams, once there are many

	moved     EpochSet // by what has been saved
	created   bool     // Create has been called
	destroyed bool     // Destroy has been called
}

// saver is what the end of a write needs of a stream.
type saver interface {
	aggregate() Aggregate
	save(ctx context.Context, tx store.Tx) (moved EpochSet, err error)
}

// stream collects what one write does to one aggregate, so that its rows are saved once.
type stream[S State] struct {
	noun          *Noun[S]
	before, after S
	is            Aggregate
}

func (s *stream[S]) aggregate() Aggregate { return s.is }

func (s *stream[S]) save(ctx context.Context, tx store.Tx) (moved EpochSet, err error) {
	return s.noun.save(ctx, tx, s.before, s.after)
}

// Save writes the rows of all states there are so far, which otherwise happens when the write ends, and
// forgets them: a write that changes very many aggregates calls it now and then, and holds few of
// them in memory. What is appended to one of them later begins with the state that its last Append
// has returned. It returns the errors of store.Tx, a *store.ConflictError among them.
func (w *Writer) Save(ctx context.Context) error {
	for _, s := range w.streams {
		moved, err := s.save(ctx, w.Tx)
		if err != nil {
			return err
		}
		if !w.created { // nothing is kept of an instance before it is there
			w.moved |= moved
		}
	}
	w.streams, w.places = nil, nil
	return nil
}

// Now is the time of this write, the At of all its events.
func (w *Writer) Now() time.Time { return w.now }

// Instance is the instance this write belongs to.
func (w *Writer) Instance() ident.InstanceID { return w.instance }

// Create makes the key of a new instance. The events of this write are sealed with it.
func (w *Writer) Create(ctx context.Context) (err error) {
	w.created = true
	if w.sealer, err = w.log.keys.Create(ctx, w.Tx, w.instance); err != nil {
		return err
	}
	return beginEpochs(ctx, w.Tx, w.instance)
}

// ErrNoInstance means that a write is on an instance that does not exist, or exists no more.
var ErrNoInstance = errors.New("eventlog: there is no such instance")

// Sealer returns the sealer of the instance, which nobody removes until this write has ended. It
// returns ErrNoInstance, which is a store.ErrNotFound too, when the instance does not exist.
func (w *Writer) Sealer(ctx context.Context) (store.Sealer, error) {
	if w.destroyed {
		return nil, fmt.Errorf("%w: this write has destroyed it", ErrNoInstance)
	}
	if w.sealer == nil {
		s, err := w.log.keys.Hold(ctx, w.Tx, w.log.db.Dialect(), w.instance)
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("%w: %w", ErrNoInstance, err)
		}
		if err != nil {
			return nil, err
		}
		w.sealer = s
	}
	return w.sealer, nil
}

// Known reports whether an aggregate exists or has existed: its id can begin no other.
func (w *Writer) Known(ctx context.Context, a Aggregate) (bool, error) {
	_, err := store.One(ctx, w.Tx, func(row store.Scanner) (sequence uint64, err error) { return sequence, row.Scan(&sequence) },
		`SELECT sequence FROM events WHERE instance_id = $1 AND aggregate_type = $2 AND aggregate_id = $3 LIMIT 1`,
		string(w.instance), a.Type, a.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Origin says which aggregate comes to be: its id and the organization or instance that owns it.
type Origin struct {
	ID    string
	Owner string
}

// Begin appends the first events of a new aggregate and returns its state.
func Begin[S State](ctx context.Context, w *Writer, n *Noun[S], as Origin, payloads ...Payload) (S, error) {
	var zero S
	return appendTo(ctx, w, n, zero, Aggregate{Type: n.Type, ID: as.ID}, as.Owner, payloads)
}

// Append appends events to an aggregate whose state was read within this write, or was
// returned by an earlier Begin or Append of it. It returns the new state; the rows are
// saved when the write ends.
func Append[S State](ctx context.Context, w *Writer, n *Noun[S], s S, payloads ...Payload) (S, error) {
	h := s.Stream()
	if !h.Exists() || h.Instance != w.instance {
		return s, fmt.Errorf("eventlog: append to %s %q of instance %q in a write of instance %q",
			n.Type, h.ID, h.Instance, w.instance)
	}
	return appendTo(ctx, w, n, s, Aggregate{Type: n.Type, ID: h.ID}, h.Owner, payloads)
}

func appendTo[S State](ctx context.Context, w *Writer, n *Noun[S], s S, agg Aggregate, owner string,
	payloads []Payload,
) (S, error) {
	sealer, err := w.Sealer(ctx)
	if err != nil {
		return s, err
	}
	st := streamOf(w, n, s, agg)
	sequence := s.Stream().Sequence
	for _, p := range payloads {
		if err := n.check(p); err != nil {
			return s, err
		}
		sequence++
		e := Event{
			Instance: w.instance, Aggregate: agg, Sequence: sequence, Owner: owner,
			Actor: w.actor, At: w.now, Type: p.EventType(), Payload: p,
		}
		if err := w.log.insert(ctx, w.Tx, sealer, e); err != nil {
			return s, err
		}
		if s, err = n.fold(s, e); err != nil {
			return s, err
		}
	}
	st.after = s
	return s, nil
}

// manyStreams is from how many on the streams of a write are found by a map.
const manyStreams = 16

// streamOf returns the stream of agg in this write, beginning it at s when it is new.
func streamOf[S State](w *Writer, n *Noun[S], s S, agg Aggregate) *stream[S] {
	if w.places == nil && len(w.streams) == manyStreams {
		w.places = make(map[Aggregate]int)
		for i, known := range w.streams {
			w.places[known.aggregate()] = i
		}
	}
	i, known := w.places[agg]
	if w.places == nil {
		i = slices.IndexFunc(w.streams, func(known saver) bool { return known.aggregate() == agg })
		known = i >= 0
	}
	if known {
		return w.streams[i].(*stream[S])
	}
	if w.places != nil {
		w.places[agg] = len(w.streams)
	}
	st := &stream[S]{noun: n, before: s, is: agg}
	w.streams = append(w.streams, st)
	return st
}

const insertColumns = `INSERT INTO events (commit_id, instance_id, aggregate_type, aggregate_id,
 sequence, event_type, owner, actor, created_at, payload) VALUES (`

// insert queues one event.
func (l *Log) insert(ctx context.Context, tx store.Tx, sealer store.Sealer, e Event) error {
	if l.types[e.Type] == nil {
		return fmt.Errorf("eventlog: %s has no noun that declares it", e.Type)
	}
	data, err := json.Marshal(e.Payload)
	if err != nil {
		return fmt.Errorf("encode %s: %w", e.Type, err)
	}
	sql := insertColumns + l.db.Dialect().CommitID + `, $1, $2, $3, $4, $5, $6, $7, $8, $9)`
	return tx.Exec(ctx, sql, string(e.Instance), e.Aggregate.Type, e.Aggregate.ID, int64(e.Sequence), e.Type,
		e.Owner, string(e.Actor), store.Micros(e.At), sealer.Seal(data, binding(e)))
}

// binding ties a sealed payload to its envelope, so that rows cannot be swapped, nor anything
// they say be changed, unseen.
func binding(e Event) []byte {
	b := make([]byte, 0, 192)
	for _, part := range []string{
		string(e.Instance), e.Aggregate.Type, e.Aggregate.ID, e.Type, e.Owner, string(e.Actor),
	} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(b, ':')
		b = append(b, part...)
	}
	b = strconv.AppendInt(b, store.Micros(e.At), 10)
	b = append(b, ':')
	return strconv.AppendUint(b, e.Sequence, 10)
}

// open turns a record back into an event. A payload whose key is gone stays nil.
func (l *Log) open(r record, sealer store.Sealer) (Event, error) {
	e := r.event
	if sealer == nil {
		return e, nil
	}
	data, err := sealer.Open(r.payload, binding(e))
	if err != nil {
		return e, fmt.Errorf("open event %s of instance %s: %w", e.Position, e.Instance, err)
	}
	decode := l.types[e.Type]
	if decode == nil {
		return e, fmt.Errorf("eventlog: no noun declares %s at %s", e.Type, e.Position)
	}
	e.Payload, err = decode(data)
	return e, err
}

// sealerOf returns nil, without an error, when the key of the instance has been destroyed.
func (l *Log) sealerOf(ctx context.Context, q store.Querier, instance ident.InstanceID) (store.Sealer, error) {
	s, err := l.keys.Get(ctx, q, instance)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return s, err
}
