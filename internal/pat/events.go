package pat

import (
	"time"

	"castellan/internal/ident"
)

// Added begins a token.
type Added struct {
	Token      ident.TokenID `json:"tokenId"`
	User       ident.UserID  `json:"userId"`
	Hash       []byte        `json:"tokenHash"`
	Scopes     []string      `json:"scopes"`
	Expiration time.Time     `json:"expiration"`
}

// Removed ends a token.
type Removed struct {
	Token ident.TokenID `json:"tokenId"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "user.pat.added" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "user.pat.removed" }
