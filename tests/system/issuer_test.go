package system_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
	webkeyv2 "castellan/gen/zitadel/webkey/v2"
)

const webKeyV2 = "zitadel.webkey.v2.WebKeyService"

// relying is a client of an issuer, made of a library that knows nothing of this program.
type relying struct {
	*testing.T
	at       *kit.Client
	provider *oidc.Provider
	keysURL  string
}

// rely finds out about an issuer; the library refuses one that calls itself otherwise than it was asked.
func rely(t *testing.T, at *kit.Client) *relying {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), at.HTTP)
	p, err := oidc.NewProvider(ctx, at.URL)
	if err != nil {
		t.Fatal(err)
	}
	var more struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&more); err != nil {
		t.Fatal(err)
	}
	return &relying{T: t, at: at, provider: p, keysURL: more.Keys}
}

// verifies reports whether a token is one of the issuer, for a client that has not seen its keys before.
func (r *relying) verifies(token string) bool {
	r.Helper()
	ctx := oidc.ClientContext(r.Context(), r.at.HTTP)
	verifier := oidc.NewVerifier(r.at.URL, oidc.NewRemoteKeySet(ctx, r.keysURL), &oidc.Config{
		SkipClientIDCheck: true, SupportedSigningAlgs: []string{oidc.RS256, oidc.ES256, oidc.EdDSA},
	})
	_, err := verifier.Verify(context.WithoutCancel(ctx), token)
	return err == nil
}

// kid is the key a token says it was signed with.
func kid(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	var h struct{ Kid string }
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

// keyCommand makes a call about web keys that must succeed, as the owner.
func (m machine) keyCommand(t *testing.T, at *kit.Client, method string, in, out proto.Message) {
	t.Helper()
	if a := rpcWires()[0].Send(t, at, kit.Call{Method: webKeyV2 + "/" + method, Request: in, Token: m.tenant.token}, out); a.Code != codes.OK {
		t.Fatalf("%s: %v", method, a)
	}
}

// TestKeysRotate: what an issuer signs is verified by others from the first token on, while keys change, at once
// on every node, and no longer than the key is published.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		elsewhere := n // another node, where there can be one
		if b.MultiNode() {
			elsewhere = b.Start(t, nil)
		}
		m, stranger := newMachine(t, n, "a.example"), newMachine(t, n, "b.example")
		exec(t, n, `UPDATE users SET access_token_type = 'jwt'`)
		there := elsewhere.At(t, "a.example")
		mine := func() string {
			return machine{tenant: tenant{at: there}, user: m.user, key: m.key, private: m.private}.token(t, "openid")
		}

		first := m.token(t, "openid")
		r := rely(t, m.at)
		if !r.verifies(first) || rely(t, stranger.at).verifies(first) {
			t.Fatal("the first token does not verify, or does so at another issuer")
		}
		var made webkeyv2.CreateWebKeyResponse
		m.keyCommand(t, m.at, "CreateWebKey", &webkeyv2.CreateWebKeyRequest{
			Key: &webkeyv2.CreateWebKeyRequest_Ecdsa{Ecdsa: &webkeyv2.ECDSA{Curve: webkeyv2.ECDSACurve_ECDSA_CURVE_P256}},
		}, &made)
		if got := mine(); kid(t, got) != kid(t, first) {
			t.Error("a key signs before it is activated")
		}
		m.keyCommand(t, m.at, "ActivateWebKey", &webkeyv2.ActivateWebKeyRequest{Id: made.GetId()}, nil)
		second := mine()
		if kid(t, second) != made.GetId() || !r.verifies(second) || !r.verifies(first) {
			t.Errorf("after the change of keys: signed by %s, verified %t, %t", kid(t, second), r.verifies(second), r.verifies(first))
		}
		m.keyCommand(t, there, "DeleteWebKey", &webkeyv2.DeleteWebKeyRequest{Id: kid(t, first)}, nil)
		if r.verifies(first) || !r.verifies(second) {
			t.Errorf("after the end of a key: verified %t, %t", r.verifies(first), r.verifies(second))
		}
		for token, want := range map[string]int{first: http.StatusUnauthorized, second: http.StatusOK} {
			got := ask(t, m.at, http.MethodGet, "/oidc/v1/userinfo", http.Header{"Authorization": {"Bearer " + token}}, "")
			if got.status != want {
				t.Errorf("userinfo: %d %s", got.status, got.body)
			}
		}
	})
}

// TestIssuersEnd: an issuer that is removed, stopped or blocked is none any more, at once and on every node.
func TestIssuersEnd(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		elsewhere := n
		if b.MultiNode() {
			elsewhere = b.Start(t, nil)
		}
		id := n.Create(t, kit.WithDomain(kit.Machine("Acme"), "a.example")).GetInstanceId()
		there := elsewhere.At(t, "a.example")
		check := func(status int) {
			t.Helper()
			for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/v2/keys"} {
				for range 3 { // what is kept is kept from the second time on
					if got := ask(t, there, http.MethodGet, path, nil, ""); got.status != status {
						t.Errorf("%s: %d %s", path, got.status, got.body)
					}
				}
			}
		}
		check(http.StatusOK)
		for _, c := range []struct {
			method string
			in     proto.Message
			status int
		}{
			{"SetLimits", &systemv1.SetLimitsRequest{InstanceId: id, Block: proto.Bool(true)}, http.StatusTooManyRequests},
			{"ResetLimits", &systemv1.ResetLimitsRequest{InstanceId: id}, http.StatusOK},
			{"RemoveDomain", &systemv1.RemoveDomainRequest{InstanceId: id, Domain: "a.example"}, http.StatusNotFound},
			{"AddDomain", &systemv1.AddDomainRequest{InstanceId: id, Domain: "a.example"}, http.StatusOK},
			{"RemoveInstance", &systemv1.RemoveInstanceRequest{InstanceId: id}, http.StatusNotFound},
		} {
			if a := kit.REST().Call(t, n.Client, c.method, c.in, nil); a.Code != codes.OK {
				t.Fatalf("%s: %v", c.method, a)
			}
			check(c.status)
		}
	})
}
