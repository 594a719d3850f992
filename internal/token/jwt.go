package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/jsontext"
	"castellan/internal/session"
	"castellan/internal/signing"
)

// typeAccess is the typ of an access token (RFC 9068 section 2.1). ID tokens have another, so that neither
// is taken for the other.
const typeAccess = "at+jwt"

// accessClaims are the claims of an access token (RFC 9068 section 2.2, contract section 5.6). scope, which
// the reference leaves out, is as RFC 9068 section 2.2.3 recommends.
type accessClaims struct {
	Issuer       string           `json:"iss"`
	Subject      ident.UserID     `json:"sub"`
	Audience     []string         `json:"aud"`
	Expires      int64            `json:"exp"`
	Issued       int64            `json:"iat"`
	NotBefore    int64            `json:"nbf"`
	Client       string           `json:"client_id"`
	ID           ident.TokenID    `json:"jti"`
	Scope        string           `json:"scope,omitempty"`
	AuthTime     int64            `json:"auth_time,omitempty"`
	Methods      []string         `json:"amr,omitempty"`
	Actor        *ActorClaim      `json:"act,omitempty"`
	Confirmation *Confirmation    `json:"cnf,omitempty"`
	Grounds      []session.Ground `json:"urn:castellan:grounds"`
}

// groundsClaim is the claim in which a JWT says what it stands on.
const groundsClaim = "urn:castellan:grounds"

// accessNames are the names of all of them: also of one that a token does not have nobody else decides.
var accessNames = func() (names []string) {
	t := reflect.TypeFor[accessClaims]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}()

// ActorClaim is the claim act: who acts for the subject (RFC 8693 section 4.1).
type ActorClaim struct {
	Subject ident.UserID `json:"sub"`
	Issuer  string       `json:"iss,omitempty"`
	Actor   *ActorClaim  `json:"act,omitempty"`
}

// Confirmation is the claim cnf: the key a token is bound to (RFC 9449 section 6.1).
type Confirmation struct {
	Thumbprint string `json:"jkt"`
}

// NewActorClaim returns the claim of an actor; nil for none.
func NewActorClaim(a *session.Actor) *ActorClaim {
	if a == nil {
		return nil
	}
	return &ActorClaim{Subject: a.User, Issuer: a.Issuer, Actor: NewActorClaim(a.Actor)}
}

// actor is the reverse of NewActorClaim.
func (c *ActorClaim) actor() *session.Actor {
	if c == nil {
		return nil
	}
	return &session.Actor{User: c.Subject, Issuer: c.Issuer, Actor: c.Actor.actor()}
}

// claims returns what a token says as a JWT of an issuer. One that is meant for nobody in particular is
// meant for the issuer: aud must not be missing (RFC 9068 section 3).
func (t *Token) claims(issuer string) accessClaims {
	c := accessClaims{
		Issuer: issuer, Subject: t.User, Audience: t.Audience, Expires: t.Expires.Unix(), Issued: t.Issued.Unix(),
		NotBefore: t.Issued.Unix(), Client: t.Client, ID: t.ID, Scope: strings.Join(t.Scopes, " "),
		Methods: t.Methods, Actor: NewActorClaim(t.Actor), Grounds: t.Grounds,
	}
	if len(c.Audience) == 0 {
		c.Audience = []string{issuer}
	}
	if !t.AuthTime.IsZero() {
		c.AuthTime = t.AuthTime.Unix()
	}
	if t.Thumbprint != "" {
		c.Confirmation = &Confirmation{t.Thumbprint}
	}
	return c
}

// json appends the claims as encoding/json writes them. There is at least one ground.
func (c *accessClaims) json(to []byte) []byte {
	w := jsontext.Writer{Text: to}.Begin().
		String("iss", c.Issuer).
		String("sub", string(c.Subject)).
		Strings("aud", c.Audience).
		Int("exp", c.Expires).
		Int("iat", c.Issued).
		Int("nbf", c.NotBefore).
		String("client_id", c.Client).
		String("jti", string(c.ID)).
		StringUnlessEmpty("scope", c.Scope).
		IntUnlessZero("auth_time", c.AuthTime)
	if len(c.Methods) > 0 {
		w = w.Strings("amr", c.Methods)
	}
	if c.Actor != nil {
		w = w.Value("act", c.Actor)
	}
	if c.Confirmation != nil {
		w = w.Value("cnf", c.Confirmation)
	}
	w = w.BeginList(groundsClaim)
	for _, g := range c.Grounds {
		w = w.Begin().
			String("kind", string(g.Kind)).
			String("user", string(g.User)).
			StringUnlessEmpty("client", g.Client).
			StringUnlessEmpty("id", g.ID).
			StringUnlessEmpty("session", string(g.Session))
		if g.Number != 0 {
			w = w.Uint("number", g.Number)
		}
		w = w.End()
	}
	return w.EndList().End().Text
}

// token is the reverse of claims. It returns an error for what claims does not return.
func (c *accessClaims) token(issuer string) (t Token, err error) {
	id, number, err := parseID(c.ID)
	if err != nil {
		return t, err
	}
	if c.Issuer != issuer {
		return t, fmt.Errorf("its issuer is %.200q, not %s", c.Issuer, issuer)
	}
	if len(c.Grounds) == 0 {
		return t, errContent
	}
	t = Token{
		ID: c.ID, Session: id, Number: number,
		Issued: time.Unix(c.Issued, 0).UTC(), Expires: time.Unix(c.Expires, 0).UTC(),
		Facts: session.Facts{
			User: c.Subject, Client: c.Client, Audience: c.Audience, Scopes: strings.Fields(c.Scope),
			Methods: c.Methods, Actor: c.Actor.actor(), Grounds: c.Grounds,
		},
	}
	if slices.Equal(c.Audience, []string{issuer}) {
		t.Audience = nil
	}
	if c.AuthTime != 0 {
		t.AuthTime = time.Unix(c.AuthTime, 0).UTC()
	}
	if c.Confirmation != nil {
		t.Thumbprint = c.Confirmation.Thumbprint
	}
	return t, nil
}

// parseID is the reverse of session.AccessID.
func parseID(id ident.TokenID) (ident.SessionID, uint64, error) {
	of, text, _ := strings.Cut(string(id), "-at_")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || number == 0 || session.AccessID(ident.SessionID(of), number) != id {
		return "", 0, errContent
	}
	return ident.SessionID(of), number, nil
}

// openJWT returns what a JWT says that the instance has signed as an access token. It returns [ErrToken],
// or the errors of signing.Keys.
func (s *Service) openJWT(ctx context.Context, at ident.InstanceID, issuer, compact string) (Token, error) {
	refuse := func(why error) (Token, error) { return Token{}, fmt.Errorf("%w: %w", ErrToken, why) }
	data, typ, err := s.config.Keys.Verify(ctx, at, compact)
	switch {
	case errors.Is(err, signing.ErrToken):
		return refuse(err)
	case err != nil:
		return Token{}, err
	case typ != typeAccess:
		return refuse(fmt.Errorf("its typ is %.40q", typ))
	}
	var c accessClaims
	if err := json.Unmarshal(data, &c); err != nil {
		return refuse(errContent) // signed here, and no access token
	}
	t, err := c.token(issuer)
	if err != nil {
		return refuse(err)
	}
	return t, nil
}
