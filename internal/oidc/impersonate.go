package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"castellan/internal/access"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/user"
)

// The permissions to act for others: for users, and for those who are members of something themselves.
const (
	permissionImpersonate      = "impersonation"
	permissionImpersonateAdmin = "admin.impersonation"
)

// errMayNotAct is the answer to an actor who may not act for the subject.
var errMayNotAct = fault.New(fault.PermissionDenied, "AUTH-5mWD2", "No matching permissions found")

// impersonate returns nil when the actor of an exchange may act for its subject, and has it recorded. Who acts
// for itself needs nothing. Otherwise the actor needs a role that grants it on the organization of the
// subject, or on the instance; and so does everybody who acts for that actor already, for nobody gains by acting
// for somebody what it may not do itself (record 0017).
func (p *Provider) impersonate(r *tokenRequest, x exchanged, facts session.Facts) error {
	if x.actor.user == x.subject.user {
		return nil
	}
	chain := &session.Actor{User: x.actor.user, Actor: x.actor.actor}
	err := p.mayActFor(r.Context(), p.DB, r.Instance, chain, x.subject.user, x.subject.org)
	if errors.Is(err, errMayNotAct) {
		return deniedExchange(fault.Of(err))
	}
	if err != nil {
		return err
	}
	_, err = p.Users.Impersonate(r.Context(), r.Instance.ID, x.subject.user, user.Impersonate{
		Client: r.client.id, Actor: *recorded(facts.Actor),
	})
	return err
}

// mayActFor returns nil when all of a chain of actors may act for a user of an organization, as q sees it, and
// errMayNotAct when one may not. Nobody needs anything to act for itself.
func (p *Provider) mayActFor(ctx context.Context, q store.Querier, at access.Instance, chain *session.Actor,
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
	memberships, err := p.memberships(ctx, q, at.ID, append(actors, string(subject)))
	if err != nil {
		return err
	}
	needed := permissionImpersonate
	if len(memberships[subject]) > 0 {
		needed = permissionImpersonateAdmin
	}
	for _, id := range actors {
		actor := access.User{ID: ident.UserID(id), Instance: at, Memberships: memberships[ident.UserID(id)]}
		if !actor.Reach(needed).Org(of) {
			return errMayNotAct.WithCause(fmt.Errorf("user %s has no %s on organization %s of user %s", id, needed, of, subject))
		}
	}
	return nil
}

// recorded is a chain of actors as an event has it.
func recorded(a *session.Actor) *user.Actor {
	if a == nil {
		return nil
	}
	return &user.Actor{User: a.User, Issuer: a.Issuer, Actor: recorded(a.Actor)}
}

// memberships returns the memberships of some users, in one read.
func (p *Provider) memberships(ctx context.Context, q store.Querier, at ident.InstanceID, users []string) (map[ident.UserID][]access.Membership, error) {
	type row struct {
		user ident.UserID
		access.Membership
	}
	rows, err := store.All(ctx, q, func(from store.Scanner) (m row, err error) {
		var roles string
		err = from.Scan(&m.user, &m.Scope, &m.ID, &roles)
		m.Roles = strings.Fields(roles)
		return m, err
	}, `SELECT user_id, scope, scope_id, roles FROM members WHERE instance_id = $1 AND `+p.DB.Dialect().InList("user_id", "$2"),
		string(at), users)
	if err != nil {
		return nil, fmt.Errorf("read the memberships of users of instance %s: %w", at, err)
	}
	of := make(map[ident.UserID][]access.Membership)
	for _, m := range rows {
		of[m.user] = append(of[m.user], m.Membership)
	}
	return of, nil
}
