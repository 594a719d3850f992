package member

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// What counts of a user's memberships is that of the instance, and in its own organization.
func TestHeld(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		err := f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error {
			for i, m := range [][4]string{
				{"instance", "1", "1", "IAM_OWNER_VIEWER IAM_OWNER"},
				{"org", "o", "o", "ORG_OWNER IAM_OWNER"},
				{"project", "p", "o", "PROJECT_OWNER PROJECT_GRANT_OWNER"},
				{"org", "r", "r", "ORG_OWNER"},
				{"project_grant", "g", "r", "PROJECT_GRANT_OWNER"},
				{"project_grant", "to o", "r", "PROJECT_GRANT_OWNER"},
			} {
				err := tx.Exec(ctx, `INSERT INTO members (instance_id, user_id, scope, scope_id, owner, roles, member_id, sequence, created_at, changed_at)
 VALUES ('1', 'x', $1, $2, $3, $4, $5, 1, 1, 1)`, m[0], m[1], m[2], m[3], string(rune('a'+i)))
				if err != nil {
					return err
				}
			}
			err := tx.Exec(ctx, `INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state, sequence, created_at, changed_at)
 VALUES ('1', 'to o', 'granted', 'r', 'o', '[]', 'active', 1, 1, 1)`)
			if err != nil {
				return err
			}
			return tx.Exec(ctx, `INSERT INTO users (instance_id, user_id, org_id, login_key, username, kind, state, name, access_token_type, first_name,
 last_name, display_name, preferred_language, email, email_verified, password_hash, password_change_required, sequence, created_at, changed_at)
 VALUES ('1', 'x', 'o', 'x', 'x', 'machine', 'active', '', '', '', '', '', '', '', FALSE, '', FALSE, 1, 1, 1)`)
		})
		if err != nil {
			f.Fatal(err)
		}
		got, err := Held(f.Context(), f.db, "1", "x")
		want := []Holding{
			{Instance, "1", "1", "", []string{"IAM_OWNER_VIEWER", "IAM_OWNER"}},
			{Org, "o", "o", "", []string{"ORG_OWNER"}},
			{Project, "p", "o", "", []string{"PROJECT_OWNER"}},
			{ProjectGrant, "to o", "r", "o", []string{"PROJECT_GRANT_OWNER"}},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			f.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for _, nobody := range []struct {
			at ident.InstanceID
			id ident.UserID
		}{{"2", "x"}, {"1", "404"}} {
			if got, err := Held(f.Context(), f.db, nobody.at, nobody.id); err != nil || len(got) != 0 {
				f.Errorf("%+v holds %v, %v", nobody, got, err)
			}
		}
		err = f.db.Update(f.Context(), func(ctx context.Context, tx store.Tx) error { // no fold of events
			if err := tx.Exec(ctx, `DELETE FROM members WHERE user_id = 'x'`); err != nil {
				return err
			}
			if err := tx.Exec(ctx, `DELETE FROM project_grants WHERE project_id = 'granted'`); err != nil {
				return err
			}
			return tx.Exec(ctx, `DELETE FROM users WHERE user_id = 'x'`)
		})
		if err != nil {
			f.Error(err)
		}
	})
}

func TestHoldingIn(t *testing.T) {
	for _, c := range []struct {
		what Holding
		in   call.Reach
		want bool
	}{
		{Holding{Scope: Instance}, call.Reach{Instance: true}, true},
		{Holding{Scope: Instance}, call.Reach{Orgs: []ident.OrgID{"o"}}, false},
		{Holding{Scope: Org, ScopeID: "o"}, call.Reach{Orgs: []ident.OrgID{"o"}}, true},
		{Holding{Scope: Org, ScopeID: "o"}, call.Reach{Orgs: []ident.OrgID{"r"}}, false},
		{Holding{Scope: Project, ScopeID: "p", Owner: "o"}, call.Reach{Orgs: []ident.OrgID{"o"}}, true},
		{Holding{Scope: Project, ScopeID: "p", Owner: "o"}, call.Reach{Projects: []ident.ProjectID{"p"}}, true},
		{Holding{Scope: Project, ScopeID: "p", Owner: "o"}, call.Reach{Orgs: []ident.OrgID{"r"}, Projects: []ident.ProjectID{"q"}}, false},
		{Holding{Scope: ProjectGrant, ScopeID: "g", Owner: "r"}, call.Reach{Grants: []ident.GrantID{"g"}}, true},
		{Holding{Scope: ProjectGrant, ScopeID: "g", Owner: "r"}, call.Reach{Orgs: []ident.OrgID{"r"}}, true},
		{Holding{Scope: ProjectGrant, ScopeID: "g", Owner: "r"}, call.Reach{Projects: []ident.ProjectID{"p"}}, false},
		{Holding{Scope: ProjectGrant, ScopeID: "g", Owner: "r"}, call.Reach{Orgs: []ident.OrgID{""}}, false},
		{Holding{Scope: ProjectGrant, ScopeID: "g", Owner: "r", Granted: "o"}, call.Reach{Orgs: []ident.OrgID{"o"}}, true},
	} {
		if got := c.what.In(c.in); got != c.want {
			t.Errorf("%+v in %+v: %v", c.what, c.in, got)
		}
	}
}
