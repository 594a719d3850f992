package session

import (
	"time"

	"castellan/internal/ident"
)

// Added begins a session that has a refresh token.
type Added struct {
	Facts
}

// AccessTokenAdded records that an access token was given out together with a refresh token.
type AccessTokenAdded struct {
	ID       ident.TokenID `json:"id"`
	Number   uint64        `json:"number"` // from 1
	Scopes   []string      `json:"scope"`
	Lifetime time.Duration `json:"lifetime"`
}

// AccessTokenRevoked revokes an access token, and those given out before it. It begins the session of
// a token that was given out without a refresh token.
type AccessTokenRevoked struct {
	ID     ident.TokenID `json:"id"`
	Number uint64        `json:"number"`
	User   ident.UserID  `json:"userID"`
	// Expires is when the token is of no use anyway.
	Expires time.Time `json:"expires"`
}

// RefreshTokenAdded records the first refresh token of a session.
type RefreshTokenAdded struct {
	ID           ident.TokenID `json:"id"`
	Lifetime     time.Duration `json:"lifetime"`     // of all refresh tokens of the session together
	IdleLifetime time.Duration `json:"idleLifetime"` // until it has to be used
}

// RefreshTokenRenewed records the next refresh token of a session, which replaces the one before.
type RefreshTokenRenewed struct {
	ID           ident.TokenID `json:"id"`
	IdleLifetime time.Duration `json:"idleLifetime"`
}

// RefreshTokenRevoked revokes the session: its refresh token and all its access tokens.
type RefreshTokenRevoked struct {
	// Reused says that it was because a refresh token was used a second time.
	Reused bool `json:"reused,omitempty"`
}

// Expired ends a session whose tokens have all expired.
type Expired struct{}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "oidc_session.added" }

// EventType implements eventlog.Payload.
func (AccessTokenAdded) EventType() string { return "oidc_session.access_token.added" }

// EventType implements eventlog.Payload.
func (AccessTokenRevoked) EventType() string { return "oidc_session.access_token.revoked" }

// EventType implements eventlog.Payload.
func (RefreshTokenAdded) EventType() string { return "oidc_session.refresh_token.added" }

// EventType implements eventlog.Payload.
func (RefreshTokenRenewed) EventType() string { return "oidc_session.refresh_token.renewed" }

// EventType implements eventlog.Payload.
func (RefreshTokenRevoked) EventType() string { return "oidc_session.refresh_token.revoked" }

// EventType implements eventlog.Payload.
func (Expired) EventType() string { return "oidc_session.expired" }
