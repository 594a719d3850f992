package instance

import (
	"context"
	"fmt"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

// BenchmarkRebuildTable rebuilds the directory of 5,000 instances.
func BenchmarkRebuildTable(b *testing.B) {
	const instances, together = 5_000, 500
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		b.Run(e.Name, func(b *testing.B) {
			db := e.New(b).Open(b)
			keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
			log := eventlog.New(db, keys, ident.SystemClock{}, Noun)
			for done := 0; done < instances; done += together {
				var ids []ident.InstanceID
				for n := range together {
					ids = append(ids, ident.InstanceID(fmt.Sprint(339000000000000000+done+n)))
				}
				err := log.WriteEach(b.Context(), ids, "ada", func(ctx context.Context, w *eventlog.Writer) error {
					if err := w.Create(ctx); err != nil {
						return err
					}
					id := string(w.Instance())
					_, err := eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: id, Owner: id}, Added{Name: id, Defaults: 1},
						DomainAdded{Domain: "g" + id + ".example", Generated: true}, DomainAdded{Domain: "c" + id + ".example"},
						DomainPrimarySet{Domain: "c" + id + ".example"}, DefaultOrgSet{Org: "1"}, ProjectSet{Project: "2"}, ConsoleSet{App: "3"})
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				done, err := log.RebuildTable(b.Context(), "instances", eventlog.Progress{})
				if err != nil || done.Instances != instances || done.Events != 7*instances {
					b.Fatal(done, err)
				}
			}
			b.ReportMetric(float64(b.N*instances)/b.Elapsed().Seconds(), "instances/s")
		})
	}
}
