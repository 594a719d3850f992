package project

import (
	"context"
	"fmt"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what lists of this package are sorted by. Those a list does not have are the date of creation.
type Column uint8

// The columns, of which the date of creation is the default.
const (
	ByCreation Column = iota
	ByChange
	ByID
	ByName
)

// Listed is a project, or a grant of one, in a list of both.
type Listed struct {
	State
	// Grant is set for a grant of the project, whose dates stand in place of those of the project.
	Grant *Grant
	// GrantedOrgName is the name of the organization to which the project is granted.
	GrantedOrgName string
}

// Search says which projects and grants of an instance are wanted. All conditions must hold.
type Search struct {
	Page search.Page
	By   Column
	// Projects and Grants are on which of them the caller holds the permission to read each.
	Projects, Grants call.Reach
	Names            []search.Text
	IDs              [][]string
	// Owned, Granted and Either are organizations: that own the project, that it is granted to, or one of
	// these.
	Owned, Granted, Either []ident.OrgID
}

// both is a table of projects and grants. The id of a row is that of the project or of the grant, behind a
// letter that says which.
const both = `(SELECT p.instance_id, p.project_id, 'p' || p.project_id AS row_id, p.org_id, '' AS granted_org_id,
 '' AS grant_id, p.name, n.name_key, p.created_at, p.changed_at
 FROM projects p JOIN project_names n ON n.instance_id = p.instance_id AND n.project_id = p.project_id
 UNION ALL
 SELECT g.instance_id, g.project_id, 'g' || g.grant_id AS row_id, g.org_id, g.granted_org_id,
 g.grant_id, p.name, n.name_key, g.created_at, g.changed_at
 FROM project_grants g
 JOIN projects p ON p.instance_id = g.instance_id AND p.project_id = g.project_id
 JOIN project_names n ON n.instance_id = p.instance_id AND n.project_id = p.project_id) AS l`

// listedSQL reads grants with their projects, and what the organizations are called.
const listedSQL = `SELECT p.instance_id, p.project_id, p.org_id, p.name, p.state, p.role_assertion, p.authorization_required,
 p.project_access_required, p.private_labeling, p.sequence, p.created_at, p.changed_at,
 g.instance_id, g.grant_id, g.project_id, g.org_id, g.granted_org_id, g.role_keys, g.state, g.sequence, g.created_at, g.changed_at,
 o.name
 FROM project_grants g
 JOIN projects p ON p.instance_id = g.instance_id AND p.project_id = g.project_id
 LEFT JOIN orgs o ON o.instance_id = g.instance_id AND o.org_id = g.granted_org_id
 WHERE g.instance_id = $1 AND `

// List returns a page of the projects of an instance and of their grants, and how many are on all pages. It
// returns the errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s Search) (total int, page []Listed, err error) {
	by := map[Column]string{ByChange: "l.changed_at", ByID: "l.project_id", ByName: "l.name"}[s.By]
	if by == "" {
		by = "l.created_at"
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		var ids []string
		if total, ids, err = s.list(db.Dialect(), at).Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		var projects, grants []string
		for _, id := range ids {
			if id[0] == 'p' {
				projects = append(projects, id[1:])
			} else {
				grants = append(grants, id[1:])
			}
		}
		found, err := store.All(ctx, q, scanOne, `SELECT `+projectColumns+` FROM projects
 WHERE instance_id = $1 AND `+db.Dialect().InList("project_id", "$2"), string(at), projects)
		if err != nil {
			return err
		}
		granted, err := store.All(ctx, q, scanListed, listedSQL+db.Dialect().InList("g.grant_id", "$2"), string(at), grants)
		page = listing.Sort(ids, append(found, granted...), Listed.row)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the projects of instance %s: %w", at, err)
	}
	return total, page, nil
}

// row is the id of the row in both.
func (l Listed) row() string {
	if l.Grant != nil {
		return "g" + l.Grant.ID
	}
	return "p" + l.ID
}

// list returns the list that a search makes.
func (s Search) list(dialect *store.Dialect, at ident.InstanceID) *listing.List {
	l := listing.New(dialect, both, "l.row_id")
	l.And("l.instance_id = " + l.Arg(string(at)))
	l.Any(
		"l.grant_id = '' AND "+l.Reached(s.Projects, listing.Columns{Org: "l.org_id", Project: "l.project_id"}),
		"l.grant_id <> '' AND "+l.Reached(s.Grants, grantReach("l")),
	)
	for _, condition := range s.Names {
		l.Text("l.name", "l.name_key", condition)
	}
	for _, ids := range s.IDs {
		l.Among("l.project_id", ids...)
	}
	for _, org := range s.Owned {
		l.And("l.org_id = " + l.Arg(string(org)))
	}
	for _, org := range s.Granted {
		l.And("l.granted_org_id = " + l.Arg(string(org)))
	}
	for _, org := range s.Either {
		param := l.Arg(string(org))
		l.Any("l.org_id = "+param, "l.granted_org_id = "+param)
	}
	return l
}

// grantReach says where a grant in a table lies.
func grantReach(table string) listing.Columns {
	return listing.Columns{
		Org: table + ".org_id", OtherOrg: table + ".granted_org_id", Project: table + ".project_id", Grant: table + ".grant_id",
	}
}

// GrantSearch says which grants of an instance are wanted. All conditions must hold.
type GrantSearch struct {
	Page search.Page
	By   Column // ByID is by the id of the project
	// Shown is on which of them the caller holds the permission to read.
	Shown    call.Reach
	Names    []search.Text // of the project
	RoleKeys []search.Text // one of its roles meets the condition
	IDs      [][]string    // of the project
	Owned    []ident.OrgID // who owns the project
	Granted  []ident.OrgID // to whom it is granted
}

// ListGrants returns a page of the grants of an instance, and how many are on all pages. It returns the
// errors of store.DB.
func ListGrants(ctx context.Context, db store.DB, at ident.InstanceID, s GrantSearch) (total int, page []Listed, err error) {
	by := map[Column]string{ByChange: "g.changed_at", ByID: "g.project_id"}[s.By]
	if by == "" {
		by = "g.created_at"
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l, err := s.list(ctx, q, db.Dialect(), at)
		if err != nil {
			return err
		}
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, scanListed, listedSQL+db.Dialect().InList("g.grant_id", "$2"), string(at), ids)
		page = listing.Sort(ids, found, func(l Listed) string { return l.Grant.ID })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the grants of projects of instance %s: %w", at, err)
	}
	return total, page, nil
}

// list returns the list that a search makes.
func (s GrantSearch) list(ctx context.Context, q store.Querier, dialect *store.Dialect, at ident.InstanceID) (*listing.List, error) {
	from := "project_grants g"
	if len(s.Names) > 0 {
		from += ` JOIN projects p ON p.instance_id = g.instance_id AND p.project_id = g.project_id
 JOIN project_names n ON n.instance_id = p.instance_id AND n.project_id = p.project_id`
	}
	l := listing.New(dialect, from, "g.grant_id")
	l.And("g.instance_id = " + l.Arg(string(at)))
	l.Within(s.Shown, grantReach("g"))
	for _, condition := range s.Names {
		l.Text("p.name", "n.name_key", condition)
	}
	for _, ids := range s.IDs {
		l.Among("g.project_id", ids...)
	}
	for _, org := range s.Owned {
		l.And("g.org_id = " + l.Arg(string(org)))
	}
	for _, org := range s.Granted {
		l.And("g.granted_org_id = " + l.Arg(string(org)))
	}
	for _, condition := range s.RoleKeys {
		if condition.Method == search.Equals {
			l.And(`EXISTS (SELECT 1 FROM project_grant_roles r WHERE r.instance_id = g.instance_id AND r.grant_id = g.grant_id
 AND r.role_key = ` + l.Arg(condition.Value) + `)`)
			continue
		}
		grants, err := grantsWith(ctx, q, at, condition)
		if err != nil {
			return nil, err
		}
		l.Among("g.grant_id", grants...)
	}
	return l, nil
}

// grantsWith returns the grants of an instance with a role whose key meets a condition.
func grantsWith(ctx context.Context, q store.Querier, at ident.InstanceID, condition search.Text) (grants []string, err error) {
	match := condition.Matcher()
	_, err = store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		var grant, key string
		if err := row.Scan(&grant, &key); err != nil {
			return none, err
		}
		if match(key) {
			grants = append(grants, grant)
		}
		return none, nil
	}, `SELECT grant_id, role_key FROM project_grant_roles WHERE instance_id = $1`, string(at))
	return grants, err
}

// RoleSearch says which roles of a project are wanted. All conditions must hold.
type RoleSearch struct {
	Page         search.Page
	By           Column // ByID is by the key
	Keys         []search.Text
	DisplayNames []search.Text
}

// ListRoles returns a page of the roles of a project, and how many are on all pages. It returns [NotFound]
// when there is no such project, and the errors of store.DB.
func ListRoles(ctx context.Context, db store.DB, at ident.InstanceID, of ident.ProjectID, s RoleSearch) (total int, page []Role, err error) {
	by := map[Column]string{ByChange: "changed_at", ByID: "role_key"}[s.By]
	if by == "" {
		by = "created_at"
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		if _, err := Get(ctx, q, at, of); err != nil {
			return err
		}
		l := listing.New(db.Dialect(), "project_roles", "role_key")
		l.And("instance_id = " + l.Arg(string(at)) + " AND project_id = " + l.Arg(string(of)))
		l.Compare("role_key", s.Keys...)
		l.Compare("display_name", s.DisplayNames...)
		var keys []string
		if total, keys, err = l.Find(ctx, q, s.Page, by); err != nil || len(keys) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, scanRole, `SELECT `+roleColumns+` FROM project_roles
 WHERE instance_id = $1 AND project_id = $2 AND `+db.Dialect().InList("role_key", "$3"), string(at), string(of), keys)
		page = listing.Sort(keys, found, func(r Role) string { return r.Key })
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return total, page, nil
}

// scanOne reads a project.
func scanOne(row store.Scanner) (Listed, error) {
	s, err := scan(row)
	return Listed{State: s}, err
}

// scanListed reads a grant with its project.
func scanListed(row store.Scanner) (l Listed, err error) {
	var name *string
	// The columns of both follow each other in one row: what reads the first is given the second to go on.
	l.State, err = scan(scanner(func(project ...any) error {
		g, err := scanGrant(scanner(func(grant ...any) error {
			return row.Scan(append(append(project, grant...), &name)...)
		}))
		l.Grant = &g
		return err
	}))
	if name != nil {
		l.GrantedOrgName = *name
	}
	return l, err
}

// scanner is a function that scans.
type scanner func(dest ...any) error

// Scan implements store.Scanner.
func (f scanner) Scan(dest ...any) error { return f(dest...) }
