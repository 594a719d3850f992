package access

import (
	"context"
	"fmt"
	"strings"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/token"
)

// The permissions to act for others: for users, and for those who are members of something themselves.
const (
	permissionImpersonate      = "impersonation"
	permissionImpersonateAdmin = "admin.impersonation"
)

// ErrMayNotAct is the answer to an actor who may not act for a user.
var ErrMayNotAct = fault.New(fault.PermissionDenied, "AUTH-5mWD2", "No matching permissions found")

// MayAct returns the rule by which users of instances act for others (record 0017), on the engine that SQL is
// spelled for: it returns [ErrMayNotAct] when one of the actors may not. Each needs a role that grants it on the
// organization of the user, or on the instance. Nobody needs anything to act for itself.
func MayAct(by *store.Dialect) token.MayAct {
	return func(ctx context.Context, q store.Querier, at ident.InstanceID, chain *session.Actor, subject ident.UserID, of ident.OrgID) error {
		return mayAct(ctx, q, by, at, chain, subject, of)
	}
}

// mayAct is MayAct of one question.
func mayAct(ctx context.Context, q store.Querier, by *store.Dialect, at ident.InstanceID, chain *session.Actor,
	subject ident.UserID, of ident.OrgID,
) error {
	var actors []string
	for a := chain; a != nil; a = a.Actor {
		if a.User != subject {
			actors = append(actors, string(a.User))
		}
	}
	if len(actors) == 0 {
		return nil
	}
	memberships, err := membershipsOf(ctx, q, by, at, append(actors, string(subject)))
	if err != nil {
		return err
	}
	needed := permissionImpersonate
	if len(memberships[subject]) > 0 {
		needed = permissionImpersonateAdmin
	}
	for _, id := range actors {
		actor := User{ID: ident.UserID(id), Instance: Instance{ID: at}, Memberships: memberships[ident.UserID(id)]}
		if !actor.Reach(needed).Org(of) {
			return ErrMayNotAct.WithCause(fmt.Errorf("user %s has no %s on organization %s of user %s", id, needed, of, subject))
		}
	}
	return nil
}

// membershipsOf returns the memberships of some users, in one read.
func membershipsOf(ctx context.Context, q store.Querier, by *store.Dialect, at ident.InstanceID, users []string,
) (map[ident.UserID][]Membership, error) {
	type row struct {
		user ident.UserID
		Membership
	}
	rows, err := store.All(ctx, q, func(from store.Scanner) (m row, err error) {
		var roles string
		err = from.Scan(&m.user, &m.Scope, &m.ID, &roles)
		m.Roles = strings.Fields(roles)
		return m, err
	}, `SELECT user_id, scope, scope_id, roles FROM members WHERE instance_id = $1 AND `+by.InList("user_id", "$2"),
		string(at), users)
	if err != nil {
		return nil, fmt.Errorf("read the memberships of users of instance %s: %w", at, err)
	}
	of := make(map[ident.UserID][]Membership)
	for _, m := range rows {
		of[m.user] = append(of[m.user], m.Membership)
	}
	return of, nil
}
