package idgrant_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

func mustClaim(t *testing.T, g *idgrant.Grants, now time.Time) ident.Grant {
	t.Helper()
	grant, err := g.Claim(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

// checkApart fails when two grants of a slot overlap.
func checkApart(t *testing.T, grants []ident.Grant) {
	t.Helper()
	slices.SortFunc(grants, func(a, b ident.Grant) int {
		if a.Slot != b.Slot {
			return a.Slot - b.Slot
		}
		return a.From.Compare(b.From)
	})
	for i, g := range grants {
		if !g.From.Before(g.Until) || g.Slot < 0 || g.Slot >= ident.Slots {
			t.Errorf("grant %v is of no use", g)
		}
		if i > 0 && grants[i-1].Slot == g.Slot && g.From.Before(grants[i-1].Until) {
			t.Errorf("grants %v and %v overlap", grants[i-1], g)
		}
	}
}

func TestClaimCoversNow(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		g := idgrant.New(db)
		want := ident.Grant{Slot: 0, From: start, Until: start.Add(idgrant.Lease)}
		if got := mustClaim(t, g, start); got != want {
			t.Errorf("the first grant is %v, want %v", got, want)
		}
		want.Slot = 1
		if got := mustClaim(t, idgrant.New(db), start); got != want {
			t.Errorf("the second grant is %v, want %v", got, want)
		}
		behind := mustClaim(t, g, start.Add(-time.Hour)) // a clock behind finds slots that are free for it too
		if behind.Slot != 2 || !behind.From.Equal(start.Add(-time.Hour)) {
			t.Errorf("a node with its clock behind gets %v", behind)
		}
	})
}

func TestWhenNoSlotIsFree(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `UPDATE id_grants SET granted_until = $1 + slot`, store.Micros(start.Add(time.Hour)))
		})
		if err != nil {
			t.Fatal(err)
		}
		free := start.Add(time.Hour)
		want := ident.Grant{Slot: 0, From: free, Until: free.Add(idgrant.Lease)}
		if got := mustClaim(t, idgrant.New(db), start); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestConcurrentClaimsNeverOverlap(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		const nodes, rounds = 8, 6
		var mu sync.Mutex
		var all []ident.Grant
		var group sync.WaitGroup
		for n := range nodes {
			g := idgrant.New(db)
			group.Go(func() {
				for r := range rounds {
					skew := time.Duration(n-nodes/2) * 3 * time.Minute
					grant, err := g.Claim(t.Context(), start.Add(skew+time.Duration(r)*idgrant.Lease))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					all = append(all, grant)
					mu.Unlock()
				}
			})
		}
		group.Wait()
		checkApart(t, all)
		for _, grant := range all {
			if grant.Slot >= nodes*rounds {
				t.Errorf("slot %d was taken though a lower one was never used", grant.Slot)
			}
		}
	})
}

// TestSlotsComeRound goes through all slots twice.
func TestSlotsComeRound(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		g := idgrant.New(db)
		now := start
		var all []ident.Grant
		for range 2*ident.Slots + 3 {
			grant := mustClaim(t, g, now)
			if !grant.From.Equal(now) {
				t.Fatalf("grant %v does not cover %s though slots are free", grant, now)
			}
			all = append(all, grant)
			now = grant.Until
		}
		checkApart(t, all)
	})
}

func TestIdsOfSeveralNodesAreUnique(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		const nodes, rounds, batch = 4, 5, 500
		var mu sync.Mutex
		seen := make(map[string]bool)
		var group sync.WaitGroup
		for n := range nodes {
			clock := ident.NewManualClock(start.Add(time.Duration(n) * time.Second))
			source := ident.NewSource(idgrant.New(db), clock)
			group.Go(func() {
				for range rounds {
					ids, err := source.Next(t.Context(), batch)
					if err != nil {
						t.Error(err)
						return
					}
					clock.Advance(idgrant.Lease / 2)
					mu.Lock()
					for _, id := range ids {
						if seen[id] {
							t.Errorf("id %s was made twice", id)
						}
						seen[id] = true
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if len(seen) != nodes*rounds*batch {
			t.Errorf("%d ids were made, want %d", len(seen), nodes*rounds*batch)
		}
	})
}

func TestErrors(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		source := ident.NewSource(idgrant.New(db), ident.NewManualClock(start))
		err := db.Update(t.Context(), func(ctx context.Context, _ store.Tx) error {
			_, err := source.Next(ctx, 1)
			return err
		})
		if !errors.Is(err, store.ErrNested) {
			t.Errorf("claimed in a transaction: %v, want ErrNested", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := source.Next(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if ids, err := source.Next(t.Context(), 1); err != nil || len(ids) != 1 {
			t.Errorf("after errors: %v, %v", ids, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := idgrant.New(db).Claim(t.Context(), start); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("closed: %v, want ErrUnavailable", err)
		}
	})
}
