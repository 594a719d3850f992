package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"castellan/bench/rows"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/server"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// Sizes of the database of many instances, and of the few large ones in it.
const (
	fillBatch    = 1000   // instances that are written in a transaction
	heavyUsers   = 10_000 // of each large instance
	heavyBatch   = 1000   // users that are written in a transaction
	heavies      = 7      // large instances, each of which is removed once
	lightCalls   = 15     // removals of ordinary instances, for each of a large one
	followRounds = 5      // at most, of reading all pages
	lastPages    = 100    // pages at either end that are compared
)

// measureDirectory takes what needs very many instances, on a server of its own.
func (f *field) measureDirectory(ctx context.Context) error {
	on, err := f.engine.fresh(ctx, "directory")
	if err != nil {
		return err
	}
	heavy, err := f.seedDirectory(ctx, on)
	if err != nil {
		return fmt.Errorf("seed the directory: %w", err)
	}
	if err := f.engine.settle(ctx, on); err != nil {
		return err
	}
	p, err := f.start(ctx, on, 0)
	if err != nil {
		return err
	}
	if err := f.measureFollow(ctx, p); err != nil {
		return err
	}
	if err := f.measureRemove(ctx, p, heavy); err != nil {
		return err
	}
	return f.end(p)
}

// seedDirectory writes the rows that a list reads, without events, for as many instances as asked
// for; and large instances with all they have, whose ids it returns.
func (f *field) seedDirectory(ctx context.Context, on place) (heavy []string, err error) {
	db, err := f.engine.open(ctx, on)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	shape, err := rows.Load(f.shape)
	if err != nil {
		return nil, err
	}
	shape.Tables = slices.DeleteFunc(shape.Tables, func(t rows.Table) bool {
		return t.Name != "instances" && t.Name != "instance_domains"
	})
	w, err := rows.NewWriter(shape, db.Dialect())
	if err != nil {
		return nil, err
	}
	for done := 0; done < f.directory; done += fillBatch {
		err := db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			for n := done; n < min(done+fillBatch, f.directory); n++ {
				if err := w.Write(ctx, tx, uint64(n+1)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	master, err := vault.LoadMasterKey(on.key, rand.Reader)
	if err != nil {
		return nil, err
	}
	keyring := vault.NewKeyring(master, rand.Reader)
	if err := keyring.Claim(ctx, db); err != nil {
		return nil, err
	}
	log := eventlog.New(db, keyring, ident.SystemClock{}, server.Nouns()...)
	for n := range heavies {
		id := strconv.Itoa(1 + n) // before all others
		if err := seedHeavy(ctx, log, ident.InstanceID(id)); err != nil {
			return nil, err
		}
		heavy = append(heavy, id)
	}
	return heavy, nil
}

// seedHeavy makes an instance with many users.
func seedHeavy(ctx context.Context, log *eventlog.Log, id ident.InstanceID) error {
	err := log.Write(ctx, id, userName, func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		name := "heavy-" + string(id) + ".example"
		_, err := eventlog.Begin(ctx, w, instance.Noun, eventlog.Origin{ID: string(id), Owner: string(id)},
			instance.Added{Name: "Heavy", Defaults: 1}, instance.DomainAdded{Domain: name, Generated: true},
			instance.DomainPrimarySet{Domain: name})
		return err
	})
	for done := 0; err == nil && done < heavyUsers; done += heavyBatch {
		err = log.Write(ctx, id, userName, func(ctx context.Context, w *eventlog.Writer) error {
			for n := done; n < done+heavyBatch; n++ {
				text := strconv.Itoa(n)
				_, err := eventlog.Begin(ctx, w, user.Noun, eventlog.Origin{ID: text, Owner: string(id)},
					user.MachineAdded{UserName: "robot-" + text, Name: "Robot " + text, AccessTokenType: "bearer"})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return err
}

// measureFollow reads all pages in order, again and again, and compares those at the end with those at
// the beginning.
func (f *field) measureFollow(ctx context.Context, p *process) (err error) {
	c, err := dialREST(p.addr, f.token)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	pages := f.directory / pageSize
	ends := min(lastPages, pages/2)
	next := []call{func(_ context.Context, n int) error { return c.list(n * pageSize) }}
	if _, err := drive(ctx, next, limit{calls: ends}); err != nil { // to warm up
		return err
	}
	var first, last series
	for range min(followRounds, f.rounds) {
		all, err := drive(ctx, next, limit{calls: pages})
		if err != nil {
			return err
		}
		first = append(first, sample{took: all.took[:ends]})
		last = append(last, sample{took: all.took[pages-ends:]})
	}
	grown := ratio(last, first, p50)
	f.out.add(figure{
		what:     fmt.Sprintf("ListInstances, page %d of %d, read in order, p50", pages, pages),
		value:    msText(last.median(p50)),
		baseline: msText(first.median(p50)) + ", page 1",
		ratio:    grown, target: atMost(grown, 1.25, "1.25 x"),
	})
	return nil
}

// measureRemove lets one client remove ordinary instances and large ones.
func (f *field) measureRemove(ctx context.Context, p *process, heavy []string) (err error) {
	light, err := f.fill(ctx, p.addr, lightCalls*(len(heavy)+1))
	if err != nil {
		return err
	}
	removes := func(ids *[]string) func(*restClient) call {
		return func(c *restClient) call {
			return func(context.Context, int) error {
				if len(*ids) == 0 {
					return errors.New("no instance is left to be removed")
				}
				id := (*ids)[0]
				*ids = (*ids)[1:]
				_, err := c.do(http.MethodDelete, pathGet+id, nil)
				return err
			}
		}
	}
	rounds := len(heavy) - 1 // one is removed to warm up
	c := comparison{token: f.token}
	c.rest("remove instances", p, 1, removes(&light), limit{calls: lightCalls})
	c.rest("remove large instances", p, 1, removes(&heavy), limit{calls: 1})
	all, err := c.run(ctx, rounds)
	if err != nil {
		return err
	}
	const most = 5 // ms
	typical, slow := all[0].median(p50), all[1].pooled().quantile(0.5)
	f.out.add(figure{
		what: "RemoveInstance, 1 client, p50", value: msText(typical), target: atMost(typical, most, digits(most)+" ms"),
	})
	f.out.add(figure{
		what: fmt.Sprintf("that of instances with %d users", heavyUsers), value: msText(slow),
		baseline: msText(typical) + ", ordinary ones", ratio: slow / typical, target: atMost(slow, most, digits(most)+" ms"),
	})
	return nil
}
