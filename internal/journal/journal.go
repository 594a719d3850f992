package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/limit"
	"castellan/internal/store"
)

// Entry is an event as it is shown.
type Entry struct {
	// Event has no payload.
	eventlog.Event
	// Editor is the name of the user of the instance who did it; empty for others, and for users who
	// are no more.
	Editor string
	// Shown is a JSON object with what is shown of the payload; nil when nothing is.
	Shown json.RawMessage
}

// Reader reads journals.
type Reader struct {
	DB    store.DB
	Log   *eventlog.Log
	Clock ident.Clock
}

// Find returns entries of an instance, see [eventlog.Log.Find], that its audit log retention does not
// hide. It returns the errors of the database.
func (r *Reader) Find(ctx context.Context, instance ident.InstanceID, query eventlog.Query) ([]Entry, error) {
	var entries []Entry
	err := r.DB.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		retention, err := limit.Retention(ctx, q, instance)
		if err != nil {
			return err
		}
		query := query
		if retention > 0 {
			// What is just as old is shown.
			oldest := r.Clock.Now().Add(-retention).Add(-time.Microsecond)
			if oldest.After(query.After) {
				query.After = oldest
			}
		}
		events, err := r.Log.Find(ctx, q, instance, query)
		if err != nil {
			return err
		}
		entries, err = enter(ctx, q, r.DB.Dialect(), instance, events)
		return err
	})
	return entries, err
}

// enter makes entries of events.
func enter(ctx context.Context, q store.Querier, d *store.Dialect, instance ident.InstanceID, events []eventlog.Event) ([]Entry, error) {
	names, err := editors(ctx, q, d, instance, events)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(events))
	for i, e := range events {
		payload, err := shown(e.Payload)
		if err != nil {
			return nil, err
		}
		e.Payload = nil
		entries[i] = Entry{Event: e, Editor: names[string(e.Actor)], Shown: payload}
	}
	return entries, nil
}

// editors returns the names of the users who have written events.
func editors(ctx context.Context, q store.Querier, d *store.Dialect, instance ident.InstanceID, events []eventlog.Event) (map[string]string, error) {
	var ids []string
	for _, e := range events {
		if !slices.Contains(ids, string(e.Actor)) {
			ids = append(ids, string(e.Actor))
		}
	}
	names := make(map[string]string, len(ids))
	if len(ids) == 0 {
		return names, nil
	}
	_, err := store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		var id, name string
		err = row.Scan(&id, &name)
		names[id] = name
		return none, err
	}, `SELECT user_id, CASE kind WHEN 'machine' THEN name ELSE display_name END FROM users
 WHERE instance_id = $1 AND `+d.InList("user_id", "$2"), string(instance), ids)
	if err != nil {
		return nil, fmt.Errorf("get the names of users of instance %s: %w", instance, err)
	}
	return names, nil
}

// Types returns the types of all events that a journal can have, sorted.
func (r *Reader) Types() []string {
	var types []string
	for _, d := range r.Log.Declared() {
		if _, decided := Decisions[d.Payload.EventType()]; decided {
			types = append(types, d.Payload.EventType())
		}
	}
	slices.Sort(types)
	return types
}

// AggregateTypes returns the types of the aggregates of those events, sorted.
func (r *Reader) AggregateTypes() []string {
	var types []string
	for _, d := range r.Log.Declared() {
		if _, decided := Decisions[d.Payload.EventType()]; decided && !slices.Contains(types, d.Aggregate) {
			types = append(types, d.Aggregate)
		}
	}
	slices.Sort(types)
	return types
}
