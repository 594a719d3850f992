package access

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/expiry"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/member"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/token"
	"castellan/internal/vault"
)

// noKeys sign nothing: the tokens of the tests are sealed.
type noKeys struct{ token.Keys }

// giveTokens makes the directory take access tokens, and returns what makes them.
func (f *fixture) giveTokens() *token.Service {
	f.Helper()
	f.exec(`UPDATE instances SET iam_project_id = 'own of ' || instance_id`)
	tokens := token.New(token.Config{
		DB: f.db, Clock: f.clock, IDs: ident.NewSource(idgrant.New(f.db), f.clock), Keys: noKeys{},
		Bearers: vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil).Bearers(),
		MayAct:  MayAct(f.db.Dialect()),
	})
	f.dir.config.Tokens = tokens
	return tokens
}

// accessToken returns a token of ada, who got it by her personal access token, which change may change.
func (f *fixture) accessToken(s *token.Service, change func(w *token.Wish)) string {
	f.Helper()
	w := token.Wish{Lifetime: time.Hour, Facts: session.Facts{
		User: "ada", Org: "7", Client: "ada", Audience: []string{"other", "own of A"},
		Grounds: []session.Ground{{Kind: session.PersonalToken, User: "ada", ID: "token of ada"}},
	}}
	if change != nil {
		change(&w)
	}
	issued, err := s.Issue(f.Context(), "A", "https://a.example", w)
	f.must(err)
	return issued.Text
}

func TestAccessTokens(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		tokens := f.giveTokens()
		f.exec(`INSERT INTO members (instance_id, user_id, scope, scope_id, owner, roles, sequence, created_at, changed_at) VALUES
 ('A', 'ada', 'org', '8', '8', 'ORG_OWNER', 1, 1, 1), ('B', 'ada', 'org', '9', '9', 'ORG_OWNER', 1, 1, 1)`)
		good := f.accessToken(tokens, nil)
		asked := &counting{Querier: f.db}
		f.dir.config.DB = asked
		who, err := f.dir.ByBearer(f.Context(), at("A.example"), good)
		f.must(err)
		if n := asked.statements.Load(); n != 2 { // beside what the token's own package asks, one
			f.Errorf("%d statements", n)
		}
		want := call.Reach{Instance: true, Orgs: []ident.OrgID{"8"}, Self: "ada"}
		if diff := cmp.Diff(want, who.Reach("user.write")); diff != "" || who.ResourceOwner != "7" || who.Instance.ID != "A" {
			f.Errorf("%+v (-want +got):\n%s", who, diff)
		}

		f.exec(`INSERT INTO members (instance_id, user_id, scope, scope_id, owner, roles, sequence, created_at, changed_at) VALUES
 ('A', 'eve', 'instance', 'A', 'A', 'IAM_ADMIN_IMPERSONATOR', 1, 1, 1)`)
		actor := f.accessToken(tokens, func(w *token.Wish) { w.Facts.Actor = &session.Actor{User: "eve"} })
		if _, err := f.dir.ByBearer(f.Context(), at("a.example"), actor); fault.Of(err).Public() != "Errors.TokenExchange.Token.NotForAPI (APP-Shi0J)" ||
			fault.KindOf(err) != fault.PermissionDenied {
			f.Errorf("with an actor: %v", err)
		}
		f.user("A", "plain", expiry.Never, member.Add{})
		plain := f.accessToken(tokens, func(w *token.Wish) {
			w.Facts.User, w.Facts.Grounds[0] = "plain", session.Ground{Kind: session.PersonalToken, User: "plain", ID: "token of plain"}
		})
		who, err = f.dir.ByBearer(f.Context(), at("a.example"), plain)
		f.must(err)
		if who.ID != "plain" || len(who.Memberships) > 0 {
			f.Errorf("%+v", who)
		}

		late := f.accessToken(tokens, func(w *token.Wish) { w.Lifetime = time.Minute })
		_, err = f.dir.ByBearer(f.Context(), at("a.example"), late)
		f.must(err)
		f.clock.Advance(time.Minute)
		for name, c := range map[string]struct{ host, token string }{
			"expired":              {"a.example", late},
			"at another instance":  {"b.example", good},
			"at an unknown host":   {"c.example", good},
			"for nobody":           {"a.example", f.accessToken(tokens, func(w *token.Wish) { w.Facts.Audience = nil })},
			"for another project":  {"a.example", f.accessToken(tokens, func(w *token.Wish) { w.Facts.Audience = []string{"own of B", "own of A2"} })},
			"bound to a key":       {"a.example", f.accessToken(tokens, func(w *token.Wish) { w.Facts.Thumbprint = "x" })},
			"cut":                  {"a.example", good[:len(good)-1]},
			"made up":              {"a.example", string(vault.AccessBearer) + strings.Repeat("A", 300)},
			"of no form":           {"a.example", "x"},
			"a token for renewals": {"a.example", string(vault.RefreshBearer) + strings.TrimPrefix(good, string(vault.AccessBearer))},
			"with another actor":   {"b.example", actor},
			"nothing":              {"a.example", ""},
		} {
			if who, err := f.dir.ByBearer(f.Context(), at(c.host), c.token); !unauthenticated(err) || who.ID != "" {
				f.Errorf("%s: %+v, %v", name, who, err)
			}
		}
		bound := f.accessToken(tokens, func(w *token.Wish) { w.Facts.Thumbprint = "x" })
		if who, err := f.dir.ByBound(f.Context(), at("a.example"), bound, "x"); err != nil || who.ID != "ada" {
			f.Errorf("bound, with the key: %+v, %v", who, err)
		}
		for name, text := range map[string]string{"another key": bound, "not bound": good, "a personal one": f.tokens["ada"].Reveal()} {
			if who, err := f.dir.ByBound(f.Context(), at("a.example"), text, "y"); !unauthenticated(err) || who.ID != "" {
				f.Errorf("%s: %+v, %v", name, who, err)
			}
		}
		// What it stands on counts at each use.
		f.exec(`UPDATE users SET state = 'locked' WHERE user_id = 'ada'`)
		if _, err := f.dir.ByBearer(f.Context(), at("a.example"), good); !unauthenticated(err) {
			f.Errorf("of a user who is locked: %v", err)
		}
		f.exec(`UPDATE users SET state = 'active' WHERE user_id = 'ada'`)
		f.exec(`UPDATE instances SET iam_project_id = ''`)
		if _, err := f.dir.ByBearer(f.Context(), at("a.example"), f.accessToken(tokens, func(w *token.Wish) { w.Facts.Audience = []string{""} })); !unauthenticated(err) {
			f.Errorf("of an instance without a project of its own: %v", err)
		}
		f.dir.config.Tokens = nil
		if _, err := f.dir.ByBearer(f.Context(), at("a.example"), good); !unauthenticated(err) {
			f.Errorf("where they are not taken: %v", err)
		}
	})
}

// away is a verifier whose database is away.
type away struct{}

func (away) VerifyBound(context.Context, ident.InstanceID, string, string, string) (token.Token, error) {
	return token.Token{}, store.ErrUnavailable
}

func TestAVerifierThatIsAwayIsNoAnswer(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.dir.config.Tokens = away{}
		if _, err := f.dir.ByBearer(f.Context(), at("a.example"), string(vault.AccessBearer)+"x"); !errors.Is(err, store.ErrUnavailable) {
			f.Errorf("%v", err)
		}
	})
}

// jwt is a text of the form of a JWT with a header.
func jwt(header string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.c2ln"
}

// tokenForms are texts, and whether they have the form of a user's token.
var tokenForms = map[string]bool{
	"":                                    false,
	"cstl_at_":                            true, // and opens as nothing
	"cstl_rt_x":                           false,
	"cstl_pat_x":                          false,
	jwt(`{"typ":"at+jwt"}`):               true,
	jwt(`{"alg":"RS256","typ":"AT+JWT"}`): true,
	jwt(`{"typ":"JWT"}`):                  false,
	jwt(`{}`):                             false,
	jwt(`{"typ":7}`):                      false,
	jwt(`[]`):                             false,
	jwt(`{`):                              false,
	jwt(`{"typ":"at+jwt"}`) + ".x":        false,
	jwt(`{"typ":"at+jwt","x":"` + strings.Repeat("x", maxHeader) + `"}`): false,
	"..":         false,
	"!.e30.c2ln": false,
}

func TestIsToken(t *testing.T) {
	for text, want := range tokenForms {
		if got := IsToken(text); got != want {
			t.Errorf("%.100q: %t", text, got)
		}
	}
	if personal := vault.NewToken(nil).Reveal(); !IsToken(personal) || IsToken(personal[1:]) || IsToken(personal+"x") {
		t.Error("a personal access token")
	}
}

// FuzzIsToken: what is a user's token is one of three forms, whatever else is sent.
func FuzzIsToken(f *testing.F) {
	for text := range tokenForms {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		personal := strings.HasPrefix(text, "cstl_")
		if IsToken(text) && !personal && !token.Signed(text) {
			t.Errorf("%.200q", text)
		}
	})
}
