package eventlog_test

import (
	"strings"
	"testing"

	"castellan/internal/eventlog"
)

// mustPanic fails t unless fn panics with a message that names what.
func mustPanic(t *testing.T, what string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if said, ok := recover().(string); !ok || !strings.Contains(said, what) {
			t.Errorf("panic %q, want one that names %q", said, what)
		}
	}()
	fn()
}

func TestDeclaredTwice(t *testing.T) {
	mustPanic(t, "shelf.added", func() {
		eventlog.NewNoun(eventlog.Noun[shelf]{
			Type: "rack", Payloads: []eventlog.Payload{shelfAdded{}, thingPut{}, shelfAdded{}}, Apply: applyShelf,
		})
	})
	mustPanic(t, "aggregate shelf", func() { eventlog.New(nil, nil, nil, shelves, shelves) })
	mustPanic(t, "event shelf.", func() {
		rack := declareShelf(func(n *eventlog.Noun[shelf]) { n.Type = "rack" })
		eventlog.New(nil, nil, nil, shelves, rack)
	})
}

func TestTables(t *testing.T) {
	log := eventlog.New(nil, nil, nil, shelves)
	if got := strings.Join(log.Tables(), " "); got != "shelves shelf_things" {
		t.Errorf("tables = %s", got)
	}
	if got := shelves.Tables[1].Columns(); got != "instance_id, shelf_id, thing, note" {
		t.Errorf("columns = %s", got)
	}
}
