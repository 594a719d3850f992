package systemuser

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"castellan/internal/fault"
	"castellan/internal/ident"
)

func TestBearerToken(t *testing.T) {
	missing, invalid := "auth header missing", "invalid auth header (AUTH-toLo1)"
	for name, tt := range map[string]struct {
		values []string
		token  string
		answer string // empty when a token is found
	}{
		"none":             {nil, "", missing},
		"empty list":       {[]string{}, "", missing},
		"empty value":      {[]string{""}, "", missing},
		"good":             {[]string{"Bearer abc"}, "abc", ""},
		"empty token":      {[]string{"Bearer "}, "", ""},
		"two spaces":       {[]string{"Bearer  abc"}, " abc", ""},
		"scheme alone":     {[]string{"Bearer"}, "", invalid},
		"lower case":       {[]string{"bearer abc"}, "", invalid},
		"upper case":       {[]string{"BEARER abc"}, "", invalid},
		"token alone":      {[]string{"abc"}, "", invalid},
		"another scheme":   {[]string{"Basic abc"}, "", invalid},
		"scheme twice":     {[]string{"Bearer Bearer abc"}, "", invalid},
		"scheme after":     {[]string{"Bearer abc Bearer def"}, "", invalid},
		"something before": {[]string{"Basic x, Bearer abc"}, "", invalid},
		"tab":              {[]string{"Bearer\tabc"}, "", invalid},
		"two headers":      {[]string{"Bearer abc", "Bearer def"}, "", invalid},
		"two, one empty":   {[]string{"", "Bearer def"}, "", invalid},
	} {
		token, err := BearerToken(tt.values)
		answer := ""
		if err != nil {
			answer = fault.Of(err).Public()
		}
		if token != tt.token || answer != tt.answer {
			t.Errorf("%s: %q, answer %q; want %q, %q", name, token, answer, tt.token, tt.answer)
		}
		if err != nil && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: kind %v", name, fault.KindOf(err))
		}
	}
}

func TestAuthenticate(t *testing.T) {
	r, _ := newTestRegistry(t)
	token := goodTokens()["RS256"].token
	caller, err := r.Authenticate(t.Context(), []string{"Bearer " + token})
	if err != nil || caller.Name != "rsa" || caller.May("system.instance.write", Scope{}) != nil {
		t.Errorf("good: %v, %v", caller, err)
	}
	for id, values := range map[string][]string{
		"": nil, "AUTH-toLo1": {token}, "AUTH-7fs1e": {"Bearer " + token[1:]},
	} {
		caller, err := r.Authenticate(t.Context(), values)
		if err == nil || fault.Of(err).ID != id || caller.Name != "" {
			t.Errorf("%q: %v, %v", id, caller, err)
		}
	}
	viewer := forge(`{"alg":"EdDSA"}`, claimsOf("viewer").String(), eddsa(keys().Ed25519))
	caller, err = r.Verify(t.Context(), viewer)
	if err != nil || caller.May("system.instance.read", Scope{}) != nil ||
		fault.Of(caller.May("system.instance.write", Scope{})).ID != "AUTH-5mWD2" {
		t.Errorf("viewer: %v, %v", caller, err)
	}
}

// TestSameAnswerForUnknownUserAndWrongKey: who asks must not learn which users exist.
func TestSameAnswerForUnknownUserAndWrongKey(t *testing.T) {
	r, _ := newTestRegistry(t)
	sign := rs(crypto.SHA256, keys().RSA2)
	_, unknown := r.Verify(t.Context(), forge(`{"alg":"RS256"}`, claimsOf("nobody").String(), sign))
	_, wrong := r.Verify(t.Context(), forge(`{"alg":"RS256"}`, claimsOf("rsa").String(), sign))
	if !errors.Is(unknown, errBadToken) || !errors.Is(wrong, errBadToken) ||
		fault.Of(unknown).Public() != fault.Of(wrong).Public() {
		t.Errorf("unknown user: %v; wrong key: %v", unknown, wrong)
	}
	if unknown.Error() == wrong.Error() {
		t.Error("the log cannot tell the two apart")
	}
}

// TestTimesAreCheckedAtEachUse moves the clock over every limit of a token that has been
// verified, and therefore remembered, before.
func TestTimesAreCheckedAtEachUse(t *testing.T) {
	claims := claimsOf("ed25519")
	for name, tt := range map[string]struct {
		claims claimSet
		step   time.Duration // from good to bad
	}{
		"exp": {claims.With("exp", fmt.Sprint(testNow.Unix()+10)), 9 * time.Second},
		"iat": {claims.With("exp", fmt.Sprint(testNow.Unix()+1e6)), time.Hour + time.Microsecond},
		"iat in the future": {
			claims.With("iat", fmt.Sprint(testNow.Unix()+1)), -time.Microsecond,
		},
		"nbf": {claims.With("nbf", fmt.Sprint(testNow.Unix()+1)), -time.Microsecond},
	} {
		r, clock := newTestRegistry(t)
		token := forge(`{"alg":"EdDSA"}`, tt.claims.String(), eddsa(keys().Ed25519))
		if _, err := r.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: at first: %v", name, err)
		}
		clock.Advance(tt.step)
		assertRefused(t, r, name, token, "")
		clock.Advance(-tt.step)
		if _, err := r.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: with the clock back: %v", name, err)
		}
	}
}

func TestCertificateValidity(t *testing.T) {
	k := keys()
	clock := ident.NewManualClock(testNow)
	users := []Config{{Name: "p256", KeyData: certificatePEM(t, k.P256, testNow, testNow.Add(time.Minute))}}
	r, err := NewRegistry(users, testIssuer, clock)
	if err != nil {
		t.Fatal(err)
	}
	sign := func() string { return forge(`{"alg":"ES256"}`, claimsOf("p256").String(), es(crypto.SHA256, k.P256)) }
	remembered := sign()
	for _, tt := range []struct {
		at   time.Duration
		good bool
	}{
		{-time.Second, false}, {0, true}, {time.Minute, true}, {time.Minute + time.Second, false}, {0, true},
	} {
		clock.Advance(testNow.Add(tt.at).Sub(clock.Now()))
		for name, token := range map[string]string{"remembered": remembered, "new": sign()} {
			if tt.good {
				if _, err := r.Verify(t.Context(), token); err != nil {
					t.Errorf("%s at %s: %v", name, tt.at, err)
				}
			} else {
				assertRefused(t, r, name+" at "+tt.at.String(), token, "certificate is valid from")
			}
		}
	}
}

func TestReload(t *testing.T) {
	r, _ := newTestRegistry(t)
	k := keys()
	tokens := goodTokens()
	verify := func(name string, wantRefused string) {
		t.Helper()
		token := tokens[name].token
		if wantRefused != "" {
			assertRefused(t, r, name, token, wantRefused)
		} else if _, err := r.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	verify("RS256", "")
	verify("ES256", "")

	// A faulty reload changes nothing, not even for the users that are right.
	err := r.Reload([]Config{{Name: "rsa", KeyData: publicPEM(t, k.RSA2)}, {Name: "bad"}})
	if err == nil || !strings.Contains(err.Error(), `"bad"`) {
		t.Errorf("a faulty reload: %v", err)
	}
	verify("RS256", "")
	verify("EdDSA", "")

	// rsa gets another key, ed25519 other roles, p256 goes.
	if err := r.Reload([]Config{
		{Name: "rsa", KeyData: publicPEM(t, k.RSA2)},
		{Name: "ed25519", KeyData: publicPEM(t, k.Ed25519), Memberships: []MembershipConfig{
			{MemberType: "System", Roles: []string{"SYSTEM_OWNER_VIEWER"}},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	verify("RS256", "signature")
	verify("ES256", "no system user")
	caller, err := r.Verify(t.Context(), tokens["EdDSA"].token)
	if err != nil || caller.May("system.instance.write", Scope{}) == nil {
		t.Errorf("new roles do not count for a remembered token: %v, %v", caller, err)
	}

	if err := r.Reload(nil); err != nil {
		t.Fatal(err)
	}
	if n := r.verified.EstimatedSize(); n != 0 {
		t.Errorf("%d tokens of the old users are kept in memory", n)
	}
	verify("EdDSA", "no system user")
	if err := r.Reload(testUsers(t)); err != nil {
		t.Fatal(err)
	}
	verify("RS256", "")
}

func TestReloadReadsFilesAgain(t *testing.T) {
	k := keys()
	path := filepath.Join(t.TempDir(), "ops.pem")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(publicPEM(t, k.RSA))
	users := []Config{{Name: "rsa", Path: path, KeyData: "not looked at"}}
	r, err := NewRegistry(users, testIssuer, ident.NewManualClock(testNow))
	if err != nil {
		t.Fatal(err)
	}
	token := goodTokens()["RS256"].token
	if _, err := r.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	write(publicPEM(t, k.RSA2))
	if err := r.Reload(users); err != nil {
		t.Fatal(err)
	}
	assertRefused(t, r, "the old key", token, "signature")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(users); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the file is gone: %v", err)
	}
	fresh := forge(`{"alg":"RS256"}`, claimsOf("rsa").String(), rs(crypto.SHA256, k.RSA2))
	if _, err := r.Verify(t.Context(), fresh); err != nil {
		t.Errorf("after a faulty reload: %v", err)
	}
}

// TestReloadWhileVerifying swaps a user's key back and forth under load. A verification that
// begins after a reload has returned must answer by the new key.
func TestReloadWhileVerifying(t *testing.T) {
	r, _ := newTestRegistry(t)
	k := keys()
	users := [2][]Config{
		{{Name: "ed25519", KeyData: publicPEM(t, k.Ed25519)}},
		{{Name: "ed25519", KeyData: publicPEM(t, k.P256)}},
	}
	token := goodTokens()["EdDSA"].token
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if caller, err := r.Verify(t.Context(), token); err == nil && caller.Name != "ed25519" {
						t.Errorf("verified as %q", caller.Name)
					}
				}
			}
		})
	}
	for i := range 200 {
		if err := r.Reload(users[i%2]); err != nil {
			t.Error(err)
		}
		if _, err := r.Verify(t.Context(), token); (err == nil) != (i%2 == 0) {
			t.Errorf("reload %d: err = %v", i, err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestIssuer(t *testing.T) {
	for _, tt := range []struct {
		secure bool
		domain string
		port   int
		want   string
	}{
		{true, "iam.example.com", 443, "https://iam.example.com"},
		{true, "iam.example.com", 0, "https://iam.example.com"},
		{true, "iam.example.com", 80, "https://iam.example.com:80"},
		{true, "localhost", 8080, "https://localhost:8080"},
		{false, "localhost", 8080, "http://localhost:8080"},
		{false, "localhost", 80, "http://localhost"},
		{false, "localhost", 0, "http://localhost"},
		{false, "localhost", 443, "http://localhost:443"},
	} {
		if got := Issuer(tt.secure, tt.domain, tt.port); got != tt.want {
			t.Errorf("Issuer(%v, %s, %d) = %s, want %s", tt.secure, tt.domain, tt.port, got, tt.want)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		token := goodTokens()[alg].token
		b.Run(alg+"/remembered", func(b *testing.B) {
			r, _ := newTestRegistry(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+"/new", func(b *testing.B) {
			r, _ := newTestRegistry(b)
			users := r.current.Load().users
			b.ReportAllocs()
			for b.Loop() {
				c, err := inspect(token, testIssuer, testNow)
				if err == nil {
					_, err = users[c.Subject].verify(token, testNow)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyRemembered(b *testing.B) {
	r, _ := newTestRegistry(b)
	header := []string{"Bearer " + goodTokens()["RS256"].token}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Authenticate(b.Context(), header); err != nil {
				b.Error(err)
			}
		}
	})
}
