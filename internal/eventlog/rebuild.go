package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Tables returns the names of all tables that hold folded state.
func (l *Log) Tables() []string {
	var names []string
	for _, k := range l.order {
		names = append(names, k.tableNames()...)
	}
	return names
}

const (
	// rebuildPage is how many events a rebuild holds in memory, and about how many one transaction
	// of a rebuild in the running system folds: few enough for writers not to notice that they wait
	// for it.
	rebuildPage = 1000
	// rebuildGroup is how many instances one such transaction rebuilds at most. Each takes a lock,
	// of which a PostgreSQL server has some thousands.
	rebuildGroup = 100
)

// Rebuild empties the tables of all nouns and folds the whole log into them again, within
// tx, of which it must be the first statement. Instances whose key has been destroyed stay out. It
// returns the number of events folded. Readers see the rows of before until tx is committed, and
// writers wait for that. [Log.RebuildTable] is for a system that should go on meanwhile.
func (l *Log) Rebuild(ctx context.Context, tx store.Tx) (int, error) {
	if err := l.lockAll(ctx, tx); err != nil {
		return 0, err
	}
	for _, k := range l.order {
		if err := empty(ctx, tx, k); err != nil {
			return 0, err
		}
	}
	n, err := l.refold(ctx, tx, func(last Event) ([]Event, error) { return l.byAggregate(ctx, tx, last) })
	if err != nil {
		return n, err
	}
	return n, l.moveAll(ctx, tx)
}

// ErrNoTable means that a table holds no folded state, or is none.
var ErrNoTable = errors.New("eventlog: no noun has this table")

// Progress is how far a rebuild has come. The zero value is the beginning.
type Progress struct {
	// Last is the instance up to which everything is rebuilt, in the order of ids; empty for none.
	Last ident.InstanceID
	// Part is the instance after it that is rebuilt up to an aggregate, in the order of their ids; empty
	// for none.
	Part      ident.InstanceID
	Aggregate string
}

// Rebuilt says what a rebuild has done.
type Rebuilt struct {
	Progress
	// Instances and Events are how many of them were folded; a part of an instance is one when it is
	// the last.
	Instances, Events int
}

// RebuildTable folds the log into one table again, and into the other tables of its noun, in the
// running system. It begins where a rebuild ended that was cut short, or with the zero Progress at the
// beginning. Rows that are not the fold of any events go.
//
// Instance by instance the rows are replaced, in transactions of about a thousand events each; an
// instance with more is divided by its aggregates, each of which is folded at once.
// Readers see the rows of before until such a transaction is committed. Writers of its instances,
// and of no others, wait for it; on an engine with one writer all do. A write is never lost nor
// undone: it comes before the transaction, which then folds its events too, or after it. A removed
// instance stays out, also when it is removed meanwhile. Whatever ends the rebuild, its context
// among it, what the Progress says is rebuilt and all else is as it was.
//
// A damaged row can be in the way of another aggregate, when it holds what is unique beyond one. Then
// the instance is rebuilt in one transaction, and if that was not enough the noun, for which all
// writers wait.
//
// It returns ErrNoTable, the errors of store.DB, and those of a log that cannot be folded: of which
// two instances that own one unique name is a *store.ConflictError.
func (l *Log) RebuildTable(ctx context.Context, table string, after Progress) (Rebuilt, error) {
	i := slices.IndexFunc(l.order, func(k Kind) bool { return slices.Contains(k.tableNames(), table) })
	if i < 0 {
		return Rebuilt{}, fmt.Errorf("%w: %.100q", ErrNoTable, table)
	}
	kind := l.order[i]
	done, err := l.rebuildInTurn(ctx, kind, after)
	if inTheWay(kind, err) {
		var all Rebuilt
		if all, err = l.rebuildAtOnce(ctx, kind); err == nil {
			done = all
		}
	}
	if err != nil {
		err = fmt.Errorf("rebuild %s: %w", table, err)
	}
	return done, err
}

// inTheWay reports whether err says that a row of the noun is where another belongs.
func inTheWay(kind Kind, err error) bool {
	return slices.ContainsFunc(kind.tableNames(), func(t string) bool { return store.ConflictIn(err, t) })
}

// rebuildInTurn rebuilds a noun in many transactions.
func (l *Log) rebuildInTurn(ctx context.Context, kind Kind, after Progress) (Rebuilt, error) {
	done := Rebuilt{Progress: after}
	for {
		if done.Part != "" {
			if err := l.rebuildPart(ctx, kind, &done); err != nil {
				return done, err
			}
			continue
		}
		group, err := l.nextGroup(ctx, kind, done.Last)
		if err != nil || len(group.instances) == 0 {
			return done, err
		}
		if group.large {
			done.Part = group.instances[0]
			continue
		}
		events, err := l.rebuildSpans(ctx, kind, group.instances, span{})
		if err != nil {
			return done, err
		}
		done.Last = group.instances[len(group.instances)-1]
		done.Instances += len(group.instances)
		done.Events += events
	}
}

// rebuildPart rebuilds the next aggregates of the instance that is rebuilt in part.
func (l *Log) rebuildPart(ctx context.Context, kind Kind, done *Rebuilt) error {
	s := span{instance: done.Part, after: done.Aggregate}
	var err error
	if s.upTo, err = l.boundary(ctx, kind, s.instance, s.after); err != nil {
		return err
	}
	events, err := l.rebuildSpans(ctx, kind, []ident.InstanceID{s.instance}, s)
	if inTheWay(kind, err) && !s.whole() {
		s = span{instance: s.instance}
		events, err = l.rebuildSpans(ctx, kind, []ident.InstanceID{s.instance}, s)
	}
	if err != nil {
		return err
	}
	done.Events += events
	if done.Aggregate = s.upTo; s.upTo == "" {
		done.Last, done.Part = done.Part, ""
		done.Instances++
	}
	return nil
}

// rebuildSpans rebuilds the same span of some instances, which are sorted, in one transaction.
func (l *Log) rebuildSpans(ctx context.Context, kind Kind, instances []ident.InstanceID, s span) (events int, err error) {
	err = l.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		events = 0
		if err := l.lock(ctx, tx, l.db.Dialect().RebuildLock, instances); err != nil {
			return err
		}
		for _, s.instance = range instances {
			n, err := l.rebuildSpan(ctx, tx, kind, s)
			if err != nil {
				return err
			}
			events += n
		}
		return l.moveRebuilt(ctx, tx, instances)
	})
	return events, err
}

// group are instances that are rebuilt in one transaction, or one that is too large for it.
type group struct {
	instances []ident.InstanceID
	large     bool
}

// nextGroup returns the next instances that have together enough events for one transaction, or as
// many as there are. No others need be locked.
func (l *Log) nextGroup(ctx context.Context, kind Kind, after ident.InstanceID) (group, error) {
	next, err := l.nextInstances(ctx, l.db, kind, after)
	if err != nil {
		return group{}, err
	}
	divisible := !slices.ContainsFunc(kind.slots(), func(t slot) bool { return t.aggregate == "" })
	events := 0
	for i, instance := range next {
		n, err := l.eventsOf(ctx, kind, instance)
		if err != nil {
			return group{}, err
		}
		if large := divisible && n > l.rebuildEvents; large && i == 0 {
			return group{next[:1], true}, nil
		} else if large {
			return group{next[:i], false}, nil
		}
		if events += n; events >= l.rebuildEvents {
			return group{next[:i+1], false}, nil
		}
	}
	return group{next, false}, nil
}

// nextInstances returns the next instances that exist, or of which there are rows all the same, in the
// order of their ids.
func (l *Log) nextInstances(ctx context.Context, q store.Querier, kind Kind, after ident.InstanceID) ([]ident.InstanceID, error) {
	next, err := l.keys.Instances(ctx, q, after, l.rebuildInstances)
	if err != nil {
		return nil, err
	}
	for _, table := range kind.tableNames() {
		owners, err := store.All(ctx, q, func(row store.Scanner) (id ident.InstanceID, err error) { return id, row.Scan(&id) },
			`SELECT DISTINCT instance_id FROM `+table+` WHERE instance_id > $1 ORDER BY instance_id LIMIT $2`,
			string(after), l.rebuildInstances)
		if err != nil {
			return nil, fmt.Errorf("list the instances in %s: %w", table, err)
		}
		next = append(next, owners...)
	}
	slices.Sort(next)
	next = slices.Compact(next)
	return next[:min(len(next), l.rebuildInstances)], nil
}

// rebuildAtOnce rebuilds a noun in one transaction.
func (l *Log) rebuildAtOnce(ctx context.Context, kind Kind) (done Rebuilt, err error) {
	err = l.db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		done = Rebuilt{}
		if err := l.lockAll(ctx, tx); err != nil {
			return err
		}
		if err := empty(ctx, tx, kind); err != nil {
			return err
		}
		for {
			group, err := l.keys.Instances(ctx, tx, done.Last, l.rebuildInstances)
			if err != nil {
				return err
			}
			if len(group) == 0 {
				return l.moveAll(ctx, tx)
			}
			for _, instance := range group {
				sealer, err := l.sealerOf(ctx, tx, instance)
				if err != nil {
					return err
				}
				n, err := l.foldSpan(ctx, tx, kind, span{instance: instance}, sealer)
				if err != nil {
					return err
				}
				done.Last, done.Instances, done.Events = instance, done.Instances+1, done.Events+n
			}
		}
	})
	return done, err
}

// lock runs a statement that locks an instance for each of some. It does so in the order of their ids,
// so that no two who lock several wait for each other.
func (l *Log) lock(ctx context.Context, tx store.Tx, sql string, instances []ident.InstanceID) error {
	if sql == "" {
		return nil
	}
	if len(instances) > 1 {
		instances = slices.Sorted(slices.Values(instances))
	}
	for _, instance := range instances {
		if err := tx.Exec(ctx, sql, string(instance)); err != nil {
			return err
		}
	}
	return nil
}

// lockAll waits for all writers and keeps new ones away.
func (l *Log) lockAll(ctx context.Context, tx store.Tx) error {
	if sql := l.db.Dialect().RebuildAllLock; sql != "" {
		return tx.Exec(ctx, sql)
	}
	return nil
}

// empty deletes all rows of a noun.
func empty(ctx context.Context, tx store.Tx, kind Kind) error {
	for _, name := range kind.tableNames() {
		if err := tx.Exec(ctx, "DELETE FROM "+name); err != nil {
			return fmt.Errorf("empty %s: %w", name, err)
		}
	}
	return nil
}

// refold folds events into tables that have no rows of them, and returns their number. next returns
// the page of events after one, those of an aggregate together and by sequence, and none at the end.
func (l *Log) refold(ctx context.Context, tx store.Tx, next func(last Event) ([]Event, error)) (int, error) {
	var (
		count   int
		last    Event
		current folder
	)
	flush := func() error {
		if current == nil {
			return nil
		}
		_, err := current.save(ctx, tx) // who rebuilds moves all epochs of the noun
		return err
	}
	for {
		events, err := next(last)
		if err != nil {
			return count, err
		}
		if len(events) == 0 {
			return count, flush()
		}
		for _, e := range events {
			if e.Instance != last.Instance || e.Aggregate != last.Aggregate {
				if err := flush(); err != nil {
					return count, err
				}
				kind := l.kinds[e.Aggregate.Type]
				if kind == nil {
					return count, fmt.Errorf("eventlog: no noun is called %q at %s", e.Aggregate.Type, e.Position)
				}
				current = kind.refold()
			}
			last = e
			if e.Payload == nil {
				current = nil // its key is destroyed, and so is the whole aggregate
				continue
			}
			if err := current.fold(e); err != nil {
				return count, err
			}
			count++
		}
	}
}

// byAggregate returns the page of events after last, ordered by aggregate and sequence.
func (l *Log) byAggregate(ctx context.Context, q store.Querier, last Event) ([]Event, error) {
	records, err := store.All(ctx, q, scanRecord, `SELECT `+eventColumns+` FROM events
 WHERE (instance_id, aggregate_type, aggregate_id, sequence) > ($1, $2, $3, $4)
 ORDER BY instance_id, aggregate_type, aggregate_id, sequence LIMIT $5`,
		string(last.Instance), last.Aggregate.Type, last.Aggregate.ID, int64(last.Sequence), rebuildPage)
	if err != nil {
		return nil, fmt.Errorf("rebuild after %s/%s/%s: %w", last.Instance, last.Aggregate.Type, last.Aggregate.ID, err)
	}
	return l.openAll(ctx, q, records)
}

// folder folds the events of one aggregate from the start and saves what becomes of them.
type folder interface {
	fold(e Event) error
	save(ctx context.Context, tx store.Tx) (moved EpochSet, err error)
}

type refolding[S State] struct {
	noun  *Noun[S]
	state S
}

func (r *refolding[S]) fold(e Event) (err error) {
	r.state, err = r.noun.fold(r.state, e)
	return err
}

func (r *refolding[S]) save(ctx context.Context, tx store.Tx) (moved EpochSet, err error) {
	var zero S
	return r.noun.save(ctx, tx, zero, r.state)
}

func (n *Noun[S]) kind() string   { return n.Type }
func (n *Noun[S]) refold() folder { return &refolding[S]{noun: n} }

func (n *Noun[S]) tableNames() []string {
	names := make([]string, len(n.Tables))
	for i := range n.Tables {
		names[i] = n.Tables[i].Name
	}
	return names
}

func (n *Noun[S]) reclaimSQL() []string {
	statements := make([]string, len(n.Tables))
	for i := range n.Tables {
		statements[i] = reclaimSQL(n.Tables[i].Name, n.Tables[i].Key)
	}
	return statements
}
