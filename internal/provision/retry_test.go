package provision

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/once"
	"castellan/internal/store"
)

// key names a call that asks for request.
func key(name, request string) once.Key {
	return once.Key{Actor: actor, Name: name, Request: sha256.Sum256([]byte(request))}
}

// instances returns how many there are.
func (f *fixture) instances() int {
	f.Helper()
	return len(f.rows(1, `SELECT instance_id FROM instances`))
}

// A retry returns the result of the first call, secrets and all, and does nothing.
func TestRetry(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		first, err := f.service.SetUp(f.Context(), actor, machine(), &k)
		f.must(err)
		if first.Token == "" || len(first.MachineKey) == 0 {
			f.Fatalf("no secrets in %+v", first)
		}
		before := f.dump()
		f.clock.Advance(once.Window - time.Microsecond)
		again, err := f.service.SetUp(f.Context(), actor, machine(), &k)
		f.must(err)
		if diff := cmp.Diff(first, again); diff != "" {
			f.Errorf("the retry returned something else (-first +retry):\n%s", diff)
		}
		f.wantsUnchanged("a retry", before)
		if n := f.keys.calls.Load(); n != 1 {
			f.Errorf("%d keys were taken, want 1", n)
		}

		other := key("k", "another")
		_, err = f.service.SetUp(f.Context(), actor, human(), &other)
		logtest.CheckRefusal(f, err, logtest.Refusal{
			Kind: fault.AlreadyExists, ID: "ONCE-other", Fields: []string{"idempotency-key"},
		})
		f.wantsUnchanged("a refused retry", before)

		f.clock.Advance(time.Microsecond)
		later, err := f.service.SetUp(f.Context(), actor, machine(), &k)
		f.must(err)
		if later.Instance == first.Instance || later.Token == first.Token || f.instances() != 2 {
			f.Errorf("past the window the retry returned %s again", later.Instance)
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}

// Without a key, and with another one, the same wish makes another instance.
func TestNoRetry(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		for _, using := range []*once.Key{nil, nil, &k} {
			_, err := f.service.SetUp(f.Context(), actor, machine(), using)
			f.must(err)
		}
		k = key("other", "request")
		_, err := f.service.SetUp(f.Context(), actor, machine(), &k)
		f.must(err)
		if n := f.instances(); n != 4 {
			f.Errorf("%d instances, want 4", n)
		}
	})
}

// A call that fails does not use up its key.
func TestRetryAfterFailure(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		f.passwords.fail = func(context.Context) error { return errFlaw }
		if _, err := f.service.SetUp(f.Context(), actor, human(), &k); !errors.Is(err, errFlaw) {
			f.Fatalf("SetUp = %v", err)
		}
		f.passwords.fail = nil
		_, err := f.service.SetUp(f.Context(), actor, human(), &k)
		f.must(err)
		if n := f.instances(); n != 1 {
			f.Errorf("%d instances, want 1", n)
		}
	})
}

func TestRetryAfterRemoval(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		k := key("k", "request")
		r, err := f.service.SetUp(f.Context(), actor, machine(), &k)
		f.must(err)
		f.must(f.service.DB.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			return f.keyring.Destroy(ctx, tx, r.Instance)
		}))
		_, err = f.service.SetUp(f.Context(), actor, machine(), &k)
		logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.NotFound, ID: "ONCE-gone1"})
		if n := f.instances(); n != 1 {
			f.Errorf("%d instances, want the one of before", n)
		}
	})
}

// nodes returns services on the same database: two where the engine has several nodes.
func (f *fixture) nodes() []*fixture {
	if f.other == nil && f.database.Engine.MultiNode {
		f.other = setup(f.T, f.database, 2)
	}
	if f.other == nil {
		return []*fixture{f}
	}
	return []*fixture{f, f.other}
}

// outcome is what a call returned.
type outcome struct {
	result Result
	err    error
}

// together makes n calls at the same time, on all nodes, and returns their outcomes.
func (f *fixture) together(n int, call func(f *fixture, i int) (Result, error)) []outcome {
	nodes := f.nodes()
	start := make(chan struct{})
	results := make(chan outcome, n)
	for i := range n {
		go func() {
			<-start
			r, err := call(nodes[i%len(nodes)], i)
			results <- outcome{r, err}
		}()
	}
	close(start)
	all := make([]outcome, n)
	for i := range all {
		all[i] = <-results
	}
	return all
}

// Duplicates that arrive together make one instance and get equal results.
func TestConcurrentDuplicates(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for round := range 3 {
			k := key(fmt.Sprint(round), "request")
			wish := machine()
			wish.CustomDomain = fmt.Sprintf("login%d.acme.example", round)
			all := f.together(10, func(f *fixture, _ int) (Result, error) { return f.service.SetUp(f.Context(), actor, wish, &k) })
			for _, o := range all {
				if o.err != nil {
					f.Errorf("a duplicate was told %v", o.err)
				} else if diff := cmp.Diff(all[0].result, o.result); diff != "" {
					f.Errorf("two results differ:\n%s", diff)
				}
			}
			if n := f.instances(); n != round+1 {
				f.Errorf("%d instances, want %d", n, round+1)
			}
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}

// Of creations that want the same domain one wins; the others are told so, and leave nothing.
func TestRaceForACustomDomain(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		for round := range 3 {
			all := f.together(4, func(f *fixture, i int) (Result, error) {
				wish := machine()
				wish.CustomDomain = fmt.Sprintf("login%d.acme.example", round)
				k := key(fmt.Sprint(round, "-", i), "request")
				return f.service.SetUp(f.Context(), actor, wish, &k)
			})
			won := 0
			for _, o := range all {
				if o.err == nil {
					won++
					continue
				}
				logtest.CheckRefusal(f, o.err, logtest.Refusal{
					Kind: fault.AlreadyExists, ID: "V3-DKcYh", Fields: []string{"custom_domain"},
				})
			}
			if won != 1 || f.instances() != round+1 {
				f.Errorf("%d creations won and there are %d instances, want 1 and %d", won, f.instances(), round+1)
			}
		}
		events := len(f.rows(1, `SELECT instance_id FROM events`))
		if want := 3 * 25; events != want {
			f.Errorf("%d events, want %d", events, want)
		}
		logtest.CheckFold(f, f.service.DB, f.service.Log)
	})
}
