package kit

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// one scans a single column.
func one[T any](row store.Scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// Column returns the values of a query with one column.
func Column[T any](t testing.TB, db store.Querier, sql string, args ...any) []T {
	t.Helper()
	all, err := store.All(context.WithoutCancel(t.Context()), db, one[T], sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return all
}

// listTables are the queries for the names of all tables, by dialect.
var listTables = map[string]string{
	"sqlite":   `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
	"postgres": `SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()`,
}

// Counts returns how many rows each table of the database has, whatever tables there are. The audit
// log is left out: that a call is written down, soon after it, is no change by it.
func Counts(t testing.TB, db store.DB) map[string]int64 {
	t.Helper()
	counts := make(map[string]int64)
	for _, table := range Column[string](t, db, listTables[db.Dialect().Name]) {
		if table == "audit_log" {
			continue
		}
		counts[table] = Column[int64](t, db, `SELECT count(*) FROM "`+table+`"`)[0]
	}
	if len(counts) < 10 {
		t.Fatalf("found only the tables %v", counts)
	}
	return counts
}

// CheckUnchanged fails the test when a table has other numbers of rows than before.
func CheckUnchanged(t testing.TB, db store.DB, before map[string]int64) {
	t.Helper()
	if diff := cmp.Diff(before, Counts(t, db)); diff != "" {
		t.Errorf("the database has changed (-before +now):\n%s", diff)
	}
}

// parts says how many rows of each table an instance starts with, whatever was asked for.
var parts = map[string]int64{
	"instances": 1, "instance_keys": 1, "orgs": 1, "org_domains": 1, "users": 1, "members": 2, "projects": 1, "apps": 4,
}

// wholeSQL finds instances whose parts are all there and refer to each other as they should
// (contract section 1.4).
const wholeSQL = `SELECT i.instance_id FROM instances i
 JOIN instance_keys k ON k.instance_id = i.instance_id
 JOIN orgs o ON o.instance_id = i.instance_id AND o.org_id = i.default_org_id AND o.state = 'active'
 JOIN org_domains od ON od.instance_id = i.instance_id AND od.org_id = o.org_id AND od.is_primary AND od.is_verified
 JOIN users u ON u.instance_id = i.instance_id AND u.org_id = o.org_id AND u.state = 'active'
 JOIN members mo ON mo.instance_id = i.instance_id AND mo.user_id = u.user_id
   AND mo.scope = 'org' AND mo.scope_id = o.org_id AND mo.roles = 'ORG_OWNER'
 JOIN members mi ON mi.instance_id = i.instance_id AND mi.user_id = u.user_id
   AND mi.scope = 'instance' AND mi.scope_id = i.instance_id AND mi.roles = 'IAM_OWNER'
 JOIN projects p ON p.instance_id = i.instance_id AND p.project_id = i.iam_project_id AND p.name = 'ZITADEL'
 JOIN apps a ON a.instance_id = i.instance_id AND a.app_id = i.console_app_id AND a.client_id = i.console_client_id
   AND a.project_id = p.project_id AND a.is_console AND a.auth_method = 'none' AND a.name = 'Management Console'
 JOIN instance_domains d ON d.instance_id = i.instance_id AND d.is_primary
 ORDER BY i.instance_id`

// CheckWhole fails the test when there is half an instance: one of which a part is missing or
// too many, or a part of none. It returns the ids of all instances, in order.
func CheckWhole(t testing.TB, db store.DB) []string {
	t.Helper()
	whole := Column[string](t, db, wholeSQL)
	for _, table := range slices.Sorted(maps.Keys(parts)) {
		var want []string
		for _, id := range whole {
			for range parts[table] {
				want = append(want, id)
			}
		}
		got := Column[string](t, db, `SELECT instance_id FROM `+table+` WHERE instance_id <> $1 ORDER BY instance_id`, ident.System)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("table %s does not have what whole instances have (-want +got):\n%s", table, diff)
		}
	}
	for _, table := range []string{"instance_domains", "events"} {
		got := Column[string](t, db, `SELECT DISTINCT instance_id FROM `+table+` WHERE instance_id <> $1 ORDER BY instance_id`, ident.System)
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("table %s is not about the whole instances (-want +got):\n%s", table, diff)
		}
	}
	apis := Column[string](t, db, `SELECT instance_id FROM apps WHERE kind = 'api' AND auth_method = 'private_key_jwt'
 AND name IN ('Management-API', 'Admin-API', 'Auth-API') ORDER BY instance_id`)
	if len(apis) != 3*len(whole) {
		t.Errorf("%d API applications for %d instances", len(apis), len(whole))
	}
	return whole
}
