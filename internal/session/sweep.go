package session

import (
	"context"
	"errors"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

const (
	// sweepPage is how many sessions one step of a sweep ends at most.
	sweepPage = 200
	// sweepMargin is how long after its end a session is swept: by then no node holds a token of it to be
	// of use, whatever its clock.
	sweepMargin = 5 * time.Minute
)

// sweeper is the actor of what sweeps write.
const sweeper ident.Actor = "castellan"

// Sweep ends the sessions whose tokens have all expired, so that their rows go. Any node may do so at
// any time, also several at once: who comes second finds nothing to do. It costs one look at an index
// when there are none, however many instances there are.
func (s *Service) Sweep(ctx context.Context) error {
	by := store.Micros(s.Clock.Now().Add(-sweepMargin))
	var last place
	for {
		page, err := ended(ctx, s.DB, by, last, sweepPage)
		if err != nil {
			return err
		}
		of := make(map[ident.InstanceID][]ident.SessionID)
		for _, p := range page {
			of[p.instance] = append(of[p.instance], p.id)
		}
		for at, ids := range of {
			// What a removed instance has left is not for a sweep: eventlog reclaims it.
			if err := s.expire(ctx, at, ids); err != nil && !errors.Is(err, eventlog.ErrNoInstance) {
				return err
			}
		}
		if len(page) < sweepPage {
			return nil
		}
		last = page[len(page)-1]
	}
}

// expire ends sessions of one instance, in one transaction.
func (s *Service) expire(ctx context.Context, at ident.InstanceID, ids []ident.SessionID) error {
	return s.Log.Write(ctx, at, sweeper, func(ctx context.Context, w *eventlog.Writer) error {
		for _, id := range ids {
			held, err := get(ctx, w, s.DB.Dialect().ForUpdate, at, id)
			if err != nil {
				return err
			}
			events := expire(held, w.Now().Add(-sweepMargin))
			if !held.Exists() || len(events) == 0 {
				continue
			}
			if _, err := eventlog.Append(ctx, w, Noun, held, events...); err != nil {
				return err
			}
		}
		return nil
	})
}
