package member

import (
	"context"
	"fmt"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// The expression for the id of a membership divides an instance that has more of them than are folded
// in one transaction, in the order in which the log has their ids.
func TestRebuildOfMany(t *testing.T) {
	const each = 1200
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
		log := eventlog.New(db, keys, ident.NewManualClock(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)), Noun)
		err := log.Write(t.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			if err := w.Create(ctx); err != nil {
				return err
			}
			for i := range each {
				for _, org := range []ident.OrgID{"", "a", "B", "ä"} {
					add := Add{Org: org, User: ident.UserID(fmt.Sprint(i)), Roles: []string{"OWNER"}}
					if _, err := eventlog.Begin(ctx, w, Noun, add.Origin("1"), add.Decide()...); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `UPDATE members SET roles = 'FORGED'`)
		})
		if err != nil {
			t.Fatal(err)
		}
		done, err := log.RebuildTable(t.Context(), "members", eventlog.Progress{})
		if err != nil || done.Events != 4*each {
			t.Errorf("rebuilt %+v, %v", done, err)
		}
		logtest.CheckFold(t, db, log)
	})
}
