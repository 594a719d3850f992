package usage

import (
	"context"
	"sync"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/quota"
	"castellan/internal/store"
)

// Exhausted is what who would exceed a quota is told (contract section 2.8).
var Exhausted = fault.New(fault.ResourceExhausted, "QUOTA-vjAy8", "Quota.Access.Exhausted")

// Config is what a meter needs.
type Config struct {
	DB    store.DB
	Log   *eventlog.Log
	Clock ident.Clock
	// IDs makes the ids of deliveries.
	IDs *ident.Source
}

// Meter counts. It is safe for concurrent use.
type Meter struct {
	cfg     Config
	portion int // see flushInstances

	// writing holds a token while a flush runs.
	writing chan struct{}

	mu       sync.Mutex
	counters map[key]*counter
	flushes  uint64        // how many flushes have begun
	flushed  chan struct{} // closed when the running flush ends
}

// key names a counter: a quota in one of its periods.
type key struct {
	instance ident.InstanceID
	quota    ident.QuotaID
	unit     quota.Unit
	schedule quota.Schedule // a period of another one is another period, whenever it begins
	period   int64          // microseconds
}

// counter is what is known of the use of a quota in a period. The whole is the sum of recorded,
// written and fresh.
type counter struct {
	loaded   bool   // recorded is known
	recorded uint64 // in the database, by every node, as it last was read
	written  uint64 // by this node, in the flush that is running
	fresh    uint64 // by this node, since
	touched  bool   // somebody has asked since the last flush
}

// most is how much is counted between two flushes; more is not counted. Then no sum is too big for
// the database before it has been flushed with that much for weeks.
const most = 1 << 40

// used is the whole.
func (c *counter) used() uint64 { return c.recorded + c.written + c.fresh }

// add counts n.
func (c *counter) add(n uint64) { c.fresh += min(n, most-min(c.fresh, most)) }

// New returns a meter that has counted nothing.
func New(cfg Config) *Meter {
	return &Meter{cfg: cfg, portion: flushInstances, writing: make(chan struct{}, 1), counters: make(map[key]*counter)}
}

// Admit counts one use of a quota, or returns [Exhausted] and counts nothing when the quota has a
// limit and the limit has been reached. Zero terms are no quota: nothing is counted. Nor is it before
// the first period.
//
// It writes nothing, and reads only what it does not know: the use of a limited quota that nobody
// has used since the last tick. The errors of that are those of store.DB and of ctx.
func (m *Meter) Admit(ctx context.Context, instance ident.InstanceID, t quota.Terms) error {
	k, counts := m.keyOf(instance, t)
	if !counts {
		return nil
	}
	for {
		decided, unknown, err := m.decide(k, t)
		if decided {
			return err
		}
		if err := m.load(ctx, k, unknown); err != nil {
			return err
		}
	}
}

// gap is what must be done before a counter is known.
type gap struct {
	flushes uint64        // how many flushes had begun
	ended   chan struct{} // of the flush that has some of the counter, if one has
}

// decide is Admit of a counter that is known; it has decided nothing of one that is not.
func (m *Meter) decide(k key, t quota.Terms) (decided bool, unknown gap, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counterOf(k)
	if t.Limited && !c.loaded {
		unknown.flushes = m.flushes
		if c.written > 0 {
			unknown.ended = m.flushed
		}
		return false, unknown, nil
	}
	c.touched = true
	if t.Exhausted(c.used()) {
		return true, gap{}, Exhausted
	}
	c.add(1)
	return true, gap{}, nil
}

// load makes a counter known. A flush that has some of it does so when it ends. Otherwise the database
// is asked, and its answer counts only if no flush has begun meanwhile: it might have been in the
// answer, and in the counter too.
func (m *Meter) load(ctx context.Context, k key, unknown gap) error {
	if unknown.ended != nil {
		select {
		case <-unknown.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	recorded, err := quota.Used(ctx, m.cfg.DB, k.instance, k.unit, store.Time(k.period))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.counterOf(k); !c.loaded && m.flushes == unknown.flushes {
		c.recorded, c.loaded = recorded, true
	}
	return nil
}

// Count counts n of what a quota is for, which have been used already, whatever its limit. Zero terms
// are no quota.
func (m *Meter) Count(instance ident.InstanceID, t quota.Terms, n uint64) {
	k, counts := m.keyOf(instance, t)
	if !counts || n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counterOf(k).add(n)
}

// keyOf names the counter of the running period; there is none without a quota, and before its first
// period.
func (m *Meter) keyOf(instance ident.InstanceID, t quota.Terms) (k key, counts bool) {
	if t.Quota == "" {
		return k, false
	}
	period, begun := t.Period(m.cfg.Clock.Now())
	return key{instance, t.Quota, t.Unit, t.Schedule(), store.Micros(period)}, begun
}

// counterOf returns a counter, perhaps a new one. The caller holds mu.
func (m *Meter) counterOf(k key) *counter {
	c := m.counters[k]
	if c == nil {
		c = &counter{}
		m.counters[k] = c
	}
	return c
}

// Run flushes at every tick until ctx ends, and then once more: what has been counted is kept within
// grace, or lost. failed is told of the first error of several in a row; what could not be written is
// tried again at the next tick.
func (m *Meter) Run(ctx context.Context, tick <-chan time.Time, grace time.Duration, failed func(error)) {
	failing := false
	for {
		select {
		case <-tick:
			err := m.Flush(ctx)
			if err != nil && !failing && ctx.Err() == nil {
				failed(err)
			}
			failing = err != nil
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
			defer cancel()
			if err := m.Flush(last); err != nil {
				failed(err) // also if the one before it was: this is a loss
			}
			return
		}
	}
}
