package system_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/system"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/vault"

	systemv1 "castellan/gen/zitadel/system/v1"
)

func TestListViews(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		check := func(number uint64) {
			f.Helper()
			var out, want systemv1.ListViewsResponse
			f.decode(&out, f.send(request{verb: http.MethodPost, path: "/views/_search", body: "{}", as: viewer}))
			for _, table := range f.log.Tables() {
				want.Result = append(want.Result, &systemv1.View{
					Database: "castellan", ViewName: "projections." + table, ProcessedSequence: number,
					LastSuccessfulSpoolerRun: timestamppb.New(f.clock.Now()),
				})
			}
			f.equal(&out, &want)
		}
		check(0)
		f.clock.Advance(time.Minute)
		id := f.create("Acme", "")
		events, err := f.log.Of(f.Context(), f.db, ident.InstanceID(id), eventlog.Position{}, 100)
		f.must(err)
		check(uint64(events[len(events)-1].Position.Number))
		if !slices.Contains(f.log.Tables(), "instance_domains") {
			f.Error("the domains are no view")
		}
		f.refused(request{verb: http.MethodPost, path: "/views/_search", as: nobody}, http.StatusUnauthorized, "AUTH-7fs1e")
	})
}

// exec runs one statement behind the back of the log.
func (f *fixture) exec(sql string, args ...any) {
	f.Helper()
	f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql, args...) }))
}

// clear calls ClearView, which must leave no events.
func (f *fixture) clear(view string) {
	f.Helper()
	before := f.count()
	a := f.send(request{verb: http.MethodPost, path: "/views/castellan/" + view})
	if a.Status != http.StatusOK || string(a.body) != "{}" {
		f.Errorf("ClearView of %s: %d %s", view, a.Status, a.body)
	}
	if f.count() != before {
		f.Errorf("ClearView of %s left events", view)
	}
}

func TestClearView(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		kept, removed := f.create("Acme", "acme.example"), f.create("Gone", "gone.example")
		other := f.create("Other", "other.example")
		f.call(&systemv1.RemoveInstanceResponse{}, http.MethodDelete, "/instances/"+removed, "")
		for _, damage := range []struct{ sql, view string }{
			{`UPDATE instances SET name = 'forged'`, "projections.instances"},
			{`DELETE FROM instance_domains WHERE domain = 'acme.example'`, "projections.instance_domains"},
			{`DELETE FROM instance_domains`, "projections.instances"},
			{`INSERT INTO instance_domains VALUES ('gone.example', $1, FALSE, FALSE, 1, 1, 1)`, "projections.instance_domains"},
			{`UPDATE instance_domains SET instance_id = $1 WHERE domain = 'other.example'`, "projections.instances"},
			{`UPDATE users SET display_name = 'forged'`, "projections.users"},
		} {
			if slices.Contains([]byte(damage.sql), '$') {
				f.exec(damage.sql, kept)
			} else {
				f.exec(damage.sql)
			}
			f.clear(damage.view)
			logtest.CheckFold(f, f.db, f.log)
		}
		for _, view := range f.log.Tables() {
			f.clear("projections." + view)
		}
		logtest.CheckFold(f, f.db, f.log)
		if s := f.get(other); s.Name != "Other" || len(s.Domains) != 2 {
			f.Errorf("the instance is %+v", s)
		}
		f.hidden(http.MethodGet, "/instances/"+removed, "", true)

		for path, want := range map[string]struct {
			status int
			id     string
		}{
			"castellan/instances":              {http.StatusBadRequest, "QUERY-wk1jr"},
			"castellan/projections.nothing":    {http.StatusNotFound, "QUERY-ej8fn"},
			"castellan/projections.events":     {http.StatusNotFound, "QUERY-ej8fn"},
			"castellan/projections.":           {http.StatusNotFound, "QUERY-ej8fn"},
			"castellan/other.instances":        {http.StatusNotFound, "QUERY-ej8fn"},
			"zitadel/projections.instances":    {http.StatusNotFound, "QUERY-ej8fn"},
			"castellan/projections.instances;": {http.StatusNotFound, "QUERY-ej8fn"},
		} {
			f.refused(request{verb: http.MethodPost, path: "/views/" + path}, want.status, want.id, "view_name")
		}
		clearing := request{verb: http.MethodPost, path: "/views/castellan/projections.instances", as: viewer}
		f.refused(clearing, http.StatusForbidden, "AUTH-5mWD2")
		clearing.as = nobody
		f.refused(clearing, http.StatusUnauthorized, "AUTH-7fs1e")
	})
}

// Two instances that own one domain according to the log are no race that could be tried again.
func TestClearViewOfAContradiction(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		f.create("Acme", "acme.example")
		other := f.create("Other", "")
		f.exec(`DELETE FROM instance_domains WHERE domain = 'acme.example'`)
		f.call(&systemv1.AddDomainResponse{}, http.MethodPost, "/instances/"+other+"/domains", `{"domain":"acme.example"}`)
		f.refused(request{verb: http.MethodPost, path: "/views/castellan/projections.instances"}, http.StatusInternalServerError, "")
		if domains := f.get(other).Domains; len(domains) != 2 {
			f.Errorf("the domains became %+v", domains)
		}
	})
}

// hurried is a context whose time runs out when told.
type hurried struct {
	context.Context
	over chan struct{}
}

func (h hurried) Done() <-chan struct{} { return h.over }

func (h hurried) Err() error {
	select {
	case <-h.over:
		return context.DeadlineExceeded
	default:
		return h.Context.Err()
	}
}

// A rebuild whose time runs out says so, and the next call goes on where it ended; a later one begins
// again.
func TestClearViewGoesOn(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		first, second := f.create("Large", ""), f.create("Small", "")
		var names []eventlog.Payload
		for range 1000 { // so that the first is rebuilt in a transaction of its own
			names = append(names, instance.Changed{Name: "Large"})
		}
		before := f.get(first)
		f.must(f.log.Write(f.Context(), ident.InstanceID(first), "ada", func(ctx context.Context, w *eventlog.Writer) error {
			_, err := eventlog.Append(ctx, w, instance.Noun, before, names...)
			return err
		}))
		damage := func() { f.exec(`UPDATE instances SET name = 'forged'`) }
		name := func(id string) string { return f.get(id).Name }

		var run hurried
		noun := *instance.Noun
		noun.Apply = func(s instance.State, e eventlog.Event) instance.State {
			if run.over != nil && string(e.Instance) == second {
				close(run.over)
				run.over = nil
			}
			return instance.Noun.Apply(s, e)
		}
		keyring := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		service := &system.Service{DB: f.db, Log: eventlog.New(f.db, keyring, f.clock, &noun), Clock: f.clock}
		clear := func(ctx context.Context) error {
			_, err := service.ClearView(ctx, &systemv1.ClearViewRequest{Database: "castellan", ViewName: "projections.instances"})
			return err
		}
		cutShort := func() {
			f.Helper()
			damage()
			run = hurried{f.Context(), make(chan struct{})}
			if err := clear(run); fault.KindOf(err) != fault.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
				f.Fatalf("a rebuild without time: %v", err)
			}
			if name(first) != "Large" || name(second) != "forged" {
				f.Fatalf("rebuilt in part: %q, %q", name(first), name(second))
			}
		}
		cutShort()
		damage()
		f.must(clear(f.Context())) // goes on after the first
		if name(first) != "forged" || name(second) != "Small" {
			f.Errorf("rebuilt the rest: %q, %q", name(first), name(second))
		}
		f.must(clear(f.Context()))
		logtest.CheckFold(f, f.db, f.log)

		cutShort()
		damage()
		f.clock.Advance(10 * time.Minute)
		f.must(clear(f.Context()))
		logtest.CheckFold(f, f.db, f.log)
	})
}
