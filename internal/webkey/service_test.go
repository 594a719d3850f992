package webkey

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// small makes RSA keys quickly; who wants one of them does not look at its length.
var small = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// fixture is the keys of the instances A and B on one database.
type fixture struct {
	testing.TB
	svc   *Service
	keys  *vault.Keyring
	clock *ident.ManualClock
	made  atomic.Int32 // RSA keys
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		f.instance("A")
		f.instance("B")
		fn(f)
		logtest.CheckFold(t, f.svc.DB, f.svc.Log)
	})
}

// newFixture is one node on a database.
func newFixture(t testing.TB, db store.DB) *fixture {
	f := &fixture{TB: t, clock: ident.NewManualClock(start)}
	f.keys = vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	log := eventlog.New(db, f.keys, f.clock, instance.Noun, Noun)
	f.svc = &Service{
		DB: db, Log: log, IDs: ident.NewSource(idgrant.New(db), f.clock),
		RSA: func(context.Context, int) (*rsa.PrivateKey, error) {
			f.made.Add(1)
			return small()
		},
		Hold: (&instance.Service{DB: db, Log: log}).Hold,
	}
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) instance(id ident.InstanceID) {
	f.Helper()
	f.must(f.svc.Log.Write(f.Context(), id, "op", func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
			instance.Added{Name: string(id), Defaults: 1})
		return err
	}))
}

// states lists the keys of an instance, as they are stored, by their states.
func (f *fixture) states(id ident.InstanceID) []string {
	f.Helper()
	keys, err := List(f.Context(), f.svc.DB, id)
	f.must(err)
	var states []string
	for _, k := range keys {
		states = append(states, k.State)
	}
	return states
}

func (f *fixture) check(id ident.InstanceID, want ...string) {
	f.Helper()
	if diff := cmp.Diff(want, f.states(id)); diff != "" {
		f.Errorf("keys of %s (-want +got):\n%s", id, diff)
	}
}

func TestTheFirstKeys(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.check("A")
		keys, err := f.svc.List(f.Context(), "A")
		f.must(err)
		stored, err := List(f.Context(), f.svc.DB, "A")
		f.must(err)
		if diff := cmp.Diff(stored, keys); diff != "" {
			f.Errorf("other keys than are stored (-stored +answered):\n%s", diff)
		}
		f.check("A", Active, Initial)
		f.check("B")
		if again, err := f.svc.List(f.Context(), "A"); err != nil || cmp.Diff(keys, again) != "" {
			f.Errorf("again: %v, %v", again, err)
		}
		if diff := cmp.Diff([]string{
			"instance.added", "web_key.added", "web_key.activated", "web_key.added",
		}, logtest.Types(f, f.svc.DB, f.svc.Log, "A")); diff != "" {
			f.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestFirstKeysOfManyAtOnce: two nodes, each asked by many, end with the same keys, and no node makes more
// than it may need.
func TestFirstKeysOfManyAtOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		nodes := []*fixture{f, newFixture(f, f.svc.DB)}
		answers := make([][]State, 20)
		var group sync.WaitGroup
		for i := range answers {
			group.Go(func() {
				var err error
				if answers[i], err = nodes[i%2].svc.List(f.Context(), "A"); err != nil {
					f.Error(err)
				}
			})
		}
		group.Wait()
		for i, a := range answers[1:] {
			if diff := cmp.Diff(answers[0], a); diff != "" {
				f.Fatalf("caller %d has other keys (-first +this):\n%s", i+1, diff)
			}
		}
		f.check("A", Active, Initial)
		for i, n := range nodes {
			if made := n.made.Load(); made > 2 {
				f.Errorf("node %d has made %d RSA keys", i, made)
			}
		}
	})
}

func TestKeysOfEveryKind(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, c := range []Config{{RS512, 3072}, {ES256, 0}, {ES384, 0}, {ES512, 0}, {EdDSA, 0}} {
			made, err := f.svc.Create(f.Context(), "A", "op", c)
			f.must(err)
			sealer, err := f.keys.Get(f.Context(), f.svc.DB, "A")
			f.must(err)
			private, err := made.OpenPrivate(sealer)
			f.must(err)
			var jwk jose.JSONWebKey
			f.must(json.Unmarshal([]byte(made.PublicKey), &jwk))
			if jwk.KeyID != made.ID || jwk.Algorithm != string(c.Algorithm) || jwk.Use != "sig" || !jwk.IsPublic() {
				f.Errorf("%v: %s", c, made.PublicKey)
			}
			switch key := private.(type) {
			case *rsa.PrivateKey:
				if !key.PublicKey.Equal(jwk.Key) {
					f.Errorf("%v: the halves are of two keys", c)
				}
			case *ecdsa.PrivateKey:
				if !key.PublicKey.Equal(jwk.Key) || key.Params().BitSize != map[Algorithm]int{ES256: 256, ES384: 384, ES512: 521}[c.Algorithm] {
					f.Errorf("%v: the halves are of two keys, or on another curve", c)
				}
			case ed25519.PrivateKey:
				if !key.Public().(ed25519.PublicKey).Equal(jwk.Key) {
					f.Errorf("%v: the halves are of two keys", c)
				}
			default:
				f.Errorf("%v: a %T", c, key)
			}
			if made.Config != c || made.State != Initial {
				f.Errorf("%v: made %v in state %s", c, made.Config, made.State)
			}
		}
		f.check("A", Active, Initial, Initial, Initial, Initial, Initial, Initial)
	})
}

func TestRotation(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		keys, err := f.svc.List(f.Context(), "A")
		f.must(err)
		first, next := ident.KeyID(keys[0].ID), ident.KeyID(keys[1].ID)
		f.clock.Advance(time.Hour)
		after, err := f.svc.Activate(f.Context(), "A", "op", next)
		f.must(err)
		if after.State != Active || after.ID != string(next) || !after.ChangedAt.Equal(start.Add(time.Hour)) {
			f.Errorf("activated: %+v", after.Head)
		}
		f.check("A", Inactive, Active)
		f.clock.Advance(time.Hour)
		if again, err := f.svc.Activate(f.Context(), "A", "op", next); err != nil || cmp.Diff(after, again) != "" {
			f.Errorf("again: %+v, %v", again, err)
		}
		_, err = f.svc.Delete(f.Context(), "A", "op", next)
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.FailedPrecondition, ID: "COMMAND-Chai1", Fields: []string{"id"}})
		at, err := f.svc.Delete(f.Context(), "A", "op", first)
		f.must(err)
		if !at.Equal(f.clock.Now()) {
			f.Errorf("deleted at %s", at)
		}
		f.check("A", Active)
		for _, id := range []ident.KeyID{first, "no such key", ""} {
			if at, err := f.svc.Delete(f.Context(), "A", "op", id); err != nil || !at.IsZero() {
				f.Errorf("delete %q: %v, %v", id, at, err)
			}
			_, err = f.svc.Activate(f.Context(), "A", "op", id)
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.NotFound, ID: "COMMAND-teiG3", Fields: []string{"id"}})
		}
		if _, err := f.svc.Activate(f.Context(), "B", "op", next); !errors.Is(err, NotFound) {
			f.Errorf("a key of another instance: %v", err)
		}
		if diff := cmp.Diff([]string{
			"instance.added", "web_key.added", "web_key.activated", "web_key.added",
			"web_key.deactivated", "web_key.activated", "web_key.removed",
		}, logtest.Types(f, f.svc.DB, f.svc.Log, "A")); diff != "" {
			f.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestManyActivateAtOnce: whoever comes last, one key is active.
func TestManyActivateAtOnce(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		var ids []ident.KeyID
		for range 4 {
			k, err := f.svc.Create(f.Context(), "A", "op", Config{Algorithm: EdDSA})
			f.must(err)
			ids = append(ids, ident.KeyID(k.ID))
		}
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				if _, err := f.svc.Activate(f.Context(), "A", "op", ids[i%len(ids)]); err != nil {
					f.Error(err)
				}
			})
		}
		group.Wait()
		active := 0
		for _, s := range f.states("A") {
			if s == Active {
				active++
			}
		}
		if active != 1 {
			f.Errorf("states %v", f.states("A"))
		}
	})
}

func TestAnInstanceHasOnlySoManyKeys(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for range MaxKeys - 2 {
			_, err := f.svc.Create(f.Context(), "A", "op", Config{Algorithm: EdDSA})
			f.must(err)
		}
		_, err := f.svc.Create(f.Context(), "A", "op", Config{Algorithm: EdDSA})
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.FailedPrecondition, ID: "WEBKEY-max01"})
		if !strings.Contains(err.Error(), fmt.Sprint(MaxKeys)) {
			f.Errorf("%v does not say how many", err)
		}
		if len(f.states("A")) != MaxKeys {
			f.Errorf("%d keys", len(f.states("A")))
		}
	})
}

func TestNoKeysWithoutAnInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for _, id := range []ident.InstanceID{"C", ""} {
			if _, err := f.svc.List(f.Context(), id); fault.KindOf(err) != fault.NotFound {
				f.Errorf("list of %q: %v", id, err)
			}
			if _, err := f.svc.Create(f.Context(), id, "op", First); fault.KindOf(err) != fault.NotFound {
				f.Errorf("create of %q: %v", id, err)
			}
			if _, err := f.svc.Delete(f.Context(), id, "op", "1"); fault.KindOf(err) != fault.NotFound {
				f.Errorf("delete of %q: %v", id, err)
			}
		}
		broken := errors.New("no entropy")
		f.svc.RSA = func(context.Context, int) (*rsa.PrivateKey, error) { return nil, broken }
		if _, err := f.svc.List(f.Context(), "A"); !errors.Is(err, broken) {
			f.Errorf("%v", err)
		}
		f.check("A")
	})
}

// TestPrivateKeysAreSealed: neither the row nor the event has the key, and that of another key does not
// open in its place.
func TestPrivateKeysAreSealed(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		keys, err := f.svc.List(f.Context(), "A")
		f.must(err)
		a, err := f.keys.Get(f.Context(), f.svc.DB, "A")
		f.must(err)
		b, err := f.keys.Get(f.Context(), f.svc.DB, "B")
		f.must(err)
		swapped := keys[0]
		swapped.PrivateKey = keys[1].PrivateKey
		if _, err := swapped.OpenPrivate(a); !errors.Is(err, vault.ErrOpen) {
			f.Errorf("the sealed half of another key: %v", err)
		}
		if _, err := keys[0].OpenPrivate(b); !errors.Is(err, vault.ErrOpen) {
			f.Errorf("under the key of another instance: %v", err)
		}
	})
}
