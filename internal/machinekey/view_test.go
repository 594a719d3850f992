package machinekey

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/credential"
	"castellan/internal/ident"
)

// TestList: what is listed is what was made, of one instance; package credential has the rest.
func TestList(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		text := publicPEM(f.T)
		var made []State
		for _, at := range []ident.InstanceID{"1", "2"} {
			for _, user := range []ident.UserID{"ci", "bot"} {
				s, _, err := f.keys.Add(f.Context(), at, "bob", Wish{User: user, Expires: start.AddDate(1, 0, 0), PublicKey: text})
				f.must(err)
				made = append(made, s)
			}
		}
		total, page, err := List(f.Context(), f.db, "1", credential.Search{
			Within: call.Reach{Instance: true}, By: credential.ByUser,
		})
		f.must(err)
		if diff := cmp.Diff([]State{made[0], made[1]}, page); total != 2 || diff != "" {
			f.Errorf("%d listed, want those that were made, the last user first (-want +got):\n%s", total, diff)
		}
	})
}
