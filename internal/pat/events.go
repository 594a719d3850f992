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

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "user.pat.added" }
