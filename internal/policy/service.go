package policy

import (
	"context"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes policies. Each of its methods is one command, in one transaction that holds the
// instance or the organization, so that there is never a second policy of a kind.
//
// Every method returns the policy as it is afterwards, the faults of [Service.Hold], [Service.HoldOrg] and
// of its decision, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	// IDs makes the ids of policies.
	IDs *ident.Source
	// Hold locks an instance until the transaction ends. It returns a fault of kind NotFound when there is
	// none with that id.
	Hold func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error
	// HoldOrg is Hold for an organization.
	HoldOrg func(ctx context.Context, tx store.Tx, instance ident.InstanceID, org ident.OrgID) error
}

// Change gives an instance other settings, see [Change.Decide]. What organizations have of their own stays.
func (s *Service) Change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish Settings) (State, error) {
	return s.write(ctx, instance, "", actor, wish.kind(), func(ctx context.Context, tx store.Tx, before State) ([]eventlog.Payload, error) {
		set, err := builtIn(ctx, tx, instance)
		if err != nil {
			return nil, err
		}
		return Change{Settings: wish, BuiltIn: set}.Decide(before)
	})
}

// AddOrg gives an organization a policy of its own, see [AddOrg.Decide].
func (s *Service) AddOrg(ctx context.Context, instance ident.InstanceID, org ident.OrgID, actor ident.Actor, wish Settings) (State, error) {
	return s.write(ctx, instance, org, actor, wish.kind(), pure(AddOrg{wish}.Decide))
}

// ChangeOrg changes it, see [ChangeOrg.Decide].
func (s *Service) ChangeOrg(ctx context.Context, instance ident.InstanceID, org ident.OrgID, actor ident.Actor, wish Settings) (State, error) {
	return s.write(ctx, instance, org, actor, wish.kind(), pure(ChangeOrg{wish}.Decide))
}

// RemoveOrg takes it away, see [RemoveOrg.Decide].
func (s *Service) RemoveOrg(ctx context.Context, instance ident.InstanceID, org ident.OrgID, actor ident.Actor, kind Kind) (State, error) {
	return s.write(ctx, instance, org, actor, kind, pure(RemoveOrg{kind}.Decide))
}

// RemoveAllOf removes all policies of an organization within w, which holds it and removes it.
func RemoveAllOf(ctx context.Context, w *eventlog.Writer, d *store.Dialect, org ident.OrgID) error {
	all, err := ofOrg(ctx, w, d, w.Instance(), org)
	if err != nil {
		return err
	}
	for _, s := range all {
		if _, err := eventlog.Append(ctx, w, Noun, s, kinds[s.Settings.kind()].org.removed); err != nil {
			return err
		}
	}
	return nil
}

// decision is what a command decides once the policy is read, and perhaps more.
type decision func(ctx context.Context, tx store.Tx, before State) ([]eventlog.Payload, error)

// pure is a decision that needs the policy alone.
func pure(decide func(State) ([]eventlog.Payload, error)) decision {
	return func(_ context.Context, _ store.Tx, before State) ([]eventlog.Payload, error) { return decide(before) }
}

// write is every command: load, decide, append. org is empty for a policy of the instance.
func (s *Service) write(ctx context.Context, instance ident.InstanceID, org ident.OrgID, actor ident.Actor, kind Kind, decide decision) (State, error) {
	id, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return State{}, err
	}
	first := eventlog.Origin{ID: id[0], Owner: string(instance)}
	if org != "" {
		first.Owner = string(org)
	}
	var after State
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.hold(ctx, w, instance, org); err != nil {
			return err
		}
		before, err := hold(ctx, w, s.DB.Dialect(), instance, org, kind)
		if err != nil {
			return err
		}
		events, err := decide(ctx, w, before)
		if err != nil {
			return err
		}
		if before.Exists() {
			after, err = eventlog.Append(ctx, w, Noun, before, events...)
		} else {
			after, err = eventlog.Begin(ctx, w, Noun, first, events...)
		}
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// hold locks what the policy is of.
func (s *Service) hold(ctx context.Context, tx store.Tx, instance ident.InstanceID, org ident.OrgID) error {
	if org == "" {
		return s.Hold(ctx, tx, instance)
	}
	return s.HoldOrg(ctx, tx, instance, org)
}
