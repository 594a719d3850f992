package system_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"castellan/internal/store"
	"castellan/tests/kit"

	instancev2 "castellan/gen/zitadel/instance/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

// projectScope asks for a token for the APIs of the instance (contract section 5.1).
const projectScope = "urn:zitadel:iam:org:project:id:zitadel:aud"

// machine is the owner of an instance, with the key it was given.
type machine struct {
	tenant
	user, key string
	private   *rsa.PrivateKey
}

func newMachine(t *testing.T, n *kit.Node, domain string) machine {
	t.Helper()
	made := n.Create(t, kit.WithKey(kit.WithDomain(kit.Machine("Acme"), domain)))
	var file struct{ KeyID, Key, UserID string }
	if err := json.Unmarshal(made.GetMachineKey(), &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Key))
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return machine{
		tenant: tenant{id: made.GetInstanceId(), token: made.GetPat(), owner: file.UserID, at: n.At(t, domain)},
		user:   file.UserID, key: file.KeyID, private: private,
	}
}

// sends has the access tokens of the machine be of a form: bearer or jwt.
func (m machine) sends(t *testing.T, form string) {
	t.Helper()
	kind := userv2.AccessTokenType_ACCESS_TOKEN_TYPE_BEARER
	if form == "jwt" {
		kind = userv2.AccessTokenType_ACCESS_TOKEN_TYPE_JWT
	}
	update := &userv2.UpdateUserRequest{UserId: m.user, UserType: &userv2.UpdateUserRequest_Machine_{
		Machine: &userv2.UpdateUserRequest_Machine{AccessTokenType: &kind},
	}}
	call := kit.Call{Method: "zitadel.user.v2.UserService/UpdateUser", Request: update, Token: m.tenant.token}
	if a := kit.GRPC().Send(t, m.at, call, nil); a.Code != codes.OK {
		t.Fatal(a)
	}
}

// token asks for an access token by an assertion (RFC 7523).
func (m machine) token(t *testing.T, scope string) string {
	t.Helper()
	now := time.Now()
	assertion := kit.JWT{
		Header: map[string]any{"alg": "RS256", "kid": m.key},
		Claims: map[string]any{
			"iss": m.user, "sub": m.user, "aud": m.at.URL, "iat": now.Add(-time.Second).Unix(), "exp": now.Add(time.Minute).Unix(),
		},
		Key: m.private,
	}.Sign(t)
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}, "scope": {scope}}
	got := ask(t, m.at, http.MethodPost, "/oauth/v2/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.Token == "" {
		t.Fatalf("%d %s: %v", got.status, got.body, err)
	}
	return answer.Token
}

// TestAccessTokens: an access token that was given out for the instance's own project opens its APIs at its own
// hosts, as long as its user and its key do; any other, and any that was changed, opens nothing.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		a, other := newMachine(t, n, "a.example"), newMachine(t, n, "b.example")
		for _, form := range []string{"bearer", "jwt"} {
			a.sends(t, form)
			other.sends(t, form)
			good, foreign, useless := a.token(t, "openid "+projectScope), other.token(t, "openid "+projectScope), a.token(t, "openid")
			if isJWT := strings.Count(good, ".") == 2; isJWT != (form == "jwt") {
				t.Fatalf("asked for a %s, got %s", form, good)
			}
			get := func(w kit.Wire, at *kit.Client, token string) (kit.Answer, string) {
				t.Helper()
				got := new(instancev2.GetInstanceResponse)
				x := w.Send(t, at, kit.Call{Method: instanceV2 + "/GetInstance", Request: getV2(""), Token: token}, got)
				return x, got.GetInstance().GetId()
			}
			for _, w := range rpcWires() {
				if x, id := get(w, a.at, good); x.Code != codes.OK || id != a.id {
					t.Errorf("a %s over %s: %v, %s", form, w.Name, x, id)
				}
				for name, c := range map[string]struct {
					at    *kit.Client
					token string
				}{
					"of another instance": {a.at, foreign}, "at another instance": {other.at, good}, "at the system's host": {n.Client, good},
					"for nothing": {a.at, useless}, "cut": {a.at, good[:len(good)-2]}, "changed": {a.at, good[:len(good)/2] + flip(good[len(good)/2:])},
				} {
					if x, _ := get(w, c.at, c.token); x.Code != codes.Unauthenticated || x.ID != "AUTH-7fs1e" {
						t.Errorf("a %s %s over %s: %v", form, name, w.Name, x)
					}
				}
			}
			rest := rpcWires()[0]
			exec(t, n, `UPDATE users SET state = 'inactive' WHERE user_id = $1`, a.user)
			if x, _ := get(rest, a.at, good); x.Code != codes.Unauthenticated {
				t.Errorf("a %s of an inactive user: %v", form, x)
			}
			exec(t, n, `UPDATE users SET state = 'active' WHERE user_id = $1`, a.user)
			exec(t, n, `UPDATE machine_keys SET expires_at = $2 WHERE key_id = $1`, a.key, store.Micros(time.Now().Add(-time.Minute)))
			if x, _ := get(rest, a.at, good); x.Code != codes.Unauthenticated {
				t.Errorf("a %s of a key that has expired: %v", form, x)
			}
			exec(t, n, `UPDATE machine_keys SET expires_at = $2 WHERE key_id = $1`, a.key, store.Micros(time.Now().Add(time.Hour)))
			if x, _ := get(rest, a.at, good); x.Code != codes.OK {
				t.Errorf("a %s of which all is back: %v", form, x)
			}
		}
	})
}

// flip changes the first character of a text to another one of the alphabet of tokens.
func flip(text string) string {
	if text[0] == 'A' {
		return "B" + text[1:]
	}
	return "A" + text[1:]
}

// exec changes rows past the program, and tells those who keep them in memory, as the log would.
func exec(t *testing.T, n *kit.Node, sql string, args ...any) {
	t.Helper()
	err := n.DB().Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Exec(ctx, sql, args...), tx.Exec(ctx, `UPDATE cache_epochs SET settings = settings + 1, access = access + 1`))
	})
	if err != nil {
		t.Fatal(err)
	}
}
