package oidc

import (
	"slices"
	"testing"
	"time"

	"castellan/internal/session"
	"castellan/internal/vault"
)

// refreshAs asks for the next tokens of a session.
func (w *world) refreshAs(client, refresh string, pairs ...string) answer {
	w.Helper()
	return w.post(pathToken, client, append([]string{"grant_type", grantRefreshToken, "refresh_token", refresh}, pairs...)...)
}

func TestRefresh(t *testing.T) {
	eachWorld(t, func(w *world) {
		access, refresh := w.started(facts("openid", "profile", "offline_access"), false)
		first := w.inspect(access)
		w.clock.Advance(time.Minute)
		a := w.refreshAs("web", refresh)
		got := w.given(a)
		if got.Session != first.Session || got.Number != 2 || got.User != "ada" || !slices.Equal(got.Scopes, first.Scopes) ||
			!got.AuthTime.Equal(first.AuthTime) || !got.Expires.Equal(start.Add(time.Minute+12*time.Hour)) {
			w.Errorf("%+v", got)
		}
		next, _ := a.body["refresh_token"].(string)
		if next == "" || next == refresh || a.body["id_token"] == nil || a.body["token_type"] != "Bearer" || a.body["scope"] != "openid profile offline_access" {
			w.Errorf("%s", a.text)
		}
		fewer := w.refreshAs("web", next, "scope", "profile")
		if got := w.given(fewer); !slices.Equal(got.Scopes, []string{"profile"}) || fewer.body["id_token"] != nil {
			w.Errorf("fewer scopes: %s", fewer.text)
		}
		last := fewer.body["refresh_token"].(string)
		narrow := w.refreshAs("web", last, "resource", "urn:zitadel:iam:org:project:id:11")
		if got := w.given(narrow); !slices.Equal(got.Audience, []string{"11"}) || !slices.Equal(got.Scopes, first.Scopes) {
			w.Errorf("the session has all scopes still, and the audience of this token is one: %+v", got)
		}
		if !w.ofUse(access) {
			w.Error("the first access token is of no use")
		}
		// A refresh token that was copied ends the session.
		w.refuses("the first again", w.refreshAs("web", refresh), 400, codeInvalidGrant)
		w.refuses("the last, afterwards", w.refreshAs("web", narrow.body["refresh_token"].(string)), 400, codeInvalidGrant)
		if w.ofUse(access) {
			w.Error("the first access token is of use")
		}
	})
}

func TestRefreshRefuses(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, refresh := w.started(facts("openid", "profile"), false)
		ofSPA := facts("openid")
		ofSPA.Client, ofSPA.Grounds = "spa", []session.Ground{{Kind: session.App, User: "ada", Client: "spa"}}
		_, public := w.started(ofSPA, false)
		w.refuses("nothing", w.refreshAs("web", ""), 400, codeInvalidRequest)
		w.refuses("text", w.refreshAs("web", "x"), 400, codeInvalidGrant)
		w.refuses("changed", w.refreshAs("web", refresh+"A"), 400, codeInvalidGrant)
		w.refuses("an access token", w.refreshAs("web", w.issue(facts("openid"), false)), 400, codeInvalidGrant)
		w.refuses("of another client", w.refreshAs("web", public), 400, codeInvalidGrant)
		w.refuses("by nobody", w.refreshAs("", refresh), 400, codeInvalidClient)
		w.refuses("by an API", w.refreshAs("api", refresh), 400, codeUnauthorized)
		w.refuses("more scopes", w.refreshAs("web", refresh, "scope", "openid email"), 400, codeInvalidScope)
		w.refuses("an unknown scope", w.refreshAs("web", refresh, "scope", "magic"), 400, codeInvalidScope)
		w.refuses("another resource", w.refreshAs("web", refresh, "resource", "http://a.example"), 400, codeInvalidTarget)
		w.refuses("at another instance", w.do("POST", "http://b.example"+pathToken, "grant_type="+grantRefreshToken+"&refresh_token="+refresh,
			"Authorization", basic("web", "secret")), 400, codeInvalidGrant)
		for name, sql := range map[string]string{
			"user": `UPDATE users SET state = $1 WHERE user_id = 'ada'`, "organization": `UPDATE orgs SET state = $1 WHERE org_id = '1'`,
		} {
			a := w.while(sql, func() answer { return w.refreshAs("web", refresh) })
			if a.status != 400 && a.status != 401 { // without its organization the client is none either
				w.Errorf("an inactive %s: %d %s", name, a.status, a.text)
			}
		}
		// None of that has used it up.
		if got := w.given(w.refreshAs("web", refresh)); got.User != "ada" {
			w.Errorf("%+v", got)
		}
		w.given(w.do("POST", pathToken, "grant_type="+grantRefreshToken+"&client_id=spa&refresh_token="+public))
		_, old := w.started(facts("openid"), false)
		w.clock.Advance(24 * time.Hour)
		w.refuses("too late", w.refreshAs("web", old), 400, codeInvalidGrant)
	})
}

// TestASessionThatWouldNotBeginNow takes away, one at a time, what was asked when the session began.
func TestASessionThatWouldNotBeginNow(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.member("1", "bot", "ORG_END_USER_IMPERSONATOR")
		pat := w.pats["A"].Reveal()
		own := w.exchangeAs("web", "subject_token", pat, "subject_token_type", typeAccessToken, "scope", "openid offline_access")
		acting := w.exchangeAs("web", "subject_token", "ada", "subject_token_type", typeUserID, "scope", "openid offline_access",
			"actor_token", pat, "actor_token_type", typeAccessToken)
		for _, c := range []struct {
			what, change, back string
			own, acting        int // status of a refresh
		}{
			{"nothing", `UPDATE users SET state = 'active'`, `UPDATE users SET state = 'active'`, 200, 200},
			{"the machine", `UPDATE users SET state = 'inactive' WHERE user_id = 'bot'`, `UPDATE users SET state = 'active'`, 400, 400},
			{"the subject", `UPDATE users SET state = 'locked' WHERE user_id = 'ada'`, `UPDATE users SET state = 'active'`, 200, 400},
			{"the grant type", `UPDATE apps SET grant_types = 'urn:ietf:params:oauth:grant-type:token-exchange' WHERE app_id = 'web'`,
				`UPDATE apps SET grant_types = 'refresh_token urn:ietf:params:oauth:grant-type:token-exchange' WHERE app_id = 'web'`, 400, 400},
			{"the role to act for others", `UPDATE members SET roles = 'ORG_OWNER'`, `UPDATE members SET roles = 'ORG_END_USER_IMPERSONATOR'`, 200, 400},
			{"that the subject is nobody", `UPDATE members SET user_id = 'ada'`, `UPDATE members SET user_id = 'bot'`, 200, 400},
			{"the authorization", `UPDATE projects SET authorization_required = TRUE`, `UPDATE projects SET authorization_required = FALSE`, 400, 400},
			{"the organization in the project", `UPDATE users SET org_id = '2' WHERE user_id = 'ada'`, `UPDATE users SET org_id = '1' WHERE user_id = 'ada'`, 200, 400},
		} {
			w.sql(c.change)
			if c.what == "the organization in the project" {
				w.sql(`UPDATE projects SET project_access_required = TRUE`)
			}
			for name, s := range map[string]struct {
				at   *answer
				want int
			}{"own": {&own, c.own}, "acting": {&acting, c.acting}} {
				refresh, _ := s.at.body["refresh_token"].(string)
				told := w.post(pathIntrospection, "web", "token", refresh, "token_type_hint", "refresh_token")
				if c.what != "the grant type" && (told.body["active"] == true) != (s.want == 200) {
					w.Errorf("%s, without %s: introspection says %s", name, c.what, told.text)
				}
				a := w.refreshAs("web", refresh)
				if a.status != s.want || s.want == 400 && a.body["error"] != codeInvalidGrant && c.what != "the grant type" {
					w.Errorf("%s, without %s: %d %s", name, c.what, a.status, a.text)
				}
				if a.status == 200 {
					*s.at = a
				}
			}
			w.sql(c.back)
		}
		// None of it was the end.
		w.sql(`UPDATE projects SET project_access_required = FALSE`)
		for name, a := range map[string]answer{"own": own, "acting": acting} {
			got := w.given(w.refreshAs("web", a.body["refresh_token"].(string)))
			if (got.Actor != nil) != (name == "acting") {
				w.Errorf("%s: %+v", name, got.Facts)
			}
		}
	})
}

// TestRefreshWithAnotherSecret ends sessions that came through a secret that was replaced.
func TestRefreshWithAnotherSecret(t *testing.T) {
	eachWorld(t, func(w *world) {
		_, refresh := w.started(facts("openid"), false)
		w.sql(`UPDATE apps SET secret_hash = $1 WHERE app_id = 'web'`, vault.HashSecret("other"))
		w.refuses("with the old secret", w.refreshAs("web", refresh), 401, codeInvalidClient)
		w.refuses("with the new one", w.do("POST", pathToken, "grant_type="+grantRefreshToken+"&refresh_token="+refresh,
			"Authorization", basic("web", "other")), 400, codeInvalidGrant)
	})
}

func TestRefreshOfABoundSession(t *testing.T) {
	eachWorld(t, func(w *world) {
		mine, other := w.holder(), w.holder()
		f := facts("openid")
		f.Thumbprint = mine.Thumbprint
		_, refresh := w.started(f, false)
		ofSPA := f
		ofSPA.Client, ofSPA.Grounds = "spa", []session.Ground{{Kind: session.App, User: "ada", Client: "spa"}}
		_, public := w.started(ofSPA, false)
		ask := func(body string, proof string, header ...string) answer {
			if proof != "" {
				header = append(header, "DPoP", proof)
			}
			return w.do("POST", pathToken, "grant_type="+grantRefreshToken+"&"+body, header...)
		}
		web := func(proof string) answer {
			return ask("refresh_token="+refresh, proof, "Authorization", basic("web", "secret"))
		}
		spa := func(proof string) answer { return ask("client_id=spa&refresh_token="+public, proof) }
		w.refuses("without a proof", web(""), 400, codeInvalidProof)
		w.refuses("a bad proof", web(mine.proof("GET", pathToken, "")), 400, codeInvalidProof)
		w.refuses("a public client, without a proof", spa(""), 400, codeInvalidProof)
		w.refuses("a public client, with another key", spa(other.proof("POST", pathToken, "")), 400, codeInvalidProof)
		a := spa(mine.proof("POST", pathToken, ""))
		if got := w.given(a); got.Thumbprint != mine.Thumbprint || a.body["token_type"] != "DPoP" {
			w.Errorf("a public client: %s", a.text)
		}
		proof := other.proof("POST", pathToken, "")
		w.refuses("a token that was made up", ask("refresh_token=x", proof, "Authorization", basic("web", "secret")), 400, codeInvalidGrant)
		a = web(proof) // which did not count then
		if got := w.given(a); got.Thumbprint != other.Thumbprint || a.body["token_type"] != "DPoP" {
			w.Errorf("another key: %s", a.text)
		}
		next := a.body["refresh_token"].(string)
		w.refuses("the proof again", ask("refresh_token="+next, proof, "Authorization", basic("web", "secret")), 400, codeInvalidProof)
		w.given(ask("refresh_token="+next, mine.proof("POST", pathToken, ""), "Authorization", basic("web", "secret")))
	})
}
