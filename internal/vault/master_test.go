package vault

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestLoadMasterKeyMakesOneAndKeepsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	path := filepath.Join(dir, "master.key")
	first, err := LoadMasterKey(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed := first.Seal([]byte("x"), nil)
	again, err := LoadMasterKey(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(sealed, nil); err != nil || again.id != first.id {
		t.Errorf("the key changed between two starts: %v", err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, dir: 0o700, filepath.Dir(dir): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %04o", name, info.Mode().Perm(), err, want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v; want the key alone", entries, err)
	}
	other, err := LoadMasterKey(filepath.Join(dir, "other.key"), nil)
	if err != nil || other.id == first.id {
		t.Errorf("another file holds the same key, %v", err)
	}
}

func TestLoadMasterKeyRace(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "master.key")
		const starters = 8
		keys := make([]*MasterKey, starters)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				<-start
				key, err := LoadMasterKey(path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				keys[i] = key
			})
		}
		close(start)
		wg.Wait()
		for i, key := range keys {
			if key == nil || key.id != keys[0].id {
				t.Fatalf("starter %d ended with another key", i)
			}
		}
	}
}

// noLinks is a file system without hard links, which says so with err.
func noLinks(err error) func(old, path string) error {
	return func(old, path string) error { return &os.LinkError{Op: "link", Old: old, New: path, Err: err} }
}

// impatient does not wait.
func impatient() bool { return false }

func TestLoadMasterKeyWithoutHardLinks(t *testing.T) {
	for _, e := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		path := filepath.Join(t.TempDir(), "data", "master.key")
		first, err := loadMasterKey(path, nil, noLinks(e), impatient)
		if err != nil {
			t.Errorf("%v: %v", e, err)
			continue
		}
		again, err := LoadMasterKey(path, nil)
		if err != nil || again.id != first.id {
			t.Errorf("%v: the key changed between two starts: %v", e, err)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || len(entries) != 1 || info.Mode().Perm() != 0o600 {
			t.Errorf("%v: the directory holds %v, %v, %v; want the key alone, mode 0600", e, entries, err, statErr)
		}
	}
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := loadMasterKey(path, nil, noLinks(syscall.EACCES), impatient); !errors.Is(err, syscall.EACCES) {
		t.Errorf("another error of a link becomes %v", err)
	}
}

func TestLoadMasterKeyRaceWithoutHardLinks(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "master.key")
		const starters = 8
		ids := make(chan [masterIDSize]byte, starters)
		start := make(chan struct{})
		for range starters {
			go func() {
				<-start
				key, err := loadMasterKey(path, nil, noLinks(syscall.EPERM), waiter(time.Minute))
				if err != nil {
					t.Error(err)
					key = NewMasterKey([KeySize]byte{}, nil)
				}
				ids <- key.id
			}()
		}
		close(start)
		first := <-ids
		for range starters - 1 {
			if id := <-ids; id != first {
				t.Fatal("two starters ended with different keys")
			}
		}
	}
}

// A file that another process is writing is read when it is whole; one that nobody goes on writing
// is an error in the end.
func TestLoadMasterKeyWaitsForTheWriter(t *testing.T) {
	line := masterPrefix + base64.StdEncoding.EncodeToString(make([]byte, KeySize)) + "\n"
	want := NewMasterKey([KeySize]byte{}, nil)
	for n := range len(line) {
		path := filepath.Join(t.TempDir(), "master.key")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(line[:n])
		waits := 0
		key, err := loadMasterKey(path, nil, os.Link, func() bool {
			if waits++; waits == 3 {
				write(line)
			}
			return waits <= 3
		})
		if err != nil || key.id != want.id {
			t.Errorf("%d bytes, then all: %v", n, err)
		}
		// A key is whole without its line's end: other programs leave that out.
		if whole := n == len(line)-1; whole != (waits == 0) {
			t.Errorf("%d bytes: waited %d times", n, waits)
		}
		write(line[:n])
		if _, err := loadMasterKey(path, nil, os.Link, impatient); n < len(line)-1 && !errors.Is(err, errUnfinished) {
			t.Errorf("%d bytes: err = %v", n, err)
		}
	}
	path := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(path, []byte(masterPrefix+"????"), 0o600); err != nil {
		t.Fatal(err)
	}
	wait, waits := waiter(3*glance), 0
	_, err := loadMasterKey(path, nil, os.Link, func() bool { waits++; return wait() })
	if !errors.Is(err, errUnfinished) || waits != 4 {
		t.Errorf("after %d waits: %v; waiting must end", waits, err)
	}
}

func TestLoadMasterKeyRefuses(t *testing.T) {
	good := masterPrefix + base64.StdEncoding.EncodeToString(make([]byte, KeySize)) + "\n"
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string // part of the error; empty for a good file
	}{
		{"good", good, 0o600, ""},
		{"read-only", good, 0o400, ""},
		{"without prefix", strings.TrimPrefix(good, masterPrefix), 0o600, ""},
		{"without newline", strings.TrimSpace(good), 0o600, ""},
		{"readable by group", good, 0o640, "mode 0640 lets others at it; run: chmod 600 "},
		{"readable by all", good, 0o644, "mode 0644"},
		{"writable by others", good, 0o602, "mode 0602"},
		{"empty", "", 0o600, "empty"},
		{"only the prefix", masterPrefix + "\n", 0o600, "empty"},
		{"short", masterPrefix + base64.StdEncoding.EncodeToString(make([]byte, 31)), 0o600, "31 bytes"},
		{"long", masterPrefix + base64.StdEncoding.EncodeToString(make([]byte, 33)), 0o600, "33 bytes"},
		{"hex", strings.Repeat("0g", 32), 0o600, "bytes"},
		{"not base64", "!" + good, 0o600, "not base64"},
		{"two lines", good + good, 0o600, "more than one line"},
		{"huge", strings.Repeat("A", maxMasterFile+1), 0o600, "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "master.key")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := loadMasterKey(path, nil, os.Link, impatient)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("err = %v, want %q", err, tt.want)
			case err != nil && !strings.Contains(err.Error(), path):
				t.Errorf("err = %v does not name the file", err)
			}
		})
	}
	if _, err := LoadMasterKey(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: err = %v", err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMasterKey(filepath.Join(blocked, "master.key"), nil); err == nil {
		t.Error("made a key below a file")
	}
}

func FuzzParseMasterKey(f *testing.F) {
	f.Add([]byte(masterPrefix + base64.StdEncoding.EncodeToString(make([]byte, KeySize)) + "\n"))
	f.Add([]byte("AAAA"))
	f.Add([]byte(masterPrefix + masterPrefix))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := parseMasterKey(text)
		if err != nil {
			return
		}
		again, err := parseMasterKey([]byte(masterPrefix + base64.StdEncoding.EncodeToString(key[:])))
		if err != nil || again != key {
			t.Errorf("%q: does not survive writing, %v", text, err)
		}
	})
}
