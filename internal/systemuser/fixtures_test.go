package systemuser

import (
	"testing"
	"time"

	"castellan/internal/assertion/assertiontest"
	"castellan/internal/ident"
)

const testIssuer = "https://iam.example.com"

// What tests of this package use under shorter names.
var (
	keys           = assertiontest.Keys
	publicPEM      = assertiontest.PublicPEM
	certificatePEM = assertiontest.CertificatePEM
	forge          = assertiontest.Forge
	rs             = assertiontest.RS
	ps256          = assertiontest.PS256
	es             = assertiontest.ES
	eddsa          = assertiontest.EdDSA
	hs256          = assertiontest.HS256
	unsigned       = assertiontest.Unsigned
)

type (
	signature = assertiontest.Signature
	claimSet  = assertiontest.ClaimSet
)

// claimsOf returns good claims of the user name at testNow.
func claimsOf(name string) claimSet { return assertiontest.Claims(name, testIssuer, testNow) }

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// testUsers configures one user for each sort of key; the user is called as the sort.
func testUsers(t testing.TB) []Config {
	k := keys()
	return []Config{
		{Name: "rsa", KeyData: publicPEM(t, k.RSA)},
		{Name: "rsa2", KeyData: publicPEM(t, k.RSA2)},
		{Name: "p256", KeyData: publicPEM(t, k.P256)},
		{Name: "p384", KeyData: publicPEM(t, k.P384)},
		{Name: "p521", KeyData: publicPEM(t, k.P521)},
		{Name: "ed25519", KeyData: publicPEM(t, k.Ed25519)},
		{Name: "viewer", KeyData: publicPEM(t, k.Ed25519), Memberships: []MembershipConfig{
			{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}},
		}},
	}
}

// newTestRegistry returns the registry of testUsers, and its clock, which stands at testNow.
func newTestRegistry(t testing.TB) (*Registry, *ident.ManualClock) {
	t.Helper()
	clock := ident.NewManualClock(testNow)
	r, err := NewRegistry(testUsers(t), testIssuer, clock)
	if err != nil {
		t.Fatal(err)
	}
	return r, clock
}
