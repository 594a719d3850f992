package feature

import (
	"context"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes features.
type Service struct {
	Log *eventlog.Log
	// Hold locks an instance until the transaction ends. It returns a fault of kind NotFound when
	// there is none with that id.
	Hold func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error
}

// Set switches a feature of an instance, see [Set.Decide], in one transaction that holds the instance.
// It returns the features afterwards, the fault of [Service.Hold] when there is no such instance,
// the fault of the decision, and the errors of store.DB.
func (s *Service) Set(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish Set) (State, error) {
	var after State
	err := s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.Hold(ctx, w, instance); err != nil {
			return err
		}
		// The instance is held, so nobody else writes this row.
		before, err := Get(ctx, w, instance)
		if err != nil {
			return err
		}
		events, err := wish.Decide(before)
		after = before
		if err != nil || len(events) == 0 {
			return err
		}
		if before.Exists() {
			after, err = eventlog.Append(ctx, w, Noun, before, events...)
			return err
		}
		origin := eventlog.Origin{ID: string(instance), Owner: string(instance)}
		after, err = eventlog.Begin(ctx, w, Noun, origin, events...)
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}
