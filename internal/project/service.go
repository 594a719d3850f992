package project

import (
	"context"
	"errors"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Service changes projects, their roles and their grants. Each of its methods is one command, in one
// transaction that holds what it changes.
//
// Every method returns what it has changed as it is afterwards; [NotFound], [RoleNotFound] or
// [GrantNotFound] when there is no such thing; the faults of its decision; and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
	IDs *ident.Source
	// Org returns a fault of kind NotFound unless there is an organization, which nobody removes until
	// the transaction ends.
	Org func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.OrgID) error
	// Withdraw takes roles from the authorizations that rest on a grant which has them no more.
	Withdraw func(ctx context.Context, w *eventlog.Writer, grant ident.GrantID, roles []string) error
}

// The faults of what there is already, and of what there is not.
var (
	errNameTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Project.AlreadyExists").
			WithViolation("name", "is the name of another project of the organization")
	errIDTaken = fault.New(fault.AlreadyExists, "COMMAND-opamwu", "Errors.Project.AlreadyExisting").
			WithViolation("project_id", "is or was the id of another project")
	errKeyTaken = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Project.Role.AlreadyExists").
			WithViolation("role_key", "is the key of a role of the project")
	errGranted = fault.New(fault.AlreadyExists, "V3-DKcYh", "Errors.Project.Grant.AlreadyExists").
			WithViolation("granted_organization_id", "has been granted the project")
	errNoOrg = fault.New(fault.FailedPrecondition, "COMMAND-3m9gg", "Errors.Org.NotFound").
			WithViolation("granted_organization_id", "must be the id of an organization")
	errOwn = fault.New(fault.FailedPrecondition, "PROJECT-self1", "Errors.Project.OwnOfInstance").
		WithViolation("project_id", "is the project of the instance itself, which stays as it is")
)

// taken turns the conflict of what has to be unique into the fault that callers know; other errors come
// back as they are.
func taken(err error) error {
	for table, as := range map[string]*fault.Error{
		"events": errIDTaken, tables[1].Name: errNameTaken, roleTables[0].Name: errKeyTaken, grantTables[0].Name: errGranted,
	} {
		if store.ConflictIn(err, table) {
			return as.WithCause(err)
		}
	}
	return err
}

// RefuseOwn returns PROJECT-self1 for the project of the instance of w itself.
func RefuseOwn(ctx context.Context, w *eventlog.Writer, id ident.ProjectID) error {
	own, err := store.One(ctx, w, scanText, `SELECT iam_project_id FROM instances WHERE instance_id = $1`, string(w.Instance()))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil // nor is there a project, then
	case err == nil && own == string(id):
		return errOwn
	}
	return err
}

// Add makes a project of an organization, with an id of its own when id is empty. It returns the fault of
// [Service.Org], V3-DKcYh for a name that another project of the organization has, COMMAND-opamwu for an
// id that was ever used, and see [New.Decide].
func (s *Service) Add(ctx context.Context, at ident.InstanceID, of ident.OrgID, actor ident.Actor, id ident.ProjectID, wish New) (after State, err error) {
	events, err := wish.Decide()
	if err != nil {
		return State{}, err
	}
	if id == "" {
		ids, err := s.IDs.Next(ctx, 1)
		if err != nil {
			return State{}, err
		}
		id = ident.ProjectID(ids[0])
	}
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		if err := s.Org(ctx, w, at, of); err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(id), Owner: string(of)}, events...)
		return err
	})
	if err != nil {
		return State{}, taken(err)
	}
	return after, nil
}

// Change changes a project, see [Change.Decide]. It returns V3-DKcYh for the name of another of the
// organization, and PROJECT-self1 for the project of the instance itself, as the next two do.
func (s *Service) Change(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.ProjectID, wish Change) (State, error) {
	return s.change(ctx, at, actor, id, wish.Decide)
}

// Deactivate ends that anybody can use a project, see [Deactivate.Decide].
func (s *Service) Deactivate(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.ProjectID) (State, error) {
	return s.change(ctx, at, actor, id, Deactivate{}.Decide)
}

// Reactivate takes that back, see [Reactivate.Decide].
func (s *Service) Reactivate(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.ProjectID) (State, error) {
	return s.change(ctx, at, actor, id, Reactivate{}.Decide)
}

// change is every command on a project that stays.
func (s *Service) change(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.ProjectID,
	decide func(State) ([]eventlog.Payload, error),
) (State, error) {
	return write(ctx, s, at, actor, Noun, func(ctx context.Context, w *eventlog.Writer) (State, error) {
		if err := RefuseOwn(ctx, w, id); err != nil {
			return State{}, err
		}
		return Hold(ctx, w, s.DB.Dialect(), at, id)
	}, func(_ context.Context, _ *eventlog.Writer, before State) ([]eventlog.Payload, error) {
		return decide(before)
	}, nil)
}

// AddRole gives a project a role, see [NewRole.Decide]. It returns V3-DKcYh for a key that the project has.
func (s *Service) AddRole(ctx context.Context, at ident.InstanceID, actor ident.Actor, wish NewRole) (after Role, err error) {
	events, err := wish.Decide()
	if err != nil {
		return Role{}, err
	}
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return Role{}, err
	}
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		org, err := Keep(ctx, w, s.DB.Dialect(), at, wish.Project)
		if err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, RoleNoun, eventlog.Origin{ID: ids[0], Owner: string(org)}, events...)
		return err
	})
	if err != nil {
		return Role{}, taken(err)
	}
	return after, nil
}

// ChangeRole changes how a role is shown, see [ChangeRole.Decide].
func (s *Service) ChangeRole(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, key string, wish ChangeRole) (Role, error) {
	return write(ctx, s, at, actor, RoleNoun, func(ctx context.Context, w *eventlog.Writer) (Role, error) {
		return HoldRole(ctx, w, s.DB.Dialect(), at, of, key)
	}, func(_ context.Context, _ *eventlog.Writer, before Role) ([]eventlog.Payload, error) {
		return wish.Decide(before)
	}, nil)
}

// AddGrant grants a project to an organization, see [NewGrant.Decide]. It returns COMMAND-3m9gg when there
// is no such organization and V3-DKcYh when the project is granted to it.
func (s *Service) AddGrant(ctx context.Context, at ident.InstanceID, actor ident.Actor, wish NewGrant) (after Grant, err error) {
	ids, err := s.IDs.Next(ctx, 1)
	if err != nil {
		return Grant{}, err
	}
	id := ident.GrantID(ids[0])
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		// The organization comes first, as it does for whoever removes one.
		if err := s.Org(ctx, w, at, wish.Org); fault.KindOf(err) == fault.NotFound && err != nil {
			return errNoOrg.WithCause(err)
		} else if err != nil {
			return err
		}
		owner, err := Keep(ctx, w, s.DB.Dialect(), at, wish.Project)
		if err != nil {
			return err
		}
		roles, err := has(ctx, w, s.DB.Dialect(), at, wish.Project, wish.Roles)
		if err != nil {
			return err
		}
		events, err := wish.Decide(id, owner, roles)
		if err != nil {
			return err
		}
		after, err = eventlog.Begin(ctx, w, GrantNoun, eventlog.Origin{ID: string(id), Owner: string(owner)}, events...)
		return err
	})
	if err != nil {
		return Grant{}, taken(err)
	}
	return after, nil
}

// ChangeGrant grants other roles, see [ChangeGrant.Decide], and withdraws those that are granted no more
// from the authorizations that rest on the grant.
func (s *Service) ChangeGrant(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, to ident.OrgID, wish ChangeGrant) (Grant, error) {
	return s.changeGrant(ctx, at, actor, of, to, func(ctx context.Context, w *eventlog.Writer, before Grant) ([]eventlog.Payload, error) {
		roles, err := has(ctx, w, s.DB.Dialect(), at, of, wish.Roles)
		if err != nil {
			return nil, err
		}
		return wish.Decide(before, roles)
	})
}

// DeactivateGrant ends that an organization can use a project, see [DeactivateGrant.Decide].
func (s *Service) DeactivateGrant(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, to ident.OrgID) (Grant, error) {
	return s.changeGrant(ctx, at, actor, of, to, func(_ context.Context, _ *eventlog.Writer, before Grant) ([]eventlog.Payload, error) {
		return DeactivateGrant{}.Decide(before)
	})
}

// ReactivateGrant takes that back, see [ReactivateGrant.Decide].
func (s *Service) ReactivateGrant(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, to ident.OrgID) (Grant, error) {
	return s.changeGrant(ctx, at, actor, of, to, func(_ context.Context, _ *eventlog.Writer, before Grant) ([]eventlog.Payload, error) {
		return ReactivateGrant{}.Decide(before)
	})
}

// changeGrant is every command on a grant that stays. The project is kept, so that no role goes meanwhile.
func (s *Service) changeGrant(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, to ident.OrgID,
	decide func(context.Context, *eventlog.Writer, Grant) ([]eventlog.Payload, error),
) (Grant, error) {
	return write(ctx, s, at, actor, GrantNoun, func(ctx context.Context, w *eventlog.Writer) (Grant, error) {
		if _, err := Keep(ctx, w, s.DB.Dialect(), at, of); err != nil {
			return Grant{}, err
		}
		return HoldGrant(ctx, w, s.DB.Dialect(), at, of, to)
	}, decide, func(ctx context.Context, w *eventlog.Writer, before, after Grant) error {
		if roles := before.taken(after); len(roles) > 0 {
			return s.Withdraw(ctx, w, before.GrantID(), roles)
		}
		return nil
	})
}

// write is every command on something that exists: load, decide, append; then, unless it is nil, follow
// does what follows from the change.
func write[S eventlog.State](ctx context.Context, s *Service, at ident.InstanceID, actor ident.Actor, noun *eventlog.Noun[S],
	load func(context.Context, *eventlog.Writer) (S, error),
	decide func(context.Context, *eventlog.Writer, S) ([]eventlog.Payload, error),
	follow func(ctx context.Context, w *eventlog.Writer, before, after S) error,
) (after S, err error) {
	var none S
	err = s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		before, err := load(ctx, w)
		if err != nil {
			return err
		}
		after = before
		events, err := decide(ctx, w, before)
		if err != nil || len(events) == 0 {
			return err
		}
		if after, err = eventlog.Append(ctx, w, noun, before, events...); err != nil || follow == nil {
			return err
		}
		return follow(ctx, w, before, after)
	})
	if err != nil {
		return none, taken(err)
	}
	return after, nil
}

// page is how many grants are held in memory while they are changed.
const page = 500

// WithdrawRole takes a role from all grants of a project, in the write that removes it and holds the
// project: no grant gets it meanwhile. It returns the errors of store.Tx.
func WithdrawRole(ctx context.Context, w *eventlog.Writer, d *store.Dialect, of ident.ProjectID, key string) error {
	for {
		having, err := store.All(ctx, w, scanGrant, `SELECT `+grantColumns+` FROM project_grants
 WHERE instance_id = $1 AND grant_id IN (SELECT r.grant_id FROM project_grant_roles r
 WHERE r.instance_id = $1 AND r.project_id = $2 AND r.role_key = $3 ORDER BY r.grant_id LIMIT $4) ORDER BY grant_id`+d.ForUpdate,
			string(w.Instance()), string(of), key, page)
		if err != nil {
			return err
		}
		for _, g := range having {
			if _, err := eventlog.Append(ctx, w, GrantNoun, g, g.without(key)...); err != nil {
				return err
			}
		}
		if len(having) < page {
			return nil
		}
		if err := w.Save(ctx); err != nil { // those that are done are found no more
			return err
		}
	}
}
