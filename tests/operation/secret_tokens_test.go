package operation_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"castellan/internal/dpop/dpoptest"
	"castellan/tests/kit"

	applicationv2 "castellan/gen/zitadel/application/v2"
	authv1 "castellan/gen/zitadel/auth/v1"
	userv2 "castellan/gen/zitadel/user/v2"
)

// robot is the owner of an instance, which has a key and a secret, and an application that exchanges its tokens.
type robot struct {
	*testing.T
	at                          *kit.Client
	token                       string
	id, secret, client, clients string
	assertion                   string
}

func newRobot(t *testing.T, n *kit.Node) robot {
	t.Helper()
	const host = "tokens.example"
	made := n.Create(t, kit.WithKey(kit.WithDomain(kit.Machine("Acme"), host)))
	var file struct{ KeyID, Key, UserID string }
	if err := json.Unmarshal(made.GetMachineKey(), &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Key))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	r := robot{T: t, at: n.At(t, host), token: made.GetPat(), id: file.UserID}
	now := time.Now()
	r.assertion = kit.JWT{Header: map[string]any{"alg": "RS256", "kid": file.KeyID}, Key: key, Claims: map[string]any{
		"iss": r.id, "sub": r.id, "aud": r.at.URL, "iat": now.Add(-time.Second).Unix(), "exp": now.Add(time.Minute).Unix(), "jti": "1",
	}}.Sign(t)
	var secret userv2.AddSecretResponse
	r.call("zitadel.user.v2.UserService/AddSecret", &userv2.AddSecretRequest{UserId: r.id}, &secret)
	var app applicationv2.CreateApplicationResponse
	project := kit.Column[string](t, n.DB(), `SELECT iam_project_id FROM instances WHERE instance_id = $1`, made.GetInstanceId())[0]
	r.call("zitadel.application.v2.ApplicationService/CreateApplication", &applicationv2.CreateApplicationRequest{
		ProjectId: project, Name: "Web", ApplicationType: &applicationv2.CreateApplicationRequest_OidcConfiguration{
			OidcConfiguration: &applicationv2.CreateOIDCApplicationRequest{
				RedirectUris: []string{"https://a.example/"}, AuthMethodType: applicationv2.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_POST,
				GrantTypes: []applicationv2.OIDCGrantType{
					applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_TOKEN_EXCHANGE, applicationv2.OIDCGrantType_OIDC_GRANT_TYPE_REFRESH_TOKEN,
				},
			},
		},
	}, &app)
	r.secret, r.client, r.clients = secret.GetClientSecret(), app.GetOidcConfiguration().GetClientId(), app.GetOidcConfiguration().GetClientSecret()
	return r
}

func (r robot) call(method string, in, into proto.Message) {
	r.Helper()
	if a := kit.GRPC().Send(r, r.at, kit.Call{Method: method, Request: in, Token: r.token}, into); a.Code != codes.OK {
		r.Fatalf("%s: %v", method, a)
	}
}

// post sends a form made of pairs, and returns the status and the texts in the answer.
func (r robot) post(path string, header http.Header, pairs ...string) (status int, answer map[string]any) {
	r.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	status, _, body := kit.Raw(r, r.at.HTTP, http.MethodPost, r.at.URL+path, form.Encode(), h)
	if err := json.Unmarshal([]byte(body), &answer); err != nil && body != "" {
		r.Fatalf("%d %s: %v", status, body, err)
	}
	return status, answer
}

// TestTokensStaySecret: neither the database nor the logs hold anything with which somebody could get a token, or
// a token: what was of use, what was refused, and what was used up.
func TestTokensStaySecret(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		r := newRobot(t, n)
		holder := dpoptest.New(t)
		const path, scope = "/oauth/v2/token", "openid offline_access urn:zitadel:iam:org:project:id:zitadel:aud"
		proof := func(token, verb, url string) http.Header {
			return http.Header{"Dpop": {holder.Proof(verb, r.at.URL+url, token, time.Now())}}
		}
		secrets := map[string][]byte{
			"secret of a machine": []byte(r.secret), "secret of an application": []byte(r.clients), "assertion": []byte(r.assertion),
		}
		keep := func(name string, status int, answer map[string]any) (access, refresh string) {
			t.Helper()
			access, _ = answer["access_token"].(string)
			refresh, _ = answer["refresh_token"].(string)
			if status != http.StatusOK || access == "" {
				t.Fatalf("%s: %d %v", name, status, answer)
			}
			for kind, v := range answer {
				if text, ok := v.(string); ok && (kind == "access_token" || kind == "refresh_token" || kind == "id_token") {
					secrets[kind+" "+name] = []byte(text)
					secrets["end of the "+kind+" "+name] = []byte(text[len(text)-40:])
				}
			}
			return access, refresh
		}
		first := proof("", http.MethodPost, path)
		secrets["proof"] = []byte(first.Get("DPoP"))
		status, answer := r.post(path, first, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", r.assertion, "scope", scope)
		bound, _ := keep("for an assertion", status, answer)
		status, answer = r.post(path, nil, "grant_type", "client_credentials", "client_id", r.id, "client_secret", r.secret, "scope", scope)
		subject, _ := keep("for a secret", status, answer)
		web := []string{"client_id", r.client, "client_secret", r.clients}[:4:4] // each request appends to a copy
		status, answer = r.post(path, nil, append(web, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", r.token,
			"subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "scope", scope)...)
		_, refresh := keep("exchanged", status, answer)
		status, answer = r.post(path, nil, append(web, "grant_type", "refresh_token", "refresh_token", refresh)...)
		_, next := keep("refreshed", status, answer)

		me := kit.Path("zitadel.auth.v1.AuthService/GetMyUser")
		h := proof(bound, http.MethodPost, me)
		secrets["proof of a call"] = []byte(h.Get("DPoP"))
		h.Set("Authorization", "DPoP "+bound)
		ask := kit.Call{Method: "zitadel.auth.v1.AuthService/GetMyUser", Request: &authv1.GetMyUserRequest{}, Header: h}
		for _, want := range []codes.Code{codes.OK, codes.Unauthenticated} { // the proof counts once
			if a := kit.GRPC().Send(t, r.at, ask, nil); a.Code != want {
				t.Errorf("with a proof: %v", a)
			}
		}
		for _, pairs := range [][]string{
			{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", r.assertion, "scope", scope}, // used before
			{"grant_type", "client_credentials", "client_id", r.id, "client_secret", r.clients},
			append(web, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", subject+"A",
				"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
			append(web, "grant_type", "refresh_token", "refresh_token", refresh), // used before, which ends its session
			append(web, "grant_type", "refresh_token", "refresh_token", next),
		} {
			if status, answer := r.post(path, nil, pairs...); status != http.StatusBadRequest {
				t.Errorf("%s: %d %v", pairs[len(pairs)-2], status, answer)
			}
		}
		if logs := n.Logs.Bytes(); !bytes.Contains(logs, []byte(path)) {
			t.Errorf("the logs have no line for tokens, so this test looks at nothing:\n%s", logs)
		} else {
			search(t, "logs", logs, secrets)
		}
		files := contents(t, b, n)
		if !bytes.Contains(files, []byte(r.client)) {
			t.Error("the database does not have what it must, so this test looks at nothing")
		}
		search(t, "database", files, secrets)
	})
}
