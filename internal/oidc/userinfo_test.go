package oidc

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUserinfo(t *testing.T) {
	eachWorld(t, func(w *world) {
		want := map[string]any{
			"sub": "ada", "name": "Ada L", "given_name": "Ada", "family_name": "L", "preferred_username": "ada@one.example",
			"updated_at": float64(start.Unix()), "email": "ada@mail.example", "email_verified": false,
		}
		for name, jwt := range map[string]bool{"sealed": false, "JWT": true} {
			text := w.issue(facts("openid", "profile", "email"), jwt)
			for way, a := range map[string]answer{
				"GET":               w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+text),
				"POST":              w.do("POST", pathUserinfo, "", "Authorization", "Bearer "+text),
				"scheme in lower":   w.do("GET", pathUserinfo, "", "Authorization", "bearer "+text),
				"form":              w.do("POST", pathUserinfo, "access_token="+text),
				"header and a form": w.do("POST", pathUserinfo, "a=b", "Authorization", "Bearer "+text),
			} {
				if diff := cmp.Diff(want, a.body); a.status != http.StatusOK || diff != "" {
					w.Errorf("%s, %s: %d (-want +got):\n%s", name, way, a.status, diff)
				}
				if got := a.header.Get("Cache-Control"); got != "no-store" {
					w.Errorf("%s, %s: Cache-Control %q", name, way, got)
				}
			}
		}
		a := w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+w.pats["A"].Reveal())
		if diff := cmp.Diff(map[string]any{"sub": "bot", "name": "Bot", "preferred_username": "bot", "updated_at": float64(start.Unix())}, a.body); diff != "" {
			w.Errorf("a personal access token (-want +got):\n%s", diff)
		}
	})
}

func TestUserinfoRefuses(t *testing.T) {
	eachWorld(t, func(w *world) {
		text := w.issue(facts("openid"), false)
		foreign, jwt := w.issueAt("B", facts("openid"), false), w.issueAt("B", facts("openid"), true)
		bound := facts("openid")
		bound.Thumbprint = w.holder().Thumbprint
		const invalid = `Bearer error="invalid_token", error_description="access token invalid"`
		const repeated = `Bearer error="invalid_request", error_description="there must be one access token, sent in one way"`
		for name, c := range map[string]struct {
			answer    answer
			status    int
			code      string
			challenge string
		}{
			"nothing":             {w.do("GET", pathUserinfo, ""), 401, "invalid_request", "Bearer"},
			"a URL":               {w.do("GET", pathUserinfo+"?access_token="+text, ""), 401, "invalid_request", "Bearer"},
			"a form without":      {w.do("POST", pathUserinfo, "a=b"), 401, "invalid_request", "Bearer"},
			"Basic":               {w.do("GET", pathUserinfo, "", "Authorization", basic("api", "secret")), 401, "invalid_request", "Bearer"},
			"an empty token":      {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "), 401, "invalid_request", "Bearer"},
			"two headers":         {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+text, "Authorization", "Bearer "+text), 400, "invalid_request", repeated},
			"a header and a form": {w.do("POST", pathUserinfo, "access_token="+text, "Authorization", "Bearer "+text), 400, "invalid_request", repeated},
			"twice in a form":     {w.do("POST", pathUserinfo, "access_token="+text+"&access_token="+text), 400, "invalid_request", ""},
			"no token":            {w.do("GET", pathUserinfo, "", "Authorization", "Bearer x"), 401, "access_denied", invalid},
			"one byte less":       {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+text[:len(text)-1]), 401, "access_denied", invalid},
			"of another instance": {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+foreign), 401, "access_denied", invalid},
			"a JWT of another":    {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+jwt), 401, "access_denied", invalid},
			"a foreign PAT":       {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+w.pats["B"].Reveal()), 401, "access_denied", invalid},
			"bound, as a bearer":  {w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+w.issue(bound, false)), 401, "access_denied", invalid},
		} {
			if !c.answer.is(c.status, c.code) || !strings.HasPrefix(c.answer.challenge, c.challenge) {
				w.Errorf("%s: %d %s %q", name, c.answer.status, c.answer.text, c.answer.challenge)
			}
		}
		if a := w.do("GET", pathUserinfo, ""); !strings.HasPrefix(a.challenge, `Bearer, DPoP algs="ES256 `) {
			w.Errorf("whoever has no token is told of %q", a.challenge)
		}
	})
}

// TestUserinfoNow switches things off: a token is of no use at once, and of use again afterwards.
func TestUserinfoNow(t *testing.T) {
	eachWorld(t, func(w *world) {
		ask := func(text string) int { return w.do("GET", pathUserinfo, "", "Authorization", "Bearer "+text).status }
		text, jwt := w.issue(facts("openid"), false), w.issue(facts("openid"), true)
		both := func(what string, want int) {
			w.Helper()
			for name, text := range map[string]string{"sealed": text, "JWT": jwt} {
				if got := ask(text); got != want {
					w.Errorf("%s, %s: %d", what, name, got)
				}
			}
		}
		both("at first", 200)
		for _, thing := range []string{
			"users SET state = $1 WHERE user_id = 'ada'", "orgs SET state = $1 WHERE org_id = '1'",
			"apps SET state = $1 WHERE app_id = 'web'", "projects SET state = $1 WHERE project_id = '11'",
		} {
			w.sql("UPDATE "+thing, "inactive")
			both(thing, 401)
			w.sql("UPDATE "+thing, "active")
			both(thing+" again", 200)
		}
		w.clock.Advance(time.Hour)
		both("expired", 401)
	})
}

func TestUserinfoOfABoundToken(t *testing.T) {
	eachWorld(t, func(w *world) {
		mine, other := w.holder(), w.holder()
		bound := facts("openid")
		bound.Thumbprint = mine.Thumbprint
		text := w.issue(bound, true)
		ask := func(text string, proofs ...string) answer {
			header := []string{"Authorization", "DPoP " + text}
			for _, p := range proofs {
				header = append(header, "DPoP", p)
			}
			return w.do("GET", pathUserinfo, "", header...)
		}
		proof := mine.proof("GET", pathUserinfo, text)
		if a := ask(text, proof); a.status != 200 || a.body["sub"] != "ada" {
			w.Errorf("%d %s", a.status, a.text)
		}
		for name, a := range map[string]answer{
			"no proof":            ask(text),
			"a proof again":       ask(text, proof),
			"two proofs":          ask(text, mine.proof("GET", pathUserinfo, text), mine.proof("GET", pathUserinfo, text)),
			"of another method":   ask(text, mine.proof("POST", pathUserinfo, text)),
			"of another URL":      ask(text, mine.proof("GET", pathToken, text)),
			"of another token":    ask(text, mine.proof("GET", pathUserinfo, text+"x")),
			"of no token":         ask(text, mine.proof("GET", pathUserinfo, "")),
			"no proof of a token": ask(text, "a.b.c"),
		} {
			if !a.is(401, "invalid_dpop_proof") || !strings.HasPrefix(a.challenge, `DPoP error="invalid_dpop_proof", `) {
				w.Errorf("%s: %d %s %q", name, a.status, a.text, a.challenge)
			}
		}
		unbound := w.issue(facts("openid"), false)
		for name, a := range map[string]answer{
			"with another key": ask(text, other.proof("GET", pathUserinfo, text)),
			"not bound":        ask(unbound, mine.proof("GET", pathUserinfo, unbound)),
		} {
			if !a.is(401, "access_denied") || !strings.HasPrefix(a.challenge, `DPoP error="invalid_token", `) {
				w.Errorf("%s: %d %s %q", name, a.status, a.text, a.challenge)
			}
		}
		w.clock.Advance(2 * time.Minute)
		if a := ask(text, mine.proof("GET", pathUserinfo, text)); a.status != 200 {
			w.Errorf("later: %d %s", a.status, a.text)
		}
	})
}
