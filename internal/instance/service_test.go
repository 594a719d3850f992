package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

func (f *fixture) service() *Service { return &Service{DB: f.db, Log: f.log} }

// commands are all commands, each wishing for something that is possible on given.
var commands = map[string]func(s *Service, ctx context.Context, id ident.InstanceID) (State, error){
	"Rename": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.Rename(ctx, id, "bob", "Other")
	},
	"AddDomain": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.AddDomain(ctx, id, "bob", "new.example")
	},
	"RemoveDomain": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.RemoveDomain(ctx, id, "bob", custom)
	},
	"SetPrimaryDomain": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.SetPrimaryDomain(ctx, id, "bob", generated)
	},
	"AddTrustedDomain": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.AddTrustedDomain(ctx, id, "bob", "trusted.example")
	},
	"RemoveTrustedDomain": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		if _, err := s.AddTrustedDomain(ctx, id, "bob", "trusted.example"); err != nil {
			return State{}, err
		}
		return s.RemoveTrustedDomain(ctx, id, "bob", "trusted.example")
	},
	"SetDefaultOrg": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.SetDefaultOrg(ctx, id, "bob", "7", func(context.Context, store.Tx) error { return nil })
	},
	"Stop": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		return s.Stop(ctx, id, "bob")
	},
	"Start": func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
		if _, err := s.Stop(ctx, id, "bob"); err != nil {
			return State{}, err
		}
		return s.Start(ctx, id, "bob")
	},
}

// What a command returns is what the next read sees, and what the log folds into.
func TestCommands(t *testing.T) {
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(f *fixture) {
				before, err := f.add("1", given...)
				f.must(err)
				f.clock.Advance(time.Hour)
				after, err := command(f.service(), f.Context(), "1")
				f.must(err)
				if !after.CreatedAt.Equal(before.CreatedAt) || !after.ChangedAt.Equal(f.clock.Now()) || after.Sequence <= before.Sequence {
					f.Errorf("the head is %+v after %+v", after.Head, before.Head)
				}
				got, err := GetTrusted(f.Context(), f.db, "1")
				f.must(err)
				if diff := cmp.Diff(after, got, cmpopts.EquateEmpty()); diff != "" {
					f.Errorf("read after the command (-returned +read):\n%s", diff)
				}
				events, err := f.log.Of(f.Context(), f.db, "1", eventlog.Position{}, 100)
				f.must(err)
				for i, e := range events {
					if want := map[bool]ident.Actor{true: "ada", false: "bob"}[i < len(given)]; e.Actor != want {
						f.Errorf("event %d %s is by %s, want %s", i, e.Type, e.Actor, want)
					}
				}
				logtest.CheckFold(f, f.db, f.log)
				if _, err := command(f.service(), f.Context(), "2"); !errors.Is(err, NotFound("2")) {
					f.Errorf("of no instance: %v, want NotFound", err)
				}
			})
		})
	}
}

// What keep refuses is not done.
func TestSetDefaultOrgThatIsGone(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.add("1", given...)
		f.must(err)
		gone := errors.New("gone")
		if _, err := f.service().SetDefaultOrg(f.Context(), "1", "bob", "7", func(context.Context, store.Tx) error { return gone }); !errors.Is(err, gone) {
			f.Errorf("an organization that is gone: %v", err)
		}
		if types := logtest.Types(f, f.db, f.log, "1"); len(types) != len(given) {
			f.Errorf("events %v", types)
		}
	})
}

// The name an instance has already writes nothing.
func TestRenameToTheSame(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.add("1", given...)
		f.must(err)
		before, err := Get(f.Context(), f.db, "1")
		f.must(err)
		f.clock.Advance(time.Hour)
		after, err := f.service().Rename(f.Context(), "1", "bob", " ACME ")
		f.must(err)
		if diff := cmp.Diff(before, after); diff != "" {
			f.Errorf("changed (-before +after):\n%s", diff)
		}
		if types := logtest.Types(f, f.db, f.log, "1"); len(types) != len(given) {
			f.Errorf("events %v", types)
		}
	})
}

// A domain of another instance is refused, and free again when that has removed it.
func TestDomainOfAnother(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.add("1", given...)
		f.must(err)
		_, err = f.add("2", with("b.example")...)
		f.must(err)
		add := func() error {
			_, err := f.service().AddDomain(f.Context(), "2", "bob", "Login.Bücher.example")
			return err
		}
		logtest.CheckRefusal(f, add(), logtest.Refusal{Kind: fault.AlreadyExists, ID: "V3-DKcYh", Fields: []string{"domain"}})
		if types := logtest.Types(f, f.db, f.log, "2"); len(types) != 3 {
			f.Errorf("the refused call left %v", types)
		}
		_, err = f.service().RemoveDomain(f.Context(), "1", "bob", custom)
		f.must(err)
		f.must(add())
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Of all who want a domain at the same time, one gets it: instances that are there, and those
// that come to be with it.
func TestDomainRace(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		const contenders, rounds = 6, 5
		for c := range contenders {
			_, err := f.add(ident.InstanceID(fmt.Sprint(c)), with(fmt.Sprintf("own-%d.example", c))...)
			f.must(err)
		}
		for round := range rounds {
			domain := fmt.Sprintf("wanted-%d.example", round)
			errs := make([]error, 2*contenders)
			var group sync.WaitGroup
			for c := range contenders {
				group.Go(func() {
					_, errs[c] = f.service().AddDomain(f.Context(), ident.InstanceID(fmt.Sprint(c)), "bob", domain)
				})
				group.Go(func() {
					_, errs[contenders+c] = f.add(ident.InstanceID(fmt.Sprintf("%d-%d", round, c)), with(domain)...)
				})
			}
			group.Wait()
			won := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err != nil })
			if len(won) != 1 {
				f.Errorf("%d calls got %s: %v", len(won), domain, errs)
			}
			for _, err := range errs[:contenders] {
				if err != nil {
					logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.AlreadyExists, ID: "V3-DKcYh", Fields: []string{"domain"}})
				}
			}
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}

// Commands on one instance at the same time follow each other: none is lost, none collides.
func TestCommandsOnOneInstance(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.add("1", given...)
		f.must(err)
		const calls = 12
		var group sync.WaitGroup
		for c := range calls {
			group.Go(func() {
				domain := fmt.Sprintf("d%d.example", c)
				if _, err := f.service().AddDomain(f.Context(), "1", "bob", domain); err != nil {
					f.Error(err)
				}
				if _, err := f.service().SetPrimaryDomain(f.Context(), "1", "bob", domain); err != nil {
					f.Error(err)
				}
				if _, err := f.service().RemoveDomain(f.Context(), "1", "bob", domain); err != nil {
					f.Error(err)
				}
			})
		}
		group.Wait()
		s, err := Get(f.Context(), f.db, "1")
		f.must(err)
		primaries := 0
		for _, d := range s.Domains {
			if d.Primary {
				primaries++
			}
		}
		if primaries != 1 || len(s.Domains) != 2 {
			f.Errorf("%d primary domains: %+v", primaries, s.Domains)
		}
		logtest.CheckFold(f, f.db, f.log)
	})
}
