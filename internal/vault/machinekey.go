package vault

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"castellan/internal/ident"
)

// MachineKeyFile returns the key of a machine user as its owner receives it, once: UTF-8
// JSON with the members and the order of contract section 1.4, the private key as PKCS#1
// PEM. It returns an error when expires lies after the year 9999, which RFC 3339 cannot say.
func MachineKeyFile(key *rsa.PrivateKey, keyID ident.KeyID, user ident.UserID, expires time.Time) ([]byte, error) {
	file, err := json.Marshal(struct {
		Type           string       `json:"type"`
		KeyID          ident.KeyID  `json:"keyId"`
		Key            string       `json:"key"`
		ExpirationDate time.Time    `json:"expirationDate"`
		UserID         ident.UserID `json:"userId"`
	}{
		Type:           "serviceaccount",
		KeyID:          keyID,
		Key:            privateKeyPEM(key),
		ExpirationDate: expires.UTC(),
		UserID:         user,
	})
	if err != nil {
		return nil, fmt.Errorf("write machine key %s: %w", keyID, err)
	}
	return file, nil
}

// PublicKeyPEM returns a public key as PKIX in PEM (RFC 5280 section 4.1.2.7), the form in
// which machine keys are stored. It returns an error for a key x509 cannot write.
func PublicKeyPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("write public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
