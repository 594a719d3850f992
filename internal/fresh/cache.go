package fresh

import (
	"context"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"castellan/internal/eventlog"
	"castellan/internal/flight"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Cache keeps values of instances by keys. A value is shared by all who are given it: nobody may change it.
// It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	epochs  *Epochs
	entries *otter.Cache[K, *entry]
	loads   flight.Group[load[K], V]
}

// entry is a value and when it was read. It is of one type whatever the value is, or the cache below would be compiled
// once for each type.
type entry struct {
	instance ident.InstanceID
	value    any
	at       eventlog.Epochs   // as they were before it was read
	uses     eventlog.EpochSet // those of the tables it was read from
	// unread says that the epochs are not known: the value is good for nobody but the one it was read
	// for, and the entry says which instance to ask about.
	unread bool
	// version is a version of the database at which the entry was valid, or 0, see reading.
	version atomic.Uint64
}

// newEntry returns an entry for a value that was read after its epochs were.
func newEntry(instance ident.InstanceID, v any, r reading, uses eventlog.EpochSet) *entry {
	e := &entry{instance: instance, value: v, at: r.epochs, uses: uses}
	e.version.Store(r.version)
	return e
}

// unchanged reports whether an entry is valid because nothing at all was committed since it was. version is
// that of now.
func (e *entry) unchanged(version uint64) bool { return version != 0 && e.version.Load() == version }

// valid reports whether nothing has changed that an entry was made of.
func (e *entry) valid(r reading) bool {
	if e.unread || r.epochs.Since(e.at).Has(e.uses) {
		return false
	}
	if r.version != 0 {
		e.version.Store(r.version)
	}
	return true
}

// load is a read that may be shared: of a key, at some epochs. Whoever has seen these epochs may use what a
// read of it finds that began earlier, for nothing has changed in between.
type load[K comparable] struct {
	key K
	at  eventlog.Epochs
}

// NewCache returns an empty cache of at most size values.
func NewCache[K comparable, V any](epochs *Epochs, size int) *Cache[K, V] {
	return &Cache[K, V]{
		epochs:  epochs,
		entries: otter.Must(&otter.Options[K, *entry]{MaximumSize: size}),
	}
}

// Get returns the value of a key of an instance: one that is kept, or what read returns. Keys of two
// instances must differ. read reads with q alone, from tables that may be kept. An error is not kept.
//
// It returns the error of read, and those of store.DB.
func (c *Cache[K, V]) Get(ctx context.Context, instance ident.InstanceID, key K,
	read func(ctx context.Context, q store.Querier) (V, error),
) (V, error) {
	kept, ok := c.entries.GetIfPresent(key)
	if ok && kept.unchanged(c.epochs.version()) {
		return kept.value.(V), nil
	}
	r, err := c.epochs.of(ctx, instance)
	switch {
	case err != nil:
		var zero V
		return zero, err
	case !r.exists:
		c.entries.Invalidate(key)
		return read(ctx, c.epochs.db)
	case ok && kept.valid(r):
		return kept.value.(V), nil
	}
	return c.loads.Do(ctx, load[K]{key, r.epochs}, func(ctx context.Context) (V, error) {
		// Another may have read since this one looked.
		if kept, ok := c.entries.GetIfPresent(key); ok && kept.valid(r) {
			return kept.value.(V), nil
		}
		q := c.epochs.watch()
		v, err := read(ctx, q)
		if err == nil {
			c.entries.Set(key, newEntry(instance, v, r, q.uses))
		}
		return v, err
	})
}

// Find is [Cache.Get] for a key of which it is not known whose it is: read returns the instance too. The
// first time somebody asks for a key costs no more than the read; what is found is kept from the second
// time on.
func (c *Cache[K, V]) Find(ctx context.Context, key K,
	read func(ctx context.Context, q store.Querier) (V, ident.InstanceID, error),
) (V, error) {
	kept, ok := c.entries.GetIfPresent(key)
	if ok && kept.unchanged(c.epochs.version()) {
		return kept.value.(V), nil
	}
	var r reading
	if ok {
		var err error
		if r, err = c.epochs.of(ctx, kept.instance); err != nil {
			var zero V
			return zero, err
		}
		if r.exists && kept.valid(r) {
			return kept.value.(V), nil
		}
	}
	q := c.epochs.watch()
	v, instance, err := read(ctx, q)
	switch {
	case err != nil:
		c.entries.Invalidate(key)
	case r.exists && instance == kept.instance:
		c.entries.Set(key, newEntry(instance, v, r, q.uses))
	default:
		c.entries.Set(key, &entry{instance: instance, unread: true})
	}
	return v, err
}

// Stale returns a value that was kept for a key once, whether or not it has changed since. A read may take
// from it what cannot change.
func (c *Cache[K, V]) Stale(key K) (V, bool) {
	if e, ok := c.entries.GetIfPresent(key); ok && !e.unread {
		return e.value.(V), true
	}
	var zero V
	return zero, false
}
