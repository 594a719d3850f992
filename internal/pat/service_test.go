package pat

import (
	"bytes"
	"context"
	"errors"
	"slices"
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
	db     store.DB
	clock  *ident.ManualClock
	log    *eventlog.Log
	tokens *Service
}

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// grant gives one slot to a source for ever.
type grant struct{}

func (grant) Claim(_ context.Context, now time.Time) (ident.Grant, error) {
	return ident.Grant{Slot: 1, From: now, Until: now.AddDate(1, 0, 0)}, nil
}

var errNoUser = fault.New(fault.NotFound, "QUERY-Dfbg2", "Errors.User.NotFound")

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(start)}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, keys, f.clock, Noun)
		f.tokens = &Service{
			DB: db, Log: f.log, IDs: ident.NewSource(grant{}, f.clock), Clock: f.clock,
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

func TestService(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		expires := start.Add(time.Hour)
		s, token, err := f.tokens.Add(f.Context(), "1", "bob", Wish{User: "ci", Scopes: []string{"openid", "profile"}, Expires: expires})
		f.must(err)
		got, err := Get(f.Context(), f.db, "1", "ci", ident.TokenID(s.ID))
		f.must(err)
		if diff := cmp.Diff(s, got); diff != "" {
			f.Errorf("what is stored is not what was returned (-returned +stored):\n%s", diff)
		}
		if s.Owner != "7" || !s.ExpiresAt.Equal(expires) || !bytes.Equal(s.Hash, token.Hash()) {
			f.Errorf("made %+v", s)
		}
		other, _, err := f.tokens.Add(f.Context(), "1", "bob", Wish{User: "ci", Scopes: []string{"openid"}})
		f.must(err)
		all, err := OfUser(f.Context(), f.db, "1", "ci")
		f.must(err)
		if diff := cmp.Diff([]State{s, other}, all); diff != "" {
			f.Errorf("all of a user (-want +got):\n%s", diff)
		}
		remove := func(at ident.InstanceID, user ident.UserID) error {
			_, err := f.tokens.Remove(f.Context(), at, "bob", user, ident.TokenID(s.ID))
			return err
		}
		f.refused("COMMAND-4m77G", func() error { return remove("2", "ci") })
		f.refused("COMMAND-4m77G", func() error { return remove("1", "ada") })
		f.must(remove("1", "ci"))
		f.refused("COMMAND-4m77G", func() error { return remove("1", "ci") })
		if _, err := Get(f.Context(), f.db, "1", "ci", ident.TokenID(s.ID)); !errors.Is(err, NotFound) {
			f.Errorf("removed: %v", err)
		}
	})
}

func TestServiceRefusals(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		add := func(w Wish) func() error {
			return func() error {
				s, token, err := f.tokens.Add(f.Context(), "1", "bob", w)
				if s.Exists() || token != (vault.Token{}) {
					f.Errorf("%+v: refused, and made", w)
				}
				return err
			}
		}
		f.refused("QUERY-Dfbg2", add(Wish{User: "nobody"}))
		f.refused("COMMAND-Df2f1", add(Wish{User: "ada"}))
		f.refused("DOMAIN-dv3t5", add(Wish{User: "ci", Expires: start}))
	})
}
