package machinekey

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a service on one database with the instances 1 and 2. Each has the machines ci and bot, and the human
// ada, of organization 7.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
	keys  *Service
}

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

var errNoUser = fault.New(fault.NotFound, "QUERY-Dfbg2", "Errors.User.NotFound")

// pool makes keys when they are asked for.
type pool struct{}

func (pool) Take(context.Context) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, Noun)
		f.keys = &Service{
			DB: db, Log: f.log, IDs: ident.NewSource(grant{}, f.clock), Clock: f.clock, Keys: pool{},
			Keep: func(_ context.Context, _ store.Tx, _ ident.InstanceID, user ident.UserID) (ident.OrgID, bool, error) {
				if user != "ci" && user != "bot" && user != "ada" {
					return "", false, errNoUser
				}
				return "7", user != "ada", nil
			},
		}
		for _, id := range []ident.InstanceID{"1", "2"} {
			f.must(f.log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error { return w.Create(ctx) }))
		}
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused checks the id of a fault, and that nothing was written.
func (f *fixture) refused(id string, do func() error) {
	f.Helper()
	before := logtest.Types(f, f.db, f.log, "1")
	err := do()
	if err == nil || fault.Of(err).ID != id {
		f.Errorf("err = %v, want %s", err, id)
	}
	if now := logtest.Types(f, f.db, f.log, "1"); !slices.Equal(before, now) {
		f.Errorf("refused with %s, and wrote %v", id, now[len(before):])
	}
}

// publicPEM is a public key as callers send it.
func publicPEM(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := vault.PublicKeyPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestService(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		expires := start.Add(time.Hour)
		s, file, err := f.keys.Add(f.Context(), "1", "bob", Wish{User: "ci", Expires: expires})
		f.must(err)
		got, err := Get(f.Context(), f.db, "1", "ci", ident.KeyID(s.ID))
		f.must(err)
		if diff := cmp.Diff(s, got); diff != "" {
			f.Errorf("what is stored is not what was returned (-returned +stored):\n%s", diff)
		}
		var shown struct{ KeyID, UserID, Key string }
		f.must(json.Unmarshal(file, &shown))
		if s.Owner != "7" || !s.ExpiresAt.Equal(expires) || shown.KeyID != s.ID || shown.UserID != "ci" ||
			!strings.Contains(shown.Key, "RSA PRIVATE KEY") {
			f.Errorf("made %+v, shown %+v", s, shown)
		}
		text := publicPEM(f.T)
		own, file, err := f.keys.Add(f.Context(), "1", "bob", Wish{User: "ci", PublicKey: append([]byte("a comment\n"), text...)})
		f.must(err)
		if file != nil || !bytes.Equal(own.PublicKey, text) {
			f.Errorf("of the caller's own pair: file %q, key %q", file, own.PublicKey)
		}
		all, err := OfUser(f.Context(), f.db, "1", "ci")
		f.must(err)
		if diff := cmp.Diff([]State{s, own}, all); diff != "" {
			f.Errorf("all of a user (-want +got):\n%s", diff)
		}
		remove := func(at ident.InstanceID, user ident.UserID) error {
			_, err := f.keys.Remove(f.Context(), at, "bob", user, ident.KeyID(s.ID))
			return err
		}
		f.refused("COMMAND-4m77G", func() error { return remove("2", "ci") })
		f.refused("COMMAND-4m77G", func() error { return remove("1", "ada") })
		f.must(remove("1", "ci"))
		f.refused("COMMAND-4m77G", func() error { return remove("1", "ci") })
		if _, err := Get(f.Context(), f.db, "1", "ci", ident.KeyID(s.ID)); !errors.Is(err, NotFound) {
			f.Errorf("removed: %v", err)
		}
	})
}

func TestServiceRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		add := func(w Wish) func() error {
			return func() error {
				s, file, err := f.keys.Add(f.Context(), "1", "bob", w)
				if s.Exists() || file != nil {
					f.Errorf("%+v: refused, and made", w)
				}
				return err
			}
		}
		text := publicPEM(f.T)
		f.refused("QUERY-Dfbg2", add(Wish{User: "nobody", PublicKey: text}))
		f.refused("COMMAND-bnipwm1", add(Wish{User: "ada", PublicKey: text}))
		f.refused("DOMAIN-dv3t5", add(Wish{User: "ci", PublicKey: text, Expires: start}))
		f.refused("COMMAND-5F3h1", add(Wish{User: "ci", PublicKey: []byte("none")}))
		f.refused("COMMAND-5F3h1", add(Wish{User: "ci", PublicKey: append(text, text...)}))
	})
}
