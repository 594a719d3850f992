package oidc

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"castellan/internal/claims"
	"castellan/internal/session"
	"castellan/internal/token"
)

// introspect tells an application about a token that it was shown (RFC 7662, contract section 5.5). Whatever
// is wrong with the token, the answer is that it is not active.
//
// A refresh token is told about to the application it was given to, when token_type_hint says that it is one.
// Without, it is not active: who asks about what it was sent must never take it for an access token.
func (p *Provider) introspect(w http.ResponseWriter, r *Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	asking, err := p.introspector(r, f)
	if err != nil {
		return err
	}
	text := f.get("token")
	if text == "" {
		return newError(codeInvalidRequest, "the parameter token is missing")
	}
	tell := p.tellOf
	if f.get("token_type_hint") == hintRefresh && p.Sessions.GaveOut(r.Instance.ID, text) {
		tell = p.tellOfRefresh
	}
	told, err := tell(r, asking, text)
	if errors.Is(err, token.ErrToken) || errors.Is(err, claims.ErrInactive) || errors.Is(err, errEnded) {
		told, err = map[string]any{"active": false}, nil
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, told)
	return nil
}

// introspector authenticates the application that asks. The codes are those of contract section 5.5: a client
// that is not who it says it is, and one that says nothing, are told apart.
func (p *Provider) introspector(r *Request, f form) (client, error) {
	asking, err := p.application(r, f, false)
	var e *Error
	if !errors.As(err, &e) || e.Code != codeInvalidClient {
		return asking, err
	}
	if r.Header.Get("Authorization") == "" && f.get("client_secret") == "" && f.get("client_assertion") == "" {
		return client{}, newError(codeInvalidClient, "the client has not authenticated").because(err)
	}
	return client{}, newError(codeUnauthorized, "the client cannot be authenticated").because(err)
}

// errNotMeant is the cause when an application asks about a token that is not meant for it.
var errNotMeant = errors.New("the token is meant for others")

// tellOf returns what is told about a token that is of use. It returns token.ErrToken for others, and for one
// that is not meant for who asks.
func (p *Provider) tellOf(r *Request, asking client, text string) (map[string]any, error) {
	t, err := p.Tokens.Inspect(r.Context(), r.Instance.ID, r.Issuer, text)
	if err != nil {
		return nil, err
	}
	if t.Personal {
		t.Audience = []string{asking.id, string(asking.project)} // it is meant for all (contract section 5.5)
	}
	if !meantFor(t, asking) {
		return nil, errors.Join(token.ErrToken, errNotMeant)
	}
	told, err := p.Claims.About(r.Context(), r.Instance.ID, claims.Subject{
		User: t.User, Scopes: t.Scopes, Client: asking.id, Use: claims.Introspection,
	})
	if err != nil {
		return nil, err
	}
	if name, ok := told["preferred_username"]; ok {
		told["username"] = name
	}
	maps.Copy(told, statement(t, r.Issuer))
	return told, nil
}

// hintRefresh is the token_type_hint of refresh tokens (RFC 7009 section 2.1).
const hintRefresh = "refresh_token"

// tellOfRefresh is tellOf of a refresh token: of use is one that would be renewed, if who asks came with it now.
// It says nothing about its user beside who that is.
func (p *Provider) tellOfRefresh(r *Request, asking client, text string) (map[string]any, error) {
	s, id, err := p.Sessions.Shown(r.Context(), r.Instance.ID, text)
	if errors.Is(err, session.ErrRefresh) || err == nil && s.Client != asking.id {
		return nil, errors.Join(token.ErrToken, err)
	}
	if err == nil {
		err = p.goesOn(r.Context(), p.DB, r.Instance, s.Facts)
	}
	if err != nil {
		return nil, err
	}
	said := statement(token.Token{ID: id, Facts: s.Facts, Expires: s.IdleUntil}, r.Issuer)
	said["sub"], said["token_type"] = s.User, notApplicable
	delete(said, "iat") // when it was given out is not kept
	delete(said, "nbf")
	return said, nil
}

// meantFor reports whether an application is in the audience of a token: itself, or by its project.
func meantFor(t token.Token, c client) bool {
	return slices.Contains(t.Audience, c.id) || c.project != "" && slices.Contains(t.Audience, string(c.project))
}

// statement is what a token says about itself (RFC 7662 section 2.2).
func statement(t token.Token, issuer string) map[string]any {
	said := map[string]any{
		"active": true, "iss": issuer, "jti": t.ID, "aud": t.Audience, "scope": strings.Join(t.Scopes, " "),
		"token_type": schemeBearer, "iat": t.Issued.Unix(), "nbf": t.Issued.Unix(), "exp": t.Expires.Unix(),
	}
	if !t.Personal {
		said["client_id"] = t.Client
	}
	if !t.AuthTime.IsZero() {
		said["auth_time"] = t.AuthTime.Unix()
	}
	if len(t.Methods) > 0 {
		said["amr"] = t.Methods
	}
	if t.Actor != nil {
		said["act"] = token.NewActorClaim(t.Actor)
	}
	if t.Thumbprint != "" { // RFC 9449 section 6.2
		said["token_type"], said["cnf"] = schemeDPoP, token.Confirmation{Thumbprint: t.Thumbprint}
	}
	return said
}
