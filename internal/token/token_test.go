package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/assertion/assertiontest"
	"castellan/internal/fault"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

func TestIssueAndVerify(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		full := facts()
		full.Methods, full.Thumbprint = []string{"pwd", "otp"}, "print"
		full.Actor = &session.Actor{User: "21", Issuer: issuer, Actor: &session.Actor{User: "22"}}
		full.Grounds = append(full.Grounds, session.Ground{Kind: session.PersonalToken, User: "20", ID: "40", Session: "9", Number: 2})
		bare := session.Facts{User: "20", Client: "robot", Grounds: facts().Grounds}
		for name, want := range map[string]session.Facts{"usual": facts(), "full": full, "bare": bare} {
			for form, issued := range f.both(Wish{Facts: want}) {
				got, err := f.tokens.VerifyBound(f.Context(), "1", issuer, issued.Text, want.Thumbprint)
				f.must(err)
				expect := issued.Token
				expect.Org = "10"
				if want.AuthTime.IsZero() && form == "sealed" {
					expect.AuthTime = time.Unix(0, 0).UTC()
				}
				if diff := cmp.Diff(expect, got, cmpEmpty); diff != "" {
					f.Errorf("%s, %s (-issued +verified)\n%s", name, form, diff)
				}
				if !got.Issued.Equal(start.Truncate(time.Second)) || got.Expires.Sub(got.Issued) != 12*time.Hour ||
					got.ID != session.AccessID(got.Session, 1) {
					f.Errorf("%s, %s: %+v", name, form, got)
				}
			}
		}
		if rows := f.count(`SELECT COUNT(*) FROM oidc_sessions`); rows != 0 {
			f.Errorf("tokens without a refresh token left %d sessions", rows)
		}
	})
}

// TestActors: a token counts only while who acts for its user may do so.
func TestActors(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		acted := facts()
		acted.Actor = &session.Actor{User: "21"}
		alone := f.both(Wish{Facts: facts()})
		for form, issued := range f.both(Wish{Facts: acted}) {
			for name, c := range map[string]struct{ may, want error }{
				"may act":     {nil, nil},
				"may not":     {fault.New(fault.PermissionDenied, "X", "no"), ErrToken},
				"is not said": {store.ErrUnavailable, store.ErrUnavailable},
			} {
				f.mayAct = c.may
				_, err := f.tokens.Verify(f.Context(), "1", issuer, issued.Text)
				if !errors.Is(err, c.want) || name == "is not said" && errors.Is(err, ErrToken) {
					f.Errorf("%s, %s: %v", form, name, err)
				}
				if err := f.tokens.Live(f.Context(), f.db, "1", acted); !errors.Is(err, c.want) {
					f.Errorf("%s, before the next token: %v", name, err)
				}
				if _, err := f.tokens.Verify(f.Context(), "1", issuer, alone[form].Text); err != nil {
					f.Errorf("%s, %s, without an actor: %v", form, name, err)
				}
			}
		}
	})
}

// cmpEmpty takes no list for an empty one.
var cmpEmpty = cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())

func (f *fixture) count(sql string) int {
	f.Helper()
	n, err := store.One(f.Context(), f.db, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) }, sql)
	f.must(err)
	return n
}

func TestLifetimes(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		issued := f.issue(Wish{Facts: facts(), Lifetime: time.Hour})
		until := f.issue(Wish{Facts: facts(), Lifetime: time.Hour, Until: start.Add(time.Minute)})
		later := f.issue(Wish{Facts: facts(), Lifetime: time.Hour, Until: start.Add(2 * time.Hour)})
		if !until.Token.Expires.Equal(start.Add(time.Minute).Truncate(time.Second)) || !later.Token.Expires.Equal(issued.Token.Expires) {
			f.Errorf("ends at %s, %s, %s", issued.Token.Expires, until.Token.Expires, later.Token.Expires)
		}
		stored := f.issue(Wish{Facts: facts(), Session: "9", Number: 3, At: start.Add(-time.Minute), Lifetime: time.Hour})
		if stored.Token.ID != "9-at_3" || !stored.Token.Expires.Equal(start.Add(59*time.Minute).Truncate(time.Second)) {
			f.Errorf("of a session: %+v", stored.Token)
		}
		f.clock.Advance(issued.Token.Expires.Sub(start) - time.Microsecond)
		f.accepted("a moment before", issued.Text)
		f.clock.Advance(time.Microsecond)
		f.refused("at its end", issued.Text)
	})
}

// TestOneChange: everything that a token stands on is changed, one thing at a time and back again.
func TestOneChange(t *testing.T) {
	app := facts()
	app.Grounds = []session.Ground{{Kind: session.App, User: "20", Client: "61"}}
	appKey := facts()
	appKey.Grounds = []session.Ground{{Kind: session.AppKey, User: "20", Client: "61", ID: "70"}}
	personal := facts()
	personal.Grounds = []session.Ground{{Kind: session.PersonalToken, User: "20", ID: "40"}}
	acting := facts()
	acting.User = "21"
	acting.Grounds = append(acting.Grounds, session.Ground{Kind: session.App, User: "21", Client: "61"})
	const user, org = `UPDATE users SET state = '%s' WHERE instance_id = '1' AND user_id = '20'`,
		`UPDATE orgs SET state = '%s' WHERE instance_id = '1'`
	change := func(form, there, gone string) [2]string {
		return [2]string{fmt.Sprintf(form, gone), fmt.Sprintf(form, there)}
	}
	now := store.Micros(start)
	cases := map[string]struct {
		facts   session.Facts
		changes map[string][2]string // what takes it away, and what brings it back
	}{
		"machine key": {facts(), map[string][2]string{
			"user inactive": change(user, "active", "inactive"),
			"user locked":   change(user, "active", "locked"),
			"org inactive":  change(org, "active", "inactive"),
			"key expired":   {fmt.Sprintf(`UPDATE machine_keys SET expires_at = %d`, now), fmt.Sprintf(`UPDATE machine_keys SET expires_at = %d`, now+1)},
			"another's key": change(`UPDATE machine_keys SET user_id = '%s'`, "20", "21"),
			"key removed":   change(`UPDATE machine_keys SET key_id = '%s'`, "30", "31"),
			"user removed":  change(`UPDATE users SET user_id = '%s' WHERE username = 'robot'`, "20", "29"),
			"org removed":   change(`UPDATE orgs SET org_id = '%s'`, "10", "11"),
		}},
		"personal access token": {personal, map[string][2]string{
			"user inactive": change(user, "active", "inactive"),
			"expired":       {fmt.Sprintf(`UPDATE personal_access_tokens SET expires_at = %d`, now), fmt.Sprintf(`UPDATE personal_access_tokens SET expires_at = %d`, now+1)},
			"removed":       change(`UPDATE personal_access_tokens SET token_id = '%s'`, "40", "41"),
		}},
		"application": {app, map[string][2]string{
			"user inactive":     change(user, "active", "inactive"),
			"org inactive":      change(org, "active", "inactive"),
			"project inactive":  change(`UPDATE projects SET state = '%s'`, "active", "inactive"),
			"project removed":   change(`UPDATE projects SET project_id = '%s'`, "50", "51"),
			"client id renewed": change(`UPDATE apps SET client_id = '%s'`, "61", "62"),
			"inactive":          change(`UPDATE apps SET state = '%s'`, "active", "inactive"),
		}},
		"key of an application": {appKey, map[string][2]string{
			"inactive":         change(`UPDATE apps SET state = '%s'`, "active", "inactive"),
			"project inactive": change(`UPDATE projects SET state = '%s'`, "active", "inactive"),
			"key expired":      {fmt.Sprintf(`UPDATE app_keys SET expires_at = %d`, now), fmt.Sprintf(`UPDATE app_keys SET expires_at = %d`, now+1)},
			"another's key":    change(`UPDATE app_keys SET app_id = '%s'`, "60", "63"),
			"key removed":      change(`UPDATE app_keys SET key_id = '%s'`, "70", "71"),
		}},
		"of others": {acting, map[string][2]string{
			"actor inactive":   change(user, "active", "inactive"),
			"subject inactive": change(`UPDATE users SET state = '%s' WHERE user_id = '21'`, "active", "inactive"),
			"key removed":      change(`UPDATE machine_keys SET key_id = '%s'`, "30", "31"),
			"project inactive": change(`UPDATE projects SET state = '%s'`, "active", "inactive"),
		}},
	}
	eachEngine(t, func(f *fixture) {
		f.sql(`INSERT INTO app_keys (instance_id, key_id, app_id, org_id, public_key, expires_at, sequence, created_at, changed_at)
 VALUES ('1', '70', '60', '10', $1, $2, 1, 0, 0)`, []byte("key"), store.Micros(start)+1)
		for name, tt := range cases {
			for form, issued := range f.both(Wish{Facts: tt.facts}) {
				f.accepted(name, issued.Text)
				if err := f.tokens.Live(f.Context(), f.db, "1", tt.facts); err != nil {
					f.Errorf("%s: not live: %v", name, err)
				}
				for what, sql := range tt.changes {
					f.sql(sql[0])
					f.refused(name+", "+form+": "+what, issued.Text)
					if err := f.tokens.Live(f.Context(), f.db, "1", tt.facts); !errors.Is(err, ErrToken) {
						f.Errorf("%s, %s: live: %v", name, what, err)
					}
					f.sql(sql[1])
					f.accepted(name+", "+form+", without: "+what, issued.Text)
				}
			}
		}
	})
}

// TestSecretsAreReplaced: what came through a secret ends with it, and does not come back with another.
func TestSecretsAreReplaced(t *testing.T) {
	right := vault.HashSecret("secret")
	id := vault.SecretPrint(right)
	for table, ground := range map[string]session.Ground{
		"apps":  {Kind: session.AppSecret, User: "20", Client: "61", ID: id},
		"users": {Kind: session.MachineSecret, User: "20", ID: id},
	} {
		eachEngine(t, func(f *fixture) {
			through := facts()
			through.Grounds = []session.Ground{ground}
			set := func(hash []byte) { f.sql(`UPDATE `+table+` SET secret_hash = $1`, hash) }
			set(right)
			for form, issued := range f.both(Wish{Facts: through}) {
				f.accepted(table+", "+form, issued.Text)
				for what, hash := range map[string][]byte{"removed": nil, "empty": {}, "replaced": vault.HashSecret("other")} {
					set(hash)
					f.refused(table+", "+form+", "+what, issued.Text)
				}
				set(right)
				f.accepted(table+", "+form+", again", issued.Text)
			}
			set(nil)
			none := ground
			none.ID = vault.SecretPrint(nil)
			through.Grounds = []session.Ground{none}
			f.refused("no secret", f.issue(Wish{Facts: through}).Text)
		})
	}
}

func TestRevocation(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for form, issued := range f.both(Wish{Facts: facts()}) {
			f.accepted(form, issued.Text)
			f.must(f.sessions.RevokeAccess(f.Context(), "1", issued.Token.Access()))
			f.refused(form+", revoked", issued.Text)
		}
		first := f.both(Wish{Facts: facts(), Session: "9", Number: 1, At: start})
		second := f.both(Wish{Facts: facts(), Session: "9", Number: 2, At: start})
		f.must(f.sessions.RevokeAccess(f.Context(), "1", first["JWT"].Token.Access()))
		for form := range first {
			f.refused(form+", the first", first[form].Text)
			f.accepted(form+", the second", second[form].Text)
		}
		// What is made of a token ends with it.
		made := facts()
		made.User, made.Grounds = "21", second["sealed"].Token.Sources()
		derived := f.issue(Wish{Facts: made})
		f.accepted("derived", derived.Text)
		f.sql(`UPDATE oidc_sessions SET is_revoked = TRUE WHERE session_id = '9'`)
		f.refused("of a revoked session", second["JWT"].Text)
		f.refused("derived of it", derived.Text)
	})
}

// TestAnotherInstance has all the same in it, and other keys.
func TestAnotherInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for form, issued := range f.both(Wish{Facts: facts()}) {
			got, err := f.tokens.Verify(f.Context(), "2", issuer, issued.Text)
			f.isRefusal(form+" in another instance", got, err)
			got, err = f.tokens.Verify(f.Context(), "3", issuer, issued.Text)
			if err == nil || got.User != "" {
				f.Errorf("%s in no instance: %+v, %v", form, got, err)
			}
		}
		got, err := f.tokens.Verify(f.Context(), "2", issuer, f.personal.Reveal())
		f.isRefusal("a personal access token in another instance", got, err)
		jwt := f.issue(Wish{Facts: facts(), JWT: true})
		got, err = f.tokens.Verify(f.Context(), "1", issuer+"/", jwt.Text)
		f.isRefusal("under another issuer", got, err)
	})
}

func TestBoundTokens(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		bound := facts()
		bound.Thumbprint = "print"
		for form, issued := range f.both(Wish{Facts: bound}) {
			f.refused(form+" as a bearer token", issued.Text)
			got, err := f.tokens.VerifyBound(f.Context(), "1", issuer, issued.Text, "other")
			f.isRefusal(form+" with another key", got, err)
			if _, err := f.tokens.VerifyBound(f.Context(), "1", issuer, issued.Text, "print"); err != nil {
				f.Errorf("%s with its key: %v", form, err)
			}
			if got, err := f.tokens.Inspect(f.Context(), "1", issuer, issued.Text); err != nil || got.Thumbprint != "print" {
				f.Errorf("%s is inspected as %q, %v", form, got.Thumbprint, err)
			}
		}
		free := f.issue(Wish{Facts: facts()})
		got, err := f.tokens.VerifyBound(f.Context(), "1", issuer, free.Text, "print")
		f.isRefusal("a bearer token with a proof", got, err)
	})
}

func TestPersonalAccessTokens(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		want := Token{
			ID: "40", Personal: true, Issued: start.Truncate(time.Second), Expires: time.Unix(maxSeconds-0, 0).UTC(),
			Facts: session.Facts{
				User: "20", Org: "10", Client: "robot", Scopes: []string{"openid", "profile"}, AuthTime: start.Truncate(time.Second),
				Grounds: []session.Ground{{Kind: session.PersonalToken, User: "20", ID: "40"}},
			},
		}
		want.Expires = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		text := f.personal.Reveal()
		got, err := f.verify(text)
		f.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("(-want +got)\n%s", diff)
		}
		for i := range text {
			f.refused(fmt.Sprint("byte ", i), text[:i]+string([]byte{text[i] ^ 1})+text[i+1:])
		}
		for _, sql := range []string{
			`UPDATE users SET state = 'inactive'`, `UPDATE users SET state = 'active'`,
			`UPDATE orgs SET state = 'inactive'`, `UPDATE orgs SET state = 'active'`,
			fmt.Sprintf(`UPDATE personal_access_tokens SET expires_at = %d`, store.Micros(start)),
			fmt.Sprintf(`UPDATE personal_access_tokens SET expires_at = %d`, store.Micros(start)+1),
			`DELETE FROM personal_access_tokens`,
		} {
			f.sql(sql)
			if strings.Contains(sql, "'active'") || strings.HasSuffix(sql, fmt.Sprint(store.Micros(start)+1)) {
				f.accepted(sql, text)
			} else {
				f.refused(sql, text)
			}
		}
	})
}

// TestEveryByteCounts changes each character of a token of each form.
func TestEveryByteCounts(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for form, issued := range f.both(Wish{Facts: facts()}) {
			for i := range len(issued.Text) {
				for _, b := range []byte{issued.Text[i] ^ 1, '.', 'A'} {
					if b != issued.Text[i] {
						f.refused(fmt.Sprintf("%s, byte %d", form, i), issued.Text[:i]+string([]byte{b})+issued.Text[i+1:])
					}
				}
			}
			for _, other := range []string{"", issued.Text + "A", issued.Text + "=", " " + issued.Text, issued.Text[:len(issued.Text)-1]} {
				f.refused(form+", another text", other)
			}
		}
		f.refused("endless", strings.Repeat("a", 1<<20))
		f.refused("endless, with dots", "a.b."+strings.Repeat("a", 1<<20))
	})
}

// TestForged: JWTs that others made, or that were made for something else.
func TestForged(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		good := f.issue(Wish{Facts: facts(), JWT: true})
		parts := strings.Split(good.Text, ".")
		header, err := base64.RawURLEncoding.DecodeString(parts[0])
		f.must(err)
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		f.must(err)
		none := strings.Replace(string(header), "RS256", "none", 1)
		f.refused("alg none", assertiontest.Forge(none, string(claims), assertiontest.Unsigned))
		f.refused("unsigned", assertiontest.Forge(string(header), string(claims), assertiontest.Unsigned))
		f.refused("by another key", assertiontest.Forge(string(header), string(claims), assertiontest.EdDSA(assertiontest.Keys().Ed25519)))
		f.refused("by nobody we know", assertiontest.Forge(strings.Replace(string(header), `"kid":"`, `"kid":"9`, 1), string(claims), assertiontest.Unsigned))

		id, err := f.tokens.IDToken(f.Context(), "1", issuer, good, time.Hour, nil)
		f.must(err)
		f.refused("an ID token", id)

		// What the instance itself has signed counts only if it says all an access token says.
		signer, err := f.tokens.config.Keys.Active(f.Context(), "1")
		f.must(err)
		sign := func(typ, claims string) string {
			text, err := signer.Sign(typ, []byte(claims))
			f.must(err)
			return text
		}
		f.accepted("the same again", sign("at+jwt", string(claims)))
		f.refused("another typ", sign("jwt", string(claims)))
		f.refused("no claims", sign("at+jwt", `{}`))
		f.refused("no JSON", sign("at+jwt", `x`))
		var all map[string]any
		f.must(json.Unmarshal(claims, &all))
		for _, name := range []string{"iss", "sub", "exp", "jti", "urn:castellan:grounds"} {
			without := make(map[string]any)
			for k, v := range all {
				if k != name {
					without[k] = v
				}
			}
			data, err := json.Marshal(without)
			f.must(err)
			f.refused("without "+name, sign("at+jwt", string(data)))
		}
		// A key that is deleted verifies nothing more.
		keys, err := f.web.List(f.Context(), "1")
		f.must(err)
		other, active := keys[0].ID, keys[1].ID
		if keys[0].State != webkey.Active {
			other, active = active, other
		}
		_, err = f.web.Activate(f.Context(), "1", "ada", identKey(active))
		f.must(err)
		f.accepted("the key is inactive", good.Text)
		_, err = f.web.Delete(f.Context(), "1", "ada", identKey(other))
		f.must(err)
		f.refused("the key is deleted", good.Text)
	})
}

func TestTooLong(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		long := facts()
		for i := range 100 {
			long.Scopes = append(long.Scopes, fmt.Sprintf("%050d", i))
		}
		for _, jwt := range []bool{false, true} {
			if got, err := f.tokens.Issue(f.Context(), "1", issuer, Wish{Facts: long, JWT: jwt}); !errors.Is(err, ErrTooLong) || got.Text != "" {
				f.Errorf("JWT %v: %v", jwt, err)
			}
		}
		long.Scopes = long.Scopes[:90]
		for form, issued := range f.both(Wish{Facts: long}) {
			f.accepted(form, issued.Text)
			if len(issued.Text) > vault.MaxBearer*2 {
				f.Errorf("%s has %d characters", form, len(issued.Text))
			}
		}
	})
}

// TestJWTClaims holds the claims of both tokens to contract section 5.6 and the RFCs.
func TestJWTClaims(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		full := facts()
		full.Methods, full.Thumbprint, full.Nonce = []string{"pwd"}, "print", "n-0"
		full.Actor = &session.Actor{User: "21"}
		issued := f.issue(Wish{Facts: full, JWT: true})
		iat := float64(start.Unix())
		checkClaims(f, issued.Text, "at+jwt", map[string]any{
			"iss": issuer, "sub": "20", "aud": []any{"50"}, "iat": iat, "nbf": iat, "exp": iat + 43200, "client_id": "robot",
			"jti": string(issued.Token.ID), "scope": "openid profile", "auth_time": iat, "amr": []any{"pwd"},
			"act": map[string]any{"sub": "21"}, "cnf": map[string]any{"jkt": "print"},
			"urn:castellan:grounds": []any{map[string]any{"kind": "machine_key", "user": "20", "id": "30"}},
		})
		bare := f.issue(Wish{Facts: session.Facts{User: "20", Client: "robot", Grounds: full.Grounds}, JWT: true})
		checkClaims(f, bare.Text, "at+jwt", map[string]any{
			"iss": issuer, "sub": "20", "aud": []any{issuer}, "iat": iat, "nbf": iat, "exp": iat + 43200, "client_id": "robot",
			"jti":                   string(bare.Token.ID),
			"urn:castellan:grounds": []any{map[string]any{"kind": "machine_key", "user": "20", "id": "30"}},
		})
		more := f.issue(Wish{Facts: facts(), JWT: true, More: map[string]any{
			"roles": map[string]any{"admin": true}, "iss": "x", "sub": "x", "act": map[string]any{"sub": "x"}, "cnf": 1, "urn:castellan:grounds": nil,
		}})
		checkClaims(f, more.Text, "at+jwt", map[string]any{
			"iss": issuer, "sub": "20", "aud": []any{"50"}, "iat": iat, "nbf": iat, "exp": iat + 43200, "client_id": "robot",
			"jti": string(more.Token.ID), "scope": "openid profile", "auth_time": iat, "roles": map[string]any{"admin": true},
			"urn:castellan:grounds": []any{map[string]any{"kind": "machine_key", "user": "20", "id": "30"}},
		})
		f.accepted("with more claims", more.Text)
		for _, a := range []Issued{issued, f.issue(Wish{Facts: full})} {
			id, err := f.tokens.IDToken(f.Context(), "1", issuer, a, time.Hour, map[string]any{"name": "Robot", "iss": "x", "nonce": "x"})
			f.must(err)
			checkClaims(f, id, "JWT", map[string]any{
				"iss": issuer, "sub": "20", "aud": []any{"50", "robot"}, "azp": "robot", "client_id": "robot", "iat": iat, "exp": iat + 3600,
				"auth_time": iat, "at_hash": sha256Half(a.Text), "sid": string(a.Token.Session), "nonce": "n-0", "amr": []any{"pwd"},
				"act": map[string]any{"sub": "21"}, "cnf": map[string]any{"jkt": "print"}, "name": "Robot", "jti": string(a.Token.ID),
				"urn:castellan:grounds": []any{map[string]any{"kind": "machine_key", "user": "20", "id": "30"}},
			})
		}
		full.Audience = []string{"robot", "50"}
		id, err := f.tokens.IDToken(f.Context(), "1", issuer, f.issue(Wish{Facts: full}), time.Hour, nil)
		f.must(err)
		if aud := claimsOf(f, id)["aud"]; !slices.Equal(aud.([]any), []any{"robot", "50"}) {
			f.Errorf("aud %v", aud)
		}
	})
}

// TestGiven reads tokens that are of use, and that are not: to revoke them.
func TestGiven(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		given := func(what, text string, want error) {
			f.Helper()
			got, err := f.tokens.Given(f.Context(), "1", issuer, text)
			if !errors.Is(err, want) || want == nil && (got.Org != "10" || got.User != "20" || got.Number != 1) {
				f.Errorf("%s: %+v, %v", what, got, err)
			}
		}
		for form, issued := range f.both(Wish{Facts: facts()}) {
			given(form, issued.Text, nil)
			f.sql(`DELETE FROM machine_keys`)
			f.sql(`UPDATE users SET state = 'inactive'`)
			f.refused(form, issued.Text)
			given(form+" of no use", issued.Text, nil)
			given(form+" changed", issued.Text+"A", ErrToken)
		}
		issued := f.issue(Wish{Facts: facts()})
		given("a personal one", f.personal.Reveal(), ErrToken)
		f.clock.Advance(12 * time.Hour)
		given("expired", issued.Text, ErrToken)
		issued = f.issue(Wish{Facts: facts()})
		f.sql(`DELETE FROM users`)
		given("of nobody", issued.Text, ErrToken)
	})
}

// TestIDTokensEndWithTheirAccessTokens: for what VerifyID takes them they are of no use afterwards, although clients
// may accept them longer: what was known of their sessions, that they were revoked say, is forgotten by then.
func TestIDTokensEndWithTheirAccessTokens(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		issued := f.issue(Wish{Facts: facts(), Lifetime: time.Hour})
		long, err := f.tokens.IDToken(f.Context(), "1", issuer, issued, 12*time.Hour, nil)
		f.must(err)
		said := claimsOf(f, long)
		if said["exp"] != float64(start.Add(12*time.Hour).Unix()) || said["urn:castellan:ends"] != float64(start.Add(time.Hour).Unix()) {
			f.Errorf("says %v", said)
		}
		got, err := f.tokens.VerifyID(f.Context(), "1", issuer, long)
		if f.must(err); !got.Expires.Equal(issued.Token.Expires) {
			f.Errorf("ends at %s, its access token at %s", got.Expires, issued.Token.Expires)
		}
		f.must(f.sessions.RevokeAccess(f.Context(), "1", issued.Token.Access()))
		f.clock.Advance(2 * time.Hour)
		f.must(f.sessions.Sweep(f.Context()))
		if _, err := f.tokens.VerifyID(f.Context(), "1", issuer, long); !errors.Is(err, ErrToken) {
			f.Errorf("revoked, and forgotten: %v", err)
		}
		bound := facts()
		bound.Thumbprint = "print"
		text, err := f.tokens.IDToken(f.Context(), "1", issuer, f.issue(Wish{Facts: bound}), time.Hour, nil)
		f.must(err)
		if got, err = f.tokens.VerifyID(f.Context(), "1", issuer, text); err != nil || got.Thumbprint != "print" {
			f.Errorf("bound: %+v, %v", got, err)
		}
	})
}

// TestVerifyID takes ID tokens for what they are: of use as long as the access token they went with would be.
func TestVerifyID(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		full := facts()
		full.Actor, full.Methods = &session.Actor{User: "21"}, []string{"pwd"}
		issued := f.issue(Wish{Facts: full})
		id := func(a Issued) string {
			f.Helper()
			text, err := f.tokens.IDToken(f.Context(), "1", issuer, a, time.Hour, nil)
			f.must(err)
			return text
		}
		verify := func(what, text string, want error) Token {
			f.Helper()
			got, err := f.tokens.VerifyID(f.Context(), "1", issuer, text)
			if !errors.Is(err, want) || want != nil && got.User != "" {
				f.Errorf("%s: %+v, %v", what, got, err)
			}
			return got
		}
		text := id(issued)
		want := issued.Token
		want.Scopes, want.Audience, want.Expires = nil, []string{"50", "robot"}, issued.Token.Issued.Add(time.Hour)
		if diff := cmp.Diff(want, verify("good", text, nil)); diff != "" {
			f.Errorf("(-want +got)\n%s", diff)
		}
		alone := id(Issued{Token: issued.Token})
		verify("alone", alone, nil)
		if claimsOf(f, alone)["at_hash"] != nil {
			f.Error("there is an at_hash of nothing")
		}
		verify("an access token", issued.Text, ErrToken)
		verify("an access token that is a JWT", f.issue(Wish{Facts: full, JWT: true}).Text, ErrToken)
		other := "AA" // eight bits of the signature
		if strings.HasSuffix(text, other) {
			other = "BA"
		}
		verify("changed", text[:len(text)-2]+other, ErrToken)
		verify("long", text+strings.Repeat("A", maxJWT), ErrToken)
		f.refused("as an access token", text)
		if _, err := f.tokens.VerifyID(f.Context(), "2", issuer, text); !errors.Is(err, ErrToken) {
			f.Errorf("at another instance: %v", err)
		}
		if _, err := f.tokens.VerifyID(f.Context(), "1", "https://other.example", text); !errors.Is(err, ErrToken) {
			f.Errorf("of another issuer: %v", err)
		}
		f.must(f.sessions.RevokeAccess(f.Context(), "1", issued.Token.Access()))
		verify("revoked", text, ErrToken)
		text = id(f.issue(Wish{Facts: full}))
		f.sql(`UPDATE users SET state = 'locked' WHERE user_id = '20'`)
		verify("of a user who is locked", text, ErrToken)
		f.sql(`UPDATE users SET state = 'active' WHERE user_id = '20'`)
		verify("again", text, nil)
		f.clock.Advance(time.Hour)
		verify("expired", text, ErrToken)
	})
}
