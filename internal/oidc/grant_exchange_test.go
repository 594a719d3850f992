package oidc

import (
	"crypto"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/app"
	"castellan/internal/assertion/assertiontest"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/session"
	"castellan/internal/token"
	"castellan/internal/vault"
)

// exchangeAs asks for an exchange as a client with a secret.
func (w *world) exchangeAs(client string, pairs ...string) answer {
	w.Helper()
	return w.post(pathToken, client, append([]string{"grant_type", grantTokenExchange}, pairs...)...)
}

// given returns what the access token of an answer says.
func (w *world) given(a answer) token.Token {
	w.Helper()
	text, _ := a.body["access_token"].(string)
	if a.status != http.StatusOK || text == "" {
		w.Fatalf("%d %s", a.status, a.text)
	}
	t, err := w.provider.Tokens.Inspect(w.Context(), "A", "http://a.example", text)
	w.must(err)
	return t
}

// refuses checks that an answer is an OAuth error, and that there is no token in it.
func (w *world) refuses(what string, a answer, status int, code string) {
	w.Helper()
	if !a.is(status, code) || a.body["access_token"] != nil {
		w.Errorf("%s: %d %s; want %d %s", what, a.status, a.text, status, code)
	}
}

// webSecret is the ground of the application web on behalf of a user.
func webSecret(id ident.UserID) session.Ground {
	return session.Ground{Kind: session.AppSecret, User: id, Client: "web", ID: vault.SecretPrint(vault.HashSecret("secret"))}
}

func TestExchange(t *testing.T) {
	eachWorld(t, func(w *world) {
		for name, jwt := range map[string]bool{"sealed": false, "JWT": true} {
			subject := w.issue(facts("openid", "profile", "email"), jwt)
			of := w.inspect(subject)
			a := w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeAccessToken)
			got := w.given(a)
			ground := of.Grounds[0]
			ground.Session, ground.Number = of.Session, of.Number
			want := session.Facts{
				User: "ada", Org: "1", Client: "web", Audience: []string{"web", "11"}, Scopes: []string{"openid", "profile", "email"},
				Methods: []string{"pwd"}, AuthTime: of.AuthTime, Grounds: []session.Ground{webSecret("ada"), ground},
			}
			if diff := cmp.Diff(want, got.Facts); diff != "" {
				w.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if !got.Expires.Equal(of.Expires) {
				w.Errorf("%s: ends at %s, the subject's at %s", name, got.Expires, of.Expires)
			}
			if keys := slices.Sorted(maps.Keys(a.body)); !slices.Equal(keys, []string{"access_token", "expires_in", "id_token", "issued_token_type", "scope", "token_type"}) ||
				a.body["issued_token_type"] != typeAccessToken || a.body["token_type"] != "Bearer" ||
				a.body["scope"] != "openid profile email" || a.body["expires_in"] != 3600.0 {
				w.Errorf("%s: %s", name, a.text)
			}
		}
	})
}

func (w *world) inspect(text string) token.Token {
	w.Helper()
	t, err := w.provider.Tokens.Inspect(w.Context(), "A", "http://a.example", text)
	w.must(err)
	return t
}

func TestExchangeIsNeverMore(t *testing.T) {
	eachWorld(t, func(w *world) {
		subject := w.issue(facts("openid", "profile"), false)
		ask := func(more ...string) answer {
			w.Helper()
			return w.exchangeAs("web", append([]string{"subject_token", subject, "subject_token_type", typeAccessToken}, more...)...)
		}
		for name, c := range map[string]struct {
			more             []string
			scopes, audience []string
		}{
			"fewer scopes":    {[]string{"scope", "profile"}, []string{"profile"}, []string{"web", "11"}},
			"more scopes":     {[]string{"scope", "email profile " + "urn:zitadel:iam:org:project:id:10:aud offline_access"}, []string{"profile"}, []string{"web", "11"}},
			"less audience":   {[]string{"audience", "11"}, []string{"openid", "profile"}, []string{"11"}},
			"audience, twice": {[]string{"audience", "11", "audience", "web", "audience", "11"}, []string{"openid", "profile"}, []string{"11", "web"}},
			"a resource":      {[]string{"resource", "urn:zitadel:iam:org:project:id:11"}, []string{"openid", "profile"}, []string{"11"}},
			"and an audience": {[]string{"resource", "urn:zitadel:iam:org:project:id:11", "audience", "web"}, []string{"openid", "profile"}, []string{"web", "11"}},
		} {
			got := w.given(ask(c.more...))
			if !slices.Equal(got.Scopes, c.scopes) || !slices.Equal(got.Audience, c.audience) {
				w.Errorf("%s: %q for %q", name, got.Scopes, got.Audience)
			}
		}
		both := facts("urn:zitadel:iam:org:projects:roles", "urn:zitadel:iam:org:project:id:10:aud", "urn:zitadel:iam:org:project:id:11:aud")
		both.Audience = []string{"10", "11"}
		one := w.exchangeAs("web", "subject_token", w.issue(both, false), "subject_token_type", typeAccessToken, "audience", "11")
		if got := w.given(one).Scopes; !slices.Equal(got, []string{both.Scopes[0], both.Scopes[2]}) || one.body["scope"] != both.Scopes[0]+" "+both.Scopes[2] {
			w.Errorf("for one of two: %q", got)
		}
		w.refuses("other scopes", ask("scope", "email phone"), 400, codeInvalidScope)
		w.refuses("no scopes at all", ask("scope", "magic"), 400, codeInvalidScope)
		w.refuses("another audience", ask("audience", "10"), 400, codeInvalidTarget)
		w.refuses("one of two", ask("audience", "11", "audience", "api"), 400, codeInvalidTarget)
		w.refuses("another resource", ask("resource", "urn:zitadel:iam:org:project:id:10"), 400, codeInvalidTarget)
		w.refuses("the issuer", ask("resource", "http://a.example"), 400, codeInvalidTarget)
		many := []string{}
		for i := range maxTargets + 1 {
			many = append(many, "audience", strconv.Itoa(i))
		}
		w.refuses("many", ask(many...), 400, codeInvalidTarget)
	})
}

func TestExchangeTypes(t *testing.T) {
	eachWorld(t, func(w *world) {
		subject := w.issue(facts("openid", "profile"), false)
		ask := func(more ...string) answer {
			w.Helper()
			return w.exchangeAs("web", append([]string{"subject_token", subject, "subject_token_type", typeAccessToken}, more...)...)
		}
		a := ask("requested_token_type", typeAccessToken)
		if !strings.HasPrefix(a.body["access_token"].(string), string(vault.AccessBearer)) || a.body["issued_token_type"] != typeAccessToken {
			w.Errorf("an access token: %s", a.text)
		}
		a = ask("requested_token_type", typeJWT)
		if !token.Signed(a.body["access_token"].(string)) || a.body["issued_token_type"] != typeJWT || w.given(a).User != "ada" {
			w.Errorf("a JWT: %s", a.text)
		}
		a = ask("requested_token_type", typeIDToken)
		id, _ := a.body["access_token"].(string)
		if a.body["issued_token_type"] != typeIDToken || a.body["token_type"] != "N_A" || a.body["id_token"] != nil {
			w.Errorf("an ID token: %s", a.text)
		}
		of, err := w.provider.Tokens.VerifyID(w.Context(), "A", "http://a.example", id)
		w.must(err)
		if of.User != "ada" || !slices.Contains(of.Audience, "web") {
			w.Errorf("%+v", of)
		}
		// An ID token is a subject too: it has no scopes, so the new token has none.
		got := w.given(w.exchangeAs("web", "subject_token", id, "subject_token_type", typeIDToken))
		if got.User != "ada" || len(got.Scopes) > 0 {
			w.Errorf("of an ID token: %+v", got)
		}
		w.refuses("with scopes", w.exchangeAs("web", "subject_token", id, "subject_token_type", typeIDToken, "scope", "openid"), 400, codeInvalidScope)
		for name, typ := range map[string]string{"a refresh token": typeRefreshToken, "a user": typeUserID, "anything": "x"} {
			w.refuses("wants "+name, ask("requested_token_type", typ), 400, codeInvalidRequest)
		}
	})
}

// TestExchangeRefuses shows what is of no use.
func TestExchangeRefuses(t *testing.T) {
	eachWorld(t, func(w *world) {
		subject, jwt := w.issue(facts("openid"), false), w.issue(facts("openid"), true)
		show := func(text, typ string) answer {
			w.Helper()
			return w.exchangeAs("web", "subject_token", text, "subject_token_type", typ)
		}
		for name, c := range map[string]struct {
			a  answer
			id string
		}{
			"nothing":                     {w.exchangeAs("web"), "subject_token invalid: Errors.TokenExchange.Token.Missing (OIDC-lei0O)"},
			"no type":                     {w.exchangeAs("web", "subject_token", subject), "(OIDC-sei9V)"},
			"a type that is none":         {show(subject, "x"), "(OIDC-OZ1ie)"},
			"a refresh token":             {show(subject, typeRefreshToken), "(OIDC-oda4R)"},
			"text":                        {show("x", typeAccessToken), "(OIDC-Osh3t)"},
			"changed":                     {show(subject+"A", typeAccessToken), "(OIDC-Osh3t)"},
			"of another instance":         {show(w.issueAt("B", facts("openid"), false), typeAccessToken), "(OIDC-Osh3t)"},
			"a JWT of another":            {show(w.issueAt("B", facts("openid"), true), typeAccessToken), "(OIDC-Osh3t)"},
			"an access token as ID token": {show(jwt, typeIDToken), "(OIDC-Rei0f)"},
			"text as ID token":            {show("x", typeIDToken), "(OIDC-Rei0f)"},
			"an access token as JWT":      {show(jwt, typeJWT), "(OIDC-eiS6o)"},
			"nobody":                      {show("eve", typeUserID), "(OIDC-Nee6r)"},
			"a user and nobody":           {show("ada", typeUserID), "actor_token invalid: Errors.TokenExchange.Token.Missing (OIDC-lei0O)"},
			"a user, and a user":          {w.exchangeAs("web", "subject_token", "ada", "subject_token_type", typeUserID, "actor_token", "bot", "actor_token_type", typeUserID), "actor_token invalid: Errors.TokenExchange.Token.TypeNotAllowed (OIDC-OZ1ie)"},
			"an actor of no type":         {w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeAccessToken, "actor_token", subject), "(OIDC-sei9V)"},
			"a type of no actor":          {w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeAccessToken, "actor_token_type", typeAccessToken), "(OIDC-lei0O)"},
			"a refresh token as actor":    {w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeAccessToken, "actor_token", "x", "actor_token_type", typeRefreshToken), "actor_token invalid: Errors.TokenExchange.Token.TypeNotSupported (OIDC-oda4R)"},
		} {
			w.refuses(name, c.a, 400, codeInvalidRequest)
			if text, _ := c.a.body["error_description"].(string); !strings.HasSuffix(text, c.id) {
				w.Errorf("%s: %q", name, text)
			}
		}
		more := []string{"subject_token", subject, "subject_token_type", typeAccessToken}
		w.refuses("nobody asks", w.exchangeAs("", more...), 400, codeInvalidClient)
		w.refuses("a wrong secret", w.do("POST", pathToken, "grant_type="+grantTokenExchange, "Authorization", basic("web", "x")), 401, codeInvalidClient)
		w.refuses("an API, which has no grant types", w.exchangeAs("api", more...), 400, codeUnauthorized)
		w.sql(`UPDATE apps SET grant_types = 'authorization_code' WHERE app_id = 'web'`)
		w.refuses("without the grant type", w.exchangeAs("web", more...), 400, codeUnauthorized)
	})
}

// TestWhoseTokensAreExchanged lets the public application spa have tokens that were given to others.
func TestWhoseTokensAreExchanged(t *testing.T) {
	eachWorld(t, func(w *world) {
		spa := func(text string, proofs ...string) answer {
			w.Helper()
			header := []string{}
			for _, p := range proofs {
				header = append(header, "DPoP", p)
			}
			return w.do("POST", pathToken, "grant_type="+grantTokenExchange+"&client_id=spa&subject_token="+text+"&subject_token_type="+typeAccessToken, header...)
		}
		f := facts("openid")
		if got := w.given(spa(w.issue(f, false))); got.Client != "spa" || got.Grounds[0].Kind != session.App {
			w.Errorf("meant for its project: %+v", got.Facts)
		}
		f.Audience = []string{"web"}
		w.refuses("meant for another", spa(w.issue(f, false)), 400, codeInvalidRequest)
		f.Audience = []string{"spa"}
		w.given(spa(w.issue(f, false)))
		machine := ofBot("openid")
		machine.Audience = nil
		w.given(spa(w.issue(machine, false)))
		if got := w.given(spa(w.pats["A"].Reveal())); !slices.Equal(got.Audience, []string{"spa", "11"}) || !slices.Equal(got.Scopes, []string{"openid", "profile"}) {
			w.Errorf("a personal access token: %+v", got.Facts)
		}

		// One that is bound: by who has the key, or by who it is meant for and has authenticated.
		mine := w.holder()
		f = facts("openid")
		f.Thumbprint = mine.Thumbprint
		bound := w.issue(f, false)
		w.refuses("bound, without a proof", w.exchangeAs("web", "subject_token", bound, "subject_token_type", typeAccessToken), 400, codeInvalidRequest)
		w.refuses("bound, by a public client", spa(bound), 400, codeInvalidRequest)
		w.refuses("bound, with another key", spa(bound, w.holder().proof("POST", pathToken, "")), 400, codeInvalidRequest)
		a := spa(bound, mine.proof("POST", pathToken, ""))
		if got := w.given(a); got.Thumbprint != mine.Thumbprint || a.body["token_type"] != "DPoP" {
			w.Errorf("bound: %s", a.text)
		}
		f.Client, f.Grounds = "spa", []session.Ground{{Kind: session.App, User: "ada", Client: "spa"}}
		if got := w.given(w.exchangeAs("web", "subject_token", w.issue(f, false), "subject_token_type", typeAccessToken)); got.Thumbprint != "" {
			w.Errorf("by the recipient: %+v", got.Facts)
		}
	})
}

// made makes a user a member of an organization, or of the instance when that is empty.
func (w *world) member(of ident.OrgID, who ident.UserID, roles ...string) {
	w.Helper()
	if of == "" {
		begun(w, "A", member.Noun, "instance:"+string(who), "A", member.InstanceAdded{User: who, Roles: roles})
		return
	}
	begun(w, "A", member.Noun, "org:"+string(of)+":"+string(who), string(of), member.OrgAdded{Org: of, User: who, Roles: roles})
}

func TestImpersonation(t *testing.T) {
	eachWorld(t, func(w *world) {
		as := func(subject string, more ...string) answer {
			w.Helper()
			return w.exchangeAs("web", append([]string{
				"subject_token", subject, "subject_token_type", typeUserID,
				"actor_token", w.pats["A"].Reveal(), "actor_token_type", typeAccessToken,
			}, more...)...)
		}
		w.refuses("without any role", as("ada"), 403, codeInvalidRequest)
		w.member("1", "bot", "ORG_OWNER", "ORG_USER_MANAGER")
		w.refuses("an owner", as("ada"), 403, codeInvalidRequest)
		w.sql(`UPDATE members SET roles = 'ORG_END_USER_IMPERSONATOR'`)
		a := as("ada", "scope", "openid profile email")
		got := w.given(a)
		want := session.Facts{
			User: "ada", Org: "1", Client: "web", Audience: []string{"web", "11"}, Scopes: []string{"openid", "profile"}, AuthTime: start,
			Actor:   &session.Actor{User: "bot", Issuer: "http://a.example"},
			Grounds: []session.Ground{webSecret("ada"), {Kind: session.PersonalToken, User: "bot", ID: "pat"}},
		}
		if diff := cmp.Diff(want, got.Facts); diff != "" {
			w.Errorf("(-want +got):\n%s", diff)
		}
		if a := w.ask("api", a.body["access_token"].(string)); !cmp.Equal(a.body["act"], any(map[string]any{"sub": "bot", "iss": "http://a.example"})) || a.body["sub"] != "ada" {
			w.Errorf("introspection: %s", a.text)
		}
		w.recorded("ada", 1)

		w.refuses("a user of another organization", as("bob"), 403, codeInvalidRequest)
		w.member("2", "ada", "ORG_OWNER_VIEWER")
		w.refuses("an administrator", as("ada"), 403, codeInvalidRequest)
		w.sql(`UPDATE members SET roles = 'ORG_ADMIN_IMPERSONATOR' WHERE user_id = 'bot'`)
		w.given(as("ada"))
		w.recorded("ada", 2)
		w.refuses("of another organization, still", as("bob"), 403, codeInvalidRequest)
		w.member("", "bot", "IAM_END_USER_IMPERSONATOR")
		w.given(as("bob"))
		w.refuses("of an organization that is inactive", w.while(`UPDATE orgs SET state = $1 WHERE org_id = '2'`, func() answer { return as("bob") }), 400, codeInvalidRequest)
		w.refuses("who is locked", w.while(`UPDATE users SET state = $1 WHERE user_id = 'bob'`, func() answer { return as("bob") }), 400, codeInvalidRequest)
		w.given(as("bot")) // itself
	})
}

// while makes something inactive, asks, and makes it active again.
func (w *world) while(sql string, ask func() answer) answer {
	w.Helper()
	w.sql(sql, "inactive")
	defer w.sql(sql, "active")
	return ask()
}

// recorded checks how many times somebody has acted for a user, by the log.
func (w *world) recorded(who string, want int) {
	w.Helper()
	page, err := w.log.Of(w.Context(), w.db, "A", eventlog.Position{}, 1000)
	w.must(err)
	n := 0
	for _, e := range page {
		if e.Type == "user.impersonated" && e.Actor == "bot" && e.Aggregate.ID == who {
			n++
		}
	}
	if n != want {
		w.Errorf("%s: %d impersonations are in the log, want %d", who, n, want)
	}
}

// TestActorsAreNested lets one act for another who acts for a third.
func TestActorsAreNested(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("", "bot", "IAM_ADMIN_IMPERSONATOR")
		w.member("", "bob", "IAM_ADMIN_IMPERSONATOR")
		pat := w.pats["A"].Reveal()
		act := func(subject, subjectType, actor string) answer {
			w.Helper()
			return w.exchangeAs("web", "subject_token", subject, "subject_token_type", subjectType, "actor_token", actor, "actor_token_type", typeAccessToken)
		}
		forBob := act("bob", typeUserID, pat).body["access_token"].(string)
		forAda := act("ada", typeUserID, forBob)
		const at = "http://a.example"
		want := &session.Actor{User: "bob", Issuer: at, Actor: &session.Actor{User: "bot", Issuer: at}}
		if diff := cmp.Diff(want, w.given(forAda).Actor); diff != "" {
			w.Errorf("(-want +got):\n%s", diff)
		}
		// Its own exchange keeps the actors; another actor comes before them.
		text := forAda.body["access_token"].(string)
		if diff := cmp.Diff(want, w.given(w.exchangeAs("web", "subject_token", text, "subject_token_type", typeAccessToken)).Actor); diff != "" {
			w.Errorf("kept (-want +got):\n%s", diff)
		}
		third := act(text, typeAccessToken, pat)
		want = &session.Actor{User: "bot", Issuer: at, Actor: want}
		if diff := cmp.Diff(want, w.given(third).Actor); diff != "" {
			w.Errorf("one more (-want +got):\n%s", diff)
		}
		a := third
		for range 8 {
			if a.status != 200 {
				break
			}
			a = act(a.body["access_token"].(string), typeAccessToken, pat)
		}
		w.refuses("and so on", a, 400, codeInvalidRequest)
	})
}

// TestActorsBehindAnActorMayToo: who acts for somebody who may act for others may no more than before.
func TestActorsBehindAnActorMayToo(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("1", "bot", "ORG_ADMIN_IMPERSONATOR")
		w.member("", "ada", "IAM_ADMIN_IMPERSONATOR")
		act := func(subject, actor string) answer {
			w.Helper()
			return w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeUserID, "actor_token", actor, "actor_token_type", typeAccessToken)
		}
		forAda := act("ada", w.pats["A"].Reveal()) // of its own organization
		w.given(forAda)
		w.refuses("a user of another organization", act("bob", forAda.body["access_token"].(string)), 403, codeInvalidRequest)
		w.given(act("bob", w.issue(facts("openid"), false))) // by ada itself
		w.sql(`UPDATE members SET scope = 'instance', scope_id = 'A', owner = 'A', roles = 'IAM_ADMIN_IMPERSONATOR' WHERE user_id = 'bot'`)
		w.given(act("bob", forAda.body["access_token"].(string)))
	})
}

// TestASubjectThatTheClientNames has the application web sign who the subject is.
func TestASubjectThatTheClientNames(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("", "bot", "IAM_END_USER_IMPERSONATOR")
		key := assertiontest.Keys().RSA
		w.sql(`UPDATE apps SET auth_method = 'private_key_jwt' WHERE app_id = 'web'`)
		begun(w, "A", app.KeyNoun, "k-web", "1", app.KeyAdded{
			App: "web", ClientID: "web", Key: "k-web", Type: 1, PublicKey: []byte(assertiontest.PublicPEM(w, key)), Expiration: expiry.Never,
		})
		made := 0
		sign := func(change func(header, said assertiontest.ClaimSet)) string {
			made++
			header := assertiontest.ClaimSet{"alg": `"RS256"`, "kid": `"k-web"`}
			said := assertiontest.Claims("web", "http://a.example", start).With("jti", strconv.Quote(strconv.Itoa(made)))
			if change != nil {
				change(header, said)
			}
			return assertiontest.Forge(header.String(), said.String(), assertiontest.RS(crypto.SHA256, key))
		}
		about := func(who string) string {
			return sign(func(_, said assertiontest.ClaimSet) { said["sub"] = strconv.Quote(who) })
		}
		ask := func(subject string) answer {
			w.Helper()
			return w.post(pathToken, "", "grant_type", grantTokenExchange, "client_assertion", sign(nil), "client_assertion_type", assertionType,
				"subject_token", subject, "subject_token_type", typeJWT, "actor_token", w.pats["A"].Reveal(), "actor_token_type", typeAccessToken)
		}
		first := about("ada")
		got := w.given(ask(first))
		if got.User != "ada" || got.Actor.User != "bot" || len(got.Grounds) != 2 || got.Grounds[0] != (session.Ground{Kind: session.AppKey, User: "ada", Client: "web", ID: "k-web"}) {
			w.Errorf("%+v", got.Facts)
		}
		if got := w.given(ask(about("ADA@one.example"))); got.User != "ada" {
			w.Errorf("by user name: %+v", got.Facts)
		}
		for name, subject := range map[string]string{
			"nobody":           about("eve"),
			"another instance": sign(func(_, said assertiontest.ClaimSet) { said["sub"], said["aud"] = `"ada"`, `"http://b.example"` }),
			"another client":   sign(func(_, said assertiontest.ClaimSet) { said["sub"], said["iss"] = `"ada"`, `"api"` }),
			"another key":      sign(func(h, said assertiontest.ClaimSet) { said["sub"], h["kid"] = `"ada"`, `"key"` }),
			"no key":           sign(func(h, said assertiontest.ClaimSet) { said["sub"] = `"ada"`; delete(h, "kid") }),
			"expired": sign(func(_, said assertiontest.ClaimSet) {
				said["sub"], said["exp"] = `"ada"`, strconv.FormatInt(start.Unix(), 10)
			}),
			"too old": sign(func(_, said assertiontest.ClaimSet) {
				said["sub"], said["iat"] = `"ada"`, strconv.FormatInt(start.Unix()-3601, 10)
			}),
			"changed":           about("ada") + "A",
			"signed by nobody":  assertiontest.Forge(`{"alg":"none","kid":"k-web"}`, assertiontest.Claims("web", "http://a.example", start).With("sub", `"ada"`).String(), assertiontest.Unsigned),
			"signed by another": assertiontest.Forge(`{"alg":"RS256","kid":"k-web"}`, assertiontest.Claims("web", "http://a.example", start).With("sub", `"ada"`).String(), assertiontest.RS(crypto.SHA256, assertiontest.Keys().RSA2)),
		} {
			w.refuses(name, ask(subject), 400, codeInvalidRequest)
		}
		w.refuses("again", ask(first), 400, codeInvalidRequest)
	})
}

// TestSourcesAreInherited makes tokens of tokens, and takes away what these came through.
func TestSourcesAreInherited(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("", "bot", "IAM_END_USER_IMPERSONATOR")
		subject := w.issue(ofBot("openid", "profile"), true)
		own := w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeAccessToken, "requested_token_type", typeJWT)
		again := w.exchangeAs("web", "subject_token", own.body["access_token"].(string), "subject_token_type", typeAccessToken)
		acting := w.exchangeAs("web", "subject_token", "ada", "subject_token_type", typeUserID, "actor_token", subject, "actor_token_type", typeAccessToken)
		personal := w.exchangeAs("web", "subject_token", "ada", "subject_token_type", typeUserID, "actor_token", w.pats["A"].Reveal(), "actor_token_type", typeAccessToken)
		tokens := map[string]string{}
		for name, a := range map[string]answer{"own": own, "again": again, "acting": acting, "personal": personal} {
			w.given(a)
			tokens[name] = a.body["access_token"].(string)
		}
		check := func(what string, dead ...string) {
			w.Helper()
			for name, text := range tokens {
				if w.ofUse(text) == slices.Contains(dead, name) {
					w.Errorf("%s: %s is of use: %v", what, name, !slices.Contains(dead, name))
				}
			}
		}
		check("at first")
		for what, c := range map[string]struct {
			sql  string
			dead []string
		}{
			"the machine":                 {`users SET state = $1 WHERE user_id = 'bot'`, []string{"own", "again", "acting", "personal"}},
			"the subject":                 {`users SET state = $1 WHERE user_id = 'ada'`, []string{"acting", "personal"}},
			"the organization":            {`orgs SET state = $1 WHERE org_id = '1'`, []string{"own", "again", "acting", "personal"}},
			"the application":             {`apps SET state = $1 WHERE app_id = 'web'`, []string{"own", "again", "acting", "personal"}},
			"the project":                 {`projects SET state = $1 WHERE project_id = '11'`, []string{"own", "again", "acting", "personal"}},
			"an application beside it":    {`apps SET state = $1 WHERE app_id = 'spa'`, nil},
			"a user who is none of these": {`users SET state = $1 WHERE user_id = 'bob'`, nil},
		} {
			w.sql(`UPDATE `+c.sql, "inactive")
			if what != "the organization" && what != "the project" { // who is asked is of it, too
				check(what, c.dead...)
			} else {
				for name, text := range tokens {
					if _, err := w.provider.Tokens.Verify(w.Context(), "A", "http://a.example", text); err == nil {
						w.Errorf("%s: %s is of use", what, name)
					}
				}
			}
			w.sql(`UPDATE `+c.sql, "active")
			check(what + " again")
		}
		if a := w.do("POST", pathRevocation, "token="+own.body["access_token"].(string), "Authorization", basic("web", "secret")); a.status != 200 {
			w.Errorf("%d %s", a.status, a.text)
		}
		check("after one was revoked", "own", "again")
		w.sql(`DELETE FROM machine_keys WHERE key_id = 'key'`)
		check("without the key", "own", "again", "acting")
		w.sql(`DELETE FROM personal_access_tokens WHERE token_id = 'pat'`)
		check("without the personal access token", "own", "again", "acting", "personal")
	})
}

// TestIDTokensAreNeverMore: what is made of tokens ends with them, and stays bound, by way of an ID token too.
func TestIDTokensAreNeverMore(t *testing.T) {
	eachWorld(t, func(w *world) {
		end := start.Add(time.Hour)
		exchange := func(text, typ string, more ...string) answer {
			w.Helper()
			return w.exchangeAs("web", append([]string{"subject_token", text, "subject_token_type", typ}, more...)...)
		}
		ends := func(what, id string, want time.Time) {
			w.Helper()
			if got := w.jwt(id, "JWT")["exp"]; got != float64(want.Unix()) {
				w.Errorf("%s ends at %v, want %d", what, got, want.Unix())
			}
		}
		subject := w.issue(facts("openid", "offline_access"), false)
		w.clock.Advance(59 * time.Minute)
		a := exchange(subject, typeAccessToken)
		ends("the ID token beside it", a.body["id_token"].(string), end)
		a = w.post(pathToken, "web", "grant_type", grantRefreshToken, "refresh_token", a.body["refresh_token"].(string))
		ends("that of a refresh", a.body["id_token"].(string), end)
		a = exchange(subject, typeAccessToken, "requested_token_type", typeIDToken)
		alone := a.body["access_token"].(string)
		ends("an ID token alone", alone, end)
		if a.body["expires_in"] != 60.0 {
			w.Errorf("alone: %s", a.text)
		}
		if got := w.given(exchange(alone, typeIDToken)); !got.Expires.Equal(end) {
			w.Errorf("made of it: ends at %s", got.Expires)
		}

		mine := w.holder()
		f := facts("openid")
		f.Thumbprint = mine.Thumbprint
		bound := func(text, typ string, header ...string) answer {
			w.Helper()
			return w.do("POST", pathToken, "grant_type="+grantTokenExchange+"&client_id=spa&subject_token="+text+"&subject_token_type="+typ, header...)
		}
		f.Client, f.Grounds = "spa", []session.Ground{{Kind: session.App, User: "ada", Client: "spa"}}
		id := bound(w.issue(f, false), typeAccessToken, "DPoP", mine.proof("POST", pathToken, "")).body["id_token"].(string)
		w.refuses("a bound ID token, without a proof", bound(id, typeIDToken), 400, codeInvalidRequest)
		w.refuses("with another key", bound(id, typeIDToken, "DPoP", w.holder().proof("POST", pathToken, "")), 400, codeInvalidRequest)
		if got := w.given(bound(id, typeIDToken, "DPoP", mine.proof("POST", pathToken, ""))); got.Thumbprint != mine.Thumbprint {
			w.Errorf("bound: %+v", got.Facts)
		}
	})
}

// TestWhomAProjectTakes switches on what a project can ask of users.
func TestWhomAProjectTakes(t *testing.T) {
	eachWorld(t, func(w *world) {
		ada := w.issue(facts("openid"), false)
		f := facts("openid")
		f.User, f.Org, f.Grounds = "bob", "2", []session.Ground{webSecret("bob")}
		bob := w.issue(f, false)
		ask := func(text string) answer {
			w.Helper()
			return w.exchangeAs("web", "subject_token", text, "subject_token_type", typeAccessToken)
		}
		w.sql(`UPDATE projects SET project_access_required = TRUE WHERE project_id = '11'`)
		w.given(ask(ada))
		w.refuses("another organization", ask(bob), 403, codeInvalidRequest)
		w.sql(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state, sequence, created_at, changed_at)
 VALUES ('A', '90', '11', '1', '2', '["reader"]', 'active', 1, 1, 1)`)
		w.given(ask(bob))
		w.refuses("an inactive grant", w.while(`UPDATE project_grants SET state = $1`, func() answer { return ask(bob) }), 403, codeInvalidRequest)
		w.sql(`UPDATE projects SET authorization_required = TRUE WHERE project_id = '11'`)
		w.refuses("nobody is authorized", ask(ada), 403, codeInvalidRequest)
		w.sql(`INSERT INTO authorizations (instance_id, authorization_id, user_id, project_id, project_grant_id, org_id, role_keys, state, sequence, created_at, changed_at)
 VALUES ('A', '1', 'ada', '11', '', '1', '[]', 'active', 1, 1, 1), ('A', '2', 'bob', '11', '90', '2', '["reader"]', 'active', 1, 1, 1)`)
		w.given(ask(ada))
		w.given(ask(bob))
		w.refuses("not active", w.while(`UPDATE authorizations SET state = $1`, func() answer { return ask(ada) }), 403, codeInvalidRequest)
	})
}

// TestWhoGetsARefreshToken exchanges what the token endpoint gives out, and what users are given.
func TestWhoGetsARefreshToken(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.withKeys()
		machine := func(scope string) string {
			a := w.profile(botAssertion("k-ed", nil), scope)
			if w.token(a); a.body["refresh_token"] != nil {
				w.Errorf("a machine gets a refresh token for itself: %s", a.text)
			}
			return a.body["access_token"].(string)
		}
		id := w.exchangeAs("web", "subject_token", w.issue(facts("openid", "offline_access"), false), "subject_token_type", typeAccessToken,
			"requested_token_type", typeIDToken)
		if id.body["refresh_token"] != nil {
			w.Errorf("beside an ID token: %s", id.text)
		}
		for name, c := range map[string]struct {
			subject, typ, scope string
			status              int
			granted             string // and a refresh token when offline_access is among it
		}{
			"asked of a machine":          {machine("openid offline_access"), typeAccessToken, "openid offline_access", 200, "openid offline_access"},
			"all that a machine has":      {machine("openid offline_access"), typeAccessToken, "", 200, "openid offline_access"},
			"not asked":                   {machine("openid offline_access"), typeAccessToken, "openid", 200, "openid"},
			"nothing else":                {machine("openid offline_access"), typeAccessToken, "offline_access", 200, "offline_access"},
			"the machine has not":         {machine("openid"), typeAccessToken, "openid offline_access", 200, "openid"},
			"that alone it has not":       {machine("openid"), typeAccessToken, "offline_access", 400, ""},
			"asked of a personal one":     {w.pats["A"].Reveal(), typeAccessToken, "openid offline_access", 200, "openid offline_access"},
			"not asked of a personal":     {w.pats["A"].Reveal(), typeAccessToken, "", 200, "openid profile"},
			"asked of an ID token":        {id.body["access_token"].(string), typeIDToken, "offline_access", 400, ""},
			"asked of a human's":          {w.issue(facts("openid"), false), typeAccessToken, "openid offline_access", 200, "openid"},
			"asked of a human's for long": {w.issue(facts("openid", "offline_access"), true), typeAccessToken, "offline_access", 200, "offline_access"},
		} {
			pairs := []string{"subject_token", c.subject, "subject_token_type", c.typ}
			if c.scope != "" {
				pairs = append(pairs, "scope", c.scope)
			}
			a := w.exchangeAs("web", pairs...)
			if a.status != c.status || c.status == 200 && a.body["scope"] != c.granted ||
				(a.body["refresh_token"] != nil) != strings.Contains(c.granted, "offline_access") {
				w.Errorf("%s: %d %s", name, a.status, a.text)
			}
		}
		named := []string{"subject_token", "ada", "subject_token_type", typeUserID, "scope", "openid offline_access",
			"actor_token", w.pats["A"].Reveal(), "actor_token_type", typeAccessToken}
		w.refuses("for whom it may not act", w.exchangeAs("web", named...), 403, codeInvalidRequest)
		w.member("1", "bot", "ORG_END_USER_IMPERSONATOR")
		a := w.exchangeAs("web", named...)
		if got := w.given(a); got.User != "ada" || a.body["refresh_token"] == nil {
			w.Errorf("for another: %s", a.text)
		}
	})
}

func TestExchangeForLong(t *testing.T) {
	eachWorld(t, func(w *world) {
		f := facts("openid", "offline_access")
		subject := w.issue(f, false)
		a := w.exchangeAs("web", "subject_token", subject, "subject_token_type", typeAccessToken)
		refresh, _ := a.body["refresh_token"].(string)
		if refresh == "" || !w.given(a).Expires.Equal(start.Add(time.Hour)) {
			w.Fatalf("%s", a.text)
		}
		w.clock.Advance(30 * time.Minute)
		a = w.post(pathToken, "web", "grant_type", grantRefreshToken, "refresh_token", refresh)
		if got := w.given(a); !got.Expires.Equal(start.Add(time.Hour)) {
			w.Errorf("it ends at %s", got.Expires)
		}
		refresh = a.body["refresh_token"].(string)
		w.clock.Advance(30 * time.Minute)
		w.refuses("after the end of the subject", w.post(pathToken, "web", "grant_type", grantRefreshToken, "refresh_token", refresh), 400, codeInvalidGrant)

		w.sql(`UPDATE apps SET grant_types = $1 WHERE app_id = 'web'`, grantTokenExchange)
		a = w.exchangeAs("web", "subject_token", w.issue(f, false), "subject_token_type", typeAccessToken)
		if a.status != 200 || a.body["refresh_token"] != nil || a.body["scope"] != "openid" {
			w.Errorf("without the grant type: %s", a.text)
		}
	})
}
