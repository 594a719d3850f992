package authorization

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// What follows reads tables of other nouns, and holds the rows on which an authorization rests: until the
// transaction ends nobody removes the user, the project or a role, nor changes the grant.

func scanText(row store.Scanner) (text string, err error) { return text, row.Scan(&text) }

// holdUser returns COMMAND-4f8sg when there is no such user, or it is of an organization whose users are not
// for the caller to give anything.
func holdUser(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, id ident.UserID, whom func(ident.OrgID) bool) error {
	org, err := store.One(ctx, tx, scanText, `SELECT org_id FROM users WHERE instance_id = $1 AND user_id = $2`+d.ForKeyShare,
		string(instance), string(id))
	if errors.Is(err, store.ErrNotFound) || err == nil && whom != nil && !whom(ident.OrgID(org)) {
		return errNoUser
	}
	if err != nil {
		return fmt.Errorf("hold a user of instance %s: %w", instance, err)
	}
	return nil
}

// terms returns what an organization can give of a project, of some roles. It returns COMMAND-3n77S when
// there is no such project, and COMMAND-4m9ff when it neither belongs nor is granted to the organization.
func terms(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, project ident.ProjectID, org ident.OrgID, roles []string) (t Terms, err error) {
	owner, err := store.One(ctx, tx, scanText, `SELECT org_id FROM projects WHERE instance_id = $1 AND project_id = $2`+d.ForKeyShare,
		string(instance), string(project))
	if errors.Is(err, store.ErrNotFound) {
		return t, errNoProject
	}
	if err != nil {
		return t, fmt.Errorf("hold a project of instance %s: %w", instance, err)
	}
	if owner != string(org) {
		return granted(ctx, tx, d, instance, project, org)
	}
	t.Roles, err = store.All(ctx, tx, scanText, `SELECT role_key FROM project_roles
 WHERE instance_id = $1 AND project_id = $2 AND `+d.InList("role_key", "$3")+d.ForKeyShare, string(instance), string(project), roles)
	if err != nil {
		return t, fmt.Errorf("hold roles of project %s: %w", project, err)
	}
	return t, nil
}

// granted returns what a grant passes on.
func granted(ctx context.Context, tx store.Tx, d *store.Dialect, instance ident.InstanceID, project ident.ProjectID, org ident.OrgID) (Terms, error) {
	t, err := store.One(ctx, tx, func(row store.Scanner) (t Terms, err error) {
		var roles string
		if err = row.Scan(&t.Grant, &roles); err == nil {
			t.Roles, err = DecodeRoles(roles)
		}
		return t, err
	}, `SELECT grant_id, role_keys FROM project_grants
 WHERE instance_id = $1 AND project_id = $2 AND granted_org_id = $3`+d.ForUpdate, string(instance), string(project), string(org))
	if errors.Is(err, store.ErrNotFound) {
		return t, errNoGrant
	}
	if err != nil {
		return t, fmt.Errorf("hold a grant of project %s: %w", project, err)
	}
	return t, nil
}
