package member

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Resource names a thing that can have members, as callers do: by its organization, its project, or, with
// a project and an organization, the grant of the one to the other. The zero Resource is the instance.
type Resource struct {
	Org     ident.OrgID
	Project ident.ProjectID
}

// Scope is what kind of thing is named.
func (r Resource) Scope() Scope {
	switch {
	case r.Project != "" && r.Org != "":
		return ProjectGrant
	case r.Project != "":
		return Project
	case r.Org != "":
		return Org
	}
	return Instance
}

// Thing is what members are of.
type Thing struct {
	Scope   Scope
	ID      string
	Owner   string          // the instance or organization it belongs to
	Project ident.ProjectID // of a grant
}

// Service changes memberships. Each of its methods is one command, in one transaction that holds the
// membership, or what a new one is about.
//
// Every method returns the membership as it is afterwards, a fault of kind NotFound when there is no such
// resource, the faults of its decision, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	IDs *ident.Source
}

// Add makes a user a member, see [New.Decide]. It also returns a fault of kind FailedPrecondition when there is
// no such user, and of kind AlreadyExists when it is a member already: INSTA-GSXOn and INSTA-pFDwe on the
// instance, ORG-GoXOn and ORG-poWwe on an organization, COMMAND-4f8sg and PROJECT-PtXi1 on others.
func (s *Service) Add(ctx context.Context, instance ident.InstanceID, actor ident.Actor, on Resource, wish New) (after State, err error) {
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return State{}, err
	}
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		thing, err := find(ctx, w, s.DB.Dialect(), instance, on)
		if err != nil {
			return err
		}
		events, err := wish.Decide(thing)
		if err != nil {
			return err
		}
		if err := holdUser(ctx, w, s.DB.Dialect(), instance, wish, thing.Scope); err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: ids[0], Owner: thing.Owner}, events...)
		return err
	})
	if store.ConflictIn(err, tables[0].Name) {
		err = refusals[on.Scope()].taken.WithViolation("user_id", "must be of a user who is not an administrator of the resource").WithCause(err)
	}
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// Change gives a member other roles, see [Change.Decide]. It also returns [NotFound].
func (s *Service) Change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, on Resource, user ident.UserID, wish Change) (State, error) {
	return s.change(ctx, instance, actor, on, user, wish.Decide)
}

// Remove ends a membership, and returns it as it was last. It also returns [NotFound].
func (s *Service) Remove(ctx context.Context, instance ident.InstanceID, actor ident.Actor, on Resource, user ident.UserID) (State, error) {
	return s.change(ctx, instance, actor, on, user, Remove{}.Decide)
}

// change is every command on a membership that exists: load, decide, append.
func (s *Service) change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, on Resource, user ident.UserID,
	decide func(State) ([]eventlog.Payload, error),
) (after State, err error) {
	err = s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) error {
		thing, err := find(ctx, w, s.DB.Dialect(), instance, on)
		if err != nil {
			return err
		}
		before, err := hold(ctx, w, s.DB.Dialect(), instance, user, thing.Scope, thing.ID)
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

// What can have members, as tables of other nouns have it, and the answers when it is not there.
var things = map[Scope]struct {
	sql    string
	absent *fault.Error
}{
	Org: {
		`SELECT org_id, org_id FROM orgs WHERE instance_id = $1 AND org_id = $2`,
		fault.New(fault.NotFound, "QUERY-iTTGJ", "Errors.Org.NotFound"),
	},
	Project: {
		`SELECT project_id, org_id FROM projects WHERE instance_id = $1 AND project_id = $2`,
		fault.New(fault.NotFound, "QUERY-fk2fs", "Errors.Project.NotFound"),
	},
	ProjectGrant: {
		`SELECT grant_id, org_id FROM project_grants WHERE instance_id = $1 AND project_id = $2 AND granted_org_id = $3`,
		fault.New(fault.NotFound, "PROJECT-D8JxR", "Errors.Project.Grant.NotFound"),
	},
}

// find returns the thing that is named. Nobody removes it until the transaction ends; an instance is held by
// the write itself.
func find(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, r Resource) (Thing, error) {
	thing := Thing{Scope: r.Scope(), Project: r.Project}
	args := []any{string(instance)}
	switch thing.Scope {
	case Instance:
		thing.ID, thing.Owner = string(instance), string(instance)
		return thing, nil
	case Org:
		args = append(args, string(r.Org))
	case Project:
		args = append(args, string(r.Project))
	case ProjectGrant:
		args = append(args, string(r.Project), string(r.Org))
	}
	kind := things[thing.Scope]
	_, err := store.One(ctx, tx, func(row store.Scanner) (none struct{}, err error) { return none, row.Scan(&thing.ID, &thing.Owner) },
		kind.sql+d.ForKeyShare, args...)
	if errors.Is(err, store.ErrNotFound) {
		return Thing{}, kind.absent.WithCause(fmt.Errorf("instance %s has no %s %+v", instance, thing.Scope, r))
	}
	if err != nil {
		return Thing{}, fmt.Errorf("hold what members are of: %w", err)
	}
	return thing, nil
}

// holdUser returns the fault of a scope when there is no such user, or it is of an organization whose users
// are not for the caller to make members; nobody removes it until the transaction ends.
func holdUser(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, wish New, scope Scope) error {
	org, err := store.One(ctx, tx, func(row store.Scanner) (org ident.OrgID, err error) { return org, row.Scan(&org) },
		`SELECT org_id FROM users WHERE instance_id = $1 AND user_id = $2`+d.ForKeyShare, string(instance), string(wish.User))
	if errors.Is(err, store.ErrNotFound) || err == nil && wish.Whom != nil && !wish.Whom(org) {
		return refusals[scope].user.WithViolation("user_id", "must be the id of a user")
	}
	if err != nil {
		return fmt.Errorf("hold a user of instance %s: %w", instance, err)
	}
	return nil
}

// Of says whose memberships are meant: those of a user, or those on a thing.
type Of struct {
	User    ident.UserID
	Scope   Scope
	ScopeID string
}

// page is how many memberships are held in memory while they are removed.
const page = 500

// RemoveAll removes all memberships of a user, or on a thing, that is removed by the same write, which holds
// it: no new one comes meanwhile. It returns the errors of store.Tx.
func RemoveAll(ctx context.Context, w *eventlog.Writer, d *store.Dialect, of Of) error {
	sql, args := selected+` AND user_id = $2 ORDER BY scope, scope_id LIMIT $3`, []any{string(w.Instance()), string(of.User), page}
	if of.User == "" {
		sql = selected + ` AND scope = $2 AND scope_id = $3 ORDER BY user_id LIMIT $4`
		args = []any{string(w.Instance()), string(of.Scope), of.ScopeID, page}
	}
	for {
		found, err := store.All(ctx, w, scan, sql+d.ForUpdate, args...)
		if err != nil {
			return fmt.Errorf("find memberships: %w", err)
		}
		for _, s := range found {
			events, err := Remove{Cascade: true}.Decide(s)
			if err == nil {
				_, err = eventlog.Append(ctx, w, Noun, s, events...)
			}
			if err != nil {
				return err
			}
		}
		// Whoever reads one of them in this write, for the next page or for another reason, finds it gone.
		if err := w.Save(ctx); err != nil || len(found) < page {
			return err
		}
	}
}
