package server

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// sweepInterval is how often it is forgotten what is of no use any more, see sweep, and entries of the
	// audit log.
	sweepInterval = 10 * time.Minute
	// reclaimInterval is how often a node looks for what other nodes, or it itself before it was
	// restarted, have not reclaimed of removed instances.
	reclaimInterval = time.Minute
	// usageInterval is how often it is written what quotas have been used: what a crash loses.
	usageInterval = 500 * time.Millisecond
	// usageGrace is how long the last of that may take when the server stops.
	usageGrace = 5 * time.Second
)

// work does what is not part of any request, until ctx ends.
func (s *Server) work(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() {
		if err := s.keys.Run(ctx); err != nil {
			s.log.Error("the pool of keys stopped; keys are made when asked for", "error", err)
		}
	})
	tasks.Go(func() {
		tick := time.NewTicker(reclaimInterval)
		defer tick.Stop()
		s.events.RunReclaim(ctx, tick.C, func(err error) {
			s.log.Warn("rows of removed instances were not reclaimed; trying again later", "error", err)
		})
	})
	tasks.Go(func() {
		defer close(s.sent)
		s.sender.Run(ctx, s.stopping.Done())
	})
	tasks.Go(func() {
		tick := time.NewTicker(usageInterval)
		defer tick.Stop()
		s.meter.Run(ctx, tick.C, usageGrace, func(err error) {
			s.log.Warn("the use of quotas was not written; trying again", "error", err)
		})
	})
	tasks.Go(func() { s.runAudit(ctx) })
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	var rest quiet
	size := newHeap()
	look := time.NewTicker(quietTime)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			size.follow(rest.look(s.served.Load()))
		case <-sweep.C:
			s.sweep(ctx)
			s.sweepAudit(ctx)
		}
	}
}

// busy returns how the pool of keys asks whether the machine has better things to do: whether
// a call has begun since it asked last. Streams that stay open are no work.
func (s *Server) busy() func() bool {
	var seen uint64
	return func() bool {
		served := s.served.Load()
		busy := served != seen
		seen = served
		return busy
	}
}

// sweep forgets what is of no use any more: answers past their window, sessions whose tokens have
// expired, ids of assertions and proofs that are too old.
func (s *Server) sweep(ctx context.Context) {
	for what, sweep := range map[string]func(context.Context) error{
		"kept answers": func(ctx context.Context) error { return s.once.Sweep(ctx, s.db) },
		"sessions":     s.sessions.Sweep,
		"spent ids":    s.spent.Sweep,
	} {
		if err := sweep(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Warn(what+" were not swept; trying again later", "error", err)
		}
	}
}
