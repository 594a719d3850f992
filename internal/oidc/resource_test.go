package oidc

import (
	"slices"
	"strconv"
	"testing"

	"castellan/internal/vault"
)

func TestResources(t *testing.T) {
	eachWorld(t, func(w *world) {
		w.sql(`UPDATE users SET secret_hash = $1 WHERE user_id = 'bot'`, vault.HashSecret("secret"))
		ask := func(pairs ...string) answer {
			w.Helper()
			return w.post(pathToken, "bot", append([]string{"grant_type", grantClientCredentials}, pairs...)...)
		}
		const of = "urn:zitadel:iam:org:project:id:"
		aud11 := of + "11:aud"
		for name, c := range map[string]struct {
			pairs []string
			want  []string
		}{
			"none":                   {[]string{"scope", "openid"}, nil},
			"scopes":                 {[]string{"scope", "openid " + aud11}, []string{"11"}},
			"scopes, one not there":  {[]string{"scope", aud11 + " " + of + "99:aud"}, []string{"11"}},
			"a project":              {[]string{"scope", "openid", "resource", of + "11"}, []string{"11"}},
			"two":                    {[]string{"scope", "openid", "resource", of + "11", "resource", of + "10"}, []string{"11", "10"}},
			"one twice":              {[]string{"scope", "openid", "resource", of + "11", "resource", of + "11"}, []string{"11"}},
			"the issuer":             {[]string{"scope", "openid", "resource", "http://a.example"}, []string{"10"}},
			"the issuer with a path": {[]string{"scope", "openid", "resource", "http://a.example/"}, []string{"10"}},
			"the own project":        {[]string{"scope", "openid", "resource", of + "zitadel"}, []string{"10"}},
			"by both names":          {[]string{"scope", "openid", "resource", of + "zitadel", "resource", of + "10"}, []string{"10"}},
			"instead of scopes":      {[]string{"scope", aud11, "resource", of + "10"}, []string{"10"}},
			"an empty one":           {[]string{"scope", aud11, "resource", ""}, []string{"11"}},
		} {
			if got := w.given(ask(c.pairs...)).Audience; !slices.Equal(got, c.want) {
				w.Errorf("%s: %q", name, got)
			}
		}
		// What a token says of roles is for whom it is meant.
		for name, c := range map[string]struct {
			scope string
			more  []string
			want  []string
		}{
			"all that is named": {aud11 + " " + of + "zitadel:aud openid", nil, []string{aud11, of + "zitadel:aud", "openid"}},
			"one of them":       {aud11 + " " + of + "zitadel:aud openid", []string{"resource", of + "11"}, []string{aud11, "openid"}},
			"the own":           {aud11 + " " + of + "zitadel:aud " + of + "10:aud", []string{"resource", "http://a.example"}, []string{of + "zitadel:aud", of + "10:aud"}},
			"none":              {aud11, []string{"resource", of + "10"}, nil},
		} {
			if got := w.given(ask(append([]string{"scope", c.scope}, c.more...)...)).Scopes; !slices.Equal(got, c.want) {
				w.Errorf("%s: %q", name, got)
			}
		}
		many := []string{"scope", "openid"}
		for i := range maxTargets + 1 {
			many = append(many, "resource", of+strconv.Itoa(i))
		}
		w.refuses("many", ask(many...), 400, codeInvalidTarget)
		for _, resource := range []string{
			of + "99", of, "https://a.example", "http://b.example", "http://a.example/x", "/x", "11", "a b", "http://a.example#x",
			of + "11#x", of + "11:aud", "%", "urn:zitadel:iam:org:project:ID:11",
		} {
			w.refuses(resource, ask("scope", "openid", "resource", resource), 400, codeInvalidTarget)
			w.refuses("beside a good one: "+resource, ask("scope", "openid", "resource", of+"11", "resource", resource), 400, codeInvalidTarget)
		}
		w.refuses("one that is inactive", w.while(`UPDATE projects SET state = $1 WHERE project_id = '11'`, func() answer {
			return ask("scope", "openid", "resource", of+"11")
		}), 400, codeInvalidTarget)
		w.refuses("the own one, inactive", w.while(`UPDATE projects SET state = $1 WHERE project_id = '10'`, func() answer {
			return ask("scope", "openid", "resource", "http://a.example")
		}), 400, codeInvalidTarget)
	})
}
