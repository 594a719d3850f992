package eventlog_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// shelf is the aggregate of these tests: a name, and things with a note on each.
type shelf struct {
	eventlog.Head

	Name    string
	Things  map[string]string
	Removed bool
}

type (
	shelfAdded struct {
		Name string `json:"name"`
	}
	thingPut struct {
		Thing string `json:"thing"`
		Note  string `json:"note,omitempty"`
	}
	thingTaken struct {
		Thing string `json:"thing"`
	}
	shelfRemoved struct{}
)

func (shelfAdded) EventType() string   { return "shelf.added" }
func (thingPut) EventType() string     { return "shelf.thing.put" }
func (thingTaken) EventType() string   { return "shelf.thing.taken" }
func (shelfRemoved) EventType() string { return "shelf.removed" }

func applyShelf(s shelf, e eventlog.Event) shelf {
	s.Head = s.After(e)
	s.Things = maps.Clone(s.Things)
	if s.Things == nil {
		s.Things = make(map[string]string)
	}
	switch p := e.Payload.(type) {
	case shelfAdded:
		s.Name = p.Name
	case thingPut:
		s.Things[p.Thing] = p.Note
	case thingTaken:
		delete(s.Things, p.Thing)
	case shelfRemoved:
		s.Removed = true
	}
	return s
}

const shelvesDDL = `CREATE TABLE shelves (
 instance_id {text} NOT NULL, shelf_id {text} NOT NULL, owner {text} NOT NULL, name {text} NOT NULL,
 sequence {int} NOT NULL, created_at {int} NOT NULL, changed_at {int} NOT NULL,
 PRIMARY KEY (instance_id, shelf_id)) {strict}`

const thingsDDL = `CREATE TABLE shelf_things (
 instance_id {text} NOT NULL, shelf_id {text} NOT NULL, thing {text} NOT NULL, note {text} NOT NULL,
 PRIMARY KEY (instance_id, shelf_id, thing)) {strict}`

// A thing is on one shelf of an instance, and a note on one thing.
const (
	thingsIndex = `CREATE UNIQUE INDEX shelf_things_once ON shelf_things (instance_id, thing)`
	notesIndex  = `CREATE UNIQUE INDEX shelf_notes_once ON shelf_things (instance_id, note) WHERE note <> ''`
)

// declareShelf returns the declaration of shelves; change makes it another.
func declareShelf(change func(*eventlog.Noun[shelf])) *eventlog.Noun[shelf] {
	n := eventlog.Noun[shelf]{
		Type:     "shelf",
		Payloads: []eventlog.Payload{shelfAdded{}, thingPut{}, thingTaken{}, shelfRemoved{}},
		Apply:    applyShelf,
		Tables: []eventlog.Table[shelf]{
			{
				Name: "shelves", Key: []string{"instance_id", "shelf_id"}, Aggregate: "shelf_id",
				Rest: []string{"owner", "name", "sequence", "created_at", "changed_at"},
				Rows: func(s shelf) [][]any {
					if s.Removed {
						return nil
					}
					return [][]any{append([]any{string(s.Instance), s.ID, s.Owner, s.Name}, s.Row()...)}
				},
			},
			{
				Name: "shelf_things", Key: []string{"instance_id", "shelf_id", "thing"}, Rest: []string{"note"},
				Aggregate: "shelf_id",
				Rows: func(s shelf) (rows [][]any) {
					if s.Removed {
						return nil
					}
					for _, thing := range slices.Sorted(maps.Keys(s.Things)) {
						rows = append(rows, []any{string(s.Instance), s.ID, thing, s.Things[thing]})
					}
					return rows
				},
			},
		},
	}
	if change != nil {
		change(&n)
	}
	return eventlog.NewNoun(n)
}

var shelves = declareShelf(nil)

// fixture is a log of shelves on one handle of a database.
type fixture struct {
	*testing.T
	db     store.DB
	engine storetest.Engine
	keys   *vault.Keyring
	clock  *ident.ManualClock
	log    *eventlog.Log
}

// eachEngine runs fn on a fresh log of every engine.
func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		fn(setup(t, d))
	})
}

// whereWritersOverlap is eachEngine for tests that hold a transaction open while others run.
func whereWritersOverlap(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	eachEngine(t, func(f *fixture) {
		if reason := f.engine.Exceptions["WritersDoNotWait"]; reason != "" {
			f.Skip(reason)
		}
		fn(f)
	})
}

func setup(t *testing.T, d *storetest.Database) *fixture {
	f := &fixture{
		T: t, db: d.Open(t), engine: d.Engine,
		keys:  vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil),
		clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)),
	}
	f.log = f.newLog(shelves)
	f.must(f.db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Exec(ctx, d.Engine.DDL(shelvesDDL)), tx.Exec(ctx, d.Engine.DDL(thingsDDL)),
			tx.Exec(ctx, thingsIndex), tx.Exec(ctx, notesIndex))
	}))
	return f
}

// newLog returns a log of the same database for other nouns.
func (f *fixture) newLog(nouns ...eventlog.Kind) *eventlog.Log {
	return eventlog.New(f.db, f.keys, f.clock, nouns...)
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// writing is what a write of these tests does.
type writing = func(ctx context.Context, w *eventlog.Writer) error

// write runs fn as a write of the instance, as actor ada.
func (f *fixture) write(instance ident.InstanceID, fn writing) error {
	return f.log.Write(f.Context(), instance, "ada", fn)
}

// instance makes the key of a new instance.
func (f *fixture) instance(ids ...ident.InstanceID) {
	f.Helper()
	for _, id := range ids {
		f.must(f.write(id, func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
	}
}

// begin makes a shelf with things on it.
func (f *fixture) begin(instance ident.InstanceID, id string, things ...string) shelf {
	f.Helper()
	var s shelf
	f.must(f.write(instance, func(ctx context.Context, w *eventlog.Writer) (err error) {
		s, err = eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: id, Owner: "org"}, begun(id, things...)...)
		return err
	}))
	return s
}

func begun(name string, things ...string) []eventlog.Payload {
	events := []eventlog.Payload{shelfAdded{Name: name}}
	for _, thing := range things {
		events = append(events, thingPut{Thing: thing})
	}
	return events
}

// append appends to a shelf whose state the caller has.
func (f *fixture) append(s shelf, events ...eventlog.Payload) (shelf, error) {
	err := f.write(s.Instance, func(ctx context.Context, w *eventlog.Writer) (err error) {
		s, err = eventlog.Append(ctx, w, shelves, s, events...)
		return err
	})
	return s, err
}

// mustAppend is append where nothing can go wrong.
func (f *fixture) mustAppend(s shelf, events ...eventlog.Payload) shelf {
	f.Helper()
	s, err := f.append(s, events...)
	f.must(err)
	return s
}

// load reads a shelf as a command does: from its rows. end is the end of the SQL text.
func load(ctx context.Context, q store.Querier, instance ident.InstanceID, id, end string) (shelf, error) {
	s, err := store.One(ctx, q, func(row store.Scanner) (s shelf, err error) {
		var owner string
		var sequence uint64
		var created, changed int64
		err = row.Scan(&owner, &s.Name, &sequence, &created, &changed)
		s.Head = eventlog.Restore(instance, id, owner, sequence, created, changed)
		return s, err
	}, `SELECT owner, name, sequence, created_at, changed_at FROM shelves
 WHERE instance_id = $1 AND shelf_id = $2`+end, string(instance), id)
	if err != nil {
		return s, err
	}
	things, err := store.All(ctx, q, func(row store.Scanner) (pair [2]string, err error) {
		return pair, row.Scan(&pair[0], &pair[1])
	}, `SELECT thing, note FROM shelf_things WHERE instance_id = $1 AND shelf_id = $2`, string(instance), id)
	s.Things = make(map[string]string)
	for _, pair := range things {
		s.Things[pair[0]] = pair[1]
	}
	return s, err
}

// events returns everything in the log of an instance.
func (f *fixture) events(instance ident.InstanceID) []eventlog.Event {
	f.Helper()
	events, err := f.log.Of(f.Context(), f.db, instance, eventlog.Position{}, 10_000)
	f.must(err)
	return events
}

// exec runs one statement behind the back of the log.
func (f *fixture) exec(sql string, args ...any) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) }))
}

// ticks makes a follower look often. What held it back may end without a signal: tests that
// run in parallel share a server, and with it the order of transactions.
func (f *fixture) ticks() <-chan time.Time {
	ticker := time.NewTicker(5 * time.Millisecond)
	f.Cleanup(ticker.Stop)
	return ticker.C
}

// count returns a number.
func (f *fixture) count(sql string, args ...any) (n int64) {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) }, sql, args...)
	f.must(err)
	return n
}
