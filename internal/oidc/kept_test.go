package oidc

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"castellan/internal/app"
	"castellan/internal/assertion/assertiontest"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/machinekey"
	"castellan/internal/org"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// elsewhere is another node of a world, on which things are changed. Where the engine has no other node it
// is another part of the same one.
type elsewhere struct {
	*world
	db  store.DB
	log *eventlog.Log
}

// change appends events to something of instance A that get reads.
func change[S eventlog.State](e *elsewhere, noun *eventlog.Noun[S], get func(ctx context.Context, q store.Querier) (S, error),
	payloads ...eventlog.Payload,
) {
	e.Helper()
	e.must(e.log.Write(e.Context(), "A", "op", func(ctx context.Context, w *eventlog.Writer) error {
		s, err := get(ctx, w)
		if err == nil {
			_, err = eventlog.Append(ctx, w, noun, s, payloads...)
		}
		return err
	}))
}

func (e *elsewhere) bot(payloads ...eventlog.Payload) {
	e.Helper()
	change(e, user.Noun, func(ctx context.Context, q store.Querier) (user.State, error) { return user.Get(ctx, q, "A", "bot") }, payloads...)
}

func (e *elsewhere) org(payloads ...eventlog.Payload) {
	e.Helper()
	change(e, org.Noun, func(ctx context.Context, q store.Querier) (org.State, error) { return org.Get(ctx, q, "A", "1") }, payloads...)
}

func (e *elsewhere) project(payloads ...eventlog.Payload) {
	e.Helper()
	change(e, project.Noun, func(ctx context.Context, q store.Querier) (project.State, error) {
		return project.Get(ctx, q, "A", "11")
	}, payloads...)
}

func (e *elsewhere) app(id ident.AppID, payloads ...eventlog.Payload) {
	e.Helper()
	change(e, app.Noun, func(ctx context.Context, q store.Querier) (app.State, error) { return app.Get(ctx, q, "A", id) }, payloads...)
}

func (e *elsewhere) instance(payloads ...eventlog.Payload) {
	e.Helper()
	change(e, instance.Noun, func(ctx context.Context, q store.Querier) (instance.State, error) {
		return instance.Get(ctx, q, "A")
	}, payloads...)
}

func (e *elsewhere) limits() *limit.Service {
	return &limit.Service{Log: e.log, Hold: (&instance.Service{DB: e.db, Log: e.log}).Hold}
}

// keptClients are the clients of the test: how each asks, and what it is kept by.
func keptClients(w *world) map[string]struct {
	by  candidateKey
	ask func() answer
} {
	key := byKey("keyed", "k-app", "EdDSA", assertiontest.EdDSA(assertiontest.Keys().Ed25519), nil)
	key.form.Set("token", "none")
	return map[string]struct {
		by  candidateKey
		ask func() answer
	}{
		"machine":   {candidateKey{"A", true, "bot", "k-ed"}, func() answer { return w.profile(botAssertion("k-ed", nil), "profile") }},
		"machine 2": {candidateKey{"A", true, "bot", "k-rsa"}, func() answer { return w.profile(botAssertion("k-rsa", nil), "profile") }},
		"secret":    {candidateKey{"A", false, "api", ""}, func() answer { return w.post(pathIntrospection, "api", "token", "none") }},
		"key": {candidateKey{"A", false, "keyed", "k-app"}, func() answer {
			return w.do(http.MethodPost, pathIntrospection, key.form.Encode())
		}},
	}
}

// keptChanges are what another node does to clients, in an order in which each is of use when it comes; back
// takes it back, and is nil for the last ones.
var keptChanges = []struct {
	name    string
	refused []string // the clients that it is about
	do      func(e *elsewhere)
	back    func(e *elsewhere)
}{
	{"user deactivated", []string{"machine", "machine 2"}, func(e *elsewhere) { e.bot(user.Deactivated{}) }, func(e *elsewhere) { e.bot(user.Reactivated{}) }},
	{"user locked", []string{"machine", "machine 2"}, func(e *elsewhere) { e.bot(user.Locked{}) }, func(e *elsewhere) { e.bot(user.Unlocked{}) }},
	{"an application is called like it", []string{"machine", "machine 2"}, func(e *elsewhere) {
		e.must(e.log.Write(e.Context(), "A", "op", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Begin(ctx, w, app.Noun, eventlog.Origin{ID: "bots", Owner: "1"},
				app.Added{App: "bots", Project: "11", Name: "bots"}, app.APIConfigAdded{App: "bots", ClientID: "bot", AuthMethod: app.SecretBasic})
			return err
		}))
	}, func(e *elsewhere) { e.app("bots", app.Removed{App: "bots"}) }},
	{"organization deactivated", []string{"machine", "machine 2", "secret", "key"}, func(e *elsewhere) { e.org(org.Deactivated{}) },
		func(e *elsewhere) { e.org(org.Reactivated{}) }},
	{"project deactivated", []string{"secret", "key"}, func(e *elsewhere) { e.project(project.Deactivated{}) },
		func(e *elsewhere) { e.project(project.Reactivated{}) }},
	{"application deactivated", []string{"secret"}, func(e *elsewhere) { e.app("api", app.Deactivated{App: "api"}) },
		func(e *elsewhere) { e.app("api", app.Reactivated{App: "api"}) }},
	{"secret replaced", []string{"secret"}, func(e *elsewhere) {
		e.app("api", app.APISecretChanged{App: "api", SecretHash: vault.HashSecret("another")})
	}, func(e *elsewhere) {
		e.app("api", app.APISecretChanged{App: "api", SecretHash: vault.HashSecret("secret")})
	}},
	{"another way to authenticate", []string{"key"}, func(e *elsewhere) {
		e.app("keyed", app.APIConfigChanged{App: "keyed", AuthMethod: app.SecretBasic})
	}, func(e *elsewhere) { e.app("keyed", app.APIConfigChanged{App: "keyed", AuthMethod: app.PrivateKeyJWT}) }},
	{"instance stopped", []string{"machine", "machine 2", "secret", "key"}, func(e *elsewhere) { e.instance(instance.Stopped{}) },
		func(e *elsewhere) { e.instance(instance.Started{}) }},
	{"instance blocked", []string{"machine", "machine 2", "secret", "key"}, func(e *elsewhere) {
		block := true
		_, err := e.limits().Set(e.Context(), "A", "op", limit.Set{Block: &block})
		e.must(err)
	}, func(e *elsewhere) {
		_, err := e.limits().Reset(e.Context(), "A", "op")
		e.must(err)
	}},
	{"machine key removed", []string{"machine"}, func(e *elsewhere) {
		change(e, machinekey.Noun, func(ctx context.Context, q store.Querier) (machinekey.State, error) {
			return machinekey.Get(ctx, q, "A", "bot", "k-ed")
		}, machinekey.Removed{Key: "k-ed"})
	}, nil},
	{"user removed", []string{"machine 2"}, func(e *elsewhere) { e.bot(user.Removed{}) }, nil},
	{"application key removed", []string{"key"}, func(e *elsewhere) {
		change(e, app.KeyNoun, func(ctx context.Context, q store.Querier) (app.KeyState, error) {
			return app.GetKey(ctx, q, "A", "k-app")
		}, app.KeyRemoved{Key: "k-app"})
	}, nil},
	{"instance removed", []string{"secret"}, func(e *elsewhere) {
		e.must(e.log.Write(e.Context(), "A", "op", func(ctx context.Context, w *eventlog.Writer) error {
			s, err := instance.Get(ctx, w, "A")
			if err == nil {
				_, err = eventlog.Append(ctx, w, instance.Noun, s, instance.Removed{})
			}
			if err != nil {
				return err
			}
			return w.Destroy(ctx)
		}))
	}, nil},
}

// TestKeptClientsAreNeverStale: a client that is kept in memory is refused at once after whatever it stands on
// was changed on another node, and let in again as soon as that is taken back.
func TestKeptClientsAreNeverStale(t *testing.T) {
	t.Parallel()
	storetest.EachDatabase(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open(t)
		w := newWorld(t, db)
		w.withKeys()
		begun(w, "A", app.Noun, "keyed", "1", app.Added{App: "keyed", Project: "11", Name: "keyed"},
			app.APIConfigAdded{App: "keyed", ClientID: "keyed", AuthMethod: app.PrivateKeyJWT})
		begun(w, "A", app.KeyNoun, "k-app", "1", app.KeyAdded{
			App: "keyed", ClientID: "keyed", Key: "k-app", Type: 1, Expiration: expiry.Never,
			PublicKey: []byte(assertiontest.PublicPEM(t, assertiontest.Keys().Ed25519)),
		})
		if d.Engine.MultiNode {
			db = d.Open(t)
		}
		e := &elsewhere{w, db, newLog(db, w.clock)}
		clients := keptClients(w)
		for _, c := range keptChanges {
			for name, client := range clients {
				for range 2 {
					if a := client.ask(); a.status != http.StatusOK {
						t.Fatalf("before %s, %s: %d %s", c.name, name, a.status, a.text)
					}
				}
				if _, kept := w.provider.candidates.Stale(client.by); !kept {
					t.Errorf("before %s, %s is not kept", c.name, name)
				}
			}
			c.do(e)
			for name, client := range clients {
				if a := client.ask(); (a.status != http.StatusOK) != slices.Contains(c.refused, name) {
					t.Errorf("%s, %s: %d %s", c.name, name, a.status, a.text)
				}
			}
			if c.back == nil {
				for _, name := range c.refused {
					delete(clients, name)
				}
				continue
			}
			c.back(e)
			for name, client := range clients {
				if a := client.ask(); a.status != http.StatusOK {
					t.Errorf("%s was taken back, %s: %d %s", c.name, name, a.status, a.text)
				}
			}
		}
	})
}
