package org

import (
	"bytes"
	"context"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const external = "id.example"

// fixture is a service on one database, with the instances 1 and 2 at acme.example and other.example.
type fixture struct {
	*testing.T
	orgs  *Service
	clock *ident.ManualClock
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		f := &fixture{T: t, clock: ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))}
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		f.orgs = &Service{
			DB: db, Log: eventlog.New(db, keys, f.clock, instance.Noun, Noun), ExternalDomain: external,
			Random: bytes.NewReader(bytes.Repeat([]byte{7}, 1000)),
		}
		for id, domain := range map[ident.InstanceID]string{"1": "acme.example", "2": "other.example"} {
			f.must(f.orgs.Log.Write(t.Context(), id, "ada", func(ctx context.Context, w *eventlog.Writer) error {
				if err := w.Create(ctx); err != nil {
					return err
				}
				_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
					instance.Added{Name: "ACME", Defaults: 1}, instance.DomainAdded{Domain: domain}, instance.DomainPrimarySet{Domain: domain},
					instance.DefaultOrgSet{Org: "d"})
				return err
			}))
		}
		fn(f)
		logtest.CheckFold(t, db, f.orgs.Log)
	})
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// begin begins an organization of instance 1 by its name.
func (f *fixture) begin(id ident.OrgID, name string) (State, error) { return f.beginAt("1", id, name) }

func (f *fixture) beginAt(at ident.InstanceID, id ident.OrgID, name string) (s State, err error) {
	err = f.orgs.Log.Write(f.Context(), at, "ada", func(ctx context.Context, w *eventlog.Writer) (err error) {
		s, err = f.orgs.Begin(ctx, w, id, name)
		return err
	})
	return s, Taken(err)
}

// have begins organizations of instance 1, of an id and a name each.
func (f *fixture) have(orgs ...string) {
	f.Helper()
	for i := 0; i < len(orgs); i += 2 {
		_, err := f.begin(ident.OrgID(orgs[i]), orgs[i+1])
		f.must(err)
	}
}

// left checks the types of the events behind the first n of instance 1.
func (f *fixture) left(n int, want ...string) {
	f.Helper()
	got := logtest.Types(f, f.orgs.DB, f.orgs.Log, "1")
	if len(got) < n {
		f.Fatalf("%d events, want more than %d", len(got), n)
	}
	if got = got[n:]; len(got) != len(want) {
		f.Errorf("left %v, want %v", got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			f.Errorf("left %v, want %v", got, want)
			return
		}
	}
}

// events is how many events instance 1 has.
func (f *fixture) events() int { return len(logtest.Types(f, f.orgs.DB, f.orgs.Log, "1")) }
