package main

import (
	"context"

	"castellan/internal/store"
)

// place is one database.
type place struct {
	name string
	url  string // as castellan takes it
	key  string // file of the master key
}

// traffic is what was written to a database's log in some time.
type traffic struct {
	commits int
	bytes   int64
}

// engine is where databases lie. Databases that are opened, copied or measured here are in use
// by nobody else at that time, except for log.
type engine interface {
	// title names the engine for readers.
	title() string
	// shared says that several nodes can serve one database.
	shared() bool
	// fresh makes an empty database.
	fresh(ctx context.Context, name string) (place, error)
	// twin copies a database.
	twin(ctx context.Context, of place, name string) (place, error)
	// settle lets the engine finish what it does after many writes.
	settle(ctx context.Context, p place) error
	// size returns the bytes the database takes on the disk.
	size(ctx context.Context, p place) (int64, error)
	// open opens a database with castellan's own engine.
	open(ctx context.Context, p place) (store.DB, error)
	// log reads what the work writes to the write-ahead log of a database that is in use.
	log(ctx context.Context, p place, work func() error) (traffic, error)
}
