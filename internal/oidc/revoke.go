package oidc

import (
	"context"
	"errors"
	"net/http"

	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/token"
	"castellan/internal/vault"
)

// errNotYours is the answer to a client that would revoke the token of another.
var errNotYours = newError(codeInvalidClient, "token was not issued for this client")

// revoke makes a token of no use (RFC 7009): an access token, or a refresh token with all that came of it.
// It is done when it is answered, on every node. A text that is no token is no error. A personal access
// token belongs to its user and to no client, and is removed by the API of users.
func (p *Provider) revoke(w http.ResponseWriter, r *Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	c, err := p.applicationOrMachine(r, f)
	if err != nil {
		return err
	}
	text := f.get("token")
	if text == "" {
		return newError(codeInvalidRequest, "the parameter token is missing")
	}
	if _, err := vault.ParseToken(text); err == nil {
		return newError("unsupported_token_type", "a personal access token is not revoked here")
	}
	// Every text is at most one of the two, so the hint of its type is not needed.
	err = p.Sessions.RevokeRefresh(r.Context(), r.Instance.ID, text, c.id)
	switch {
	case errors.Is(err, session.ErrRefresh):
		err = p.revokeAccess(r, c, text)
	case errors.Is(err, session.ErrClient):
		err = errNotYours.because(err)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// revokeAccess revokes an access token of a client.
func (p *Provider) revokeAccess(r *Request, c client, text string) error {
	t, err := p.Tokens.Given(r.Context(), r.Instance.ID, r.Issuer, text)
	if errors.Is(err, token.ErrToken) {
		return nil
	}
	if err != nil {
		return err
	}
	if !ownedBy(t, c) {
		return errNotYours
	}
	return p.Sessions.RevokeAccess(r.Context(), r.Instance.ID, t.Access())
}

// ownedBy reports whether a token was given to a client. An application and a machine may have one name.
func ownedBy(t token.Token, c client) bool {
	if c.user != "" {
		return applicationOf(t) == "" && t.User == c.user
	}
	return applicationOf(t) == c.id
}

// applicationOrMachine authenticates a client of any kind, a public application among them. An application
// comes before a machine of the same name.
func (p *Provider) applicationOrMachine(r *Request, f form) (client, error) {
	c, err := p.readCredentials(r, f)
	if err != nil {
		return client{}, err
	}
	return p.authenticate(r, c, func(ctx context.Context, at ident.InstanceID, c credentials) (candidate, error) {
		h, err := p.applicationByID(ctx, at, c)
		if err != nil || h.found {
			return h, err
		}
		return p.machineByName(ctx, at, c)
	})
}
