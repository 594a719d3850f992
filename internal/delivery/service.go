package delivery

import (
	"context"
	"errors"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Enqueue appends delivery.due to the write w: the message is sent, by whichever node finds it
// first, once w has been committed. id comes from ident.Source, which is asked before the write.
//
// It returns a plain error for what [Due] does not allow, store.ErrNotFound when the instance
// of w has been removed, and the errors of store.Tx. The write must then fail.
func Enqueue(ctx context.Context, w *eventlog.Writer, id ident.DeliveryID, d Due) error {
	if err := d.check(id); err != nil {
		return err
	}
	_, err := eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(id), Owner: string(w.Instance())}, d)
	return err
}

// Service changes deliveries, one command a method.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
}

// Dismiss ends a delivery that has failed, so that it is neither tried nor listed any more, see
// [Dismiss.Decide]. When there is no such delivery nothing happens. It returns the errors of
// store.DB.
func (s *Service) Dismiss(ctx context.Context, instance ident.InstanceID, id ident.DeliveryID, actor ident.Actor, kind string) error {
	_, err := s.change(ctx, instance, id, actor, Dismiss{Kind: kind}.Decide)
	return err
}

// change is every command: load, decide, append. It returns the delivery as it is afterwards; a
// zero State when there is none, or nothing was decided.
func (s *Service) change(ctx context.Context, instance ident.InstanceID, id ident.DeliveryID, actor ident.Actor,
	decide func(State) []eventlog.Payload,
) (after State, err error) {
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		after = State{}
		// The row is locked: of nodes that want the same delivery, the later one sees what the first did.
		before, err := get(ctx, w, getSQL+s.DB.Dialect().ForUpdate, instance, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		events := decide(before)
		if len(events) == 0 {
			return nil
		}
		after, err = eventlog.Append(ctx, w, Noun, before, events...)
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}
