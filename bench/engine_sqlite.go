package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"castellan/internal/store"
	"castellan/internal/store/sqlite"
)

// files are SQLite databases in one folder.
type files struct{ dir string }

func (files) title() string { return "SQLite" }
func (files) shared() bool  { return false }

func (e files) at(name string) place {
	return place{name: name, url: "sqlite://" + filepath.Join(e.dir, name+".db"), key: filepath.Join(e.dir, name+".key")}
}

// path returns the file of a database.
func (files) path(p place) string { return strings.TrimPrefix(p.url, "sqlite://") }

func (e files) fresh(_ context.Context, name string) (place, error) { return e.at(name), nil }

func (e files) twin(_ context.Context, of place, name string) (place, error) {
	p := e.at(name)
	if _, err := os.Stat(e.path(of) + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return place{}, errors.Join(fmt.Errorf("database %s is in use", of.name), err)
	}
	return p, copyFile(e.path(of), e.path(p))
}

// copyFile copies a file to the disk.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

func (files) settle(context.Context, place) error { return nil }

func (e files) size(_ context.Context, p place) (n int64, err error) {
	all, err := filepath.Glob(e.path(p) + "*") // the log and its index, should they be there
	if err != nil {
		return 0, err
	}
	for _, path := range all {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

func (e files) open(ctx context.Context, p place) (store.DB, error) {
	return opened(sqlite.Open(ctx, sqlite.Config{Path: e.path(p)}))
}

// opened makes a nil engine a nil interface.
func opened[D store.DB](db D, err error) (store.DB, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}

func (e files) log(_ context.Context, p place, work func() error) (traffic, error) {
	before, err := readWAL(e.path(p) + "-wal")
	if err == nil {
		err = work()
	}
	if err != nil {
		return traffic{}, err
	}
	after, err := readWAL(e.path(p) + "-wal")
	if err != nil {
		return traffic{}, err
	}
	if before.frames > 0 && before.salt != after.salt {
		return traffic{}, errors.New("the write-ahead log began anew; measure fewer transactions")
	}
	return traffic{commits: after.commits - before.commits, bytes: after.bytes() - before.bytes()}, nil
}

// wal is what a write-ahead log holds.
type wal struct {
	salt            uint64
	pageSize        int64
	frames, commits int
}

// The format of the log (sqlite.org/fileformat2.html, section 4.1).
const (
	walHeader, frameHeader = 32, 24
	walMagic               = 0x377f0682 // the last bit says how checksums are made
)

func (w wal) bytes() int64 { return int64(w.frames) * (w.pageSize + frameHeader) }

// readWAL counts the frames of a log, and those that end a transaction. A log that is missing or
// empty has none.
func readWAL(path string) (wal, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return wal{}, nil
	}
	if err != nil {
		return wal{}, err
	}
	defer f.Close()
	return scanWAL(f)
}

func scanWAL(r io.ReaderAt) (w wal, err error) {
	var head [walHeader]byte
	switch n, err := r.ReadAt(head[:], 0); {
	case n == 0 && err == io.EOF:
		return w, nil
	case err != nil:
		return w, fmt.Errorf("write-ahead log: %w", err)
	}
	if binary.BigEndian.Uint32(head[:])&^1 != walMagic {
		return w, errors.New("write-ahead log: not one of SQLite")
	}
	w.pageSize = int64(binary.BigEndian.Uint32(head[8:]))
	w.salt = binary.BigEndian.Uint64(head[16:])
	if w.pageSize < 512 || w.pageSize > 1<<16 {
		return w, fmt.Errorf("write-ahead log: a page of %d bytes", w.pageSize)
	}
	for {
		var frame [frameHeader]byte
		_, err := r.ReadAt(frame[:], walHeader+w.bytes())
		// Frames of an earlier time lie behind the last of this one.
		if err == io.EOF || err == nil && binary.BigEndian.Uint64(frame[8:]) != w.salt {
			return w, nil
		}
		if err != nil {
			return w, fmt.Errorf("write-ahead log: %w", err)
		}
		w.frames++
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // the size of the database after a commit
			w.commits++
		}
	}
}
