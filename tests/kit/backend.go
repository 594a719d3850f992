package kit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"castellan/internal/store/storetest"
)

// Backend is an empty database of a test, and a folder for the files of the programs on it.
type Backend struct {
	// Engine is sqlite or postgres.
	Engine string
	// URL is what the setting databaseURL takes.
	URL string
	// Dir holds the master key and whatever else a test puts there.
	Dir string
}

// MultiNode reports whether several nodes can run on the database at the same time.
func (b *Backend) MultiNode() bool { return b.Engine == "postgres" }

// engines are the databases the program runs on; CASTELLAN_TEST_ENGINES leaves some out, as in
// package storetest.
func engines(t testing.TB) []string {
	all := []string{"sqlite", "postgres"}
	left := os.Getenv("CASTELLAN_TEST_ENGINES")
	if left == "" {
		return all
	}
	return slices.DeleteFunc(all, func(name string) bool {
		out := !slices.Contains(strings.Split(left, ","), name)
		if out {
			t.Logf("not run on %s: CASTELLAN_TEST_ENGINES is %q", name, left)
		}
		return out
	})
}

// NewBackend returns a fresh database of an engine, sqlite or postgres.
func NewBackend(t testing.TB, engine string) *Backend {
	t.Helper()
	b := &Backend{Engine: engine, Dir: t.TempDir()}
	if engine == "sqlite" {
		b.URL = "sqlite://" + filepath.Join(b.Dir, "castellan.db")
		return b
	}
	b.URL = storetest.PostgresURL(t)
	return b
}

// EachBackend runs fn as a parallel subtest on a fresh database of every engine.
func EachBackend(t *testing.T, fn func(t *testing.T, b *Backend)) {
	t.Helper()
	for _, engine := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, NewBackend(t, engine))
		})
	}
}

// OnPostgres runs fn on a fresh PostgreSQL database, unless that engine is left out.
func OnPostgres(t *testing.T, fn func(t *testing.T, b *Backend)) {
	t.Helper()
	t.Parallel()
	if !slices.Contains(engines(t), "postgres") {
		t.Skip("needs PostgreSQL")
	}
	fn(t, NewBackend(t, "postgres"))
}
