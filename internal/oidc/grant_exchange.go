package oidc

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"castellan/internal/app"
	"castellan/internal/claims"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/token"
)

// The types of tokens in an exchange (RFC 8693 section 3), and our own, which names a user.
const (
	typeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"
	typeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token"
	typeIDToken      = "urn:ietf:params:oauth:token-type:id_token"
	typeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	typeUserID       = "urn:zitadel:params:oauth:token-type:user_id"
)

// notApplicable is the token_type of what is no access token (RFC 8693 section 2.2.1).
const notApplicable = "N_A"

// Refusals of an exchange, by the ids of errors.tsv.
var (
	errTokenGone        = fault.New(fault.InvalidArgument, "OIDC-lei0O", "Errors.TokenExchange.Token.Missing")
	errTypeMissing      = fault.New(fault.InvalidArgument, "OIDC-sei9V", "Errors.TokenExchange.Token.TypeMissing")
	errTypeNotAllowed   = fault.New(fault.InvalidArgument, "OIDC-OZ1ie", "Errors.TokenExchange.Token.TypeNotAllowed")
	errTypeNotSupported = fault.New(fault.InvalidArgument, "OIDC-oda4R", "Errors.TokenExchange.Token.TypeNotSupported")
	errWantedType       = fault.New(fault.InvalidArgument, "OIDC-wai5E", "Errors.TokenExchange.Token.TypeNotSupported")
)

// exchanger authenticates an application that may exchange tokens.
func (p *Provider) exchanger(r *Request, f form) (client, error) {
	return p.applicationWith(r, f, app.TokenExchange)
}

// applicationWith authenticates an application, a public one among them, whose settings have a grant type.
func (p *Provider) applicationWith(r *Request, f form, grant app.GrantType) (client, error) {
	c, err := p.application(r, f, true)
	if err == nil && !slices.Contains(c.grants, grant) {
		return client{}, newError(codeUnauthorized, "the application does not have the grant type %s", grant)
	}
	return c, err
}

// exchange makes a token of others (RFC 8693, contract section 5): for the same user, or for one in whose
// name somebody acts. What is made is never worth more than what is shown, and counts as long as that does;
// see record 0017.
func (p *Provider) exchange(r *tokenRequest) (tokenAnswer, error) {
	wanted := r.form.get("requested_token_type")
	if !slices.Contains([]string{"", typeAccessToken, typeJWT, typeIDToken}, wanted) {
		return tokenAnswer{}, refusedExchange("requested_token_type", errWantedType)
	}
	x, err := p.shown(r)
	if err != nil {
		return tokenAnswer{}, err
	}
	facts, err := p.derive(r, x)
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := p.spendProof(r); err != nil {
		return tokenAnswer{}, err
	}
	if x.actor != nil {
		if err := p.impersonate(r, x, facts); err != nil {
			return tokenAnswer{}, err
		}
	}
	if wanted == typeIDToken {
		return p.identify(r, facts, x.until())
	}
	made := issued{facts: facts, application: r.client.id, jwt: wanted == typeJWT, until: x.until()}
	if claims.Scopes(facts.Scopes).Has(claims.OfflineAccess) {
		lifetimes := r.lifetimes
		lifetimes.RefreshTokenExpiration = r.within(lifetimes.RefreshTokenExpiration, made.until)
		granted, err := p.Sessions.Start(r.Context(), r.Instance.ID, facts, lifetimes)
		if err != nil {
			return tokenAnswer{}, err
		}
		made.granted = &granted
	}
	answer, err := p.issue(r, made)
	answer.IssuedType, answer.Scope = typeAccessToken, claims.Scopes(facts.Scopes).String()
	if wanted == typeJWT {
		answer.IssuedType = typeJWT
	}
	return answer, err
}

// refusedExchange is the answer when a parameter of an exchange is not good, or not good enough (RFC 8693
// section 2.2.2).
func refusedExchange(parameter string, why *fault.Error) *Error {
	return newError(codeInvalidRequest, "%s invalid: %s", parameter, why.Public()).because(why)
}

// deniedExchange is the answer when all is well, and somebody may not (contract section 5.3).
func deniedExchange(why *fault.Error) *Error {
	return newError(codeInvalidRequest, "%s", why.Public()).because(why).with(http.StatusForbidden)
}

// identify makes an ID token alone, which ends no later than until.
func (p *Provider) identify(r *tokenRequest, facts session.Facts, until time.Time) (tokenAnswer, error) {
	lifetime := r.within(r.lifetimes.IDTokenLifetime, until)
	told, err := p.Claims.About(r.Context(), r.Instance.ID, claims.Subject{
		User: facts.User, Scopes: facts.Scopes, Client: r.client.id, Use: claims.IDTokenOnly,
	})
	if err != nil {
		return tokenAnswer{}, err
	}
	access, err := p.Tokens.Issue(r.Context(), r.Instance.ID, r.Issuer, token.Wish{Facts: facts, Lifetime: lifetime})
	if err != nil {
		return tokenAnswer{}, err
	}
	text, err := p.Tokens.IDToken(r.Context(), r.Instance.ID, r.Issuer, token.Issued{Token: access.Token}, lifetime, told)
	return tokenAnswer{
		AccessToken: text, TokenType: notApplicable, IssuedType: typeIDToken,
		ExpiresIn: int64(lifetime / time.Second), Scope: claims.Scopes(facts.Scopes).String(),
	}, err
}

// exchanged is what an exchange was shown.
type exchanged struct {
	subject side
	// actor is who is to act for the subject; nil when the subject's own token is exchanged.
	actor *side
}

// until returns when the first of the tokens ends.
func (x *exchanged) until() time.Time {
	end := x.subject.expires
	if a := x.actor; a != nil && (end.IsZero() || a.expires.Before(end)) {
		end = a.expires
	}
	return end
}

// personal reports whether one of the tokens is a personal access token.
func (x *exchanged) personal() bool { return x.subject.personal || x.actor != nil && x.actor.personal }

// derive returns the facts of what is made of what was shown.
func (p *Provider) derive(r *tokenRequest, x exchanged) (session.Facts, error) {
	facts := r.facts(x.subject.user, x.subject.org, r.client.id, r.client.ground)
	facts.Grounds[0].User = facts.User
	proved := &x.subject // who has authenticated, and when
	audience, scopes := x.subject.audience, []claims.Scopes{x.subject.scopes}
	facts.Actor = x.subject.actor
	facts.Grounds = addGrounds(facts.Grounds, x.subject.grounds)
	if x.actor != nil {
		proved = x.actor
		audience, scopes = union(audience, x.actor.audience), append(scopes, x.actor.scopes)
		facts.Grounds = addGrounds(facts.Grounds, x.actor.grounds)
		facts.Actor = nest(x.actor.user, r.Issuer, x.actor.actor, x.subject.actor)
	}
	facts.AuthTime, facts.Methods = proved.authTime, proved.methods
	if len(facts.Grounds) > session.MaxGrounds || facts.Actor.Depth() > session.MaxActors {
		return facts, newError(codeInvalidRequest, "the tokens are the result of too many exchanges")
	}
	wanted, err := p.wanted(r)
	if err != nil {
		return facts, err
	}
	if facts.Audience, err = narrowed(wanted, audience); err != nil {
		return facts, err
	}
	if facts.Scopes, err = p.narrowedScopes(r, x, scopes); err != nil {
		return facts, err
	}
	if len(wanted) > 0 {
		facts.Scopes = r.meant(facts.Scopes, facts.Audience)
	}
	// What was shown was of use when it was looked at; who asks has been authenticated.
	return facts, p.admitted(r, facts)
}

// narrowedScopes returns the scopes that are asked for and that one of the tokens has: those of the subject,
// or else of the actor, when none are asked for. A personal access token has offline_access for who asks: it is
// made to be used while nobody is there (record 0017).
func (p *Provider) narrowedScopes(r *tokenRequest, x exchanged, held []claims.Scopes) (claims.Scopes, error) {
	scopes := r.scopes
	for i := 0; len(r.asked) == 0 && len(scopes) == 0 && i < len(held); i++ {
		scopes = held[i]
	}
	if x.personal() {
		held = append(held, claims.Scopes{claims.OfflineAccess})
	}
	scopes = slices.DeleteFunc(scopes.Within(held...), func(s string) bool {
		return s == claims.OfflineAccess && !slices.Contains(r.client.grants, app.RefreshToken)
	})
	scopes, err := p.ofOrg(r.Context(), r.Instance.ID, scopes, x.subject.org)
	if err == nil && len(scopes) == 0 && len(r.asked) > 0 {
		err = newError(codeInvalidScope, "the tokens that are shown have none of the scopes")
	}
	return scopes, err
}

// admitted returns nil when the project of the application takes the user, see claims.Admits.
func (p *Provider) admitted(r *tokenRequest, facts session.Facts) error {
	err := p.Claims.Admits(r.Context(), p.DB, r.Instance.ID, facts.User, r.client.id)
	var refused *fault.Error
	if errors.As(err, &refused) && refused.Kind == fault.PermissionDenied {
		return deniedExchange(refused)
	}
	return err
}

// addGrounds returns grounds with more of them, each once.
func addGrounds(grounds, more []session.Ground) []session.Ground {
	for _, g := range more {
		if !slices.Contains(grounds, g) {
			grounds = append(grounds, g)
		}
	}
	return grounds
}

// union returns what is in one of two lists.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// nest returns the chain of actors whose last is a user (RFC 8693 section 4.1): before it came those for whom
// it acts, and before them those who acted for the subject.
func nest(user ident.UserID, issuer string, before ...*session.Actor) *session.Actor {
	last := &session.Actor{User: user, Issuer: issuer}
	end := last
	for _, chain := range before {
		for a := chain; a != nil; a = a.Actor {
			end.Actor = &session.Actor{User: a.User, Issuer: a.Issuer}
			end = end.Actor
		}
	}
	return last
}
