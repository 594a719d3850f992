package oidc

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/claims"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/token"
	"castellan/internal/user"
)

// Refusals of what is shown in an exchange: of each type one, whatever is wrong.
var (
	errAccessShown = fault.New(fault.PermissionDenied, "OIDC-Osh3t", "Errors.TokenExchange.Token.Invalid")
	errIDShown     = fault.New(fault.PermissionDenied, "OIDC-Rei0f", "Errors.TokenExchange.Token.Invalid")
	errJWTShown    = fault.New(fault.PermissionDenied, "OIDC-eiS6o", "Errors.TokenExchange.Token.Invalid")
	errUserShown   = fault.New(fault.PermissionDenied, "OIDC-Nee6r", "Errors.TokenExchange.Token.Invalid")
)

// side is one of the two parties of an exchange.
type side struct {
	user ident.UserID
	org  ident.OrgID
	// audience and scopes are those of its token; none without one.
	audience []string
	scopes   claims.Scopes
	methods  []string
	authTime time.Time
	// actor is who acts for the user already.
	actor *session.Actor
	// grounds are what its token stands on.
	grounds []session.Ground
	// expires is when its token ends; zero without one.
	expires time.Time
	// personal says that its token is a personal access token.
	personal bool
	// named says that the user was named, and not proved by a token of its own.
	named bool
}

// shown reads the subject and the actor of an exchange. A subject that was named needs an actor.
func (p *Provider) shown(r *tokenRequest) (x exchanged, err error) {
	x.subject, err = p.show(r, "subject_token", typeAccessToken, typeIDToken, typeJWT, typeUserID, typeRefreshToken)
	if err != nil {
		return x, err
	}
	if !x.subject.named && r.form.get("actor_token") == "" && r.form.get("actor_token_type") == "" {
		return x, nil
	}
	actor, err := p.show(r, "actor_token", typeAccessToken, typeIDToken, typeRefreshToken)
	x.actor = &actor
	return x, err
}

// show reads a parameter that has a token of one of the allowed types.
func (p *Provider) show(r *tokenRequest, parameter string, allowed ...string) (side, error) {
	text, typ := r.form.get(parameter), r.form.get(parameter+"_type")
	var (
		s   side
		err error
	)
	switch {
	case text == "":
		err = errTokenGone
	case typ == "":
		err = errTypeMissing
	case !slices.Contains(allowed, typ):
		err = errTypeNotAllowed
	case typ == typeAccessToken:
		s, err = p.showAccess(r, text)
	case typ == typeIDToken:
		s, err = p.showID(r, text)
	case typ == typeJWT:
		s, err = p.showJWT(r, text)
	case typ == typeUserID:
		s, err = p.showUser(r, errUserShown, userByIDSQL, text)
	default:
		err = errTypeNotSupported
	}
	var refused *fault.Error
	if errors.As(err, &refused) && refused.Kind != fault.Internal {
		err = refusedExchange(parameter, refused)
	}
	return s, err
}

// showAccess reads an access token.
func (p *Provider) showAccess(r *tokenRequest, text string) (side, error) {
	t, err := p.Tokens.Inspect(r.Context(), r.Instance.ID, r.Issuer, text)
	if err == nil && t.Personal {
		t.Audience = []string{r.client.id, string(r.client.project)} // it is meant for all
	}
	s, err := sideOf(r, t, err, errAccessShown)
	s.personal = t.Personal
	return s, err
}

// showID reads an ID token.
func (p *Provider) showID(r *tokenRequest, text string) (side, error) {
	t, err := p.Tokens.VerifyID(r.Context(), r.Instance.ID, r.Issuer, text)
	return sideOf(r, t, err, errIDShown)
}

// sideOf returns the side of a token, or refused when it is of no use to who asks.
func sideOf(r *tokenRequest, t token.Token, err error, refused *fault.Error) (side, error) {
	if err == nil {
		err = r.mayExchange(t)
	}
	if errors.Is(err, token.ErrToken) {
		return side{}, refused.WithCause(err)
	}
	return side{
		user: t.User, org: t.Org, audience: t.Audience, scopes: t.Scopes, methods: t.Methods, authTime: t.AuthTime,
		actor: t.Actor, grounds: t.Sources(), expires: t.Expires,
	}, err
}

// mayExchange returns nil when a token is one for who asks: given to it, or meant for it, or one that a user
// got for itself. One that is bound to a key is exchanged by who has the key, or by an application that it is
// meant for and that has authenticated.
func (r *tokenRequest) mayExchange(t token.Token) error {
	given, meant := applicationOf(t), meantFor(t, r.client)
	if given != "" && given != r.client.id && !meant {
		return fmt.Errorf("%w: it was given to client %s, and is not meant for client %s", token.ErrToken, given, r.client.id)
	}
	recipient := meant && given != r.client.id && r.client.ground.Kind != session.App
	if t.Thumbprint != "" && t.Thumbprint != r.proof.Thumbprint && !recipient {
		return fmt.Errorf("%w: it is bound to a key that was not proved", token.ErrToken)
	}
	return nil
}

// showJWT reads a token in which the application that asks, by one of its keys, names a user: by id, or by
// user name. It counts once when it has a jti.
func (p *Provider) showJWT(r *tokenRequest, text string) (side, error) {
	said, err := assertion.ParseAbout(text, r.Issuer, r.Issuer+pathToken)
	if err == nil {
		err = said.ValidAt(r.now)
	}
	if err == nil && said.Issuer != r.client.id {
		err = errors.New("iss is not the application that asks")
	}
	if err != nil {
		return side{}, errJWTShown.WithCause(err)
	}
	found, err := p.applicationByID(r.Context(), r.Instance.ID, credentials{id: r.client.id, claims: said})
	if err != nil {
		return side{}, err
	}
	err = p.publicKey(&found).Verify(text)
	if err == nil && (len(found.key) == 0 || found.expires <= r.now.UnixMicro()) {
		err = errors.New("the application has no such key, or it has expired")
	}
	if err != nil {
		return side{}, errJWTShown.WithCause(err)
	}
	ground := session.Ground{Kind: session.AppKey, Client: r.client.id, ID: said.KeyID}
	if err := p.spend(r.Request, ground, said); errors.Is(err, errSpent) {
		return side{}, errJWTShown.WithCause(err)
	} else if err != nil {
		return side{}, err
	}
	s, err := p.showUser(r, errJWTShown, userByNameSQL, said.Subject, user.LoginKey(said.Subject))
	ground.User = s.user
	s.grounds = []session.Ground{ground}
	return s, err
}

// The statements that read a user with its organization: $2 is its id, or in the second $3 its user name.
const (
	userSQL = `SELECT u.user_id, u.org_id, u.state, o.state FROM users u
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 WHERE u.instance_id = $1 AND `
	userByIDSQL   = userSQL + `u.user_id = $2`
	userByNameSQL = userSQL + `(u.user_id = $2 OR u.login_key = $3)
 ORDER BY CASE WHEN u.user_id = $2 THEN 0 ELSE 1 END LIMIT 1`
)

// showUser finds a user who is named, and may act, by a statement and its parameters after the instance.
func (p *Provider) showUser(r *tokenRequest, refused *fault.Error, sql string, names ...any) (side, error) {
	var state, orgState string
	s, err := store.One(r.Context(), p.DB, func(from store.Scanner) (s side, err error) {
		return s, from.Scan(&s.user, &s.org, &state, &orgState)
	}, sql, append([]any{string(r.Instance.ID)}, names...)...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return side{}, refused.WithCause(errors.New("there is no such user"))
	case err != nil:
		return side{}, fmt.Errorf("find a user of instance %s: %w", r.Instance.ID, err)
	case state != user.Active || orgState != user.Active:
		return side{}, refused.WithCause(fmt.Errorf("user %s is %s, its organization %s", s.user, state, orgState))
	}
	s.named = true
	return s, nil
}
