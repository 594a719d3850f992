package tenant_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"castellan/internal/dpop/dpoptest"
	"castellan/tests/kit"

	authv1 "castellan/gen/zitadel/auth/v1"
	userv2 "castellan/gen/zitadel/user/v2"
)

// form posts a form to an endpoint of the instance's issuer; header are pairs of name and value.
func (x *tenant) form(path string, form url.Values, header ...string) (status int, answer map[string]any) {
	x.Helper()
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	status, _, body := kit.Raw(x, x.At.HTTP, http.MethodPost, x.At.URL+path, form.Encode(), h)
	if err := json.Unmarshal([]byte(body), &answer); err != nil && body != "" {
		x.Fatalf("%s: %d %s: %v", path, status, body, err)
	}
	return status, answer
}

// credentials gives the owner a secret, with which it asks for tokens for itself.
func (x *tenant) credentials(scope string) url.Values {
	x.Helper()
	var made userv2.AddSecretResponse
	x.write(userAPI+"AddSecret", &userv2.AddSecretRequest{UserId: x.Owner}, &made, []string{"user.machine.secret.set"})
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {x.Owner}, "client_secret": {made.GetClientSecret()}, "scope": {scope},
	}
}

const ownProjectScope = "openid urn:zitadel:iam:org:project:id:zitadel:aud"

// A token that is bound to a key opens the APIs of the instance with a proof of that key for the very call, and
// nothing without.
func TestABoundToken(t *testing.T) {
	eachWire(t, func(x *tenant) {
		const me = "zitadel.auth.v1.AuthService/GetMyUser"
		mine, other, now := dpoptest.New(x), dpoptest.New(x), time.Now()
		form := x.credentials(ownProjectScope)
		_, plain := x.form("/oauth/v2/token", form)
		status, answer := x.form("/oauth/v2/token", form, "DPoP", mine.Proof(http.MethodPost, x.At.URL+"/oauth/v2/token", "", now))
		text, _ := answer["access_token"].(string)
		if status != http.StatusOK || answer["token_type"] != "DPoP" || text == "" {
			x.Fatalf("%d %v", status, answer)
		}
		verb, path := http.MethodPost, kit.Path(me)
		if x.Wire.Name == kit.REST().Name {
			verb, path = kit.Route(me)
		}
		proof := func(h *dpoptest.Holder) string { return h.Proof(verb, x.At.URL+path, text, now) }
		ask := func(scheme, token string, proofs ...string) kit.Answer {
			c := kit.Call{Method: me, Request: &authv1.GetMyUserRequest{}, Header: http.Header{"Authorization": {scheme + " " + token}}}
			if len(proofs) > 0 {
				c.Header["Dpop"] = proofs
			}
			var got authv1.GetMyUserResponse
			a := x.Wire.Send(x, x.At, c, &got)
			if a.Code == codes.OK && got.GetUser().GetId() != x.Owner {
				x.Errorf("it is %s", got.GetUser().GetId())
			}
			return a
		}
		before := len(x.Events())
		good, spare := proof(mine), proof(mine)
		for range 2 {
			if a := ask("DPoP", text, proof(mine)); a.Code != codes.OK {
				x.Fatalf("with a proof: %v", a)
			}
		}
		if a := ask("DPoP", text, good); a.Code != codes.OK {
			x.Fatalf("with a proof: %v", a)
		}
		for name, a := range map[string]kit.Answer{
			"as a bearer":            ask("Bearer", text),
			"as a bearer, and proof": ask("Bearer", text, spare),
			"without a proof":        ask("DPoP", text),
			"with a proof again":     ask("DPoP", text, good),
			"with another key":       ask("DPoP", text, proof(other)),
			"two proofs":             ask("DPoP", text, proof(mine), proof(mine)),
			"for another verb":       ask("DPoP", text, mine.Proof(http.MethodPut, x.At.URL+path, text, now)),
			"for another path":       ask("DPoP", text, mine.Proof(verb, x.At.URL+path+"/", text, now)),
			"for another host":       ask("DPoP", text, mine.Proof(verb, strings.Replace(x.At.URL, ".example", ".example.org", 1)+path, text, now)),
			"for another scheme":     ask("DPoP", text, mine.Proof(verb, strings.Replace(x.At.URL, "http:", "https:", 1)+path, text, now)),
			"for another token":      ask("DPoP", text, mine.Proof(verb, x.At.URL+path, text+"A", now)),
			"for a token request":    ask("DPoP", text, mine.Proof(verb, x.At.URL+path, "", now)),
			"an hour ago":            ask("DPoP", text, mine.Proof(verb, x.At.URL+path, text, now.Add(-time.Hour))),
			"a bearer token":         ask("DPoP", plain["access_token"].(string), mine.Proof(verb, x.At.URL+path, plain["access_token"].(string), now)),
			"a personal one":         ask("DPoP", x.Token, mine.Proof(verb, x.At.URL+path, x.Token, now)),
		} {
			if a.Code != codes.Unauthenticated || a.ID != "AUTH-7fs1e" {
				x.Errorf("%s: %v", name, a)
			}
			if challenge := a.Header.Get("WWW-Authenticate"); a.HTTP == http.StatusUnauthorized && !strings.HasPrefix(name, "as a bearer") &&
				!strings.HasPrefix(challenge, `DPoP error="invalid_`) {
				x.Errorf("%s: WWW-Authenticate %q", name, challenge)
			}
		}
		if a := ask("DPoP", text, spare); a.Code != codes.OK {
			x.Errorf("with the proof that did not count: %v", a)
		}
		if left := x.Events()[before:]; len(left) > 0 {
			x.Errorf("it left %v", left)
		}
	})
}
