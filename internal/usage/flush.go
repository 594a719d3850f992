package usage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/quota"
	"castellan/internal/store"
)

// actor is who appends events that nobody has asked for.
const actor ident.Actor = "castellan"

// flushInstances is how many instances one transaction writes of at most. Each takes a lock, of which
// a PostgreSQL server has some thousands, and some more in memory it keeps for all its sessions.
const flushInstances = 1000

// Flush writes what has been counted, of at most flushInstances in one transaction, and appends the
// notifications that have become due by it. Nothing is written when nothing has been counted. A
// transaction that fails keeps no other from being written; what it had is not lost, but written with the
// next flush. Flush returns the errors of store.DB, joined.
func (m *Meter) Flush(ctx context.Context) error {
	select {
	case m.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-m.writing }()

	uses := m.take()
	if len(uses) == 0 {
		return nil
	}
	slices.SortFunc(uses, func(a, b quota.Use) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Unit, b.Unit), a.Period.Compare(b.Period))
	})
	defer close(m.flushed)
	var failed []error
	for len(uses) > 0 {
		var part []quota.Use
		part, uses = portion(uses, m.portion)
		tallies, err := m.write(ctx, part)
		m.settle(part, tallies, err)
		if err != nil {
			failed = append(failed, fmt.Errorf("write what %d quotas have been used: %w", len(part), err))
		}
	}
	return errors.Join(failed...)
}

// portion divides uses, which are sorted, after those of some instances.
func portion(uses []quota.Use, instances int) (part, rest []quota.Use) {
	for i := range uses {
		if i > 0 && uses[i].Instance != uses[i-1].Instance {
			if instances--; instances == 0 {
				return uses[:i], uses[i:]
			}
		}
	}
	return uses, nil
}

// take returns what is to be written, and drops the counters that nobody has asked for. When there is
// something, a flush has begun: flushed is to be closed when it ends.
func (m *Meter) take() []quota.Use {
	m.mu.Lock()
	defer m.mu.Unlock()
	var uses []quota.Use
	for k, c := range m.counters {
		if c.fresh == 0 && !c.touched {
			delete(m.counters, k)
			continue
		}
		c.touched = false
		if c.fresh == 0 {
			continue
		}
		uses = append(uses, quota.Use{
			Instance: k.instance, Quota: k.quota, Unit: k.unit, Schedule: k.schedule, Period: store.Time(k.period),
			Amount: c.fresh,
		})
		c.written, c.fresh = c.fresh, 0
	}
	m.flushes++
	if len(m.counters) == 0 {
		m.counters = make(map[key]*counter) // a map keeps the size it once had
	}
	if len(uses) > 0 {
		m.flushed = make(chan struct{})
	}
	return uses
}

// settle takes note of how a transaction of the flush ended.
func (m *Meter) settle(uses []quota.Use, tallies []quota.Tally, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, u := range uses {
		c := m.counters[key{u.Instance, u.Quota, u.Unit, u.Schedule, store.Micros(u.Period)}]
		if err != nil {
			c.add(c.written)
		} else {
			// Of what is no more nothing is known: should it come back, the database is asked.
			c.recorded, c.loaded = tallies[i].Used, tallies[i].Quota.Exists()
		}
		c.written = 0
	}
}

// write adds uses, which are sorted, to what has been used, and returns a tally for each.
func (m *Meter) write(ctx context.Context, uses []quota.Use) ([]quota.Tally, error) {
	f := &flush{meter: m, uses: uses, of: make(map[ident.InstanceID][]int)}
	for i, u := range uses {
		if f.of[u.Instance] == nil {
			f.instances = append(f.instances, u.Instance)
		}
		f.of[u.Instance] = append(f.of[u.Instance], i)
	}
	for {
		err := m.cfg.Log.WriteEach(ctx, f.instances, actor, f.instance)
		if errors.Is(err, errIDs) {
			// Ids are not made within a transaction. That notifications are due is rare, and how many
			// is known only now.
			f.ids, err = m.cfg.IDs.Next(ctx, f.due)
			if err == nil {
				continue
			}
		}
		return f.tallies, err
	}
}

// errIDs undoes a transaction that lacks ids.
var errIDs = errors.New("usage: more deliveries are due than there are ids")

// flush is one transaction. It may run more than once.
type flush struct {
	meter     *Meter
	uses      []quota.Use
	instances []ident.InstanceID         // of uses, sorted
	of        map[ident.InstanceID][]int // the uses of an instance
	ids       []string                   // for deliveries

	tallies []quota.Tally // of uses
	due     int           // deliveries so far, perhaps more than ids
}

// instance is the part of the transaction for one instance. The uses of all are recorded with the
// first: so they take the round trips of one.
func (f *flush) instance(ctx context.Context, w *eventlog.Writer) (err error) {
	if w.Instance() == f.instances[0] {
		f.due = 0
		if f.tallies, err = quota.Record(ctx, w, f.meter.cfg.DB.Dialect(), f.uses); err != nil {
			return err
		}
	}
	states := make(map[ident.QuotaID]quota.State)
	for _, i := range f.of[w.Instance()] {
		s, again := states[f.uses[i].Quota] // a quota may have been used in two periods
		if !again {
			s = f.tallies[i].Quota
		}
		if states[f.uses[i].Quota], err = f.notify(ctx, w, s, f.uses[i].Period, f.tallies[i].Used); err != nil {
			return err
		}
	}
	if w.Instance() == f.instances[len(f.instances)-1] && f.due > len(f.ids) {
		return errIDs
	}
	return nil
}

// notify appends the notifications that are due now, and puts them up for delivery as long as there
// are ids. It returns the quota as it is afterwards.
func (f *flush) notify(ctx context.Context, w *eventlog.Writer, s quota.State, period time.Time, used uint64) (quota.State, error) {
	if !s.Exists() {
		return s, nil
	}
	due := s.Reached(period, used)
	if len(due) == 0 {
		return s, nil
	}
	after, err := eventlog.Append(ctx, w, quota.Noun, s, due...)
	if errors.Is(err, eventlog.ErrNoInstance) {
		return s, nil // it has been removed, and what it has left goes soon
	}
	if err != nil {
		return s, err
	}
	for _, p := range due {
		f.due++
		if f.due > len(f.ids) {
			continue
		}
		n := p.(quota.NotificationDue)
		body, err := json.Marshal(n) // contract section 2.8
		if err != nil {
			return s, fmt.Errorf("encode a notification: %w", err)
		}
		message := delivery.Due{Kind: "quota", URL: n.CallURL, ContentType: "application/json", Body: body}
		if err := delivery.Enqueue(ctx, w, ident.DeliveryID(f.ids[f.due-1]), message); err != nil {
			return s, err
		}
	}
	return after, nil
}
