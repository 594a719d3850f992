package vault

import (
	"context"
	"errors"
	"strings"
	"testing"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// table stands in for instance_keys: it understands the three statements of a Keyring.
type table map[string][]byte

func (t table) Exec(_ context.Context, sql string, args ...any) error {
	id := args[0].(string)
	switch {
	case strings.HasPrefix(sql, "INSERT INTO instance_keys"):
		if t[id] != nil {
			return &store.ConflictError{Table: "instance_keys", Cause: errors.New("primary key")}
		}
		t[id] = args[1].([]byte)
	case strings.HasPrefix(sql, "DELETE FROM instance_keys"):
		delete(t, id)
	default:
		return errors.New("not a statement of the keyring: " + sql)
	}
	return nil
}

func (t table) Query(_ context.Context, sql string, args ...any) (store.Rows, error) {
	if !strings.HasPrefix(sql, "SELECT sealed_key FROM instance_keys") {
		return nil, errors.New("not a query of the keyring: " + sql)
	}
	return &row{value: t[args[0].(string)]}, nil
}

// row is a result of one row, or none when value is nil.
type row struct{ value []byte }

func (r *row) Next() bool { return r.value != nil }
func (r *row) Err() error { return nil }
func (r *row) Close()     {}
func (r *row) Scan(dest ...any) error {
	*dest[0].(*[]byte) = r.value
	r.value = nil
	return nil
}

// away is a database that cannot be reached.
type away struct{}

func (away) Exec(context.Context, string, ...any) error { return store.ErrUnavailable }
func (away) Query(context.Context, string, ...any) (store.Rows, error) {
	return nil, store.ErrUnavailable
}

func TestKeyring(t *testing.T) {
	ctx := t.Context()
	db := make(table)
	keys := NewKeyring(NewMasterKey([KeySize]byte{1}, nil), nil)
	created, err := keys.Create(ctx, db, "1")
	if err != nil {
		t.Fatal(err)
	}
	sealed := created.Seal([]byte("payload"), []byte("event 1"))

	read, err := keys.Get(ctx, db, "1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read.Open(sealed, []byte("event 1")); err != nil || string(got) != "payload" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := keys.Create(ctx, db, "1"); !store.ConflictIn(err, "instance_keys") {
		t.Errorf("a second key: err = %v, want a conflict", err)
	}

	other, err := keys.Create(ctx, db, "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed, []byte("event 1")); !errors.Is(err, ErrOpen) {
		t.Errorf("the key of another instance: err = %v, want ErrOpen", err)
	}

	if err := keys.Destroy(ctx, db, "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Get(ctx, db, "1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after Destroy: err = %v, want ErrNotFound", err)
	}
	if _, err := keys.Get(ctx, db, "2"); err != nil {
		t.Errorf("Destroy took another instance's key: %v", err)
	}
	if err := keys.Destroy(ctx, db, "1"); err != nil {
		t.Errorf("Destroy again: %v", err)
	}
}

func TestKeyringRefusesDamagedRows(t *testing.T) {
	ctx := t.Context()
	master := NewMasterKey([KeySize]byte{1}, nil)
	keys := NewKeyring(master, nil)
	db := make(table)
	if _, err := keys.Create(ctx, db, "1"); err != nil {
		t.Fatal(err)
	}
	good := db["1"]

	elsewhere := NewKeyring(NewMasterKey([KeySize]byte{2}, nil), nil)
	if _, err := elsewhere.Get(ctx, db, "1"); !errors.Is(err, ErrMasterKey) {
		t.Errorf("another master key: err = %v, want ErrMasterKey", err)
	}
	short := append(master.id[:], master.Seal([]byte("short"), instanceKeyBinding("1"))...)
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	for name, tt := range map[string]struct {
		instance ident.InstanceID
		row      []byte
	}{
		"moved to another instance": {"2", good},
		"a bit flipped":             {"1", flipped},
		"cut":                       {"1", good[:len(good)-1]},
		"almost nothing":            {"1", good[:masterIDSize-1]},
		"not a key inside":          {"1", short},
	} {
		db[string(tt.instance)] = tt.row
		if _, err := keys.Get(ctx, db, tt.instance); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: err = %v, want ErrOpen", name, err)
		}
	}
}

func TestKeyringPassesErrorsOn(t *testing.T) {
	keys := NewKeyring(NewMasterKey([KeySize]byte{1}, nil), nil)
	_, createErr := keys.Create(t.Context(), away{}, "1")
	_, getErr := keys.Get(t.Context(), away{}, "1")
	for _, err := range []error{createErr, getErr, keys.Destroy(t.Context(), away{}, "1")} {
		if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "instance 1") {
			t.Errorf("err = %v, want ErrUnavailable naming the instance", err)
		}
	}
}

func BenchmarkKeyringGet(b *testing.B) {
	keys := NewKeyring(NewMasterKey([KeySize]byte{1}, nil), nil)
	db := make(table)
	if _, err := keys.Create(b.Context(), db, "1"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Get(b.Context(), db, "1"); err != nil {
			b.Fatal(err)
		}
	}
}
