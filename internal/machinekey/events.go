package machinekey

import (
	"time"

	"castellan/internal/ident"
)

// Added begins a key.
type Added struct {
	Key        ident.KeyID  `json:"keyId"`
	User       ident.UserID `json:"userId"`
	Type       int          `json:"type"`      // always 1, JSON
	PublicKey  []byte       `json:"publicKey"` // PKIX, PEM
	Expiration time.Time    `json:"expirationDate"`
}

// Removed ends a key.
type Removed struct {
	Key ident.KeyID `json:"keyId"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "user.machine.key.added" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "user.machine.key.removed" }
