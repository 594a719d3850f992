package instance

import (
	"context"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes instances. Each of its methods is one command: it reads the instance, decides
// and appends in one transaction that holds the instance's row, so that commands on one
// instance follow each other and those on others do not wait.
//
// Every method returns the instance as it is afterwards, [NotFound] when there is none with
// that id, the faults of its decision, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
}

// Rename gives an instance another name, see [Rename.Decide]. The name it has already changes
// nothing and writes nothing.
func (s *Service) Rename(ctx context.Context, id ident.InstanceID, actor ident.Actor, name string) (State, error) {
	return s.change(ctx, id, actor, Rename{Name: name}.Decide)
}

// AddDomain gives an instance one more domain, see [AddDomain.Decide]. It returns V3-DKcYh when
// another instance has it.
func (s *Service) AddDomain(ctx context.Context, id ident.InstanceID, actor ident.Actor, domain string) (State, error) {
	after, err := s.change(ctx, id, actor, AddDomain{Domain: domain}.Decide)
	if store.ConflictIn(err, DomainsTable) {
		return after, fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Instance.Domain.AlreadyExists").
			WithViolation("domain", "is already the domain of an instance").WithCause(err)
	}
	return after, err
}

// RemoveDomain takes a domain from an instance, see [RemoveDomain.Decide]. Any instance may have
// it afterwards.
func (s *Service) RemoveDomain(ctx context.Context, id ident.InstanceID, actor ident.Actor, domain string) (State, error) {
	return s.change(ctx, id, actor, RemoveDomain{Domain: domain}.Decide)
}

// SetPrimaryDomain makes a domain of an instance the primary one, see [SetPrimaryDomain.Decide].
func (s *Service) SetPrimaryDomain(ctx context.Context, id ident.InstanceID, actor ident.Actor, domain string) (State, error) {
	return s.change(ctx, id, actor, SetPrimaryDomain{Domain: domain}.Decide)
}

// SetDefaultOrg makes another organization the default one, see [SetDefaultOrg.Decide]. keep makes sure that
// it is there until the transaction ends, and returns what the caller is told when it is not.
func (s *Service) SetDefaultOrg(ctx context.Context, id ident.InstanceID, actor ident.Actor, org ident.OrgID,
	keep func(ctx context.Context, tx store.Tx) error,
) (State, error) {
	var after State
	err := s.Log.Write(ctx, id, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.Hold(ctx, w, id); err != nil {
			return err
		}
		if err := keep(ctx, w); err != nil {
			return err
		}
		before, err := Get(ctx, w, id)
		if err != nil {
			return err
		}
		events, err := SetDefaultOrg{Org: org}.Decide(before)
		if err != nil {
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

// Stop makes an instance serve nothing but the System API, and keeps all it has. One that is stopped
// already stays as it is, and nothing is written.
func (s *Service) Stop(ctx context.Context, id ident.InstanceID, actor ident.Actor) (State, error) {
	return s.change(ctx, id, actor, Stop{}.Decide)
}

// Start makes a stopped instance serve again. One that is running stays as it is.
func (s *Service) Start(ctx context.Context, id ident.InstanceID, actor ident.Actor) (State, error) {
	return s.change(ctx, id, actor, Start{}.Decide)
}

// Remove ends an instance: when it returns, nothing leads to it any more, its domains are free
// again, and its key is destroyed, so that what it has left cannot be read. The rows it has left are
// deleted later, see eventlog.Log.RunReclaim. It returns the last state of the instance, and
// [NotFound] when it is called again.
func (s *Service) Remove(ctx context.Context, id ident.InstanceID, actor ident.Actor) (State, error) {
	return s.write(ctx, id, actor, GetTrusted, Remove{}.Decide, (*eventlog.Writer).Destroy)
}

// change is every command on an instance that stays: load, decide, append.
func (s *Service) change(ctx context.Context, id ident.InstanceID, actor ident.Actor,
	decide func(State) ([]eventlog.Payload, error),
) (State, error) {
	return s.write(ctx, id, actor, Get, decide, nil)
}

// write loads, decides and appends; then, unless it is nil, end ends the write. get is [GetTrusted] for
// what concerns trusted domains; others do without reading them, and so leave them as they are.
//
// The row is locked by a statement of its own: a statement sees what was committed when it began,
// which is before it has waited for the lock, and so might miss a domain that the transaction it
// waited for has added.
func (s *Service) write(ctx context.Context, id ident.InstanceID, actor ident.Actor,
	get func(context.Context, store.Querier, ident.InstanceID) (State, error),
	decide func(State) ([]eventlog.Payload, error), end func(*eventlog.Writer, context.Context) error,
) (State, error) {
	var after State
	err := s.Log.Write(ctx, id, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.Hold(ctx, w, id); err != nil {
			return err
		}
		before, err := get(ctx, w, id)
		if err != nil {
			return err
		}
		events, err := decide(before)
		after = before
		if err != nil || len(events) == 0 {
			return err
		}
		if after, err = eventlog.Append(ctx, w, Noun, before, events...); err != nil || end == nil {
			return err
		}
		return end(w, ctx)
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// Hold locks an instance until tx ends: commands on it follow each other, and nobody removes it
// meanwhile. Nouns that are one for each instance take it before they look whether there is one
// already. It returns [NotFound] when there is no instance with that id.
func (s *Service) Hold(ctx context.Context, tx store.Tx, id ident.InstanceID) error {
	there, err := exists(ctx, tx, `SELECT instance_id FROM instances WHERE instance_id = $1`+s.DB.Dialect().ForUpdate,
		string(id))
	if err == nil && !there {
		return NotFound(id)
	}
	return err
}
