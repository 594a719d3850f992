package usage

import (
	"context"
	"fmt"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

// BenchmarkAdmit is what a quota costs a call: of one instance, of ten thousand in turn, and from all
// processors at once. It writes nothing, and without a limit reads nothing.
func BenchmarkAdmit(b *testing.B) {
	const instances = 10_000
	ids := make([]ident.InstanceID, instances)
	terms := make([]quota.Terms, instances)
	for i := range ids {
		ids[i] = ident.InstanceID(fmt.Sprint(312909075212468632 + i))
		terms[i] = quota.Terms{
			Quota: ident.QuotaID(fmt.Sprint(412909075212468632 + i)), Unit: quota.RequestsAllAuthenticated,
			From: from, Interval: time.Hour, Amount: quota.MaxAmount, Limited: true,
		}
	}
	// meter knows all counters, so that no database is asked.
	meter := func() *Meter {
		m := New(Config{Clock: ident.SystemClock{}})
		for i := range ids {
			for _, at := range []time.Time{m.cfg.Clock.Now(), m.cfg.Clock.Now().Add(time.Hour)} {
				period, _ := terms[i].Period(at)
				m.counterOf(key{ids[i], terms[i].Quota, terms[i].Unit, terms[i].Schedule(), period.UnixMicro()}).loaded = true
			}
		}
		return m
	}
	ctx := context.Background()
	b.Run("one", func(b *testing.B) {
		m := meter()
		b.ReportAllocs()
		for b.Loop() {
			if err := m.Admit(ctx, ids[0], terms[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("many", func(b *testing.B) {
		m := meter()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i = (i + 1) % instances
			if err := m.Admit(ctx, ids[i], terms[i]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		m := meter()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			i := 0
			for pb.Next() {
				i = (i + 1) % instances
				if err := m.Admit(ctx, ids[i], terms[i]); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("baseline: no quota", func(b *testing.B) {
		m := meter()
		for b.Loop() {
			if err := m.Admit(ctx, ids[0], quota.Terms{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkFlush is one tick in which a thousand instances have used their quotas.
func BenchmarkFlush(b *testing.B) {
	const instances = 1000
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			db := e.New(b).Open(b)
			clock := ident.NewManualClock(from)
			keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
			m := New(Config{DB: db, Log: eventlog.New(db, keys, clock, quota.Noun), Clock: clock})
			terms := make([]quota.Terms, instances)
			err := db.Update(b.Context(), func(ctx context.Context, tx store.Tx) error {
				for i := range terms {
					terms[i] = quota.Terms{Quota: ident.QuotaID(fmt.Sprint("q", i)), Unit: 1, From: from, Interval: time.Hour, Amount: 1}
					err := tx.Exec(ctx, `INSERT INTO quotas (instance_id, unit, quota_id, period_from, reset_interval, amount,
 is_limited, notifications, sequence, created_at, changed_at) VALUES ($1, 1, $2, $3, 3600000000, 1000000000, FALSE, '[]', 1, 0, 0)`,
						fmt.Sprint("i", i), string(terms[i].Quota), store.Micros(from))
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for i, t := range terms {
					m.Count(ident.InstanceID(fmt.Sprint("i", i)), t, 3)
				}
				if err := m.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
