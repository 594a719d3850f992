package rows

import (
	"path/filepath"
	"strings"
	"testing"

	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestPages(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		page := Page{Answer: []byte("said"), Reads: []Read{
			{SQL: `SELECT key_id FROM master_key`, Columns: "y"},
			{SQL: `SELECT $1, slot, granted_until, NULL FROM id_grants WHERE slot < 3`, Args: []string{"x"}, Columns: "siis"},
			{SQL: `SELECT token_id FROM personal_access_tokens WHERE instance_id = $1 AND token_hash = $2`, Args: []string{"1"},
				Bytes: []byte{1}, Columns: "s"},
			{SQL: `SELECT is_stopped FROM instances WHERE instance_id = $1`, Args: []string{"1"}, Columns: "b"},
		}}
		path := filepath.Join(t.TempDir(), "pages")
		if err := SavePages(path, map[string]Page{"/x": page}); err != nil {
			t.Fatal(err)
		}
		pages, err := LoadPages(path)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := pages["/x"].Serve(t.Context(), db)
		if err != nil || string(answer) != "said" {
			t.Errorf("%q, %v", answer, err)
		}
		for name, bad := range map[string]Read{
			"no such table":   {SQL: `SELECT x FROM nothing`, Columns: "s"},
			"no such type":    {SQL: `SELECT slot FROM id_grants`, Columns: "f"},
			"too few columns": {SQL: `SELECT slot, granted_until FROM id_grants`, Columns: "i"},
		} {
			if answer, err := (Page{Reads: []Read{bad}}).Serve(t.Context(), db); err == nil || answer != nil {
				t.Errorf("%s: %q", name, answer)
			}
		}
		if _, err := LoadPages(path + "x"); err == nil || !strings.Contains(err.Error(), "pages") {
			t.Errorf("no file: %v", err)
		}
	})
}
