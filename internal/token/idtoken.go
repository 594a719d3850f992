package token

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"castellan/internal/ident"
)

// typeID is the typ of an ID token.
const typeID = "JWT"

// IDToken makes the ID token that goes with an access token (OpenID Connect Core section 2, contract
// section 5.6), for a lifetime from now on. more are further claims, which cannot replace those that every
// ID token has. It returns the errors of signing.Keys.
func (s *Service) IDToken(ctx context.Context, at ident.InstanceID, issuer string, a Issued, lifetime time.Duration,
	more map[string]any,
) (string, error) {
	signer, err := s.config.Keys.Active(ctx, at)
	if err != nil {
		return "", fmt.Errorf("make an ID token: %w", err)
	}
	t, now := &a.Token, s.config.Clock.Now()
	claims := make(map[string]any, len(more)+12)
	maps.Copy(claims, more)
	maps.Copy(claims, map[string]any{
		"iss": issuer, "sub": t.User, "aud": audienceOfID(t), "azp": t.Client, "client_id": t.Client,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "auth_time": t.AuthTime.Unix(),
		"at_hash": halfHash(signer.Hash(), a.Text), "sid": t.Session,
	})
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
