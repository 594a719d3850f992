package audit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Defaults of a [Config].
const (
	// Queue is how many calls that are not written down yet there can be.
	Queue = 10_000
	// Interval is how long an entry waits for others to be written with it.
	Interval = 500 * time.Millisecond
	// Retention is how long entries are kept.
	Retention = 400 * 24 * time.Hour
)

// lastWrite is how long the entries that are left may take to be written when the log stops.
const lastWrite = 5 * time.Second

// Config is what a Log needs. DB, Clock and Logger have no default.
type Config struct {
	DB    store.DB
	Clock ident.Clock
	// Logger is told when entries cannot be written, and takes those that never could.
	Logger *slog.Logger
	// Retention is how long entries are kept, see [Log.Sweep]; 0: for ever.
	Retention time.Duration
	// Queue and Interval are those of the package when 0.
	Queue    int
	Interval time.Duration
	// Random makes the numbers of this process differ from those of others; the system's
	// source when nil.
	Random io.Reader
}

// Log writes the audit log of a node. It is safe for concurrent use.
type Log struct {
	config Config
	places chan struct{} // holds one for each place of the queue that is taken
	wake   chan struct{} // holds one when there is something to write
	// refusals has when an entry was last written of those that can come without end.
	refusals *otter.Cache[refusal, time.Time]

	writing sync.Mutex // one flush at a time

	mu      sync.Mutex
	pending []numbered // waiting to be written, oldest first
	number  int64      // of the newest entry
	stopped bool       // nobody writes any more
}

// numbered is an entry with the number that tells it from others of the same microsecond.
type numbered struct {
	Entry
	number int64
}

// New returns a log that writes once [Log.Run] runs, or when [Log.Flush] is called.
func New(config Config) (*Log, error) {
	if config.Queue == 0 {
		config.Queue = Queue
	}
	if config.Interval == 0 {
		config.Interval = Interval
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	// Numbers go up from a random one, so that two nodes do not meet, and an entry that is
	// written again after a connection broke is known.
	var first [8]byte
	if _, err := io.ReadFull(config.Random, first[:]); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &Log{
		config: config,
		places: make(chan struct{}, config.Queue),
		wake:   make(chan struct{}, 1),
		number: int64(binary.BigEndian.Uint64(first[:]) >> 2),

		refusals: newRefusals(),
	}, nil
}

// Slot is a place in the queue, for one entry. The zero Slot is none. A Slot is for one goroutine.
type Slot struct{ log *Log }

// Reserve takes a place in the queue, and waits for one when all are taken. It returns the error
// of ctx when that ends first; then there is no place.
func (l *Log) Reserve(ctx context.Context) (Slot, error) {
	select {
	case l.places <- struct{}{}:
		return Slot{log: l}, nil
	default:
	}
	select {
	case l.places <- struct{}{}:
		return Slot{log: l}, nil
	case <-ctx.Done():
		return Slot{}, ctx.Err()
	}
}

// Held reports whether the slot is a place that is not used up.
func (s *Slot) Held() bool { return s.log != nil }

// Record puts an entry into the place, which is used up then. It never waits. Nothing happens
// when there is no place.
func (s *Slot) Record(e Entry) {
	if s.log != nil {
		s.log.record(e)
		s.log = nil
	}
}

// Release gives a place back that is not needed. Nothing happens when there is none.
func (s *Slot) Release() {
	if s.log != nil {
		<-s.log.places
		s.log = nil
	}
}

// record queues an entry.
func (l *Log) record(e Entry) {
	l.mu.Lock()
	if l.stopped {
		l.mu.Unlock()
		l.forsake(e)
		return
	}
	l.number++
	l.pending = append(l.pending, numbered{Entry: e.bounded(), number: l.number})
	l.mu.Unlock()
	l.signal()
}

// signal wakes the one who writes, if it sleeps.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Len is how many entries wait to be written.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending)
}

// Run writes entries until ctx ends, then those that are left. It sleeps while there are none.
// It returns nil, or the error of the last write; then those entries are in the log of the
// process. After Run has returned, entries go there too.
func (l *Log) Run(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return l.stop(ctx)
		case <-l.wake:
		}
		pause.Reset(l.config.Interval) // others may come along
		select {
		case <-ctx.Done():
			return l.stop(ctx)
		case <-pause.C:
		}
		err := l.Flush(ctx)
		if err != nil {
			if !failed && ctx.Err() == nil { // once for each outage
				l.config.Logger.WarnContext(ctx, "the audit log cannot be written; trying again", "error", err)
			}
			l.signal()
		}
		failed = err != nil
	}
}

// insertSQL writes one entry. One that is there already was written by a transaction whose
// outcome could not be learnt.
const insertSQL = `INSERT INTO audit_log (number, at, actor, actor_instance_id, method, protocol, instance_id,
 remote_address, request_id, outcome, duration)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`

// Flush writes all entries that are waiting, in one transaction. It returns the errors of
// store.DB.Update; then they wait on.
func (l *Log) Flush(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	batch := l.pending
	l.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := l.config.DB.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		for _, e := range batch {
			if err := tx.Exec(ctx, insertSQL, append([]any{e.number}, e.row()...)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %d entries of the audit log: %w", len(batch), err)
	}
	l.take(len(batch))
	return nil
}

// take removes the oldest n entries from the queue and frees their places.
func (l *Log) take(n int) []numbered {
	l.mu.Lock()
	taken := l.pending[:n]
	l.pending = slices.Clone(l.pending[n:])
	l.mu.Unlock()
	for range n {
		<-l.places
	}
	return taken
}

// stop writes what is left, and sends what cannot be written, now and later, to the log of the
// process.
func (l *Log) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	err := l.Flush(ctx)
	l.mu.Lock()
	l.stopped = true
	left := len(l.pending)
	l.mu.Unlock()
	for _, e := range l.take(left) {
		l.config.Logger.ErrorContext(ctx, "an entry of the audit log could not be written", "entry", e.Entry)
	}
	return err
}

// forsake sends the entry of a call that outlived the log to the log of the process.
func (l *Log) forsake(e Entry) {
	<-l.places
	l.config.Logger.Error("an entry of the audit log came after its end", "entry", e)
}
