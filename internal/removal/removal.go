package removal

import (
	"context"
	"errors"

	"castellan/internal/authorization"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/policy"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/user"
)

// Service removes things. Each of its methods is one command, in one transaction. It returns what was
// removed as it was last, the NotFound of its noun when there is no such thing, and the errors of store.DB.
type Service struct {
	DB  store.DB
	Log *eventlog.Log
}

// page is how much is held in memory of what is removed.
const page = 200

// write is one removal in the making.
type write struct {
	*eventlog.Writer
	dialect *store.Dialect
}

// do runs fn as one removal.
func (s *Service) do(ctx context.Context, at ident.InstanceID, actor ident.Actor, fn func(ctx context.Context, w write) error) error {
	return s.Log.Write(ctx, at, actor, func(ctx context.Context, w *eventlog.Writer) error {
		return fn(ctx, write{w, s.DB.Dialect()})
	})
}

// each removes all that next finds, page by page. next is given the last of the page before, at first the
// zero T.
func each[T any](ctx context.Context, w write, next func(last T, limit int) ([]T, error), remove func(found []T) error) error {
	var last T
	for {
		found, err := next(last, page)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := remove(found); err != nil {
			return err
		}
		if err := w.Save(ctx); err != nil {
			return err
		}
		if len(found) < page {
			return nil
		}
		last = found[len(found)-1]
	}
}

// User removes a user with all that is its own.
func (s *Service) User(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.UserID) (after user.State, err error) {
	err = s.do(ctx, at, actor, func(ctx context.Context, w write) error {
		held, err := user.Hold(ctx, w, w.dialect, at, id)
		if err != nil {
			return err
		}
		removed, err := w.users(ctx, []user.State{held})
		if err == nil {
			after = removed[0]
		}
		return err
	})
	return after, err
}

// Project removes a project with all that belongs to it. It returns PROJECT-self1 for that of the instance
// itself.
func (s *Service) Project(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.ProjectID) (after project.State, err error) {
	err = s.do(ctx, at, actor, func(ctx context.Context, w write) error {
		if err := project.RefuseOwn(ctx, w.Writer, id); err != nil {
			return err
		}
		held, err := project.Hold(ctx, w, w.dialect, at, id)
		if err != nil {
			return err
		}
		after, err = w.project(ctx, held)
		return err
	})
	return after, err
}

// Role removes a role of a project, and takes it from all grants and authorizations that have it.
func (s *Service) Role(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, key string) (after project.Role, err error) {
	err = s.do(ctx, at, actor, func(ctx context.Context, w write) error {
		if _, err := project.Hold(ctx, w, w.dialect, at, of); err != nil {
			return err
		}
		held, err := project.HoldRole(ctx, w, w.dialect, at, of, key)
		if err != nil {
			return err
		}
		if err := authorization.Withdraw(ctx, w.Writer, w.dialect, authorization.Of{Project: of}, key); err != nil {
			return err
		}
		if err := project.WithdrawRole(ctx, w.Writer, w.dialect, of, key); err != nil {
			return err
		}
		after, err = eventlog.Append(ctx, w.Writer, project.RoleNoun, held, project.RoleRemoved{Key: key})
		return err
	})
	return after, err
}

// Grant removes the grant of a project to an organization, with the authorizations that rest on it.
func (s *Service) Grant(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, to ident.OrgID) (after project.Grant, err error) {
	err = s.do(ctx, at, actor, func(ctx context.Context, w write) error {
		if _, err := project.Keep(ctx, w, w.dialect, at, of); err != nil {
			return err
		}
		held, err := project.HoldGrant(ctx, w, w.dialect, at, of, to)
		if err != nil {
			return err
		}
		after, err = w.grant(ctx, held)
		return err
	})
	return after, err
}

// The organizations that an instance cannot do without.
var (
	errDefault = fault.New(fault.FailedPrecondition, "COMMA-wG9p1", "Errors.Org.DefaultOrgNotDeletable").
			WithViolation("organization_id", "is the default organization of the instance")
	errOwner = fault.New(fault.FailedPrecondition, "COMMA-AF3JW", "Errors.Org.ZitadelOrgNotDeletable").
			WithViolation("organization_id", "is the organization of the project of the instance itself")
)

// Org removes an organization with all that belongs to it. It returns COMMA-wG9p1 for the default
// organization of the instance, and COMMA-AF3JW for the one that owns the project of the instance itself.
func (s *Service) Org(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.OrgID) (after org.State, err error) {
	err = s.do(ctx, at, actor, func(ctx context.Context, w write) error {
		if err := w.mayGo(ctx, id); err != nil {
			return err
		}
		if err := org.Hold(ctx, w, w.dialect, at, id); err != nil {
			return err
		}
		if err := w.orgContents(ctx, id); err != nil {
			return err
		}
		whole, err := org.Whole(ctx, w, at, id)
		if err != nil {
			return err
		}
		after, err = eventlog.Append(ctx, w.Writer, org.Noun, whole, org.Removed{})
		return err
	})
	return after, err
}

// mayGo refuses organizations that the instance cannot do without. The row of the instance is kept, so
// that no other organization becomes one of them meanwhile.
func (w write) mayGo(ctx context.Context, id ident.OrgID) error {
	type roles struct{ first, own ident.OrgID }
	has, err := store.One(ctx, w, func(row store.Scanner) (r roles, err error) {
		var own *ident.OrgID
		if err = row.Scan(&r.first, &own); own != nil {
			r.own = *own
		}
		return r, err
	}, `SELECT default_org_id, (SELECT p.org_id FROM projects p
 WHERE p.instance_id = i.instance_id AND p.project_id = i.iam_project_id) FROM instances i WHERE i.instance_id = $1`+
		w.dialect.ForKeyShare, string(w.Instance()))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return org.NotFound
	case err != nil:
		return err
	case has.first == id:
		return errDefault
	case has.own == id:
		return errOwner
	}
	return nil
}

// orgContents removes all that belongs to an organization.
func (w write) orgContents(ctx context.Context, id ident.OrgID) error {
	at := w.Instance()
	steps := []func() error{
		func() error {
			return member.RemoveAll(ctx, w.Writer, w.dialect, member.Of{Scope: member.Org, ScopeID: string(id)})
		},
		func() error { return authorization.RemoveAll(ctx, w.Writer, w.dialect, authorization.Of{Org: id}) },
		func() error {
			return each(ctx, w, func(last user.State, limit int) ([]user.State, error) {
				return user.PageOfOrg(ctx, w, w.dialect, at, id, last, limit)
			}, func(found []user.State) error {
				_, err := w.users(ctx, found)
				return err
			})
		},
		func() error {
			return each(ctx, w, func(last project.State, limit int) ([]project.State, error) {
				return project.PageOfOrg(ctx, w, w.dialect, at, id, ident.ProjectID(last.ID), limit)
			}, func(found []project.State) error {
				return all(ctx, found, w.project)
			})
		},
		func() error {
			return each(ctx, w, func(last project.Grant, limit int) ([]project.Grant, error) {
				return project.GrantsTo(ctx, w, w.dialect, at, id, last.GrantID(), limit)
			}, func(found []project.Grant) error {
				return all(ctx, found, w.grant)
			})
		},
		func() error { return policy.RemoveAllOf(ctx, w.Writer, w.dialect, id) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// all removes each of some.
func all[T any](ctx context.Context, found []T, remove func(context.Context, T) (T, error)) error {
	for _, one := range found {
		if _, err := remove(ctx, one); err != nil {
			return err
		}
	}
	return nil
}
