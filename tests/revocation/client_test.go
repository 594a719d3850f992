package revocation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"castellan/tests/kit"

	eventsv1 "castellan/gen/castellan/events/v1"
)

// The grants and the types of tokens (RFC 6749, 7523, 8693).
const (
	clientCredentials = "client_credentials"
	jwtBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"

	refreshToken = "refresh_token"

	accessToken = "urn:ietf:params:oauth:token-type:access_token"
	idToken     = "urn:ietf:params:oauth:token-type:id_token"
	jwt         = "urn:ietf:params:oauth:token-type:jwt"
	userID      = "urn:zitadel:params:oauth:token-type:user_id"

	// offline asks for a refresh token.
	offline = "openid offline_access"
)

// client is a way in which somebody authenticates at an endpoint of the issuer.
type client struct {
	name string
	// on is the element that it is done with.
	on string
	// refused is the outcome, at the token and the revocation endpoint, when that is of no use.
	refused string
	add     func(w *world, form url.Values, h http.Header)
}

// need is what a client needs at an endpoint.
func (c client) need() need { return need{[]string{c.on}, c.refused} }

// basic is a client with a secret in the Authorization header.
func basic(name string) client {
	return client{name + " (basic)", name + "'s secret", "401 invalid_client", func(w *world, _ url.Values, h http.Header) {
		pair := url.QueryEscape(w.clientID(name)) + ":" + url.QueryEscape(w.text[name+"'s secret"])
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}}
}

// inForm is a client with a secret in the form.
func inForm(name string) client {
	return client{name + " (post)", name + "'s secret", "400 invalid_client", func(w *world, form url.Values, _ http.Header) {
		form.Set("client_id", w.clientID(name))
		form.Set("client_secret", w.text[name+"'s secret"])
	}}
}

// byKey is a client with a key.
func byKey(name string) client {
	return client{name + " (private_key_jwt)", name + "'s key", "400 invalid_client", func(w *world, form url.Values, _ http.Header) {
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", w.assertion(name+"'s key", w.clientID(name), w.clientID(name)))
	}}
}

// public is a client that has nothing to authenticate with.
func public(name string) client {
	return client{name + " (none)", name, "400 invalid_client", func(w *world, form url.Values, _ http.Header) {
		form.Set("client_id", w.clientID(name))
	}}
}

// clientID is the client_id of an application, or the id of a machine.
func (w *world) clientID(name string) string {
	if id := w.beside[name]; id != "" {
		return id
	}
	return w.id[name]
}

// assertion is one that is good for long, and counts any number of times (RFC 7523).
func (w *world) assertion(of, issuer, subject string) string {
	w.Helper()
	k := w.key[of]
	name := k.id + " " + subject
	if w.signed[name] == "" {
		alg := "ES256"
		if _, isRSA := k.signer.Public().(interface{ Size() int }); isRSA {
			alg = "RS256"
		}
		now := w.clock.Now()
		w.signed[name] = kit.JWT{Header: map[string]any{"alg": alg, "kid": k.id}, Key: k.signer, Claims: map[string]any{
			"iss": issuer, "sub": subject, "aud": "http://" + w.host, "iat": now.Add(-time.Second).Unix(), "exp": now.Add(50 * time.Minute).Unix(),
		}}.Sign(w)
	}
	return w.signed[name]
}

// answered is what an endpoint of the issuer has answered.
type answered struct {
	status int
	body   map[string]any
}

// String is the outcome: works, or the status, and the error if there is one.
func (a answered) String() string {
	code, _ := a.body["error"].(string)
	switch {
	case a.status == http.StatusOK:
		return works
	case code != "":
		return fmt.Sprintf("%d %s", a.status, code)
	}
	return fmt.Sprint(a.status)
}

// text is a text of the body; empty when there is none.
func (a answered) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// ask sends a form to an endpoint of the issuer; without a form, a GET.
func (w *world) ask(node int, endpoint string, form url.Values, h http.Header) (a answered) {
	w.Helper()
	verb, body := http.MethodGet, ""
	if h == nil {
		h = http.Header{}
	}
	if form != nil {
		verb, body = http.MethodPost, form.Encode()
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	h.Set("X-Forwarded-For", w.from)
	status, header, text := kit.Raw(w, w.at[node].HTTP, verb, w.at[node].URL+endpoint, body, h)
	a.status = status
	if header.Get("Content-Type") == "application/json" {
		if err := json.Unmarshal([]byte(text), &a.body); err != nil {
			w.Fatalf("%s: %d %s: %v", endpoint, status, text, err)
		}
	}
	return a
}

// send sends a form as a client.
func (w *world) send(node int, endpoint string, c client, pairs ...string) answered {
	w.Helper()
	form, h := url.Values{}, http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	c.add(w, form, h)
	return w.ask(node, endpoint, form, h)
}

// token asks for a token by a grant, as a client.
func (w *world) token(node int, c client, grant string, pairs ...string) answered {
	w.Helper()
	return w.send(node, "/oauth/v2/token", c, append([]string{"grant_type", grant}, pairs...)...)
}

// exchange asks for a token for another one.
func (w *world) exchange(node int, c client, subject, subjectType string, pairs ...string) answered {
	w.Helper()
	return w.token(node, c, tokenExchange, append([]string{"subject_token", subject, "subject_token_type", subjectType}, pairs...)...)
}

// profile asks for a token by the JWT profile of a machine.
func (w *world) profile(node int, name string, pairs ...string) answered {
	w.Helper()
	shown := client{add: func(w *world, form url.Values, _ http.Header) {
		form.Set("assertion", w.assertion(name+"'s key", w.id[name], w.id[name]))
	}}
	return w.token(node, shown, jwtBearer, append([]string{"scope", w.scope()}, pairs...)...)
}

// scope asks for all that paths look at: the APIs of the instance and the projects as audience, and roles.
func (w *world) scope() string {
	const project = "urn:zitadel:iam:org:project:id:"
	return strings.Join([]string{
		"openid", "profile", "urn:zitadel:iam:org:projects:roles", project + "zitadel:aud", project + w.id["shop"] + ":aud", project + w.id["club"] + ":aud",
	}, " ")
}

// introspect asks an application's question about a token.
func (w *world) introspect(node int, c client, token string, pairs ...string) (string, answered) {
	w.Helper()
	a := w.send(node, "/oauth/v2/introspect", c, append([]string{"token", token}, pairs...)...)
	if a.status == http.StatusOK && a.body["active"] != true {
		return "inactive", a
	}
	return a.String(), a
}

// refresh uses a refresh token, in whose place the next one is kept.
func (w *world) refresh(node int, c client, name string) string {
	w.Helper()
	a := w.token(node, c, refreshToken, "refresh_token", w.text[name])
	if a.String() == works {
		w.text[name], w.beside[name] = a.text("refresh_token"), a.text("access_token")
	}
	return a.String()
}

// bound is what is sent with a token that is bound to the key of the holder (RFC 9449).
func (w *world) bound(verb, path, token string) http.Header {
	w.Helper()
	return http.Header{"Authorization": {"DPoP " + token}, "Dpop": {w.holder.Proof(verb, "http://"+w.host+path, token, w.clock.Now())}}
}

// userinfo asks about the user of a token.
func (w *world) userinfo(node int, token string) answered {
	w.Helper()
	return w.ask(node, "/oidc/v1/userinfo", nil, http.Header{"Authorization": {"Bearer " + token}})
}

// hasRole is the outcome of what tells roles: works when a role on a project is told.
func hasRole(told map[string]any, project, role string) string {
	roles, _ := told["urn:zitadel:iam:org:project:"+project+":roles"].(map[string]any)
	if roles[role] == nil {
		return "no role"
	}
	return works
}

// payload returns the claims of a JWT, unverified.
func (w *world) payload(text string) (claims map[string]any) {
	w.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		w.Fatalf("%q is no JWT", text)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(data, &claims)
	}
	if err != nil {
		w.Fatal(err)
	}
	return claims
}

// verify is what a resource server does that asks nobody: it verifies a JWT by the key set of the issuer.
func (w *world) verify(node int, text string) string {
	w.Helper()
	a := w.ask(node, "/oauth/v2/keys", nil, nil)
	if a.status != http.StatusOK {
		return a.String()
	}
	data, err := json.Marshal(a.body)
	var set jose.JSONWebKeySet
	if err == nil {
		err = json.Unmarshal(data, &set)
	}
	if err != nil {
		w.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		w.Fatal(err)
	}
	for _, k := range set.Key(signed.Signatures[0].Header.KeyID) {
		if _, err := signed.Verify(k); err == nil {
			return works
		}
	}
	return "no key"
}

// call makes a call at the host, by a token, and returns its outcome.
func (w *world) call(node int, wire kit.Wire, method string, in, into proto.Message, token string) string {
	w.Helper()
	return outcome(wire.Send(w, w.at[node], kit.Call{Method: method, Request: in, Token: token}, into))
}

// outcome is works, or code and id.
func outcome(a kit.Answer) string {
	if a.Code == codes.OK {
		return works
	}
	return strings.TrimSpace(a.Code.String() + " " + a.ID)
}

const tailEvents = "castellan.events.v1.EventService/TailEvents"

// openTail opens a stream of events as the auditor, in place of the one there is, and returns its outcome.
func (w *world) openTail(node int) string {
	w.Helper()
	if s := w.tails[node]; s != nil {
		s.Close()
		w.tails[node] = nil
	}
	s := w.at[node].Stream(w, "grpc", kit.Call{Method: tailEvents, Request: &eventsv1.TailEventsRequest{}, Token: w.text["auditor's PAT"]})
	if !s.Next(w, new(eventsv1.TailEventsResponse)) {
		return outcome(s.Answer)
	}
	w.tails[node] = s
	return works
}

// openTails opens a stream at each node, where it can be had.
func (w *world) openTails() {
	w.Helper()
	for node := range w.nodes {
		w.openTail(node)
	}
}

// tail is the outcome of the stream that is open, or of one that is opened now: works when it shows the next event.
func (w *world) tail(node int) string {
	w.Helper()
	if w.tails[node] == nil {
		if got := w.openTail(node); got != works {
			return got
		}
	}
	s, mark := w.tails[node], ""
	w.tails[node] = nil
	defer s.Close()
	if w.instance != "" {
		mark = w.mark() // of an instance that was removed, that is the last event
	}
	for m := new(eventsv1.TailEventsResponse); s.Next(w, m); m = new(eventsv1.TailEventsResponse) {
		if name := m.GetEvent().GetPayload().GetFields()["name"]; mark != "" && name.GetStringValue() == mark {
			return works
		}
	}
	return outcome(s.Answer)
}
