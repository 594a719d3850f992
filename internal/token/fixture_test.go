package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"castellan/internal/app"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/machinekey"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/session"
	"castellan/internal/signing"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const issuer = "https://one.example"

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// rsaKeys are made once: instances take one after the other.
var rsaKeys = sync.OnceValue(func() (keys []*rsa.PrivateKey) {
	for range 4 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// fixture is a service on one database with the instances 1 and 2, each with an organization 10, and
// in it a machine 20 that has a key 30 and a personal access token 40, a user 21, and the project 50 with
// the application 60.
type fixture struct {
	testing.TB
	db       store.DB
	clock    *ident.ManualClock
	log      *eventlog.Log
	sessions *session.Service
	web      *webkey.Service
	tokens   *Service
	personal vault.Token
	// mayAct is the answer to who asks whether somebody may act for somebody.
	mayAct error
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newFixture(t, db)) })
}

func newFixture(t testing.TB, db store.DB) *fixture {
	t.Helper()
	f := &fixture{TB: t, db: db, clock: ident.NewManualClock(start), personal: vault.NewToken(nil)}
	keyring := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	f.log = eventlog.New(db, keyring, f.clock, instance.Noun, org.Noun, user.Noun, machinekey.Noun, pat.Noun,
		project.Noun, app.Noun, session.Noun, webkey.Noun)
	ids := ident.NewSource(idgrant.New(db), f.clock)
	taken := 0
	f.web = &webkey.Service{
		DB: db, Log: f.log, IDs: ids, Hold: (&instance.Service{DB: db, Log: f.log}).Hold,
		RSA: func(context.Context, int) (*rsa.PrivateKey, error) {
			taken++
			return rsaKeys()[(taken-1)%4], nil
		},
	}
	f.tokens = New(Config{
		DB: db, Clock: f.clock, IDs: ids, Bearers: keyring.Bearers(),
		Keys: signing.New(signing.Config{Epochs: fresh.NewEpochs(db, f.log), Sealers: keyring, Web: f.web}),
		MayAct: func(context.Context, store.Querier, ident.InstanceID, *session.Actor, ident.UserID, ident.OrgID) error {
			return f.mayAct
		},
	})
	f.sessions = &session.Service{DB: db, Log: f.log, Clock: f.clock, IDs: ids, Bearers: keyring.Bearers()}
	f.settle("1", f.personal.Hash())
	f.settle("2", vault.NewToken(nil).Hash())
	return f
}

// settle makes an instance with all that is in it.
func (f *fixture) settle(at ident.InstanceID, personal []byte) {
	f.Helper()
	f.must(f.log.Write(f.Context(), at, "ada", func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		machine := user.MachineAdded{UserName: "robot", Name: "Robot", AccessTokenType: "bearer"}
		other := user.MachineAdded{UserName: "other", Name: "Other", AccessTokenType: "jwt"}
		return errors.Join(
			begin(ctx, w, instance.Noun, string(at), string(at), instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: string(at) + ".example"}),
			begin(ctx, w, org.Noun, "10", "10", org.Added{Name: "ACME"}),
			begin(ctx, w, user.Noun, "20", "10", machine),
			begin(ctx, w, user.Noun, "21", "10", other),
			begin(ctx, w, machinekey.Noun, "30", "10", machinekey.Added{Key: "30", User: "20", Type: 1, PublicKey: []byte("key"), Expiration: start.Add(24 * time.Hour)}),
			begin(ctx, w, pat.Noun, "40", "10", pat.Added{Token: "40", User: "20", Hash: personal, Scopes: []string{"openid", "profile"}, Expiration: expiry.Never}),
			begin(ctx, w, project.Noun, "50", "10", project.Added{Name: "Shop"}),
			begin(ctx, w, app.Noun, "60", "10", app.Added{App: "60", Project: "50", Name: "Web"}, app.APIConfigAdded{App: "60", ClientID: "61", AuthMethod: app.PrivateKeyJWT}),
		)
	}))
}

func begin[S eventlog.State](ctx context.Context, w *eventlog.Writer, n *eventlog.Noun[S], id, owner string, p ...eventlog.Payload) error {
	_, err := eventlog.Begin(ctx, w, n, eventlog.Origin{ID: id, Owner: owner}, p...)
	return err
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// sql changes rows as a command of a noun would.
func (f *fixture) sql(sql string, args ...any) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) }))
}

// facts are those of a token the machine got with its key.
func facts() session.Facts {
	return session.Facts{
		User: "20", Org: "10", Client: "robot", Audience: []string{"50"}, Scopes: []string{"openid", "profile"},
		AuthTime: start.Truncate(time.Second), Grounds: []session.Ground{{Kind: session.MachineKey, User: "20", ID: "30"}},
	}
}

func (f *fixture) issue(w Wish) Issued {
	f.Helper()
	if w.Lifetime == 0 {
		w.Lifetime = 12 * time.Hour
	}
	issued, err := f.tokens.Issue(f.Context(), "1", issuer, w)
	f.must(err)
	return issued
}

// both issues a wish as a sealed token and as a JWT.
func (f *fixture) both(w Wish) map[string]Issued {
	f.Helper()
	sealed := f.issue(w)
	w.JWT = true
	return map[string]Issued{"sealed": sealed, "JWT": f.issue(w)}
}

func (f *fixture) verify(text string) (Token, error) {
	return f.tokens.Verify(f.Context(), "1", issuer, text)
}

// refused checks that a token is of no use.
func (f *fixture) refused(what, text string) {
	f.Helper()
	t, err := f.verify(text)
	f.isRefusal(what, t, err)
}

func (f *fixture) isRefusal(what string, t Token, err error) {
	f.Helper()
	if !errors.Is(err, ErrToken) || t.ID != "" || t.User != "" {
		f.Errorf("%s: %+v, %v; want %v", what, t, err, ErrToken)
	}
}

// accepted checks that a token is of use.
func (f *fixture) accepted(what, text string) {
	f.Helper()
	if _, err := f.verify(text); err != nil {
		f.Errorf("%s: %v", what, err)
	}
}

func identKey(id string) ident.KeyID { return ident.KeyID(id) }

// sha256Half is at_hash by its definition, for keys that sign with SHA-256.
func sha256Half(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// claimsOf returns the claims of a JWT, whoever signed it.
func claimsOf(f *fixture, compact string) map[string]any {
	f.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
	f.must(err)
	var claims map[string]any
	f.must(json.Unmarshal(data, &claims))
	return claims
}

// checkClaims verifies a JWT as others do, by the published keys, and compares all it says.
func checkClaims(f *fixture, compact, typ string, want map[string]any) {
	f.Helper()
	public, err := f.tokens.config.Keys.(*signing.Keys).Public(f.Context(), "1")
	f.must(err)
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.RS256})
	f.must(err)
	if got := parsed.Signatures[0].Protected.ExtraHeaders["typ"]; got != typ {
		f.Errorf("typ %v, want %s", got, typ)
	}
	data, err := parsed.Verify(jose.JSONWebKeySet{Keys: public})
	f.must(err)
	var got map[string]any
	f.must(json.Unmarshal(data, &got))
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("claims (-want +got)\n%s", diff)
	}
}
