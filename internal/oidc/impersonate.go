package oidc

import (
	"errors"

	"castellan/internal/access"
	"castellan/internal/fault"
	"castellan/internal/session"
	"castellan/internal/user"
)

// impersonate returns nil when the actor of an exchange may act for its subject, and has it recorded. Who acts
// for itself needs nothing. Otherwise the actor needs the permission (see access.MayAct); and so does everybody
// who acts for that actor already, for nobody gains by acting for somebody what it may not do itself (record 0017).
func (p *Provider) impersonate(r *tokenRequest, x exchanged, facts session.Facts) error {
	if x.actor.user == x.subject.user {
		return nil
	}
	chain := &session.Actor{User: x.actor.user, Actor: x.actor.actor}
	err := access.MayAct(p.DB.Dialect())(r.Context(), p.DB, r.Instance.ID, chain, x.subject.user, x.subject.org)
	if errors.Is(err, access.ErrMayNotAct) {
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

// recorded is a chain of actors as an event has it.
func recorded(a *session.Actor) *user.Actor {
	if a == nil {
		return nil
	}
	return &user.Actor{User: a.User, Issuer: a.Issuer, Actor: recorded(a.Actor)}
}
