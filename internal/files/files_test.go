package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(path, 5); err != nil || string(text) != "12345" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Read(path, 4); err == nil || err.Error() != path+" is longer than 4 bytes" {
		t.Errorf("got %v", err)
	}
	if _, err := Read(path+"x", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if text, err := ReadAll(strings.NewReader("12345"), "standard input", 4); err == nil || text != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// What is replaced is never seen in part, and nothing is left behind when it cannot be.
func TestReplaceAndCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Create(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("other"), 0o644); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	before, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	if err := Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadAll(before, "f", 10); err != nil || string(text) != "old" {
		t.Errorf("who had it open reads %q, %v", text, err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Replace(filepath.Join(dir, "no", "f"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "folder"), nil); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
