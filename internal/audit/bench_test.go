package audit

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store/storetest"
)

// BenchmarkRecord is what an entry costs in all, with a log that is written as fast as it can be: the
// queue is full for most of the time, so a call waits for the database.
func BenchmarkRecord(b *testing.B) {
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			log, err := New(Config{
				DB: e.New(b).Open(b), Clock: ident.SystemClock{}, Logger: slog.New(slog.DiscardHandler), Interval: time.Millisecond,
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- log.Run(ctx) }()
			mine := entry(0)
			b.ReportAllocs()
			for b.Loop() {
				slot, err := log.Reserve(ctx)
				if err != nil {
					b.Fatal(err)
				}
				slot.Record(mine)
			}
			b.StopTimer()
			stop()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}
