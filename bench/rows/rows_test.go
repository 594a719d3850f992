package rows

import (
	"context"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	instance = "300000000000000001"
	other    = "300000000000000009"
)

// fill writes one instance by hand: a row of every type, and a NULL where there can be none is
// not needed, for the schema has none.
func fill(t *testing.T, db store.DB, id, domain string) {
	t.Helper()
	err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		const event = `INSERT INTO events (commit_id, instance_id, aggregate_type, aggregate_id, sequence,
 event_type, owner, actor, created_at, payload) VALUES (0, $1, 'instance', $1, $2, 'x', 'org-' || $3, '', 7, $4)`
		for n := range 2 {
			if err := tx.Exec(ctx, event, id, n+1, "300000000000000005", []byte{1, 2, 3}); err != nil {
				return err
			}
		}
		return tx.Exec(ctx, `INSERT INTO instance_domains (domain, instance_id, is_generated, is_primary, sequence,
 created_at, changed_at) VALUES ($1, $2, TRUE, FALSE, 1, 7, 7)`, domain, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCaptureCountsAndMeasures(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		fill(t, db, instance, "example-abc123.localhost")
		fill(t, db, other, "other-abc123.localhost")
		s, err := Capture(t.Context(), db, instance)
		if err != nil {
			t.Fatal(err)
		}
		if all, events := s.Count(); all != 3 || events != 2 {
			t.Errorf("%d rows, %d events, want 3 and 2", all, events)
		}
		if s.IDs != 2 || s.First != 300000000000000001 {
			t.Errorf("%d ids from %d", s.IDs, s.First)
		}
		// Texts: per event 8+18+18+1+22+0, numbers 3 of 8, payload 3; the domain 24+18, 3 of 8, and two
		// truths, which are numbers on SQLite.
		truths := 2
		if db.Dialect().Name == "sqlite" {
			truths = 2 * intBytes
		}
		if got, want := s.Bytes(), 2*(67+24+3)+42+24+truths; got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	})
}

func TestCaptureOfNothingIsAnError(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		if s, err := Capture(t.Context(), db, instance); err == nil {
			t.Errorf("captured %+v", s)
		}
	})
}

// TestWriteRepeatsTheShape writes a captured instance twice more and captures it again: the
// shape is the same, the ids and domains are not.
func TestWriteRepeatsTheShape(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		fill(t, db, instance, "example-abc123.localhost")
		captured, err := Capture(t.Context(), db, instance)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "shape")
		if err := captured.Save(path); err != nil {
			t.Fatal(err)
		}
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(captured, s); diff != "" {
			t.Fatalf("a saved shape is another one (-saved +loaded):\n%s", diff)
		}
		w, err := NewWriter(s, db.Dialect())
		if err != nil {
			t.Fatal(err)
		}
		for n := uint64(1); n <= 2; n++ {
			if err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return w.Write(ctx, tx, n) }); err != nil {
				t.Fatalf("write %d: %v", n, err)
			}
		}
		ids, err := store.All(t.Context(), db, func(row store.Scanner) (id string, err error) { return id, row.Scan(&id) },
			`SELECT DISTINCT instance_id FROM events ORDER BY instance_id`)
		if err != nil || len(ids) != 3 {
			t.Fatalf("instances %v, error %v", ids, err)
		}
		for _, id := range ids[1:] {
			again, err := Capture(t.Context(), db, id)
			if err != nil {
				t.Fatal(err)
			}
			if again.Bytes() != captured.Bytes() || again.IDs != captured.IDs || len(again.Tables) != len(captured.Tables) {
				t.Errorf("instance %s has %d bytes and %d ids, want %d and %d", id, again.Bytes(), again.IDs, captured.Bytes(), captured.IDs)
			}
		}
	})
}

func TestNewWriterRefusesAnEmptyShape(t *testing.T) {
	if _, err := NewWriter(Shape{}, &store.Dialect{}); err == nil {
		t.Error("a writer of nothing")
	}
}

func TestSuffixesDiffer(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]{7}$`)
	seen := make(map[string]uint64)
	for n := uint64(1); n <= 200_000; n++ {
		s := suffix(n)
		if !form.MatchString(s) {
			t.Fatalf("suffix %d is %q", n, s)
		}
		if before := seen[s]; before != 0 {
			t.Fatalf("suffixes %d and %d are both %q", before, n, s)
		}
		seen[s] = n
	}
}
