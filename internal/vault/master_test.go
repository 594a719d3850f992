package vault

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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
			_, err := LoadMasterKey(path, nil)
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
