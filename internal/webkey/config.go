package webkey

import (
	"slices"

	"castellan/internal/fault"
)

// Algorithm says how a key signs, by the name it has in the header of a JWS (RFC 7518 section 3.1, RFC
// 8037 section 3.1).
type Algorithm string

// The algorithms.
const (
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	ES256 Algorithm = "ES256" // P-256
	ES384 Algorithm = "ES384" // P-384
	ES512 Algorithm = "ES512" // P-521
	EdDSA Algorithm = "EdDSA" // Ed25519
)

// Algorithms are all of them, in the order in which they are told to clients (contract section 5.4).
var Algorithms = []Algorithm{EdDSA, RS256, RS384, RS512, ES256, ES384, ES512}

// Kinds of keys, by their numbers in events.
const (
	kindRSA     = 1
	kindECDSA   = 2
	kindEd25519 = 3
)

// kind returns the kind of key that signs with a, and 0 for what is no algorithm.
func (a Algorithm) kind() int {
	switch a {
	case RS256, RS384, RS512:
		return kindRSA
	case ES256, ES384, ES512:
		return kindECDSA
	case EdDSA:
		return kindEd25519
	}
	return 0
}

// Config says what key it is.
type Config struct {
	Algorithm Algorithm `json:"algorithm"`
	// Bits is the length of an RSA key: 2048, 3072 or 4096. It is 0 for the others.
	Bits int `json:"bits,omitempty"`
}

// First is what the first keys of an instance are (contract section 8).
var First = Config{Algorithm: RS256, Bits: 2048}

// rsaBits are the lengths an RSA key may have.
var rsaBits = []int{2048, 3072, 4096}

// check returns CRYPTO-Ii2ai for a key there is none of.
func (c Config) check() error {
	switch kind := c.Algorithm.kind(); {
	case kind == kindRSA && slices.Contains(rsaBits, c.Bits), kind > kindRSA && c.Bits == 0:
		return nil
	}
	return fault.Invalid("CRYPTO-Ii2ai", "Errors.WebKey.Config", "key",
		"must be an RSA key of 2048, 3072 or 4096 bits, an ECDSA key or an Ed25519 key")
}
