package oidc

import (
	"errors"
	"net/http"

	"castellan/internal/claims"
)

// userinfo tells about the user of an access token what the scopes of the token allow (OpenID Connect Core
// section 5.3, contract section 5.6).
func (p *Provider) userinfo(w http.ResponseWriter, r *Request) error {
	t, err := p.accept(r)
	if err != nil {
		return err
	}
	told, err := p.Claims.About(r.Context(), r.Instance.ID, claims.Subject{
		User: t.User, Scopes: t.Scopes, Client: applicationOf(t), Use: claims.Userinfo,
	})
	if errors.Is(err, claims.ErrInactive) { // since the token was verified
		return errTokenInvalid.because(err).challenging(schemeBearer, "invalid_token")
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, told)
	return nil
}
