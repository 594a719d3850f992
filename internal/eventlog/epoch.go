package eventlog

import (
	"context"
	"fmt"
	"slices"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Epoch is a group of tables of which something is kept in memory. An instance has a number for each, that
// moves in the same transaction as a row of one of these tables: who has kept something and finds the
// number as it was knows that nothing has changed (docs/adr/0016-fresh-caches.md).
type Epoch uint8

// The epochs. What changes often has another one than what is read with every request.
const (
	// NoEpoch is that of a table of which nothing is kept in memory.
	NoEpoch Epoch = iota
	// Settings are what an instance is: its domains, its limits, its keys.
	Settings
	// Access is who may do what: users, what they authenticate with, their memberships.
	Access
)

// Epochs are the numbers of an instance. They are equal exactly when nothing has moved them.
type Epochs struct{ Settings, Access int64 }

// Since returns the epochs in which e differs from an earlier reading.
func (e Epochs) Since(earlier Epochs) (moved EpochSet) {
	if e.Settings != earlier.Settings {
		moved |= SetOf(Settings)
	}
	if e.Access != earlier.Access {
		moved |= SetOf(Access)
	}
	return moved
}

// EpochSet is some epochs.
type EpochSet uint8

// SetOf returns the set of one epoch; that of NoEpoch is empty.
func SetOf(e Epoch) EpochSet {
	if e == NoEpoch {
		return 0
	}
	return 1 << e
}

// Has reports whether the sets have an epoch in common.
func (s EpochSet) Has(o EpochSet) bool { return s&o != 0 }

// Kept says how a table may be kept in memory.
type Kept struct {
	Epoch Epoch
	// FoundOnly says that only rows are kept that were found by their key, and neither lists nor that
	// there is no row: a new row moves nothing.
	FoundOnly bool
}

// Kept returns how a table may be kept in memory; the zero Kept for one that may not.
func (l *Log) Kept(table string) Kept { return l.kept[table] }

// Epochs returns the epochs of some instances. One that does not exist, or exists no more, is not in the
// answer. It returns the errors of store.DB.
func (l *Log) Epochs(ctx context.Context, q store.Querier, instances ...ident.InstanceID) (map[ident.InstanceID]Epochs, error) {
	// Adding up the few rows of an instance here is a quarter of what the database would have to do otherwise.
	const columns = `SELECT instance_id, settings, access FROM cache_epochs WHERE `
	var rows store.Rows
	var err error
	if len(instances) == 1 {
		rows, err = q.Query(ctx, columns+`instance_id = $1`, string(instances[0]))
	} else {
		rows, err = q.Query(ctx, columns+l.db.Dialect().InList("instance_id", "$1"), texts(instances))
	}
	if err != nil {
		return nil, fmt.Errorf("read epochs: %w", err)
	}
	defer rows.Close()
	found := make(map[ident.InstanceID]Epochs, len(instances))
	for rows.Next() {
		var id ident.InstanceID
		var e Epochs
		if err := rows.Scan(&id, &e.Settings, &e.Access); err != nil {
			return nil, fmt.Errorf("read epochs: %w", err)
		}
		sum := found[id]
		found[id] = Epochs{sum.Settings + e.Settings, sum.Access + e.Access}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read epochs: %w", err)
	}
	return found, nil
}

func texts(instances []ident.InstanceID) []string {
	list := make([]string, len(instances))
	for i, id := range instances {
		list[i] = string(id)
	}
	return list
}

// beginEpochs begins the epochs of a new instance. Should there be some of its id, they move: nothing that is
// kept of that one is this one's.
func beginEpochs(ctx context.Context, tx store.Tx, instance ident.InstanceID) error {
	return tx.Exec(ctx, `INSERT INTO cache_epochs (instance_id, slot, settings, access) VALUES ($1, 0, 0, 0)
 ON CONFLICT (instance_id, slot) DO UPDATE SET settings = cache_epochs.settings + 1, access = cache_epochs.access + 1`,
		string(instance))
}

// endEpochs makes everything void that is kept of an instance.
func endEpochs(ctx context.Context, tx store.Tx, instance ident.InstanceID) error {
	return tx.Exec(ctx, `DELETE FROM cache_epochs WHERE instance_id = $1`, string(instance))
}

// moves are the epochs that a transaction moves, by instance.
type moves map[ident.InstanceID]EpochSet

// add notes that epochs of an instance move.
func (m *moves) add(instance ident.InstanceID, set EpochSet) {
	if set == 0 {
		return
	}
	if *m == nil {
		*m = make(moves)
	}
	(*m)[instance] |= set
}

// write moves the epochs. It is the last thing a transaction does, and goes by the order of the
// instances: so a lock on an epoch is held for the time of a commit alone, and nobody who has one waits for
// anything but another one later in that order.
//
// Writers of one instance rarely wait for each other here: the number is a sum of several rows, of which each
// connection adds to its own.
func (m moves) write(ctx context.Context, tx store.Tx, d *store.Dialect) error {
	if len(m) == 0 {
		return nil
	}
	instances := make([]ident.InstanceID, 0, len(m))
	for instance := range m {
		instances = append(instances, instance)
	}
	slices.Sort(instances)
	sql := `INSERT INTO cache_epochs (instance_id, slot, settings, access) VALUES ($1, ` + d.WriterSlot + `, $2, $3)
 ON CONFLICT (instance_id, slot) DO UPDATE SET settings = cache_epochs.settings + excluded.settings,
 access = cache_epochs.access + excluded.access`
	for _, instance := range instances {
		set := m[instance]
		if err := tx.Exec(ctx, sql, string(instance), step(set, Settings), step(set, Access)); err != nil {
			return fmt.Errorf("move the epochs of instance %s: %w", instance, err)
		}
	}
	return nil
}

// step is by how much an epoch moves.
func step(set EpochSet, e Epoch) int64 {
	if set.Has(SetOf(e)) {
		return 1
	}
	return 0
}

// moveRebuilt moves all epochs of instances that were rebuilt, as far as they exist.
func (l *Log) moveRebuilt(ctx context.Context, tx store.Tx, instances []ident.InstanceID) error {
	return tx.Exec(ctx, `UPDATE cache_epochs SET settings = settings + 1, access = access + 1
 WHERE slot = 0 AND `+l.db.Dialect().InList("instance_id", "$1"), texts(instances))
}

// moveAll is moveRebuilt of all instances.
func (l *Log) moveAll(ctx context.Context, tx store.Tx) error {
	return tx.Exec(ctx, `UPDATE cache_epochs SET settings = settings + 1, access = access + 1 WHERE slot = 0`)
}

func (n *Noun[S]) kept() map[string]Kept {
	tables := make(map[string]Kept, len(n.Tables))
	for i := range n.Tables {
		tables[n.Tables[i].Name] = n.Tables[i].Kept
	}
	return tables
}
