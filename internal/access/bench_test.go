package access

import (
	"context"
	"testing"

	"castellan/internal/store/storetest"
)

// BenchmarkDirectory is what the questions cost that a call at a host asks: the host, whose a token is and
// what that user may, where a thing lies. Each stands beside that for a host alone in the same run, one read
// by key.
func BenchmarkDirectory(b *testing.B) {
	for _, e := range []storetest.Engine{storetest.SQLite(), storetest.Postgres()} {
		f := newFixture(b, e.New(b).Open(b))
		tokens := f.giveTokens()
		personal, sealed := f.tokens["ada"].Reveal(), f.accessToken(tokens, nil)
		for _, q := range []struct {
			name string
			ask  func(ctx context.Context) error
		}{
			{"host", func(ctx context.Context) error { _, err := f.dir.ByOrigin(ctx, at("a.example:8080")); return err }},
			{"personal", func(ctx context.Context) error {
				_, err := f.dir.ByBearer(ctx, at("a.example:8080"), personal)
				return err
			}},
			{"sealed", func(ctx context.Context) error {
				_, err := f.dir.ByBearer(ctx, at("a.example:8080"), sealed)
				return err
			}},
			{"owner", func(ctx context.Context) error {
				_, err := f.dir.Owner(ctx, "A", Thing{Kind: UserKind, ID: "ada"})
				return err
			}},
			{"org", func(ctx context.Context) error { _, err := f.dir.FindOrg(ctx, "A", "home.a.example"); return err }},
		} {
			b.Run(q.name+"/"+e.Name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := q.ask(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
