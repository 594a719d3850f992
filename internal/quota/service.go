package quota

import (
	"context"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes quotas. Each of its methods is one command, in one transaction that holds the
// instance and the quota: the first against other commands, the second also against who counts.
//
// Every method returns the quota as it is afterwards, the fault of [Service.Hold] when there is no
// such instance, the faults of its decision, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	// IDs makes the ids of quotas and notifications.
	IDs *ident.Source
	// Hold locks an instance until the transaction ends. It returns a fault of kind NotFound when
	// there is none with that id.
	Hold func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error
}

// Add gives a unit a quota, see [Add.Decide].
func (s *Service) Add(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish Wish) (State, error) {
	return s.wish(ctx, instance, actor, wish, func(w Wish, ids []string, before State) ([]eventlog.Payload, error) {
		return Add{Wish: w, IDs: ids}.Decide(before)
	})
}

// Set gives a unit a quota, or changes the one it has, see [Put.Decide]. What is the same already
// changes nothing and writes nothing. Other periods than before begin with nothing used.
func (s *Service) Set(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish Wish) (State, error) {
	return s.wish(ctx, instance, actor, wish, func(w Wish, ids []string, before State) ([]eventlog.Payload, error) {
		return Put{Wish: w, IDs: ids}.Decide(before)
	})
}

// Remove takes the quota of a unit away, and with it what has been used, see [Remove.Decide].
func (s *Service) Remove(ctx context.Context, instance ident.InstanceID, actor ident.Actor, unit Unit) (State, error) {
	return s.change(ctx, instance, actor, unit, "", Remove{Unit: unit}.Decide)
}

// wish takes ids before the transaction, as many as the wish could need.
func (s *Service) wish(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish Wish,
	decide func(Wish, []string, State) ([]eventlog.Payload, error),
) (State, error) {
	wish, err := wish.Normalize()
	if err != nil {
		return State{}, err
	}
	ids, err := s.IDs.Next(ctx, 1+len(wish.Notifications))
	if err != nil {
		return State{}, err
	}
	return s.change(ctx, instance, actor, wish.Unit, ident.QuotaID(ids[0]), func(before State) ([]eventlog.Payload, error) {
		return decide(wish, ids[1:], before)
	})
}

// change is every command: load, decide, append. id is that of the quota should there be none yet.
func (s *Service) change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, unit Unit, id ident.QuotaID,
	decide func(State) ([]eventlog.Payload, error),
) (State, error) {
	var after State
	err := s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.Hold(ctx, w, instance); err != nil {
			return err
		}
		before, err := hold(ctx, w, s.DB.Dialect(), instance, unit)
		if err != nil {
			return err
		}
		events, err := decide(before)
		after = before
		if err != nil || len(events) == 0 {
			return err
		}
		if !before.Exists() {
			origin := eventlog.Origin{ID: string(id), Owner: string(instance)}
			after, err = eventlog.Begin(ctx, w, Noun, origin, events...)
			return err
		}
		after, err = eventlog.Append(ctx, w, Noun, before, events...)
		if err == nil && (after.Removed || after.Schedule() != before.Schedule()) {
			err = forget(ctx, w, instance, unit)
		}
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}
