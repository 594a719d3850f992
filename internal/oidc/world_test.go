package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"castellan/internal/access"
	"castellan/internal/app"
	"castellan/internal/claims"
	"castellan/internal/dpop"
	"castellan/internal/dpop/dpoptest"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/origin"
	"castellan/internal/pat"
	"castellan/internal/policy"
	"castellan/internal/project"
	"castellan/internal/quota"
	"castellan/internal/session"
	"castellan/internal/signing"
	"castellan/internal/spent"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/throttle"
	"castellan/internal/token"
	"castellan/internal/user"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

// world is a provider on one database with the instances A and B, at a.example and b.example, that have
// the same in them: an organization 1 (one.example) with the instance's own project 10, a project 11 with
// applications, the human ada and the machine bot; and an organization 2 with the human bob.
//
// The applications of 11 are api, an API with a secret; web, which has a secret too and may exchange and
// refresh; and spa, which has none. other is one of project 10 with a secret. All secrets are "secret".
type world struct {
	testing.TB
	db       store.DB
	clock    *ident.ManualClock
	log      *eventlog.Log
	provider *Provider
	handler  http.Handler
	sessions *session.Service
	pats     map[ident.InstanceID]vault.Token // of bot
	key      *rsa.PrivateKey                  // of bot, with the id key
	web      *webkey.Service
}

// rsaKeys are made once: the first is that of bot, the others those of instances, which have two each.
var rsaKeys = sync.OnceValue(func() (keys []*rsa.PrivateKey) {
	for range 5 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// eachWorld runs fn on every engine.
func eachWorld(t *testing.T, fn func(w *world)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) { fn(newWorld(t, db)) })
}

func newWorld(t testing.TB, db store.DB) *world {
	t.Helper()
	db = &counted{DB: db}
	w := &world{TB: t, db: db, clock: ident.NewManualClock(start), pats: make(map[ident.InstanceID]vault.Token)}
	keyring := newKeyring()
	w.log = newLog(db, w.clock)
	ids := ident.NewSource(idgrant.New(db), w.clock)
	w.key = rsaKeys()[0]
	taken := 0
	web := &webkey.Service{
		DB: db, Log: w.log, IDs: ids, Hold: (&instance.Service{DB: db, Log: w.log}).Hold,
		RSA: func(context.Context, int) (*rsa.PrivateKey, error) {
			taken++
			return rsaKeys()[1+(taken-1)%4], nil
		},
	}
	w.web = web
	epochs := fresh.NewEpochs(db, w.log)
	keys := signing.New(signing.Config{Epochs: epochs, Sealers: keyring, Web: web})
	w.sessions = &session.Service{DB: db, Log: w.log, Clock: w.clock, IDs: ids, Bearers: keyring.Bearers()}
	w.provider = &Provider{
		DB:        db,
		Epochs:    epochs,
		Clock:     w.clock,
		Sessions:  w.sessions,
		Users:     &user.Service{DB: db, Log: w.log},
		Spent:     &spent.Book{DB: db, Clock: w.clock},
		Throttle:  throttle.New(throttle.Config{Clock: w.clock}),
		Directory: access.NewDirectory(access.Config{DB: db, Clock: w.clock, Epochs: epochs, ExternalDomain: "id.example"}),
		Keys:      keys,
		Origins:   new(origin.Resolver),
		Tokens:    token.New(token.Config{DB: db, Clock: w.clock, IDs: ids, Bearers: keyring.Bearers(), Keys: keys, MayAct: access.MayAct(db.Dialect())}),
		Claims:    claims.New(db),
		Proofs:    &dpop.Checker{Clock: w.clock, Seen: &spent.Book{DB: db, Clock: w.clock}},
		Logger:    slog.New(slog.DiscardHandler),
	}
	w.handler, _ = w.provider.Handler()
	w.settle("A", "a.example")
	w.settle("B", "b.example")
	return w
}

// counted counts what a database is asked.
type counted struct {
	store.DB
	reads, writes atomic.Int64 // statements outside of transactions, and transactions
}

func (c *counted) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	c.reads.Add(1)
	return c.DB.Query(ctx, sql, args...)
}

func (c *counted) Update(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	c.writes.Add(1)
	return c.DB.Update(ctx, fn)
}

// cost returns how often something has the database asked and written to.
func (w *world) cost(of func()) (reads, writes int64) {
	w.Helper()
	c := w.db.(*counted)
	reads, writes = c.reads.Load(), c.writes.Load()
	of()
	return c.reads.Load() - reads, c.writes.Load() - writes
}

func newKeyring() *vault.Keyring {
	return vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
}

// newLog returns the log of a node.
func newLog(db store.DB, clock ident.Clock) *eventlog.Log {
	return eventlog.New(db, newKeyring(), clock, instance.Noun, limit.Noun, org.Noun, user.Noun, pat.Noun, machinekey.Noun,
		project.Noun, app.Noun, app.KeyNoun, member.Noun, webkey.Noun, session.Noun, policy.Noun, quota.Noun)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// settle makes an instance with all that is in it.
func (w *world) settle(at ident.InstanceID, domain string) {
	w.Helper()
	w.must(w.log.Write(w.Context(), at, "op", func(ctx context.Context, tx *eventlog.Writer) error { return tx.Create(ctx) }))
	begun(w, at, instance.Noun, string(at), string(at), instance.Added{Name: string(at), Defaults: 1},
		instance.DomainAdded{Domain: domain}, instance.DomainPrimarySet{Domain: domain}, instance.ProjectSet{Project: "10"})
	for id, name := range map[string]string{"1": "one", "2": "two"} {
		begun(w, at, org.Noun, id, id, org.Added{Name: name}, org.DomainAdded{Domain: name + ".example"},
			org.DomainVerified{Domain: name + ".example"}, org.DomainPrimarySet{Domain: name + ".example"})
	}
	begun(w, at, project.Noun, "10", "1", project.Added{Name: "Own"})
	begun(w, at, project.Noun, "11", "1", project.Added{Name: "Shop"})
	hash := vault.HashSecret("secret")
	grants := []app.GrantType{app.AuthorizationCode, app.RefreshToken, app.TokenExchange}
	for id, config := range map[string]eventlog.Payload{
		"api":   app.APIConfigAdded{App: "api", ClientID: "api", AuthMethod: app.SecretBasic, SecretHash: hash},
		"other": app.APIConfigAdded{App: "other", ClientID: "other", AuthMethod: app.SecretBasic, SecretHash: hash},
		"web": app.OIDCConfigAdded{App: "web", ClientID: "web", SecretHash: hash,
			OIDCConfig: app.OIDCConfig{AuthMethod: app.SecretBasic, GrantTypes: grants}},
		"spa": app.OIDCConfigAdded{App: "spa", ClientID: "spa", OIDCConfig: app.OIDCConfig{AuthMethod: app.None, GrantTypes: grants}},
	} {
		in := ident.ProjectID("11")
		if id == "other" {
			in = "10"
		}
		begun(w, at, app.Noun, id, "1", app.Added{App: ident.AppID(id), Project: in, Name: id}, config)
	}
	begun(w, at, user.Noun, "ada", "1", user.HumanAdded{
		UserName: "ada@one.example", FirstName: "Ada", LastName: "L", DisplayName: "Ada L", Email: "ada@mail.example",
	})
	begun(w, at, user.Noun, "bob", "2", user.HumanAdded{
		UserName: "bob", FirstName: "Bob", LastName: "B", DisplayName: "Bob B", Email: "bob@mail.example",
	})
	begun(w, at, user.Noun, "bot", "1", user.MachineAdded{UserName: "bot", Name: "Bot", AccessTokenType: "bearer"})
	w.pats[at] = vault.NewToken(nil)
	begun(w, at, pat.Noun, "pat", "1", pat.Added{
		Token: "pat", User: "bot", Hash: w.pats[at].Hash(), Scopes: []string{"openid", "profile"}, Expiration: expiry.Never,
	})
	begun(w, at, machinekey.Noun, "key", "1", machinekey.Added{
		Key: "key", User: "bot", Type: 1, PublicKey: []byte("unused"), Expiration: start.Add(24 * time.Hour),
	})
}

// begun writes the events of a new thing.
func begun[S eventlog.State](w *world, at ident.InstanceID, noun *eventlog.Noun[S], id, owner string, events ...eventlog.Payload) {
	w.Helper()
	w.must(w.log.Write(w.Context(), at, "op", func(ctx context.Context, tx *eventlog.Writer) error {
		_, err := eventlog.Begin(ctx, tx, noun, eventlog.Origin{ID: id, Owner: owner}, events...)
		return err
	}))
}

// sql changes rows as a command of a noun would.
func (w *world) sql(sql string, args ...any) {
	w.Helper()
	w.must(w.db.Update(w.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Exec(ctx, sql, args...), tx.Exec(ctx, `UPDATE cache_epochs SET settings = settings + 1, access = access + 1`))
	}))
}

// facts are those of a token of ada, whom the application web has signed in.
func facts(scopes ...string) session.Facts {
	return session.Facts{
		User: "ada", Org: "1", Client: "web", Audience: []string{"web", "11"}, Scopes: scopes, Methods: []string{"pwd"},
		AuthTime: start.Add(-time.Minute), Grounds: []session.Ground{{
			Kind: session.AppSecret, User: "ada", Client: "web", ID: vault.SecretPrint(vault.HashSecret("secret")),
		}},
	}
}

// ofBot are those of a token that the machine has got with its key.
func ofBot(scopes ...string) session.Facts {
	return session.Facts{
		User: "bot", Org: "1", Client: "bot", Audience: []string{"11"}, Scopes: scopes, AuthTime: start,
		Grounds: []session.Ground{{Kind: session.MachineKey, User: "bot", ID: "key"}},
	}
}

// issue makes an access token of instance A.
func (w *world) issue(f session.Facts, jwt bool) string {
	w.Helper()
	return w.issueAt("A", f, jwt)
}

func (w *world) issueAt(at ident.InstanceID, f session.Facts, jwt bool) string {
	w.Helper()
	issuer := "http://" + strings.ToLower(string(at)) + ".example"
	issued, err := w.provider.Tokens.Issue(w.Context(), at, issuer, token.Wish{Facts: f, Lifetime: time.Hour, JWT: jwt})
	w.must(err)
	return issued.Text
}

// answer is what a request was answered.
type answer struct {
	status    int
	header    http.Header
	text      string
	body      map[string]any
	challenge string
}

// is reports whether an answer is an OAuth error.
func (a answer) is(status int, code string) bool {
	return a.status == status && a.body["error"] == code
}

// do sends a request to instance A; header is pairs.
func (w *world) do(method, target, body string, header ...string) answer {
	w.Helper()
	if !strings.HasPrefix(target, "http") {
		target = "http://a.example" + target
	}
	r := httptest.NewRequestWithContext(w.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", formType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := rec.Result()
	text, err := io.ReadAll(res.Body)
	w.must(err)
	a := answer{status: res.StatusCode, header: res.Header, text: string(text), challenge: res.Header.Get("WWW-Authenticate")}
	if res.Header.Get("Content-Type") == "application/json" && len(text) > 0 {
		w.must(json.Unmarshal(text, &a.body))
	}
	return a
}

// post sends a form, as a client that has a secret when it has a name.
func (w *world) post(path, client string, pairs ...string) answer {
	w.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	var header []string
	if client != "" {
		header = []string{"Authorization", basic(client, "secret")}
	}
	return w.do(http.MethodPost, path, values.Encode(), header...)
}

func basic(client, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(client)+":"+url.QueryEscape(secret)))
}

// holder has a key that tokens are bound to.
type holder struct {
	*dpoptest.Holder
	w *world
}

func (w *world) holder() *holder {
	w.Helper()
	return &holder{dpoptest.New(w), w}
}

// proof makes a proof for a request to instance A that carries a token, or asks for one.
func (h *holder) proof(method, path, carried string) string {
	h.w.Helper()
	return h.Proof(method, "http://a.example"+path, carried, h.w.clock.Now())
}
