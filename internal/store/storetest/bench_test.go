package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"castellan/internal/store"
)

// benchTables are shaped like the log and the state of a noun.
var benchTables = []string{
	`CREATE TABLE bench_events (
	number      {serial},
	commit_id   {int} NOT NULL,
	instance_id {text} NOT NULL,
	kind        {text} NOT NULL,
	subject     {text} NOT NULL,
	sequence    {int} NOT NULL,
	event_type  {text} NOT NULL,
	actor       {text} NOT NULL,
	created_at  {int} NOT NULL,
	payload     {bytes} NOT NULL,
	UNIQUE (instance_id, kind, subject, sequence)
) {strict}`,
	`CREATE INDEX bench_events_order ON bench_events (commit_id, number)`,
	`CREATE TABLE bench_states (
	instance_id {text} NOT NULL,
	id          {text} NOT NULL,
	name        {text} NOT NULL,
	active      {bool} NOT NULL,
	changed_at  {int} NOT NULL,
	body        {bytes} NOT NULL,
	PRIMARY KEY (instance_id, id)
) {strict}`,
	`CREATE INDEX bench_states_name ON bench_states (instance_id, name)`,
}

func benchDatabase(b *testing.B, e Engine) store.DB {
	b.Helper()
	db := e.New(b).Open(b)
	for _, table := range benchTables {
		err := db.Update(b.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, e.DDL(table)) })
		if err != nil {
			b.Fatal(err)
		}
	}
	return db
}

var benchPayload = make([]byte, 150)

// createLike writes as much as the creation of an instance: 25 events and 20 rows.
func createLike(ctx context.Context, db store.DB, instance string) error {
	event := `INSERT INTO bench_events (commit_id, instance_id, kind, subject, sequence, event_type, actor, created_at, payload)
VALUES (` + db.Dialect().CommitID + `, $1, $2, $3, $4, $5, $6, $7, $8)`
	const state = `INSERT INTO bench_states (instance_id, id, name, active, changed_at, body) VALUES ($1, $2, $3, $4, $5, $6)`
	return db.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		for i := range 25 {
			subject := fmt.Sprintf("2890000000000000%02d", i/3)
			if err := tx.Exec(ctx, event, instance, "user", subject, i, "user.human.added", "system", int64(i), benchPayload); err != nil {
				return err
			}
		}
		for i := range 20 {
			id := fmt.Sprintf("2890000000000000%02d", i)
			if err := tx.Exec(ctx, state, instance, id, "name-"+id, true, int64(i), benchPayload); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkCreate measures transactions of 45 inserts, by callers that each wait for their answer.
func BenchmarkCreate(b *testing.B) {
	for _, e := range []Engine{SQLite(), Postgres()} {
		for _, callers := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("%s/callers=%d", e.Name, callers), func(b *testing.B) {
				db := benchDatabase(b, e)
				b.ResetTimer()
				benchCallers(b, callers, func(i int64) error { return createLike(b.Context(), db, fmt.Sprint(3e17+i)) })
			})
		}
	}
}

// BenchmarkPointRead measures reads of one row by its key.
func BenchmarkPointRead(b *testing.B) {
	for _, e := range []Engine{SQLite(), Postgres()} {
		for _, callers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/callers=%d", e.Name, callers), func(b *testing.B) {
				db := benchDatabase(b, e)
				for i := range 100 {
					if err := createLike(b.Context(), db, fmt.Sprint(i)); err != nil {
						b.Fatal(err)
					}
				}
				b.ResetTimer()
				benchCallers(b, callers, func(i int64) error {
					_, err := store.One(b.Context(), db, func(row store.Scanner) (v struct {
						id, name string
						active   bool
						at       int64
						body     []byte
					}, err error,
					) {
						return v, row.Scan(&v.id, &v.name, &v.active, &v.at, &v.body)
					}, `SELECT id, name, active, changed_at, body FROM bench_states WHERE instance_id = $1 AND id = $2`,
						fmt.Sprint(i%100), "289000000000000007")
					return err
				})
			})
		}
	}
}

// benchCallers runs op b.N times from callers at once and reports the spread of its latency.
func benchCallers(b *testing.B, callers int, op func(i int64) error) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	took := make([]time.Duration, b.N)
	for range callers {
		group.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				start := time.Now()
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}
