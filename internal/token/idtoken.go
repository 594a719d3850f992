package token

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/signing"
)

// typeID is the typ of an ID token.
const typeID = "JWT"

// IDToken makes the ID token that goes with an access token (OpenID Connect Core section 2, contract
// section 5.6), for a lifetime from now on. more are further claims, which cannot replace those that every
// ID token has. Its jti is that of the access token: of what [Service.VerifyID] takes it for nothing is left when
// that is revoked or expires, and it is bound to the same key, if any. An access token without Text is not given
// out: then the ID token is for itself. It returns the errors of signing.Keys.
func (s *Service) IDToken(ctx context.Context, at ident.InstanceID, issuer string, a Issued, lifetime time.Duration,
	more map[string]any,
) (string, error) {
	signer, err := s.config.Keys.Active(ctx, at)
	if err != nil {
		return "", fmt.Errorf("make an ID token: %w", err)
	}
	t, now := &a.Token, s.config.Clock.Now()
	claims := make(map[string]any, len(more)+16)
	maps.Copy(claims, more)
	maps.Copy(claims, map[string]any{
		"iss": issuer, "sub": t.User, "aud": audienceOfID(t), "azp": t.Client, "client_id": t.Client,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "auth_time": t.AuthTime.Unix(),
		"sid": t.Session, "jti": t.ID, groundsClaim: t.Grounds,
	})
	if t.Expires.Unix() < now.Add(lifetime).Unix() {
		claims[endsClaim] = t.Expires.Unix()
	}
	if t.Thumbprint != "" {
		claims["cnf"] = Confirmation{t.Thumbprint}
	}
	if a.Text != "" {
		claims["at_hash"] = halfHash(signer.Hash(), a.Text)
	}
	if t.Nonce != "" {
		claims["nonce"] = t.Nonce
	}
	if len(t.Methods) > 0 {
		claims["amr"] = t.Methods
	}
	if t.Actor != nil {
		claims["act"] = NewActorClaim(t.Actor)
	}
	data, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("make an ID token: %w", err)
	}
	text, err := signer.Sign(typeID, data)
	if err != nil {
		return "", fmt.Errorf("make an ID token: %w", err)
	}
	return text, nil
}

// endsClaim is the claim in which an ID token says when the access token expires that it went with, where that is
// sooner than itself. What is known of a session is forgotten then.
const endsClaim = "urn:castellan:ends"

// idClaims are what [Service.VerifyID] reads of an ID token.
type idClaims struct {
	Issuer       string           `json:"iss"`
	Subject      ident.UserID     `json:"sub"`
	Audience     []string         `json:"aud"`
	Client       string           `json:"client_id"`
	ID           ident.TokenID    `json:"jti"`
	Expires      int64            `json:"exp"`
	Ends         int64            `json:"urn:castellan:ends"`
	Issued       int64            `json:"iat"`
	AuthTime     int64            `json:"auth_time"`
	Methods      []string         `json:"amr"`
	Actor        *ActorClaim      `json:"act"`
	Confirmation Confirmation     `json:"cnf"`
	Grounds      []session.Ground `json:"urn:castellan:grounds"`
}

// VerifyID returns what an ID token of the instance says, as of the access token it went with: what it stands
// on is as it was, and neither of the two has been revoked or has expired. It has no scopes. It returns [ErrToken] for
// everything else, and the errors of store.DB.
func (s *Service) VerifyID(ctx context.Context, at ident.InstanceID, issuer, text string) (Token, error) {
	refuse := func(why error) (Token, error) { return Token{}, fmt.Errorf("%w: %w", ErrToken, why) }
	if len(text) > maxJWT {
		return refuse(errContent)
	}
	data, typ, err := s.config.Keys.Verify(ctx, at, text)
	switch {
	case errors.Is(err, signing.ErrToken):
		return refuse(err)
	case err != nil:
		return Token{}, err
	case typ != typeID:
		return refuse(fmt.Errorf("its typ is %.40q", typ))
	}
	var c idClaims
	if err := json.Unmarshal(data, &c); err != nil {
		return refuse(errContent) // signed here, and no ID token
	}
	if c.Ends == 0 {
		c.Ends = c.Expires
	}
	t := Token{ID: c.ID, Issued: time.Unix(c.Issued, 0).UTC(), Expires: time.Unix(min(c.Expires, c.Ends), 0).UTC(), Facts: session.Facts{
		User: c.Subject, Client: c.Client, Audience: c.Audience, Methods: c.Methods, Thumbprint: c.Confirmation.Thumbprint,
		AuthTime: time.Unix(c.AuthTime, 0).UTC(), Actor: c.Actor.actor(), Grounds: c.Grounds,
	}}
	if t.Session, t.Number, err = parseID(c.ID); err != nil {
		return refuse(err)
	}
	if c.Issuer != issuer {
		return refuse(fmt.Errorf("its issuer is %.200q, not %s", c.Issuer, issuer))
	}
	if !s.config.Clock.Now().Before(t.Expires) {
		return refuse(errors.New("it has expired"))
	}
	if t.Org, err = s.live(ctx, s.config.DB, at, t.Facts, t.Session, t.Number); err != nil {
		return Token{}, err
	}
	return t, nil
}

// audienceOfID is the audience of the access token, and the client, for which every ID token is meant.
func audienceOfID(t *Token) []string {
	if slices.Contains(t.Audience, t.Client) {
		return t.Audience
	}
	return append(slices.Clone(t.Audience), t.Client)
}

// halfHash is the claim at_hash: the left half of the hash of a token, in base64url (OpenID Connect Core
// section 3.1.3.6).
func halfHash(h crypto.Hash, text string) string {
	hash := h.New()
	hash.Write([]byte(text)) // never fails
	sum := hash.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
