package terminaltest

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Claims verifies a token, printed as one line, with the public key in a file, and fails unless
// it is one of user for audience. It returns when the token was made and when it ends.
func Claims(t testing.TB, token, publicFile, user, audience string) (issued, ends time.Time) {
	t.Helper()
	text, err := os.ReadFile(publicFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(token, "\n") || strings.Count(token, "\n") != 1 {
		t.Errorf("not one line: %q", token)
	}
	signed, err := jwt.ParseSigned(strings.TrimSpace(token), []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.Claims
	if err := signed.Claims(key, &c); err != nil {
		t.Fatal(err)
	}
	if c.Issuer != user || c.Subject != user || len(c.Audience) != 1 || c.Audience[0] != audience {
		t.Errorf("claims %+v, want user %s and audience %s", c, user, audience)
	}
	return c.IssuedAt.Time(), c.Expiry.Time()
}
