package vault

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"castellan/internal/ident"
)

// AppKeyFile returns the key of an application as its owner receives it, once: UTF-8 JSON, of which the
// private key is PKCS#1 PEM. Unlike that of a machine it does not say when the key expires, as clients
// know it.
func AppKeyFile(key *rsa.PrivateKey, keyID ident.KeyID, app ident.AppID, clientID string) ([]byte, error) {
	file, err := json.Marshal(struct {
		Type     string      `json:"type"`
		KeyID    ident.KeyID `json:"keyId"`
		Key      string      `json:"key"`
		AppID    ident.AppID `json:"appId"`
		ClientID string      `json:"clientId"`
	}{"application", keyID, privateKeyPEM(key), app, clientID})
	if err != nil {
		return nil, fmt.Errorf("write application key %s: %w", keyID, err)
	}
	return file, nil
}

// privateKeyPEM is a private key as PKCS#1 (RFC 8017, appendix A.1.2) in PEM.
func privateKeyPEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}
