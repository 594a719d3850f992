package systemuser

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/ident"
)

// TestMint goes the whole way of an operator: make a key, configure it, make a token, use it.
func TestMint(t *testing.T) {
	for kind, header := range map[string]string{
		KindRSA:     `{"alg":"RS256","typ":"JWT"}`,
		KindECDSA:   `{"alg":"ES256","typ":"JWT"}`,
		KindEd25519: `{"alg":"EdDSA","typ":"JWT"}`,
	} {
		private, public, err := GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		clock := ident.NewManualClock(testNow)
		r, err := NewRegistry([]Config{{Name: "Ops", KeyData: string(public)}}, testIssuer, clock)
		if err != nil {
			t.Fatal(err)
		}
		key, err := assertion.ParsePrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		token, err := Mint(key, "Ops", testIssuer, MaxAge, testNow)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(token, ".")
		for i, want := range []string{
			header, `{"aud":"https://iam.example.com","exp":1772370000,"iat":1772366400,"iss":"ops","sub":"ops"}`,
		} {
			text, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil || !json.Valid(text) || string(text) != want {
				t.Errorf("%s: part %d is %s, want %s", kind, i+1, text, want)
			}
		}
		caller, err := r.Verify(t.Context(), token)
		if err != nil || caller.Name != "ops" {
			t.Errorf("%s: %q, %v", kind, caller.Name, err)
		}
		clock.Advance(MaxAge)
		assertRefused(t, r, kind+" an hour later", token, "exp")
		if _, again, err := GenerateKey(kind); err != nil || string(again) == string(public) {
			t.Errorf("%s: the same key twice, %v", kind, err)
		}
	}
	if _, _, err := GenerateKey("dsa"); err == nil {
		t.Error("made a key of an unknown kind")
	}
}

// other is a signer that is none of the known kinds.
type other struct{ crypto.Signer }

func (other) Public() crypto.PublicKey { return struct{}{} }

func TestMintRefuses(t *testing.T) {
	k := keys()
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key      crypto.Signer
		user     string
		lifetime time.Duration
		want     string
	}{
		"no name":       {k.Ed25519, "", time.Minute, "name:"},
		"long name":     {k.Ed25519, strings.Repeat("x", 201), time.Minute, "name:"},
		"too short":     {k.Ed25519, "ops", time.Second, "lifetime:"},
		"negative":      {k.Ed25519, "ops", -time.Minute, "lifetime:"},
		"too long":      {k.Ed25519, "ops", time.Hour + 1, "lifetime:"},
		"no key":        {nil, "ops", time.Minute, "key:"},
		"another key":   {other{}, "ops", time.Minute, "key:"},
		"another curve": {p224, "ops", time.Minute, "key: is on curve P-224"},
	} {
		if token, err := Mint(tt.key, tt.user, testIssuer, tt.lifetime, testNow); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v; want %q", name, token, err, tt.want)
		}
	}
}
