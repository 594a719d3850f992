package oidc

import (
	"errors"

	"castellan/internal/assertion"
)

// jwtProfile gives a machine user a token for an assertion that it has signed (RFC 7523 section 2.1,
// contract section 5.2): by and about the user, signed with the key of it that kid names, made for this
// issuer, within the last hour. Nothing has to be known beside.
//
// A client_id is not needed, and does not authenticate. It says what the client calls itself.
//
// What it is for is said by the parameter scope; without one by a claim of that name, as client libraries
// do it that were first made for Google's servers (golang.org/x/oauth2/jwt).
//
// What a client can see in its assertion it is told; everything else is one answer, whether the user or the
// key is unknown, not of use or not the right one.
func (p *Provider) jwtProfile(r *tokenRequest) (tokenAnswer, error) {
	c := credentials{method: authPrivateKeyJWT, text: r.form.get("assertion")}
	if c.text == "" {
		return tokenAnswer{}, newError(codeInvalidRequest, "assertion is missing")
	}
	var err error
	if c.claims, err = assertion.Parse(c.text, r.Issuer, r.Issuer+pathToken); err == nil {
		err = c.claims.ValidAt(r.now)
	}
	if err != nil {
		return tokenAnswer{}, newError(codeInvalidGrant, "%s", "assertion: "+clean(err.Error(), 200))
	}
	if c.claims.KeyID == "" {
		return tokenAnswer{}, newError(codeInvalidGrant, "assertion: kid is missing")
	}
	if err := r.askFor(c.claims.Scope); err != nil {
		return tokenAnswer{}, err
	}
	c.id = c.claims.Subject
	visit, err := p.admit(r.Request, c.id)
	if err != nil {
		return tokenAnswer{}, err
	}
	h, err := p.machineByID(r.Context(), r.Instance.ID, c)
	if err != nil {
		return tokenAnswer{}, err
	}
	if why := p.prove(&h, c); why != nil {
		if err := p.failed(r.Context(), &h, visit); err != nil {
			return tokenAnswer{}, err
		}
		return tokenAnswer{}, newError(codeInvalidGrant, "assertion: it is not by a key of its subject that is of use").because(why)
	}
	visit.Proved()
	err = p.spend(r.Request, h.client.ground, c.claims)
	if errors.Is(err, errSpent) {
		return tokenAnswer{}, newError(codeInvalidGrant, "%s", err.Error())
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := p.bind(r); err != nil {
		return tokenAnswer{}, err
	}
	return p.forMachine(r, h.client.called(r.form.get("client_id")))
}

// askFor has a request that names no scopes ask for those in a claim. One of the two has to name some
// (contract section 5.2).
func (r *tokenRequest) askFor(claim string) error {
	if len(r.asked) > 0 {
		return nil
	}
	if err := r.ask(claim); err != nil {
		return err
	}
	if len(r.asked) == 0 {
		return newError(codeInvalidRequest, "scope is missing")
	}
	return nil
}
