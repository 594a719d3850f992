package oidc

import (
	"context"
	"errors"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// clientCredentials gives a machine user a token for itself (RFC 6749 section 4.4, contract section 5.2). The
// client is the machine: client_id is its user name or its id, and it has authenticated by its secret or by a
// key. Applications have no user to have a token for; they are no clients here.
func (p *Provider) clientCredentials(r *tokenRequest) (tokenAnswer, error) {
	if r.client.user == "" {
		return tokenAnswer{}, newError(codeUnauthorized, "only machine users have tokens for themselves")
	}
	return p.forMachine(r, r.client)
}

// forMachine makes the tokens of a machine user that has authenticated. There is no refresh token: the
// machine can come again (contract section 5.2). What offline_access says is that applications which exchange
// the token may have one, see [Provider.exchange].
func (p *Provider) forMachine(r *tokenRequest, c client) (answer tokenAnswer, err error) {
	if r.scopes, err = p.ofOrg(r.Context(), r.Instance.ID, r.scopes, c.org); err != nil {
		return tokenAnswer{}, err
	}
	facts := r.facts(c.user, c.org, c.id, c.ground)
	if facts.Audience, err = p.audience(r); err != nil {
		return tokenAnswer{}, err
	}
	if r.form.has("resource") {
		facts.Scopes = r.meant(facts.Scopes, facts.Audience)
	}
	return p.issue(r, issued{facts: facts, jwt: c.jwt})
}

// primaryDomain returns the primary domain of an organization; empty when it has none.
func (p *Provider) primaryDomain(ctx context.Context, at ident.InstanceID, org ident.OrgID) (string, error) {
	domain, err := store.One(ctx, p.DB, func(from store.Scanner) (d string, err error) { return d, from.Scan(&d) },
		`SELECT domain FROM org_domains WHERE instance_id = $1 AND org_id = $2 AND is_primary`, string(at), string(org))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return domain, err
}
