package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

const table = "policies"

var tables = []eventlog.Table[State]{{
	Name:      table,
	Key:       []string{"instance_id", "kind", "org_id"},
	Aggregate: "policy_id",
	Rest:      []string{"policy_id", "settings", "sequence", "created_at", "changed_at"},
	Kept:      eventlog.Kept{Epoch: eventlog.Settings},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), string(s.Settings.kind()), string(s.Org), s.ID, encode(s.Settings),
		}, s.Row()...)}
	},
}}

// encode writes settings into one column.
func encode(s Settings) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // truth and numbers can be written
	}
	return string(data)
}

// decode reads what encode has written.
func decode(kind Kind, text string) (Settings, error) {
	k := kinds[kind]
	if k == nil {
		return nil, fmt.Errorf("policy: there is no kind %q", kind)
	}
	into := reflect.New(reflect.TypeOf(k.none))
	if err := json.Unmarshal([]byte(text), into.Interface()); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return into.Elem().Interface().(Settings), nil
}

// row is a row of the table, whose columns may come from an outer join.
type row struct {
	org, id, settings *string
	sequence          *uint64
	created, changed  *int64
}

const columns = `p.org_id, p.policy_id, p.settings, p.sequence, p.created_at, p.changed_at`

// dest are the destinations of columns.
func (r *row) dest() []any {
	return []any{&r.org, &r.id, &r.settings, &r.sequence, &r.created, &r.changed}
}

// state returns the state of the row; the zero State when there is none.
func (r *row) state(instance ident.InstanceID, kind Kind) (State, error) {
	if r.id == nil {
		return State{}, nil
	}
	settings, err := decode(kind, *r.settings)
	if err != nil {
		return State{}, err
	}
	owner := string(instance)
	if *r.org != "" {
		owner = *r.org
	}
	return State{
		Head: eventlog.Restore(instance, *r.id, owner, *r.sequence, *r.created, *r.changed),
		Org:  ident.OrgID(*r.org), Settings: settings,
	}, nil
}

// hold returns a policy that nobody changes until tx ends, or the zero State when there is none. org is
// empty for that of the instance.
func hold(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, org ident.OrgID, kind Kind) (State, error) {
	s, err := store.One(ctx, tx, func(from store.Scanner) (State, error) {
		var r row
		if err := from.Scan(r.dest()...); err != nil {
			return State{}, err
		}
		return r.state(instance, kind)
	}, `SELECT `+columns+` FROM policies p WHERE p.instance_id = $1 AND p.kind = $2 AND p.org_id = $3`+d.ForUpdate,
		string(instance), string(kind), string(org))
	if errors.Is(err, store.ErrNotFound) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("hold %s of instance %s: %w", kind, instance, err)
	}
	return s, nil
}

// ofOrg returns all policies that an organization has of its own.
func ofOrg(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, org ident.OrgID) ([]State, error) {
	found, err := store.All(ctx, tx, func(from store.Scanner) (State, error) {
		var r row
		var kind Kind
		if err := from.Scan(append(r.dest(), &kind)...); err != nil {
			return State{}, err
		}
		return r.state(instance, kind)
	}, `SELECT `+columns+`, p.kind FROM policies p WHERE p.instance_id = $1 AND p.org_id = $2 ORDER BY p.kind`+d.ForUpdate,
		string(instance), string(org))
	if err != nil {
		return nil, fmt.Errorf("hold the policies of organization %s of instance %s: %w", org, instance, err)
	}
	return found, nil
}
