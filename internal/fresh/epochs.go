package fresh

import (
	"context"
	"runtime"
	"sync"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// readLimit ends a read of epochs, for others wait for it: a connection that is stuck is to hold up nobody for
// longer, however long they would wait themselves.
const readLimit = 5 * time.Second

// Epochs reads the epochs of instances for all caches of a node. It is safe for concurrent use.
type Epochs struct {
	db  store.DB
	log *eventlog.Log

	uses sync.Map // of statements: string -> usesFound

	mu      sync.Mutex
	reading bool   // somebody reads
	next    *batch // who has to wait for the read after that; nil for nobody
}

// batch is the questions that one statement answers.
type batch struct {
	asked   []ident.InstanceID
	waiting int
	done    chan struct{} // closed when the rest is set
	found   map[ident.InstanceID]eventlog.Epochs
	err     error
}

// NewEpochs returns the epochs of a database. log knows which tables are kept.
func NewEpochs(db store.DB, log *eventlog.Log) *Epochs { return &Epochs{db: db, log: log} }

// reading is what is known of an instance.
type reading struct {
	epochs eventlog.Epochs
	exists bool // there is such an instance
	// version is that of the database, plus one, at some time before the epochs were read; 0 when it is not
	// known.
	version uint64
}

// of returns the epochs of an instance, as they are at some time after it was called; a request that has
// asked already is told the same. It returns the errors of store.DB.
func (e *Epochs) of(ctx context.Context, instance ident.InstanceID) (reading, error) {
	m := eventlog.MomentOf(ctx)
	now, known, writes := m.Epochs(instance)
	if known {
		return reading{epochs: now, exists: true}, nil
	}
	r := reading{version: e.version()}
	var err error
	if r.epochs, r.exists, err = e.ask(ctx, instance); r.exists && err == nil {
		m.Note(instance, r.epochs, writes)
	}
	return r, err
}

// version returns the version of the database plus one, or 0 when the engine has none.
func (e *Epochs) version() uint64 {
	v, ok := e.db.Version()
	if !ok {
		return 0
	}
	return v + 1
}

// ask is of for those who have not asked yet.
//
// The first who asks reads for itself. Who asks while somebody reads cannot use what that one will find: its
// statement may have begun before a write that was answered since. All of these share the next statement.
func (e *Epochs) ask(ctx context.Context, instance ident.InstanceID) (now eventlog.Epochs, exists bool, err error) {
	e.mu.Lock()
	if !e.reading {
		e.reading = true
		e.mu.Unlock()
		defer e.proceed()
		ctx, cancel := context.WithTimeout(ctx, readLimit) // others wait for its end, to read themselves
		defer cancel()
		found, err := e.log.Epochs(ctx, e.db, instance)
		now, exists = found[instance]
		return now, exists, err
	}
	b := e.join(instance)
	e.mu.Unlock()
	select {
	case <-b.done:
		now, exists = b.found[instance]
		return now, exists, b.err
	case <-ctx.Done():
		return eventlog.Epochs{}, false, ctx.Err()
	}
}

// join adds a question to the next statement.
func (e *Epochs) join(instance ident.InstanceID) *batch {
	if e.next == nil {
		e.next = &batch{done: make(chan struct{})}
	}
	b := e.next
	b.waiting++
	for _, id := range b.asked[max(0, len(b.asked)-lookBack):] {
		if id == instance {
			return b
		}
	}
	b.asked = append(b.asked, instance)
	return b
}

// lookBack is how many questions before are compared with a new one. One that is asked twice costs less
// than to compare it with a thousand others.
const lookBack = 16

// proceed makes those be read for who wait, if any, when a read has ended.
func (e *Epochs) proceed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.next == nil {
		e.reading = false
		return
	}
	go e.readAll()
}

// readAll reads for those who wait until there are none.
func (e *Epochs) readAll() {
	for {
		e.gather()
		e.mu.Lock()
		b := e.next
		e.next = nil
		e.reading = b != nil
		e.mu.Unlock()
		if b == nil {
			return
		}
		e.read(b)
	}
}

// mostGathering is how often a reader lets others go first, at most.
const mostGathering = 8

// gather lets those go first who are about to ask, as long as more of them join: the more share a statement,
// the fewer there are. On a machine that has nothing else to do it returns at once.
func (e *Epochs) gather() {
	before := -1
	for range mostGathering {
		e.mu.Lock()
		now := 0
		if e.next != nil {
			now = e.next.waiting
		}
		e.mu.Unlock()
		if now == before {
			return
		}
		before = now
		runtime.Gosched()
	}
}

// read answers a batch.
func (e *Epochs) read(b *batch) {
	defer close(b.done)
	ctx, cancel := context.WithTimeout(context.Background(), readLimit) // of none of those who wait
	defer cancel()
	b.found, b.err = e.log.Epochs(ctx, e.db, b.asked...)
}
