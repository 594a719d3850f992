package instance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a log of instances on one database.
type fixture struct {
	*testing.T
	db    store.DB
	clock *ident.ManualClock
	log   *eventlog.Log
	keys  *vault.Keyring
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, db: db, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		f.keys = vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.log = eventlog.New(db, f.keys, f.clock, Noun)
		fn(f)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// add begins an instance.
func (f *fixture) add(id ident.InstanceID, payloads ...eventlog.Payload) (s State, err error) {
	err = f.log.Write(f.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) (err error) {
		if err := w.Create(ctx); err != nil {
			return err
		}
		s, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: string(id), Owner: string(id)}, payloads...)
		return err
	})
	return s, err
}

// with returns the events of an instance with one domain.
func with(domain string) []eventlog.Payload {
	return []eventlog.Payload{Added{Name: "ACME", Defaults: 1}, DomainAdded{Domain: domain}, DomainPrimarySet{Domain: domain}}
}

// What Get returns is what the events fold into.
func TestGet(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		if _, err := Get(f.Context(), f.db, "1"); !errors.Is(err, NotFound("1")) {
			f.Errorf("Get = %v, want NotFound", err)
		}
		want, err := f.add("1", Added{Name: "ACME", Defaults: 1}, DefaultLanguageSet{Language: "de"},
			DomainAdded{Domain: "a.example", Generated: true}, DomainPrimarySet{Domain: "a.example"},
			DefaultOrgSet{Org: "11"}, ProjectSet{Project: "12"}, ConsoleSet{ClientID: "13", App: "14"})
		f.must(err)
		_, err = f.add("2", with("b.example")...)
		f.must(err)
		f.clock.Advance(time.Minute)
		f.must(f.log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			s, err := Get(ctx, w, "1")
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, s); diff != "" {
				f.Errorf("Get (-want +got):\n%s", diff)
			}
			want, err = eventlog.Append(ctx, w, Noun, s, DomainAdded{Domain: "0.example"}, DomainPrimarySet{Domain: "0.example"})
			return err
		}))
		got, err := Get(f.Context(), f.db, "1")
		f.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			f.Errorf("Get after a change (-want +got):\n%s", diff)
		}
		if !got.ChangedAt.Equal(got.CreatedAt.Add(time.Minute)) || got.Domains[1].Name != "0.example" {
			f.Errorf("Get = %+v, want the domains from the oldest", got)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

func TestDomainsAreUnique(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for id, domain := range map[ident.InstanceID]string{"1": "a.example", "2": "b.example"} {
			_, err := f.add(id, with(domain)...)
			f.must(err)
		}
		for domain, want := range map[string]bool{"a.example": true, "b.example": true, "c.example": false, "": false} {
			if got, err := DomainTaken(f.Context(), f.db, domain); err != nil || got != want {
				f.Errorf("DomainTaken(%q) = %v, %v, want %v", domain, got, err, want)
			}
		}
		if _, err := f.add("3", with("a.example")...); !store.ConflictIn(err, DomainsTable) {
			f.Errorf("a domain of another instance: %v, want a conflict in %s", err, DomainsTable)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

func TestGetPassesErrorsOn(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ended, cancel := context.WithCancel(f.Context())
		cancel()
		if _, err := Get(ended, f.db, "1"); !errors.Is(err, context.Canceled) {
			f.Errorf("Get = %v, want the error of its context", err)
		}
	})
}
