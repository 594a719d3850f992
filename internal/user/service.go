package user

import (
	"context"
	"io"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Passwords hashes passwords and checks them; vault.Hasher does it in a bounded pool that is fair
// between keys, and returns a ResourceExhausted fault when too many wait.
type Passwords interface {
	Hash(ctx context.Context, key, password string) (string, error)
	Verify(ctx context.Context, key, encoded, password string) (bool, error)
}

// Policies tell what holds for users; policy.Resolver does.
type Policies interface {
	// PasswordComplexity is what new passwords of users of an organization must contain.
	PasswordComplexity(ctx context.Context, q store.Querier, at ident.InstanceID, org ident.OrgID) (defaults.PasswordComplexity, error)
}

// Service changes users. Each of its methods is one command: it reads the user, decides and appends in
// one transaction that holds the user's row, so that commands on one user follow each other and those on
// others do not wait. Slow work, which is the hashing of passwords, is done before.
//
// Every method returns the user as it is afterwards, [NotFound] when there is none with that id, the
// faults of its decision, and the errors of store.DB.
type Service struct {
	DB        store.DB
	Log       *eventlog.Log
	IDs       *ident.Source
	Clock     ident.Clock
	Random    io.Reader // nil: the system's
	Passwords Passwords
	Policies  Policies
	// KeepOrg keeps an organization from being removed until tx ends. It returns a fault of kind NotFound
	// when there is none with that id.
	KeepOrg func(ctx context.Context, tx store.Tx, at ident.InstanceID, org ident.OrgID) error
	// DomainOwner returns the organization that has verified a domain, empty when none has.
	DomainOwner func(ctx context.Context, q store.Querier, at ident.InstanceID, domain string) (ident.OrgID, error)
}

// Also is what a command on a user does to what belongs to it, in the same write. It may run more than
// once, see eventlog.Log.Write.
type Also func(ctx context.Context, w *eventlog.Writer, after State) error

// Codes are what a command has made for the caller to give to the user; empty ones were not asked for.
type Codes struct {
	Email, Phone string
}

// Deactivate puts a user out of use, see [Deactivate.Decide].
func (s *Service) Deactivate(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, Deactivate{}.Decide)
}

// Reactivate makes an inactive user active, see [Reactivate.Decide].
func (s *Service) Reactivate(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, Reactivate{}.Decide)
}

// Lock locks a user out, see [Lock.Decide].
func (s *Service) Lock(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, Lock{}.Decide)
}

// Unlock lets a locked user in again, see [Unlock.Decide].
func (s *Service) Unlock(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, Unlock{}.Decide)
}

// SetSecret gives a machine a secret with the given hash, see [SetSecret.Decide].
func (s *Service) SetSecret(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID, hash []byte) (State, error) {
	return s.change(ctx, at, actor, id, SetSecret{Hash: hash}.Decide)
}

// RemoveSecret takes a machine's secret away, see [RemoveSecret.Decide].
func (s *Service) RemoveSecret(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, RemoveSecret{}.Decide)
}

// RemovePhone takes the number of a human away. It returns COMMAND-ieJ2e when there is none.
func (s *Service) RemovePhone(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, func(before State) ([]eventlog.Payload, error) {
		events, err := Change{Phone: &Contact{}}.Decide(before)
		if err == nil && len(events) == 0 {
			err = errNoPhone
		}
		return events, err
	})
}

// SkipMFA records that a human has put off a second factor, see [SkipMFA.Decide].
func (s *Service) SkipMFA(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (State, error) {
	return s.change(ctx, at, actor, id, SkipMFA{}.Decide)
}

// Impersonate records that somebody acts for a user, see [Impersonate.Decide].
func (s *Service) Impersonate(ctx context.Context, at ident.InstanceID, id ident.UserID, wish Impersonate) (State, error) {
	return s.change(ctx, at, ident.Actor(wish.Actor.User), id, wish.Decide)
}

// change is the commands that need no more than the user: load, decide, append.
func (s *Service) change(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID,
	decide func(State) ([]eventlog.Payload, error),
) (State, error) {
	return s.write(ctx, at, actor, id, func(_ context.Context, _ *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		return decide(before)
	}, nil)
}

// write is every command on a user that is there. also may be nil.
func (s *Service) write(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID,
	decide func(context.Context, *eventlog.Writer, State) ([]eventlog.Payload, error), also Also,
) (after State, err error) {
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		before, err := Hold(ctx, w, s.DB.Dialect(), at, id)
		if err != nil {
			return err
		}
		events, err := decide(ctx, w, before)
		after = before
		if err != nil {
			return err
		}
		if len(events) > 0 {
			if after, err = eventlog.Append(ctx, w, Noun, before, events...); err != nil {
				return err
			}
		}
		if also == nil {
			return nil
		}
		return also(ctx, w, after)
	})
	if err != nil {
		return State{}, taken(err)
	}
	return after, nil
}
