package webkey

import "encoding/json"

// Added begins a key, in state initial.
type Added struct {
	// PrivateKey is PKCS #8, sealed, see [Seal].
	PrivateKey []byte `json:"privateKey"`
	// PublicKey is a JWK (RFC 7517 section 4) with use, kid and alg.
	PublicKey  json.RawMessage `json:"publicKey"`
	Config     Config          `json:"config"`
	ConfigType int             `json:"configType"` // 1 RSA, 2 ECDSA, 3 Ed25519
}

// Activated makes a key the one that signs.
type Activated struct{}

// Deactivated makes the active key one that signs no more.
type Deactivated struct{}

// Removed ends a key.
type Removed struct{}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "web_key.added" }

// EventType implements eventlog.Payload.
func (Activated) EventType() string { return "web_key.activated" }

// EventType implements eventlog.Payload.
func (Deactivated) EventType() string { return "web_key.deactivated" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "web_key.removed" }
