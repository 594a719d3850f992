package vault

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

func TestMachineKeyFile(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("", 2*3600)
	file, err := MachineKeyFile(key, "311", "312", time.Date(2030, 1, 2, 3, 4, 5, 0, zone))
	if err != nil {
		t.Fatal(err)
	}
	// Contract section 1.4: these members, in this order.
	const head = `{"type":"serviceaccount","keyId":"311","key":"-----BEGIN RSA PRIVATE KEY-----\n`
	const tail = `-----END RSA PRIVATE KEY-----\n","expirationDate":"2030-01-02T01:04:05Z","userId":"312"}`
	if s := string(file); !strings.HasPrefix(s, head) || !strings.HasSuffix(s, tail) {
		t.Errorf("file = %s", s)
	}
	var doc struct{ Key string }
	if err := json.Unmarshal(file, &doc); err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode([]byte(doc.Key))
	if block == nil || len(rest) != 0 {
		t.Fatalf("key is not one PEM block: %q", doc.Key)
	}
	back, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil || !back.Equal(key) {
		t.Errorf("key does not come back: %v", err)
	}
	forever := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	if file, err := MachineKeyFile(key, "1", "2", forever); err != nil ||
		!strings.Contains(string(file), `"9999-12-31T23:59:59Z"`) {
		t.Errorf("no expiry: %s, %v", file, err)
	}
	if _, err := MachineKeyFile(key, "1", "2", forever.Add(time.Hour)); err == nil {
		t.Error("wrote a date RFC 3339 does not have")
	}
}

func TestAppKeyFile(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	file, err := AppKeyFile(key, "311", "312", "313")
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"type":"application","keyId":"311","key":"-----BEGIN RSA PRIVATE KEY-----\n`
	const tail = `-----END RSA PRIVATE KEY-----\n","appId":"312","clientId":"313"}`
	if s := string(file); !strings.HasPrefix(s, head) || !strings.HasSuffix(s, tail) {
		t.Errorf("file = %s", s)
	}
	var doc struct{ Key string }
	if err := json.Unmarshal(file, &doc); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(doc.Key))
	back, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil || !back.Equal(key) {
		t.Errorf("key does not come back: %v", err)
	}
}

func TestPublicKeyPEM(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	text, err := PublicKeyPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		t.Fatalf("not one PEM block PUBLIC KEY: %s", text)
	}
	back, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !key.PublicKey.Equal(back) {
		t.Errorf("key does not come back: %v", err)
	}
}
