package token

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestClaimsAreWrittenAsEver: the claims of a token are, byte for byte, what encoding/json makes of their fields.
func TestClaimsAreWrittenAsEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tok := drawToken(t)
		claims := tok.claims(rapid.String().Draw(t, "issuer"))
		want, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		if got := claims.json(nil); string(got) != string(want) {
			t.Errorf("written is\n%s, want\n%s", got, want)
		}
	})
}
