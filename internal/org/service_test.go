package org

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// commands are all commands, each wishing for something that is possible for an organization called
// Acme with the domain more.example.
var commands = map[string]func(s *Service, ctx context.Context, id ident.OrgID) (State, error){
	"Rename": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		return s.Rename(ctx, "1", id, "bob", "Other")
	},
	"Deactivate": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		return s.Deactivate(ctx, "1", id, "bob")
	},
	"Reactivate": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		if _, err := s.Deactivate(ctx, "1", id, "bob"); err != nil {
			return State{}, err
		}
		return s.Reactivate(ctx, "1", id, "bob")
	},
	"AddDomain": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		return s.AddDomain(ctx, "1", id, "bob", "new.example")
	},
	"RemoveDomain": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		return s.RemoveDomain(ctx, "1", id, "bob", "more.example")
	},
	"SetPrimaryDomain": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		return s.SetPrimaryDomain(ctx, "1", id, "bob", "more.example")
	},
	"SetMetadata": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		return s.SetMetadata(ctx, "1", id, "bob", []Metadata{{Key: "k", Value: []byte{0, 1}}})
	},
	"RemoveMetadata": func(s *Service, ctx context.Context, id ident.OrgID) (State, error) {
		if _, err := s.SetMetadata(ctx, "1", id, "bob", []Metadata{{Key: "k", Value: []byte{0, 1}}}); err != nil {
			return State{}, err
		}
		return s.RemoveMetadata(ctx, "1", id, "bob", []string{"k"})
	},
}

// What a command returns is what the next read sees.
func TestCommands(t *testing.T) {
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				f.have("a", "Acme", "b", "Bcme")
				before, err := f.orgs.AddDomain(f.Context(), "1", "a", "ada", "more.example")
				f.must(err)
				f.clock.Advance(time.Hour)
				after, err := command(f.orgs, f.Context(), "a")
				f.must(err)
				if !after.CreatedAt.Equal(before.CreatedAt) || !after.ChangedAt.Equal(f.clock.Now()) || after.Sequence <= before.Sequence {
					f.Errorf("the head is %+v after %+v", after.Head, before.Head)
				}
				got, err := WithMetadata(f.Context(), f.orgs.DB, f.orgs.DB.Dialect(), "1", "a", "k")
				f.must(err)
				if diff := cmp.Diff(after, got, cmpopts.EquateEmpty(), cmpopts.SortSlices(func(a, b Domain) bool { return a.Name < b.Name })); diff != "" {
					f.Errorf("read after the command (-returned +read):\n%s", diff)
				}
				events, err := f.orgs.Log.Of(f.Context(), f.orgs.DB, "1", eventlog.Position{}, 100)
				f.must(err)
				for _, e := range events {
					if want := map[bool]ident.Actor{true: "bob", false: "ada"}[e.At.Equal(f.clock.Now())]; e.Actor != want || e.Aggregate.Type == "org" && e.Owner != e.Aggregate.ID {
						f.Errorf("event %s is by %s, want %s; of %s", e.Type, e.Actor, want, e.Owner)
					}
				}
				if _, err := command(f.orgs, f.Context(), "c"); !errors.Is(err, NotFound) {
					f.Errorf("of no organization: %v, want NotFound", err)
				}
			})
		})
	}
}

func TestBegin(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		a, err := f.begin("a", " Acme ")
		f.must(err)
		if a.Name != "Acme" || a.PrimaryDomain() != "acme.acme.example" || a.ID != "a" || a.Owner != "a" {
			f.Errorf("begun: %+v", a)
		}
		// Another name that gives the same domain works all the same (decision D4).
		b, err := f.begin("b", "Acme!")
		f.must(err)
		if b.PrimaryDomain() != "acme-b.acme.example" {
			f.Errorf("begun: %+v", b)
		}
		n := f.events()
		_, err = f.begin("c", "ACME")
		logtest.CheckRefusal(f, err, *refusal(fault.AlreadyExists, "V3-DKcYh", "name"))
		_, err = f.begin("a", "New")
		logtest.CheckRefusal(f, err, *refusal(fault.AlreadyExists, "ORG-lapo2n", "organization_id"))
		_, err = f.begin("c", " ")
		logtest.CheckRefusal(f, err, *refusal(fault.InvalidArgument, "ORG-mruNY", "name"))
		f.left(n)
		// Another instance has its own names.
		other, err := f.beginAt("2", "a", "Acme")
		f.must(err)
		if other.PrimaryDomain() != "acme.other.example" {
			f.Errorf("begun: %+v", other)
		}
	})
}

// The default domain follows the name, whichever domain it was made below, and no other does.
func TestRenameDomains(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme", "b", "Acme?")
		f.must(f.orgs.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			events, err := Add{Name: "First", Domain: DefaultDomain("First", external)}.Decide()
			if err == nil {
				_, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: "d", Owner: "d"}, events...)
			}
			return err
		}))
		for _, c := range []struct {
			id     ident.OrgID
			name   string
			domain string
		}{
			{"d", "Zero", "zero.id.example"},      // the one that the instance began with
			{"b", "Beta", "beta.acme.example"},    // with an id in it before
			{"b", "Acme?", "acme-b.acme.example"}, // and again
			{"b", "acme!", "acme-b.acme.example"},
			{"a", "Über", "über.acme.example"},
		} {
			after, err := f.orgs.Rename(f.Context(), "1", c.id, "ada", c.name)
			f.must(err)
			if after.Name != c.name || len(after.Domains) != 1 || after.PrimaryDomain() != c.domain {
				f.Errorf("%s became %+v, want %s", c.id, after, c.domain)
			}
		}
		_, err := f.orgs.Rename(f.Context(), "1", "b", "ada", "ÜBER")
		logtest.CheckRefusal(f, err, *refusal(fault.AlreadyExists, "V3-DKcYh", "name"))
		_, err = f.orgs.Rename(f.Context(), "1", "b", "ada", "ACME!")
		f.must(err) // its own in another case
		for _, d := range []string{"mine.example", "other.example"} {
			_, err = f.orgs.AddDomain(f.Context(), "1", "a", "ada", d)
			f.must(err)
		}
		_, err = f.orgs.SetPrimaryDomain(f.Context(), "1", "a", "ada", "mine.example")
		f.must(err)
		after, err := f.orgs.Rename(f.Context(), "1", "a", "ada", "Last")
		f.must(err)
		var names []string
		for _, d := range after.Domains {
			names = append(names, d.Name)
		}
		if slices.Sort(names); strings.Join(names, " ") != "last.acme.example mine.example other.example" || after.PrimaryDomain() != "mine.example" {
			f.Errorf("renamed: %+v", after)
		}
	})
}

// A verified domain is that of one organization; a mere wish for one takes nothing from anybody.
func TestDomainOfAnother(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme", "b", "Bcme")
		add := func(id ident.OrgID, domain string) error {
			_, err := f.orgs.AddDomain(f.Context(), "1", id, "ada", domain)
			return err
		}
		taken := *refusal(fault.AlreadyExists, "V3-DKcYh", "domain")
		f.must(add("a", "Bücher.example"))
		logtest.CheckRefusal(f, add("b", "xn--bcher-kva.example"), taken)
		logtest.CheckRefusal(f, add("b", "acme.acme.example"), taken)

		f.orgs.Asks = func(_ context.Context, _ store.Querier, at ident.InstanceID, id ident.OrgID) (bool, error) {
			if id == "broken" {
				return false, io.ErrUnexpectedEOF
			}
			return at == "1" && id == "b", nil
		}
		f.must(add("b", "bücher.example")) // to be proved
		f.must(add("a", "at-once.example"))
		s, err := Get(f.Context(), f.orgs.DB, "1", "b")
		f.must(err)
		if d, _ := s.find("bücher.example"); d.Verified || len(s.Domains) != 2 {
			f.Errorf("added: %+v", s.Domains)
		}
		_, err = f.orgs.RemoveDomain(f.Context(), "1", "a", "ada", "bücher.example")
		f.must(err)
		f.have("broken", "Broken")
		if err := add("broken", "x.example"); !errors.Is(err, io.ErrUnexpectedEOF) {
			f.Errorf("an error of the policy: %v", err)
		}
	})
}

// Of all who want a name or a domain at the same time, one gets it, and nobody waits for ever.
func TestRaces(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const contenders = 5
		for c := range contenders {
			f.have(fmt.Sprint("o", c), fmt.Sprint("Org ", c))
		}
		names, domains := make([]error, 2*contenders), make([]error, contenders)
		var group sync.WaitGroup
		for c := range contenders {
			id := ident.OrgID(fmt.Sprint("o", c))
			group.Go(func() { _, names[c] = f.orgs.Rename(f.Context(), "1", id, "ada", "Wanted") })
			group.Go(func() { _, names[contenders+c] = f.begin("new-"+id, "WANTED") })
			group.Go(func() { _, domains[c] = f.orgs.AddDomain(f.Context(), "1", id, "ada", "wanted.example") })
		}
		group.Wait()
		for what, errs := range map[string][]error{"name": names, "domain": domains} {
			won := 0
			for _, err := range errs {
				switch {
				case err == nil:
					won++
				case fault.KindOf(err) != fault.AlreadyExists:
					f.Errorf("the %s: %v", what, err)
				}
			}
			if won != 1 {
				f.Errorf("%d got the %s: %v", won, what, errs)
			}
		}
	})
}

// Commands on one organization at the same time follow each other: none is lost.
func TestCommandsOnOneOrganization(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme")
		const calls = 8
		var group sync.WaitGroup
		for c := range calls {
			group.Go(func() {
				domain := fmt.Sprintf("d%d.example", c)
				if _, err := f.orgs.AddDomain(f.Context(), "1", "a", "bob", domain); err != nil {
					f.Error(err)
				}
				if _, err := f.orgs.SetMetadata(f.Context(), "1", "a", "bob", []Metadata{{Key: domain, Value: []byte("x")}}); err != nil {
					f.Error(err)
				}
				if _, err := f.orgs.RemoveDomain(f.Context(), "1", "a", "bob", domain); err != nil {
					f.Error(err)
				}
			})
		}
		group.Wait()
		s, err := Whole(f.Context(), f.orgs.DB, "1", "a")
		f.must(err)
		if len(s.Domains) != 1 || len(s.Metadata) != calls || s.Sequence != 4+4*calls {
			f.Errorf("left %+v", s)
		}
	})
}

// A removed organization leaves no row, and its names are free; its id is not.
func TestRemoved(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.have("a", "Acme")
		_, err := f.orgs.AddDomain(f.Context(), "1", "a", "ada", "mine.example")
		f.must(err)
		_, err = f.orgs.SetMetadata(f.Context(), "1", "a", "ada", []Metadata{{Key: "k", Value: bytes.Repeat([]byte("v"), 1000)}, {Key: "l", Value: []byte("v")}})
		f.must(err)
		f.must(f.orgs.Log.Write(f.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			if err := Hold(ctx, w, f.orgs.DB.Dialect(), "1", "a"); err != nil {
				return err
			}
			s, err := Whole(ctx, w, "1", "a")
			if err != nil {
				return err
			}
			_, err = eventlog.Append(ctx, w, Noun, s, Removed{})
			return err
		}))
		for _, table := range Noun.Tables {
			n, err := store.One(f.Context(), f.orgs.DB, func(row store.Scanner) (n int, err error) { return n, row.Scan(&n) },
				`SELECT count(*) FROM `+table.Name)
			if err != nil || n != 0 {
				f.Errorf("%d rows are left in %s, %v", n, table.Name, err)
			}
		}
		_, err = f.begin("a", "Acme")
		logtest.CheckRefusal(f, err, *refusal(fault.AlreadyExists, "ORG-lapo2n", "organization_id"))
		b, err := f.begin("b", "Acme")
		f.must(err)
		if b.PrimaryDomain() != "acme.acme.example" {
			f.Errorf("begun: %+v", b)
		}
		for name, get := range map[string]func(context.Context, store.Tx, *store.Dialect, ident.InstanceID, ident.OrgID) error{"Hold": Hold, "Keep": Keep} {
			f.must(f.orgs.DB.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
				if err := get(ctx, tx, f.orgs.DB.Dialect(), "1", "a"); !errors.Is(err, NotFound) {
					f.Errorf("%s of what was removed: %v", name, err)
				}
				if err := get(ctx, tx, f.orgs.DB.Dialect(), "2", "b"); !errors.Is(err, NotFound) {
					f.Errorf("%s in another instance: %v", name, err)
				}
				return get(ctx, tx, f.orgs.DB.Dialect(), "1", "b")
			}))
		}
	})
}

// The domains of instances that are too long to have others below them are left out.
func TestLongBase(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.must(f.orgs.DB.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `UPDATE instance_domains SET domain = $1 WHERE instance_id = '1'`, strings.Repeat("long.", 40)+"example")
		}))
		a, err := f.begin("a", "Acme")
		f.must(err)
		f.orgs.ExternalDomain = strings.Repeat("x", 200)
		b, err := f.begin("b", "Bcme")
		f.must(err)
		if a.PrimaryDomain() != "acme.id.example" || !strings.HasPrefix(b.PrimaryDomain(), "bcme.xxx") {
			f.Errorf("begun: %+v, %+v", a, b)
		}
		f.must(f.orgs.DB.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `UPDATE instance_domains SET domain = 'acme.example' WHERE instance_id = '1'`)
		}))
	})
}
