package authorization

import (
	"context"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes authorizations. Each of its methods is one command, in one transaction that holds the
// authorization and what it rests on.
//
// Every method returns the authorization as it is afterwards, [NotFound] when there is none with that id,
// the faults of its decision, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	IDs *ident.Source
}

// Add gives a user roles of a project, see [New.Decide]. It also returns COMMAND-4f8sg, COMMAND-3n77S and
// COMMAND-4m9ff when the user, the project or the grant does not exist, and V3-DKcYh when the user has an
// authorization already for the project in the organization.
func (s *Service) Add(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish New) (after State, err error) {
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return State{}, err
	}
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := holdUser(ctx, w, s.DB.Dialect(), instance, wish.User, wish.Whom); err != nil {
			return err
		}
		given, err := terms(ctx, w, s.DB.Dialect(), instance, wish.Project, wish.Org, wish.Roles)
		if err != nil {
			return err
		}
		events, err := wish.Decide(given)
		if err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: ids[0], Owner: string(wish.Org)}, events...)
		return err
	})
	if store.ConflictIn(err, tables[0].Name) {
		err = errTaken.WithCause(err)
	}
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// Change gives an authorization other roles, see [Change.Decide]. What it rests on is held before the
// authorization is: whoever takes that away goes the same way.
func (s *Service) Change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.AuthorizationID, wish Change) (State, error) {
	var given Terms
	return s.change(ctx, instance, actor, id, func(ctx context.Context, w *eventlog.Writer) error {
		of, err := Get(ctx, w, instance, id)
		if err == nil {
			given, err = terms(ctx, w, s.DB.Dialect(), instance, of.Project, of.Org(), wish.Roles)
		}
		return err
	}, func(before State) ([]eventlog.Payload, error) { return wish.Decide(before, given) })
}

// Deactivate makes an authorization of no use, see [Deactivate.Decide].
func (s *Service) Deactivate(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.AuthorizationID) (State, error) {
	return s.change(ctx, instance, actor, id, alone, Deactivate{}.Decide)
}

// Activate makes an authorization of use again, see [Activate.Decide].
func (s *Service) Activate(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.AuthorizationID) (State, error) {
	return s.change(ctx, instance, actor, id, alone, Activate{}.Decide)
}

// Remove removes an authorization, and returns it as it was last.
func (s *Service) Remove(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.AuthorizationID) (State, error) {
	return s.change(ctx, instance, actor, id, alone, Remove{}.Decide)
}

// alone is what a decision needs that looks at the authorization and nothing else.
func alone(context.Context, *eventlog.Writer) error { return nil }

// change is every command on one that exists: prepare, load, decide, append.
func (s *Service) change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, id ident.AuthorizationID,
	prepare func(context.Context, *eventlog.Writer) error, decide func(State) ([]eventlog.Payload, error),
) (after State, err error) {
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := prepare(ctx, w); err != nil {
			return err
		}
		before, err := hold(ctx, w, s.DB.Dialect(), instance, id)
		if err != nil {
			return err
		}
		after = before
		events, err := decide(before)
		if err != nil || len(events) == 0 {
			return err
		}
		after, err = eventlog.Append(ctx, w, Noun, before, events...)
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}
