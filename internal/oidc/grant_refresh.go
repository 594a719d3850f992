package oidc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"castellan/internal/access"
	"castellan/internal/app"
	"castellan/internal/claims"
	"castellan/internal/fault"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/token"
)

// refresher authenticates an application that may refresh.
func (p *Provider) refresher(r *Request, f form) (client, error) {
	return p.applicationWith(r, f, app.RefreshToken)
}

// refresh gives the next tokens for a refresh token (RFC 6749 section 6): to the application the session
// belongs to, once, with the scopes and the audience of the session or fewer, as long as everything the session
// stands on is as it was, and the session could begin now. A refresh token that was used before ends the session (RFC 9700 section 4.14.2).
func (p *Provider) refresh(r *tokenRequest) (tokenAnswer, error) {
	text := r.form.get("refresh_token")
	if text == "" {
		return tokenAnswer{}, newError(codeInvalidRequest, "refresh_token is missing")
	}
	if p.Sessions.GaveOut(r.Instance.ID, text) { // who made one up does not make the server remember a proof
		if err := p.spendProof(r); err != nil {
			return tokenAnswer{}, err
		}
	}
	renewal := session.Renewal{Refresh: text, Client: r.client.id, Lifetimes: r.lifetimes}
	if len(r.asked) > 0 {
		renewal.Scopes = r.asked
	}
	// All that can be read before is, so that the transaction needs one connection.
	wanted, err := p.wanted(r)
	if err != nil {
		return tokenAnswer{}, err
	}
	var (
		audience []string
		until    time.Time
	)
	renewal.Check = func(ctx context.Context, q store.Querier, s session.State) (err error) {
		if err := r.mayBind(s.Facts); err != nil {
			return err
		}
		if audience, err = narrowed(wanted, s.Audience); err != nil {
			return err
		}
		if len(s.Grounds) > 1 {
			until = s.RefreshUntil // it was made of other tokens, and ends with them
		}
		return p.goesOn(ctx, q, r.Instance, s.Facts)
	}
	granted, err := p.Sessions.Renew(r.Context(), r.Instance.ID, renewal)
	if errors.Is(err, session.ErrRefresh) || errors.Is(err, errEnded) {
		return tokenAnswer{}, newError(codeInvalidGrant, "%s", session.ErrRefresh.Public()).because(err)
	}
	if errors.Is(err, session.ErrScope) {
		return tokenAnswer{}, newError(codeInvalidScope, "%s", session.ErrScope.Public()).because(err)
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	facts := granted.Facts
	facts.Thumbprint, facts.Audience = r.proof.Thumbprint, audience
	if len(wanted) > 0 {
		facts.Scopes = r.meant(facts.Scopes, audience)
	}
	return p.issue(r, issued{facts: facts, application: r.client.id, jwt: r.client.jwt, granted: &granted, until: until})
}

// errEnded means that a session does not go on, although nobody has revoked it.
var errEnded = errors.New("oidc: what the session stands on is gone")

// goesOn returns nil when a session goes on, as q sees it: what it stands on is as it was, whoever acts
// for the user may still do so, and the project of its application takes the user. Otherwise it returns errEnded.
func (p *Provider) goesOn(ctx context.Context, q store.Querier, at access.Instance, f session.Facts) error {
	err := p.Tokens.Live(ctx, q, at.ID, f)
	if err == nil {
		err = p.Claims.Admits(ctx, q, at.ID, f.User, f.Client)
	}
	if errors.Is(err, token.ErrToken) || errors.Is(err, claims.ErrInactive) || fault.KindOf(err) == fault.PermissionDenied {
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return err
}

// mayBind returns an [Error] unless the key that was proved is one for the next tokens of a session (RFC 9449
// section 5). A session that is bound to a key stays bound. To another one it is bound by an application that
// has authenticated; a public one has nothing but the key to show that it is the same.
func (r *tokenRequest) mayBind(f session.Facts) error {
	switch {
	case f.Thumbprint == "" || f.Thumbprint == r.proof.Thumbprint:
		return nil
	case r.proof.Thumbprint == "":
		return newError(codeInvalidProof, "the session is bound to a key, and there is no DPoP proof")
	case r.client.ground.Kind == session.App:
		return newError(codeInvalidProof, "the DPoP proof is not by the key the session is bound to")
	}
	return nil
}
