package eventlog

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Query says which events of an instance are wanted. All conditions must hold; a zero one is none.
type Query struct {
	// AggregateTypes are those of which the aggregate has one.
	AggregateTypes []string
	AggregateID    string
	// Types are those of which the event has one.
	Types []string
	Actor ident.Actor
	Owner string
	// Beyond is a sequence that that of the event is greater than.
	Beyond uint64
	// After and Before are times between which the event was written, neither of them included.
	After, Before time.Time

	// Past is a position that the events come after, or, when they descend, before.
	Past Position
	// Descending begins with the latest event.
	Descending bool
	// Settled leaves out events that another could still come before, see [Log.Follow].
	Settled bool
	// Limit is how many events are returned at most.
	Limit int
}

// Find returns events of one instance in the order of the log, or the other way round. It returns none
// when the instance never was. Of those with a condition on dates, actors, owners or types it looks at
// the events of the instance one after the other.
func (l *Log) Find(ctx context.Context, q store.Querier, instance ident.InstanceID, query Query) ([]Event, error) {
	aggregates := query.AggregateTypes
	if len(aggregates) == 0 {
		aggregates = slices.Sorted(maps.Keys(l.kinds))
	}
	after, before := int64(math.MinInt64), int64(math.MaxInt64)
	if !query.After.IsZero() {
		after = store.Micros(query.After)
	}
	if !query.Before.IsZero() {
		before = store.Micros(query.Before.Add(time.Microsecond - 1)) // up to the next one
	}
	records, err := store.All(ctx, q, scanRecord, l.findSQL(query),
		string(instance), query.Past.Commit, query.Past.Number, query.Limit, after, before, int64(min(query.Beyond, math.MaxInt64)),
		string(query.Actor), query.Owner, len(query.Types) == 0, query.Types,
		query.AggregateID, len(query.AggregateTypes) == 0, aggregates)
	if err != nil {
		return nil, fmt.Errorf("find events of instance %s: %w", instance, err)
	}
	return l.openAll(ctx, q, records)
}

// findSQL is the text of a query. There are twelve, for what decides which index is used.
func (l *Log) findSQL(query Query) string {
	d := l.db.Dialect()
	place, by, order := d.After("$2", "$3"), "commit_id", ""
	if query.Descending {
		place, order = d.Before("$2", "$3"), " DESC"
		if query.Past == (Position{}) {
			place = "commit_id >= $2 AND log_number >= $3" // two zeros
		}
	}
	// Not the column, but an expression for it: the key is not used, by which all events of a type would
	// have to be sorted.
	aggregate := `($12 = '' AND ($13 OR ` + d.InList("(aggregate_type || '')", "$14") + `))`
	if query.AggregateID != "" {
		// An aggregate is found by the key, of which the type comes first. It has few enough events to be
		// sorted, and the index in order is kept away from them.
		aggregate = `aggregate_id = $12 AND ($13 OR TRUE) AND ` + d.InList("aggregate_type", "$14")
		by = "(commit_id + 0)"
		place = strings.ReplaceAll(place, "commit_id", by)
	}
	if query.Settled {
		place += ` AND ` + d.Settled
	}
	return `SELECT ` + eventColumns + ` FROM events WHERE instance_id = $1 AND ` + place + `
 AND created_at > $5 AND created_at < $6 AND sequence > $7
 AND ($8 = '' OR actor = $8) AND ($9 = '' OR owner = $9) AND ($10 OR ` + d.InList("event_type", "$11") + `)
 AND ` + aggregate + ` ORDER BY ` + by + order + `, log_number` + order + ` LIMIT $4`
}

// Of returns the events of one instance in the order in which they were appended, at most
// limit of them, beginning after a position. It returns none when the instance never was.
func (l *Log) Of(ctx context.Context, q store.Querier, instance ident.InstanceID, after Position, limit int) ([]Event, error) {
	return l.Find(ctx, q, instance, Query{Past: after, Limit: limit})
}
