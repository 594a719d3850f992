package operation_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"castellan/internal/server"
	"castellan/tests/kit"
)

// TestSecondStart keeps the data, the master key and its mode, and goes on where the first ended.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		p := b.Exec(t)
		first := p.Create(t, kit.WithKey(kit.Machine("First")))
		p.Stop(t)
		key := filepath.Join(b.Dir, "master.key")
		before, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the master key: %v %v", info.Mode(), err)
		}
		p = b.Exec(t)
		second := p.Create(t, kit.Machine("Second"))
		for _, made := range []string{first.GetInstanceId(), second.GetInstanceId()} {
			if _, a := p.Get(t, made); a.Code != codes.OK {
				t.Errorf("instance %s after the second start: %v", made, a)
			}
		}
		if first.GetInstanceId() >= second.GetInstanceId() {
			t.Errorf("ids do not ascend: %s, then %s", first.GetInstanceId(), second.GetInstanceId())
		}
		p.Stop(t)
		if after, err := os.ReadFile(key); err != nil || string(after) != string(before) {
			t.Errorf("the master key has changed: %v", err)
		}
	})
}

// TestOtherMasterKey: without the master key the instances cannot be used, so the program says so
// instead of starting with another one.
func TestOtherMasterKey(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		n.Create(t, kit.Machine("Acme"))
		n.Stop(t)
		key := filepath.Join(b.Dir, "master.key")
		if err := os.Rename(key, key+".away"); err != nil {
			t.Fatal(err)
		}
		checkNoStart(t, b, "is missing")
		if _, err := os.Stat(key); err == nil {
			t.Error("a new master key was made for an old database")
		}
		other := kit.NewBackend(t, "sqlite")
		other.Start(t, nil).Stop(t)
		if err := os.Rename(filepath.Join(other.Dir, "master.key"), key); err != nil {
			t.Fatal(err)
		}
		checkNoStart(t, b, "another master key")
		if err := os.Rename(key+".away", key); err != nil {
			t.Fatal(err)
		}
		b.Start(t, nil)
	})
}

// checkNoStart checks that a node does not start, and says why.
func checkNoStart(t *testing.T, b *kit.Backend, why string) {
	t.Helper()
	s, err := server.New(t.Context(), b.Config(), slog.New(slog.DiscardHandler), kit.Version)
	if err == nil {
		t.Errorf("started at %s, although the master key %s", s.Addr(), why)
	} else if !strings.Contains(err.Error(), why) {
		t.Errorf("%v, want it to say: %s", err, why)
	}
}
