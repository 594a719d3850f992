package claims

import (
	"context"
	"fmt"
	"slices"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// projectsSQL reads which projects of a list there are and may be used, and the instance's own when $3 is
// true. LIST stands where the condition on the list is.
const projectsSQL = `SELECT p.project_id FROM projects p
 JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id AND o.state = 'active'
 WHERE p.instance_id = $1 AND p.state = 'active' AND LIST
 UNION
 SELECT p.project_id FROM instances i
 JOIN projects p ON p.instance_id = i.instance_id AND p.project_id = i.iam_project_id AND p.state = 'active'
 JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id AND o.state = 'active'
 WHERE i.instance_id = $1 AND $3`

// Audience returns who a token is for that names projects, and perhaps the instance's own: the ids of those
// that are there and may be used, each once, in the order given and the own last. What is not there is
// left out, so that no token carries an audience of its client's invention. It returns the errors of
// store.DB, and asks it nothing when nothing is named.
func (c *Claims) Audience(ctx context.Context, at ident.InstanceID, projects []ident.ProjectID, own bool) ([]string, error) {
	if len(projects) == 0 && !own {
		return nil, nil
	}
	list := make([]string, len(projects))
	for i, p := range projects {
		list[i] = string(p)
	}
	found, err := store.All(ctx, c.db, func(row store.Scanner) (id string, err error) {
		return id, row.Scan(&id)
	}, c.projectsSQL, at, list, own)
	if err != nil {
		return nil, fmt.Errorf("read projects of instance %s: %w", at, err)
	}
	place := func(id string) int {
		if i := slices.Index(list, id); i >= 0 {
			return i
		}
		return len(list)
	}
	slices.SortFunc(found, func(a, b string) int { return place(a) - place(b) })
	return found, nil
}
