package authorization

import (
	"context"
	"fmt"
	"strconv"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Of says whose authorizations are meant: those that have all that is set. One that sets nothing means
// none.
type Of struct {
	User    ident.UserID
	Project ident.ProjectID
	Grant   ident.GrantID
	Org     ident.OrgID // in which they were given
}

// page is how many authorizations are held in memory while they are changed.
const page = 500

// RemoveAll removes all authorizations of something that is removed by the same write, which holds it: no
// new one comes meanwhile. It returns the errors of store.Tx.
func RemoveAll(ctx context.Context, w *eventlog.Writer, d *store.Dialect, of Of) error {
	return each(ctx, w, d, of, nil, func(State) []eventlog.Payload { return []eventlog.Payload{CascadeRemoved{}} })
}

// Withdraw takes roles from all authorizations of a project, or of a grant, that has them no more after
// the same write, which holds it. An authorization stays, should it have no role left. It returns the
// errors of store.Tx.
func Withdraw(ctx context.Context, w *eventlog.Writer, d *store.Dialect, of Of, roles ...string) error {
	if roles == nil {
		roles = []string{}
	}
	return each(ctx, w, d, of, roles, func(s State) []eventlog.Payload { return s.without(roles) })
}

// each appends events to all authorizations of something, of those that have one of some roles unless that
// is nil, page by page. What the events make of one must no longer be found.
func each(ctx context.Context, w *eventlog.Writer, d *store.Dialect, of Of, roles []string, decide func(State) []eventlog.Payload) error {
	sql, args := selected, []any{string(w.Instance())}
	arg := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	for _, c := range []struct{ column, value string }{
		{"user_id", string(of.User)}, {"project_id", string(of.Project)}, {"project_grant_id", string(of.Grant)}, {"org_id", string(of.Org)},
	} {
		if c.value != "" {
			sql += " AND " + c.column + " = " + arg(c.value)
		}
	}
	if len(args) == 1 {
		return nil
	}
	if roles != nil {
		sql += ` AND EXISTS (SELECT 1 FROM authorization_roles r WHERE r.instance_id = $1 AND ` + d.InList("r.role_key", arg(roles)) + `
 AND r.project_id = authorizations.project_id AND r.authorization_id = authorizations.authorization_id)`
	}
	sql += ` ORDER BY authorization_id LIMIT ` + arg(page) + d.ForUpdate
	for {
		found, err := store.All(ctx, w, scan, sql, args...)
		if err != nil {
			return fmt.Errorf("find authorizations: %w", err)
		}
		for _, s := range found {
			if _, err := eventlog.Append(ctx, w, Noun, s, decide(s)...); err != nil {
				return err
			}
		}
		// Whoever reads one of them in this write, for the next page or for another reason, finds it changed.
		if err := w.Save(ctx); err != nil || len(found) < page {
			return err
		}
	}
}
