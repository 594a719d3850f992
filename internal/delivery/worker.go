package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"castellan/internal/egress"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// How a node works.
const (
	// Slots is how many messages a node sends at the same time.
	Slots = 8
	// PerInstance is how many of them are of one instance: a receiver that does not answer holds
	// up no more.
	PerInstance = 2
	// Tick is how long a worker does not look without a cause. A signal of a commit may get lost.
	Tick = 10 * time.Second
)

// IDHeader is the header in which a message carries the id of its delivery, the same in every
// attempt: by it a receiver knows a message that arrives twice.
const IDHeader = "Castellan-Delivery-Id"

// Worker is the actor of the events that workers write.
const worker ident.Actor = "castellan"

// Worker sends what is due, of all instances. Each node has one.
type Worker struct {
	Deliveries *Service
	Client     *egress.Client
	Clock      ident.Clock
	// Random spreads attempts in time, see [Fail].
	Random io.Reader
	// Logger takes what operators should know; no URL and nothing of an answer is in it.
	Logger *slog.Logger
	// Pause is how long after a look no commit makes the worker look again: on a busy server most
	// commits are not about it. A message may wait for as long.
	Pause time.Duration
	// Alarm returns a channel that receives once Clock shows a time, and how to stop that; nil uses
	// a timer.
	Alarm func(at time.Time) (ring <-chan time.Time, stop func())

	succeeded, failed atomic.Uint64
}

// Succeeded is how many messages this worker has seen arrive.
func (w *Worker) Succeeded() uint64 { return w.succeeded.Load() }

// Failed is how many attempts of this worker have failed.
func (w *Worker) Failed() uint64 { return w.failed.Load() }

// Run sends what is due until stopping is closed, and then returns as soon as the attempts under
// way have ended, within egress.DefaultTimeout and the time a write takes. When ctx ends they
// are cut off: they are made again when their leases end. Connections of Client are closed at the
// end. Run must not be called twice at the same time on one Worker.
func (w *Worker) Run(ctx context.Context, stopping <-chan struct{}) {
	commits, unsubscribe := w.Deliveries.DB.Committed()
	defer unsubscribe()
	r := &run{
		Worker: w, commits: commits, stopping: stopping,
		busy: make(map[ident.InstanceID]int), served: make(map[ident.InstanceID]bool),
		ended: make(chan ident.InstanceID),
	}
	for !r.stops(ctx) {
		r.wait(ctx, r.look(ctx))
	}
	for r.sending > 0 {
		r.release(<-r.ended)
	}
	w.Client.Close()
}

// run is what the one goroutine that hands out slots knows.
type run struct {
	*Worker
	commits  <-chan struct{}
	stopping <-chan struct{}
	sending  int                      // slots in use
	busy     map[ident.InstanceID]int // the same, by instance
	ended    chan ident.InstanceID    // receives when an attempt has ended

	// Instances take turns. In a round each of them is served once; a round ends when nothing is
	// due of any other.
	served map[ident.InstanceID]bool
	moved  bool // something was done in this round
}

// stops reports whether nothing more is to be begun.
func (r *run) stops(ctx context.Context) bool {
	select {
	case <-r.stopping:
		return true
	default:
		return ctx.Err() != nil
	}
}

// release takes note that an attempt has ended.
func (r *run) release(instance ident.InstanceID) {
	r.sending--
	if r.busy[instance]--; r.busy[instance] == 0 {
		delete(r.busy, instance)
	}
}

// look begins attempts while there are slots and something is due, and returns when to look again.
func (r *run) look(ctx context.Context) (next time.Time) {
	tick := r.Clock.Now().Add(Tick)
	for r.sending < Slots && !r.stops(ctx) {
		now := r.Clock.Now()
		due, err := r.Deliveries.due(ctx, now, r.others())
		switch {
		case err != nil:
		case len(due) > 0:
			if err = r.serve(ctx, due); err == nil {
				continue
			}
		case r.endRound():
			continue
		default:
			next, err = r.Deliveries.nextAfter(ctx, now)
		}
		if err != nil && ctx.Err() == nil {
			r.Logger.Warn("deliveries wait; looking again later", "error", err)
		}
		if err != nil || next.IsZero() || next.After(tick) {
			return tick
		}
		return next
	}
	return tick // what happens before is that an attempt ends
}

// maxRound is how many instances a round has at most; with more that wait another one begins.
const maxRound = 1000

// others are the instances that have to wait: for the next round, or until an attempt ends.
func (r *run) others() []string {
	if len(r.served) >= maxRound {
		clear(r.served)
	}
	others := make([]string, 0, len(r.served)+len(r.busy))
	for instance := range r.served {
		others = append(others, string(instance))
	}
	for instance, sending := range r.busy {
		if sending == PerInstance && !r.served[instance] {
			others = append(others, string(instance))
		}
	}
	return others
}

// endRound reports whether another round is of use, and begins it.
func (r *run) endRound() (more bool) {
	more = r.moved && len(r.served) > 0
	clear(r.served)
	r.moved = false
	return more
}

// serve does what there is to do about the first delivery of each instance, as far as there are
// slots. One with which that fails keeps no other waiting, unless the database is not available.
func (r *run) serve(ctx context.Context, due []key) error {
	for _, d := range due {
		if r.sending == Slots {
			return nil
		}
		if r.served[d.instance] {
			continue
		}
		s, changed, err := r.claim(ctx, d)
		if errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			r.Logger.Warn("a delivery was not begun; trying again later", "instance", d.instance, "delivery", d.id, "error", err)
		}
		if err == nil && !changed {
			continue // another node has it
		}
		r.served[d.instance] = true
		r.moved = r.moved || changed
		if s.Phase != Attempting {
			continue // there is nothing to send
		}
		r.sending++
		r.busy[d.instance]++
		go func() {
			r.attempt(ctx, s)
			r.ended <- d.instance
		}()
	}
	return nil
}

// wait returns at next, when an attempt ends, after a commit but not before the pause is over, or
// when the worker is to stop.
func (r *run) wait(ctx context.Context, next time.Time) {
	rested := r.Clock.Now().Add(r.Pause)
	for commits := r.commits; ; {
		ring, stop := r.alarm(next)
		select {
		case <-ctx.Done():
		case <-r.stopping:
		case instance := <-r.ended:
			r.release(instance)
		case <-ring:
		case <-commits:
			if r.Clock.Now().Before(rested) {
				stop()
				commits = nil // the next ones change nothing
				if rested.Before(next) {
					next = rested
				}
				continue
			}
		}
		stop()
		return
	}
}

// alarm is Alarm, or a timer.
func (w *Worker) alarm(at time.Time) (ring <-chan time.Time, stop func()) {
	if w.Alarm != nil {
		return w.Alarm(at)
	}
	t := time.NewTimer(at.Sub(w.Clock.Now()))
	return t.C, func() { t.Stop() }
}

// claim does what has to be done about a delivery that is due, and reports whether that changed
// anything: it takes the lease, and then Phase is Attempting, or ends the delivery. What an
// instance left that has been removed goes away: nothing of it can be sent any more.
func (w *Worker) claim(ctx context.Context, d key) (s State, changed bool, err error) {
	s, err = w.Deliveries.change(ctx, d.instance, d.id, worker, func(s State) []eventlog.Payload {
		return Attempt{Now: w.Clock.Now()}.Decide(s)
	})
	if errors.Is(err, store.ErrNotFound) {
		w.Logger.Info("the deliveries of a removed instance are dropped", "instance", d.instance)
		err = w.Deliveries.drop(ctx, d.instance)
		return State{}, err == nil, err
	}
	if s.Phase == GivenUp {
		w.Logger.Warn("a delivery is given up", describe(s)...)
	}
	return s, s.Exists(), err
}

// attempt sends a message whose lease it has, and records the outcome.
func (w *Worker) attempt(ctx context.Context, s State) {
	header := http.Header{"Content-Type": {s.ContentType}, IDHeader: {s.ID}}
	status, err := w.Client.Post(ctx, s.URL, header, s.Body)
	if err != nil && ctx.Err() != nil {
		return // cut off; whether it has arrived is not known
	}
	decide := w.outcome(s.Attempts, status, err)
	after, err := w.Deliveries.change(ctx, s.Instance, ident.DeliveryID(s.ID), worker, decide)
	switch {
	case errors.Is(err, store.ErrNotFound):
		// The instance has been removed meanwhile.
	case err != nil:
		w.Logger.Warn("the outcome of a delivery was not recorded; it is made again",
			append(describe(s), "error", err)...)
	case after.Phase == GivenUp:
		w.Logger.Warn("a delivery is given up", describe(after)...)
	case after.Phase == Waiting:
		w.Logger.Debug("a delivery failed", describe(after)...)
	}
}

// outcome counts how an attempt has ended and returns the decision that follows.
func (w *Worker) outcome(attempt, status int, err error) func(State) []eventlog.Payload {
	if err == nil && status >= 200 && status <= 299 {
		w.succeeded.Add(1)
		return Succeed{Attempt: attempt, Status: status}.Decide
	}
	w.failed.Add(1)
	text := "status " + strconv.Itoa(status)
	if err != nil {
		text = err.Error() // a sentence of egress
	}
	var jitter [2]byte
	if _, err := io.ReadFull(w.Random, jitter[:]); err != nil {
		jitter = [2]byte{} // what fails together is tried again together
	}
	return func(s State) []eventlog.Payload {
		return Fail{
			Now: w.Clock.Now(), Attempt: attempt, Error: text, Status: status, Final: errors.Is(err, egress.ErrURL),
			Jitter: binary.BigEndian.Uint16(jitter[:]),
		}.Decide(s)
	}
}

// describe names a delivery in the log.
func describe(s State) []any {
	return []any{"instance", s.Instance, "delivery", s.ID, "kind", s.Kind, "attempts", s.Attempts, "reason", s.LastError}
}
