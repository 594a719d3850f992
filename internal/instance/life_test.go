package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
)

func TestStopAndStart(t *testing.T) {
	stopped := slices.Concat(given, []eventlog.Payload{Stopped{}})
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "stop", Given: given, When: Stop{}.Decide, Then: []eventlog.Payload{Stopped{}}},
		{Name: "stop again", Given: stopped, When: Stop{}.Decide},
		{Name: "start", Given: stopped, When: Start{}.Decide, Then: []eventlog.Payload{Started{}}},
		{Name: "start a running one", Given: given, When: Start{}.Decide},
		{Name: "remove", Given: given, When: Remove{}.Decide, Then: []eventlog.Payload{Removed{}}},
		{Name: "remove a stopped one", Given: stopped, When: Remove{}.Decide, Then: []eventlog.Payload{Removed{}}},
	})
}

// A removed instance is gone for every command and every read, and its domains are free.
func TestRemove(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		_, err := f.add("1", given...)
		f.must(err)
		_, err = f.add("2", with("b.example")...)
		f.must(err)
		_, err = f.service().AddTrustedDomain(f.Context(), "1", "bob", "t.example")
		f.must(err)
		f.clock.Advance(time.Hour)
		last, err := f.service().Remove(f.Context(), "1", "bob")
		f.must(err)
		if !last.Removed || last.Name != "ACME" || !last.ChangedAt.Equal(f.clock.Now()) {
			f.Errorf("its last state is %+v", last)
		}
		if _, err := Get(f.Context(), f.db, "1"); !errors.Is(err, NotFound("1")) {
			f.Errorf("Get: %v", err)
		}
		commands["Remove"] = func(s *Service, ctx context.Context, id ident.InstanceID) (State, error) {
			return s.Remove(ctx, id, "bob")
		}
		defer delete(commands, "Remove")
		for name, command := range commands {
			if _, err := command(f.service(), f.Context(), "1"); !errors.Is(err, NotFound("1")) {
				f.Errorf("%s: %v", name, err)
			}
		}
		found, err := f.list(Search{})
		f.must(err)
		if found.Total != 1 || len(found.Instances) != 1 || found.Instances[0].ID != "2" {
			f.Errorf("List: %+v", found)
		}
		for _, domain := range []string{custom, generated} {
			_, err = f.service().AddDomain(f.Context(), "2", "bob", domain)
			f.must(err)
		}
		logtest.CheckFold(f, f.db, f.log) // an instance's own rows go with the write itself
	})
}

// Of a removal and other commands at the same time, each either came before it, or finds nothing.
func TestRemoveRace(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for round := range 8 {
			id := ident.InstanceID(fmt.Sprint(round))
			_, err := f.add(id, with(fmt.Sprintf("d%d.example", round))...)
			f.must(err)
			var removed [2]error
			var group sync.WaitGroup
			for i := range removed {
				group.Go(func() { _, removed[i] = f.service().Remove(f.Context(), id, "bob") })
			}
			for i := range 4 {
				group.Go(func() {
					_, err := f.service().AddDomain(f.Context(), id, "bob", fmt.Sprintf("x%d-%d.example", round, i))
					if err != nil && !errors.Is(err, NotFound(id)) {
						f.Errorf("AddDomain: %v", err)
					}
				})
			}
			group.Wait()
			if (removed[0] == nil) == (removed[1] == nil) || !errors.Is(errors.Join(removed[:]...), NotFound(id)) {
				f.Errorf("two removals: %v", removed)
			}
			for more := true; more; {
				more, err = f.log.Reclaim(f.Context())
				f.must(err)
			}
		}
		logtest.CheckFold(f, f.db, f.log)
		found, err := f.list(Search{})
		f.must(err)
		if found.Total != 0 {
			f.Errorf("%d instances are left", found.Total)
		}
	})
}
