package system_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// checkToken checks the personal access token against what is stored of it: its hash and expiry.
func (s shape) checkToken(t *testing.T, n *kit.Node, made *systemv1.CreateInstanceResponse) {
	t.Helper()
	token := made.GetPat()
	hashes := kit.Column[[]byte](t, n.DB(), `SELECT token_hash FROM personal_access_tokens WHERE instance_id = $1`, made.GetInstanceId())
	if s.tokenEnds == "" {
		if token != "" || len(hashes) != 0 {
			t.Errorf("nobody asked for a token, yet there is %q and %d rows", token, len(hashes))
		}
		return
	}
	if !regexp.MustCompile(`^cstl_pat_[0-9A-Za-z]{49}$`).MatchString(token) || !checksumRight(token) {
		t.Errorf("%q is not a token with a checksum", token)
	}
	if sum := sha256.Sum256([]byte(token)); len(hashes) != 1 || !bytes.Equal(hashes[0], sum[:]) {
		t.Errorf("stored of the token: %x, want its hash", hashes)
	}
	const columns = ` FROM personal_access_tokens WHERE instance_id = $1`
	checkEnds(t, n, `SELECT expires_at`+columns, made.GetInstanceId(), s.tokenEnds)
	want := "openid profile urn:zitadel:iam:user:metadata urn:zitadel:iam:user:resourceowner"
	if got := kit.Column[string](t, n.DB(), `SELECT scopes`+columns, made.GetInstanceId()); len(got) != 1 || got[0] != want {
		t.Errorf("scopes of the token: %q", got)
	}
}

// checksumRight reports whether the last six characters of a token are, in base 62, the CRC-32
// of those before, which is how scanners tell a token from what only looks like one.
func checksumRight(token string) bool {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	body, sum := token[:len(token)-6], uint64(0)
	for _, c := range token[len(token)-6:] {
		sum = sum*62 + uint64(strings.IndexRune(digits, c))
	}
	return sum == uint64(crc32.ChecksumIEEE([]byte(body)))
}

func checkEnds(t *testing.T, n *kit.Node, sql, instance, want string) {
	t.Helper()
	if got := kit.Column[int64](t, n.DB(), sql, instance); len(got) != 1 || got[0] != moment(want).UnixMicro() {
		t.Errorf("%s: %v, want %s", sql, got, want)
	}
}

// checkKey checks the key file, member for member (contract section 1.4), and that its private
// half fits what is stored.
func (s shape) checkKey(t *testing.T, n *kit.Node, made *systemv1.CreateInstanceResponse) {
	t.Helper()
	id := made.GetInstanceId()
	stored := kit.Column[[]byte](t, n.DB(), `SELECT public_key FROM machine_keys WHERE instance_id = $1`, id)
	if s.keyEnds == "" {
		if len(made.GetMachineKey()) != 0 || len(stored) != 0 {
			t.Errorf("nobody asked for a key, yet there is %q and %d rows", made.GetMachineKey(), len(stored))
		}
		return
	}
	var file struct{ Type, KeyID, Key, ExpirationDate, UserID string }
	if err := json.Unmarshal(made.GetMachineKey(), &file); err != nil {
		t.Fatalf("the key is no JSON: %v", err)
	}
	pemText, err := json.Marshal(file.Key)
	if err != nil {
		t.Fatal(err)
	}
	exact := `{"type":"serviceaccount","keyId":"` + file.KeyID + `","key":` + string(pemText) +
		`,"expirationDate":"` + s.keyEnds + `","userId":"` + file.UserID + `"}`
	if string(made.GetMachineKey()) != exact {
		t.Errorf("the key file is\n%s\nwant\n%s", made.GetMachineKey(), exact)
	}
	const columns = ` FROM machine_keys WHERE instance_id = $1`
	if got := kit.Column[string](t, n.DB(), `SELECT key_id`+columns, id); len(got) != 1 || got[0] != file.KeyID {
		t.Errorf("key id %q, stored %q", file.KeyID, got)
	}
	if got := kit.Column[string](t, n.DB(), `SELECT user_id FROM users WHERE instance_id = $1`, id); len(got) != 1 || got[0] != file.UserID {
		t.Errorf("user id %q, stored %q", file.UserID, got)
	}
	checkEnds(t, n, `SELECT expires_at`+columns, id, s.keyEnds)
	if private := privateKey(t, file.Key); len(stored) != 1 || !private.PublicKey.Equal(publicKey(t, stored[0])) {
		t.Errorf("the private key does not fit the %d public ones stored", len(stored))
	}
}

// privateKey reads PKCS#1 in PEM, an RSA key of 2048 bits.
func privateKey(t *testing.T, text string) *rsa.PrivateKey {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "RSA PRIVATE KEY" || len(rest) != 0 {
		t.Fatal("the key is not one block RSA PRIVATE KEY")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if key.N.BitLen() != 2048 {
		t.Errorf("the key has %d bits", key.N.BitLen())
	}
	return key
}

// publicKey reads PKIX in PEM.
func publicKey(t *testing.T, text []byte) *rsa.PublicKey {
	t.Helper()
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		t.Fatalf("stored as public key: %s", text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}
