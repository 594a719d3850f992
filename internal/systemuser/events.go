package systemuser

import "time"

// Added begins a system user, or begins it anew after it was removed.
type Added struct {
	// PublicKey is PEM: a public key (PKIX) or a certificate.
	PublicKey   string       `json:"publicKey"`
	Memberships []Membership `json:"memberships"`
}

// KeyRotated gives the user another key.
type KeyRotated struct {
	PublicKey string `json:"publicKey"`
	// PreviousUntil is until when the key before counts too; absent when it stops at once.
	PreviousUntil time.Time `json:"previousUntil,omitzero"`
}

// Removed ends the user.
type Removed struct{}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "system.user.added" }

// EventType implements eventlog.Payload.
func (KeyRotated) EventType() string { return "system.user.key.rotated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "system.user.removed" }
