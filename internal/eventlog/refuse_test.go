package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// tamperings change the events of shelf a (x, y on it) and shelf b (z) of instance 1.
var tamperings = map[string]string{
	"payload cut":           `UPDATE events SET payload = $1 WHERE aggregate_id = 'a' AND sequence = 2`,
	"payload of a neighbor": `UPDATE events SET payload = (SELECT payload FROM events WHERE aggregate_id = 'a' AND sequence = 2) WHERE aggregate_id = 'a' AND sequence = 3`,
	"payload of another shelf": `UPDATE events SET payload = (SELECT payload FROM events WHERE aggregate_id = 'a' AND sequence = 2)
 WHERE aggregate_id = 'b' AND sequence = 2`,
	"other type":     `UPDATE events SET event_type = 'shelf.thing.taken' WHERE aggregate_id = 'a' AND sequence = 2`,
	"other sequence": `UPDATE events SET sequence = 9 WHERE aggregate_id = 'a' AND sequence = 3`,
	"other shelf":    `UPDATE events SET aggregate_id = 'c' WHERE aggregate_id = 'a' AND sequence = 3`,
	"other noun":     `UPDATE events SET aggregate_type = 'rack' WHERE aggregate_id = 'a'`,
	"other owner":    `UPDATE events SET owner = 'x' WHERE aggregate_id = 'a' AND sequence = 2`,
	"other actor":    `UPDATE events SET actor = 'x' WHERE aggregate_id = 'a' AND sequence = 2`,
	"other time":     `UPDATE events SET created_at = created_at - 1 WHERE aggregate_id = 'a' AND sequence = 2`,
	"other instance": `UPDATE events SET instance_id = '2' WHERE aggregate_id = 'b'`,
}

func TestTamperedEventsAreRefused(t *testing.T) {
	undo := errors.New("undo")
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.begin("1", "a", "x", "y")
		f.begin("1", "b", "z")
		readers := map[string]func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error{
			"Of": func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error {
				_, err := f.log.Of(ctx, tx, instance, eventlog.Position{}, 100)
				return err
			},
			"Rebuild": func(ctx context.Context, tx store.Tx, _ ident.InstanceID) error {
				_, err := f.log.Rebuild(ctx, tx)
				return err
			},
		}
		for name, sql := range tamperings {
			instance, args := ident.InstanceID("1"), []any(nil)
			if strings.Contains(sql, "$1") {
				args = []any{[]byte{1, 2, 3}}
			}
			if name == "other instance" {
				instance = "2"
			}
			for reader, read := range readers {
				err := f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
					if err := read(ctx, tx, instance); err != nil {
						return fmt.Errorf("before the change: %w", err)
					}
					if err := tx.Exec(ctx, sql, args...); err != nil {
						return err
					}
					if err := read(ctx, tx, instance); !errors.Is(err, vault.ErrOpen) {
						f.Errorf("%s: %s = %v, want the event refused", name, reader, err)
					}
					return undo
				})
				if !errors.Is(err, undo) {
					f.Fatalf("%s: %v", name, err)
				}
			}
		}
		f.exec(tamperings["payload of a neighbor"])
		err := f.log.Follow(f.Context(), eventlog.Position{}, f.ticks(),
			func(context.Context, []eventlog.Event) error { return errors.New("followed") })
		if !errors.Is(err, vault.ErrOpen) {
			f.Errorf("Follow = %v, want the event refused", err)
		}
	})
}

// forgetful is a shelf that does not say how far it is after its first event.
var forgetful = declareShelf(func(n *eventlog.Noun[shelf]) {
	n.Apply = func(s shelf, e eventlog.Event) shelf {
		if s.Sequence == 0 {
			s.Head = s.After(e)
		}
		return s
	}
})

// refusals are writes of instance 1 that must not succeed.
var refusals = map[string]writing{
	"state of another instance": func(ctx context.Context, w *eventlog.Writer) error {
		s, err := load(ctx, w, "2", "a", "")
		if err == nil {
			_, err = eventlog.Append(ctx, w, shelves, s, thingPut{Thing: "x"})
		}
		return err
	},
	"state that does not exist": func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Append(ctx, w, shelves, shelf{}, thingPut{Thing: "x"})
		return err
	},
	"event that no noun declares": func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "b"}, undeclared{})
		return err
	},
	"noun that the log does not know": func(ctx context.Context, w *eventlog.Writer) error {
		n := eventlog.NewNoun(eventlog.Noun[shelf]{
			Type: "rack", Payloads: []eventlog.Payload{undeclared{}}, Apply: applyShelf,
		})
		_, err := eventlog.Begin(ctx, w, n, eventlog.Origin{ID: "b"}, undeclared{})
		return err
	},
	"event of another noun": func(ctx context.Context, w *eventlog.Writer) error {
		n := eventlog.NewNoun(eventlog.Noun[shelf]{Type: "rack", Apply: applyShelf})
		_, err := eventlog.Begin(ctx, w, n, eventlog.Origin{ID: "b"}, shelfAdded{})
		return err
	},
	"pointer to a payload": func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "b"}, &shelfAdded{})
		return err
	},
	"head that does not advance": func(ctx context.Context, w *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, w, forgetful, eventlog.Origin{ID: "b"}, begun("b", "x")...)
		return err
	},
	"payload that JSON cannot say": func(ctx context.Context, w *eventlog.Writer) error {
		n := eventlog.NewNoun(eventlog.Noun[shelf]{
			Type: "shelf", Payloads: []eventlog.Payload{unsayable{}}, Apply: applyShelf,
		})
		_, err := eventlog.Begin(ctx, w, n, eventlog.Origin{ID: "b"}, unsayable{When: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)})
		return err
	},
	"instance without a key": nil,
}

func TestRefusedAppends(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.instance("1", "2")
		f.begin("1", "a")
		f.begin("2", "a")
		f.log = f.newLog(shelves, eventlog.NewNoun(eventlog.Noun[shelf]{
			Type: "unsayable", Payloads: []eventlog.Payload{unsayable{}}, Apply: applyShelf,
		}))
		for name, fn := range refusals {
			instance, want := ident.InstanceID("1"), error(nil)
			if fn == nil {
				instance, want = "3", store.ErrNotFound
				fn = func(ctx context.Context, w *eventlog.Writer) error {
					_, err := eventlog.Begin(ctx, w, shelves, eventlog.Origin{ID: "b"}, shelfAdded{})
					return err
				}
			}
			if err := f.write(instance, fn); err == nil || want != nil && !errors.Is(err, want) {
				f.Errorf("%s: Write = %v, want it refused", name, err)
			}
		}
		if n := f.count(`SELECT count(*) FROM events`); n != 2 {
			f.Errorf("%d events, want the 2 of before", n)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

type undeclared struct{}

func (undeclared) EventType() string { return "undeclared" }

type unsayable struct{ When time.Time }

func (unsayable) EventType() string { return "unsayable" }
