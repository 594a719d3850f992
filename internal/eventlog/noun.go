package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"castellan/internal/store"
)

// Noun declares one kind of aggregate: its events, how they fold into a state, and the
// tables in which the state is kept. Declare it once, with [NewNoun].
type Noun[S State] struct {
	// Type is the name of the aggregate in the log.
	Type string
	// Payloads has one zero value of every payload the noun has ever written.
	Payloads []Payload
	// Apply is the fold. It is pure, and must advance the head.
	Apply func(S, Event) S
	// Tables hold the state. A row belongs to exactly one aggregate.
	Tables []Table[S]

	declared map[string]reflect.Type // of each event, made by NewNoun
}

// Table says how a state is kept as rows.
type Table[S State] struct {
	Name string
	// Key are the leading columns that identify a row; the rest may change.
	Key []string
	// Rest are the other columns.
	Rest []string
	// Aggregate is the column that holds the id of the aggregate of a row, or an SQL expression for it
	// that is never NULL. A rebuild needs it to divide an instance that has many; it is empty where an
	// instance has few. It should stand next to instance_id in some index.
	Aggregate string
	// Kept says that something of the table is kept in memory, see package fresh; the zero Kept: nothing is.
	Kept Kept
	// Rows returns the rows of a state: the values of Key, then of Rest.
	Rows func(S) [][]any

	insert, update, remove string // SQL, built by NewNoun
}

// NewNoun completes a declaration. It panics when an event name is declared twice, which is
// a mistake of the program.
func NewNoun[S State](n Noun[S]) *Noun[S] {
	n.declared = make(map[string]reflect.Type, len(n.Payloads))
	for _, p := range n.Payloads {
		if n.declared[p.EventType()] != nil {
			panic("eventlog: " + n.Type + " declares an event twice: " + p.EventType())
		}
		n.declared[p.EventType()] = reflect.TypeOf(p)
	}
	for i := range n.Tables {
		n.Tables[i].prepare()
	}
	return &n
}

// Columns returns all columns of the table, separated by commas, in the order of Rows.
func (t *Table[S]) Columns() string {
	return strings.Join(append(slices.Clone(t.Key), t.Rest...), ", ")
}

// prepare builds the SQL with which the table is written.
func (t *Table[S]) prepare() {
	n := len(t.Key)
	marks := make([]string, n+len(t.Rest))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	assign := func(columns []string, from int, sep string) string {
		parts := make([]string, len(columns))
		for i, c := range columns {
			parts[i] = fmt.Sprintf("%s = $%d", c, from+i)
		}
		return strings.Join(parts, sep)
	}
	where := assign(t.Key, 1, " AND ")
	t.insert = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", t.Name, t.Columns(), strings.Join(marks, ", "))
	t.update = fmt.Sprintf("UPDATE %s SET %s WHERE %s", t.Name, assign(t.Rest, n+1, ", "), where)
	t.remove = fmt.Sprintf("DELETE FROM %s WHERE %s", t.Name, where)
}

// check returns an error unless p is a payload of this noun, in the very type in which it
// will be read back: the fold of a pointer to it, say, need not be the same.
func (n *Noun[S]) check(p Payload) error {
	if n.declared[p.EventType()] != reflect.TypeOf(p) {
		return fmt.Errorf("eventlog: %s does not declare %s as %T", n.Type, p.EventType(), p)
	}
	return nil
}

// fold applies e, which must be the next event, and checks that the noun advanced its head: a
// state that forgets how far it is would overwrite events it has not seen.
func (n *Noun[S]) fold(s S, e Event) (S, error) {
	if last := s.Stream().Sequence; e.Sequence != last+1 {
		return s, fmt.Errorf("eventlog: %s %s/%d follows sequence %d", n.Type, e.Aggregate.ID, e.Sequence, last)
	}
	s = n.Apply(s, e)
	if h := s.Stream(); h.Sequence != e.Sequence || h.ID != e.Aggregate.ID {
		return s, fmt.Errorf("eventlog: %s did not advance its head at %s %s/%d",
			n.Type, e.Type, e.Aggregate.ID, e.Sequence)
	}
	return s, nil
}

// save writes the difference between two states of one aggregate, and returns which epochs that moves.
func (n *Noun[S]) save(ctx context.Context, tx store.Tx, before, after S) (moved EpochSet, err error) {
	for i := range n.Tables {
		t := &n.Tables[i]
		done, err := t.save(ctx, tx, t.rowsOf(before), t.rowsOf(after))
		if err != nil {
			return moved, fmt.Errorf("save %s: %w", t.Name, err)
		}
		if done.changed || done.inserted && !t.Kept.FoundOnly {
			moved |= SetOf(t.Kept.Epoch)
		}
	}
	return moved, nil
}

// saved says what has been done to the rows of a table.
type saved struct {
	inserted bool
	changed  bool // or removed
}

func (t *Table[S]) rowsOf(s S) [][]any {
	if !s.Stream().Exists() {
		return nil
	}
	return t.Rows(s)
}

// save deletes the rows that are gone, then inserts new ones (so that a unique name that is
// taken is a conflict, never a theft) and updates changed ones.
func (t *Table[S]) save(ctx context.Context, tx store.Tx, before, after [][]any) (done saved, err error) {
	old := make(map[string][]any, len(before))
	for _, row := range before {
		old[t.keyOf(row)] = row
	}
	gone := maps.Clone(old)
	for _, row := range after {
		if len(gone) > 0 {
			delete(gone, t.keyOf(row))
		}
	}
	for _, row := range gone {
		done.changed = true
		if err := tx.Exec(ctx, t.remove, row[:len(t.Key)]...); err != nil {
			return done, err
		}
	}
	for _, row := range after {
		was, exists := []any(nil), false
		if len(old) > 0 {
			was, exists = old[t.keyOf(row)]
		}
		sql := t.insert
		switch {
		case exists && reflect.DeepEqual(was, row):
			continue
		case exists:
			sql, done.changed = t.update, true
		default:
			done.inserted = true
		}
		if err := tx.Exec(ctx, sql, row...); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (t *Table[S]) keyOf(row []any) string {
	return fmt.Sprintf("%#v", row[:len(t.Key)])
}

// Declaration is an event that a noun declares.
type Declaration struct {
	Aggregate string // the type of the aggregate
	Payload   Payload
}

// Declared returns all events that the log knows, as their nouns declare them.
func (l *Log) Declared() (all []Declaration) {
	for _, n := range l.order {
		for _, p := range n.payloads() {
			all = append(all, Declaration{Aggregate: n.kind(), Payload: p})
		}
	}
	return all
}

func (n *Noun[S]) payloads() []Payload { return n.Payloads }

// decoders returns how each event of the noun is read back.
func (n *Noun[S]) decoders() map[string]decoder {
	m := make(map[string]decoder, len(n.declared))
	for name, typ := range n.declared {
		m[name] = func(data []byte) (Payload, error) {
			v := reflect.New(typ)
			if err := json.Unmarshal(data, v.Interface()); err != nil {
				return nil, fmt.Errorf("decode %s: %w", name, err)
			}
			return v.Elem().Interface().(Payload), nil
		}
	}
	return m
}

// decoder reads the payload of one type of event.
type decoder func([]byte) (Payload, error)
