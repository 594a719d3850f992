package fresh

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"castellan/internal/eventlog"
	"castellan/internal/store"
)

// fixed are tables whose rows do not change as long as their instance is there.
var fixed = map[string]bool{"instance_keys": true}

// watched is a reader that notes which tables are read, and refuses those that may not be kept: nobody would
// notice that they change.
type watched struct {
	epochs *Epochs
	uses   eventlog.EpochSet
}

// watch returns a reader for one value.
func (e *Epochs) watch() *watched { return &watched{epochs: e} }

// Query implements store.Querier.
func (w *watched) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	uses, err := w.epochs.usesOf(sql)
	if err != nil {
		return nil, err
	}
	w.uses |= uses
	return w.epochs.db.Query(ctx, sql, args...)
}

// sources finds the tables of a statement; a name before a bracket is a function.
var sources = regexp.MustCompile(`(?i)\b(LEFT\s+(?:OUTER\s+)?JOIN|FROM|JOIN)\s+([a-z_0-9]+)\s*(\(?)`)

// usesFound is what is known of a statement. Statements are constants, see store.Querier.
type usesFound struct {
	set eventlog.EpochSet
	err error
}

// usesOf returns the epochs of the tables of a statement.
func (e *Epochs) usesOf(sql string) (eventlog.EpochSet, error) {
	if known, ok := e.uses.Load(sql); ok {
		f := known.(usesFound)
		return f.set, f.err
	}
	var f usesFound
	for _, m := range sources.FindAllStringSubmatchIndex(sql, -1) {
		before, join, table, bracket := sql[:m[0]], strings.ToUpper(sql[m[2]:m[3]]), strings.ToLower(sql[m[4]:m[5]]), m[6] < m[7]
		if bracket || fixed[table] {
			continue
		}
		// Of an outer join, and of a statement within another, the rest may be found without a row of the table.
		without := strings.HasPrefix(join, "LEFT") || strings.Count(before, "(") > strings.Count(before, ")")
		kept := e.log.Kept(table)
		switch {
		case kept.Epoch == eventlog.NoEpoch:
			f.err = fmt.Errorf("fresh: table %s is read into a cache, but its noun does not declare it Kept", table)
		case kept.FoundOnly && without:
			f.err = fmt.Errorf("fresh: that table %s has no row would be kept in a cache, but it is declared FoundOnly", table)
		}
		f.set |= eventlog.SetOf(kept.Epoch)
	}
	e.uses.Store(sql, f)
	return f.set, f.err
}
