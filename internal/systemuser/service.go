package systemuser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes the system users of the database. Each of its methods that writes is one command:
// it reads, decides and appends in one transaction. Commands on system users follow each other, for
// whether one may be removed depends on the others. They return the faults of their decisions, those of
// [Registry.Still] for the caller and the errors of store.DB, and what they have done counts on every
// node once they return.
type Service struct {
	DB    store.DB
	Log   *eventlog.Log
	Users *Registry
	Clock ident.Clock
}

// Prepare makes the key under which events of the system are sealed, unless it is there already. Any
// number of nodes may do so at once. Prepare before the first command.
func (s *Service) Prepare(ctx context.Context) error {
	err := s.Log.Write(ctx, ident.System, "", func(ctx context.Context, w *eventlog.Writer) error {
		_, err := w.Sealer(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return w.Create(ctx)
		}
		return err
	})
	if err != nil && !store.ConflictIn(err, "instance_keys") { // another node was faster
		return fmt.Errorf("prepare the log of the system: %w", err)
	}
	return nil
}

// Add adds a system user, see [Add.Decide]. It also returns SYSUSER-have1 for the name of a user of
// the configuration, and SYSUSER-many1 when the database has [MaxUsers] users.
func (s *Service) Add(ctx context.Context, by Proof, wish Add) (State, error) {
	wish.Name = canonicalName(wish.Name)
	if err := acceptName(wish.Name); err != nil {
		return State{}, err // before the name is looked for
	}
	if s.Users.configured(wish.Name) {
		return State{}, errExists
	}
	after, err := s.write(ctx, by, wish.Name, func(caller Caller, before State, others []State) ([]eventlog.Payload, error) {
		events, err := wish.Decide(before, caller, s.Clock.Now())
		if err == nil && len(others) >= MaxUsers {
			return nil, errMany
		}
		return events, err
	})
	if store.ConflictIn(err, usersTable) || store.ConflictIn(err, "events") {
		return State{}, errExists.WithCause(err)
	}
	return after, err
}

// Rotate gives a system user another key, see [Rotate.Decide]. It also returns SYSUSER-conf1 for a
// user of the configuration.
func (s *Service) Rotate(ctx context.Context, by Proof, name string, wish Rotate) (State, error) {
	name = canonicalName(name)
	if s.Users.configured(name) {
		return State{}, errConfigured
	}
	return s.write(ctx, by, name, func(caller Caller, before State, _ []State) ([]eventlog.Payload, error) {
		return wish.Decide(before, caller, s.Clock.Now())
	})
}

// Remove removes a system user, see [Remove.Decide]: somebody must remain who can let others in, in
// the database or in the configuration of this node. Of a user who is in both it removes the one of
// the database; it returns SYSUSER-conf1 for one that is in the configuration alone.
func (s *Service) Remove(ctx context.Context, by Proof, name string) (State, error) {
	name = canonicalName(name)
	return s.write(ctx, by, name, func(_ Caller, before State, others []State) ([]eventlog.Payload, error) {
		if s.Users.configured(name) && (!before.Exists() || before.Removed) {
			return nil, errConfigured
		}
		now := s.Clock.Now()
		stays := s.Users.letsIn(now) || slices.ContainsFunc(others, func(o State) bool {
			return !s.Users.configured(o.ID) && o.letsIn(now) // one whom the configuration overrides cannot call
		})
		return Remove{}.Decide(before, stays)
	})
}

// write is every command: lock, load, decide, append. decide is given the caller, the user and all
// others that are not removed.
//
// The caller is looked up behind the lock: until it is held another command may remove the caller or
// take what it has, and what a caller who was removed wishes must not come later in the log.
func (s *Service) write(ctx context.Context, by Proof, name string,
	decide func(caller Caller, before State, others []State) ([]eventlog.Payload, error),
) (State, error) {
	if checkName(name) != nil {
		return State{}, errNone
	}
	var after State
	err := s.Log.Write(ctx, ident.System, by.Name, func(ctx context.Context, w *eventlog.Writer) error {
		if err := lock(ctx, w, s.DB.Dialect()); err != nil {
			return err
		}
		caller, err := s.Users.Still(ctx, w, by)
		if err != nil {
			return err
		}
		before, err := get(ctx, w, name, "")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		others, err := all(ctx, w)
		if err != nil {
			return err
		}
		others = slices.DeleteFunc(others, func(o State) bool { return o.ID == name })
		events, err := decide(caller, before, others)
		if err != nil {
			return err
		}
		if before.Exists() {
			after, err = eventlog.Append(ctx, w, Noun, before, events...)
		} else {
			after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: name, Owner: string(ident.System)}, events...)
		}
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// letsIn reports whether a user of the database can let others in now.
func (s State) letsIn(now time.Time) bool {
	u, err := s.user()
	return err == nil && u.letsIn(now)
}

// letsIn reports whether a user can let others in: may add users, and has a key that counts.
func (u *user) letsIn(now time.Time) bool {
	return u.caller.letsIn() && slices.ContainsFunc(u.keys, func(k publicKey) bool {
		return k.until.IsZero() && k.validAt(now) == nil
	})
}

// configured reports whether the configuration has a user with a name.
func (r *Registry) configured(name string) bool { return r.current.Load().users[name] != nil }

// letsIn reports whether a user of the configuration can let others in now.
func (r *Registry) letsIn(now time.Time) bool {
	for _, u := range r.current.Load().users {
		if u.letsIn(now) {
			return true
		}
	}
	return false
}

// Listed is a system user as lists show it.
type Listed struct {
	Name        ident.Actor
	Memberships []Membership
	// Keys are the one that counts, then the one it has replaced, while that counts too.
	Keys []KeyInfo
	// Configured says that the user is in the configuration. Otherwise it is in the database, and
	// Head has its dates.
	Configured bool
	// Overridden says that a user of the database does not count, because the configuration has one
	// with its name.
	Overridden bool
	eventlog.Head
}

// List returns all system users, those of this node's configuration and those of the database, in
// the order of their names; of two with one name that of the configuration first.
func (s *Service) List(ctx context.Context) ([]Listed, error) {
	configured := s.Users.current.Load().users
	added, err := all(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	var list []Listed
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		l := configured[name].list(now)
		l.Configured = true
		list = append(list, l)
	}
	for _, a := range added {
		u, err := a.user()
		if err != nil {
			return nil, err
		}
		l := u.list(now)
		l.Head, l.Overridden = a.Head, configured[a.ID] != nil
		list = append(list, l)
	}
	slices.SortStableFunc(list, func(a, b Listed) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// list describes a user.
func (u *user) list(now time.Time) Listed {
	l := Listed{Name: u.caller.Name, Memberships: u.caller.Memberships}
	for i := range u.keys {
		k := &u.keys[i]
		if !k.until.IsZero() && !now.Before(k.until) {
			continue
		}
		l.Keys = append(l.Keys, k.info())
	}
	return l
}
