package member

import (
	"context"
	"fmt"
	"os"
	"strings"
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

// The ids of memberships divide an instance that has more of them than are folded
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

// A database of before memberships had ids is upgraded to the rows that a rebuild gives.
func TestUpgrade(t *testing.T) {
	text, err := os.ReadFile("../store/sqlite/migrations/00015_apps_authorizations.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, update, found := strings.Cut(string(text), "UPDATE members")
	if !found {
		t.Fatal("the migration says nothing of members")
	}
	update, _, _ = strings.Cut(update, ";")
	eachEngine(t, func(f *fixture) {
		f.write("1", func(ctx context.Context, w *eventlog.Writer) error {
			for _, org := range []ident.OrgID{"", "o", "r"} {
				add := Add{Org: org, User: "u", Roles: []string{"X"}}
				if _, err := eventlog.Begin(ctx, w, Noun, add.Origin("1"), add.Decide()...); err != nil {
					return err
				}
			}
			return nil
		})
		f.must(f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := tx.Exec(ctx, `UPDATE members SET member_id = ''`); err != nil {
				return err
			}
			return tx.Exec(ctx, "UPDATE members"+update)
		}))
	}) // which checks the fold
}
