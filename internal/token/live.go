package token

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/vault"
)

// active is the state, in the columns of that name, of users, organizations, projects and applications
// that may act.
const active = "active"

// row is what a point read finds of a ground: its user with its organization, the session the token is
// of, and the credential. Pointers are nil where a row is not there, or is not asked for.
type row struct {
	org             ident.OrgID
	user, orgState  string
	revoked         *bool
	revokedThrough  *uint64
	expires         *int64 // microseconds
	secret          []byte // hash
	app, project    string
	projectOrgState string
}

// live returns nil, or why the ground is gone at now, in microseconds.
func (r *row) live(g session.Ground, now int64) error {
	switch {
	case r.user != active:
		return fmt.Errorf("user %s is %s", g.User, r.user)
	case r.orgState != active:
		return fmt.Errorf("organization %s of user %s is %s", r.org, g.User, r.orgState)
	case r.revoked != nil && (*r.revoked || g.Number > 0 && *r.revokedThrough >= g.Number):
		return errors.New("it has been revoked")
	case r.expires != nil && *r.expires <= now:
		return fmt.Errorf("%s %s has expired", g.Kind, g.ID)
	}
	switch g.Kind {
	case session.MachineSecret, session.AppSecret:
		if len(r.secret) == 0 || vault.SecretPrint(r.secret) != g.ID {
			return fmt.Errorf("the secret of %s%s has been replaced or removed", g.User, g.Client)
		}
	}
	switch g.Kind {
	case session.App, session.AppKey, session.AppSecret:
		if r.app != active || r.project != active || r.projectOrgState != active {
			return fmt.Errorf("client %s is %s, its project %s, the organization of that %s",
				g.Client, r.app, r.project, r.projectOrgState)
		}
	}
	return nil
}

// statement is the point read of a kind of ground: by the primary keys of users, orgs, oidc_sessions and of
// what the kind is about. Only the parameters it has are given to it.
type statement struct {
	sql string
	// args are those after instance, user and session.
	args func(g session.Ground) []any
	// dest are where the columns of the kind go.
	dest func(r *row) []any
}

// The statement of a kind is these with what the kind adds to the columns and to the tables.
const (
	columns = `SELECT u.org_id, u.state, o.state, s.is_revoked, s.revoked_through`
	tables  = ` FROM users u
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 LEFT JOIN oidc_sessions s ON s.instance_id = u.instance_id AND s.session_id = $3`
	where = ` WHERE u.instance_id = $1 AND u.user_id = $2`

	appColumns = `, a.state, p.state, po.state`
	appTables  = ` JOIN apps a ON a.instance_id = u.instance_id AND a.client_id = $4
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 JOIN orgs po ON po.instance_id = p.instance_id AND po.org_id = p.org_id`
)

// userOnly is the kind of no credential: what is asked is the user and the session.
const userOnly session.Kind = ""

var statements = map[session.Kind]statement{
	userOnly: {sql: columns + tables + where},
	session.MachineKey: {
		sql: columns + `, k.expires_at` + tables + `
 JOIN machine_keys k ON k.instance_id = u.instance_id AND k.key_id = $4 AND k.user_id = u.user_id` + where,
		args: func(g session.Ground) []any { return []any{g.ID} },
		dest: func(r *row) []any { return []any{&r.expires} },
	},
	session.MachineSecret: {
		sql:  columns + `, u.secret_hash` + tables + where,
		dest: func(r *row) []any { return []any{&r.secret} },
	},
	session.PersonalToken: {
		sql: columns + `, t.expires_at` + tables + `
 JOIN personal_access_tokens t ON t.instance_id = u.instance_id AND t.token_id = $4 AND t.user_id = u.user_id` + where,
		args: func(g session.Ground) []any { return []any{g.ID} },
		dest: func(r *row) []any { return []any{&r.expires} },
	},
	session.App: {
		sql:  columns + appColumns + tables + appTables + where,
		args: func(g session.Ground) []any { return []any{g.Client} },
		dest: func(r *row) []any { return []any{&r.app, &r.project, &r.projectOrgState} },
	},
	session.AppSecret: {
		sql:  columns + appColumns + `, a.secret_hash` + tables + appTables + where,
		args: func(g session.Ground) []any { return []any{g.Client} },
		dest: func(r *row) []any { return []any{&r.app, &r.project, &r.projectOrgState, &r.secret} },
	},
	session.AppKey: {
		sql: columns + appColumns + `, k.expires_at` + tables + appTables + `
 JOIN app_keys k ON k.instance_id = a.instance_id AND k.key_id = $5 AND k.app_id = a.app_id` + where,
		args: func(g session.Ground) []any { return []any{g.Client, g.ID} },
		dest: func(r *row) []any { return []any{&r.app, &r.project, &r.projectOrgState, &r.expires} },
	},
}

// errGone is the cause when a row is not there that a ground needs.
var errGone = errors.New("the user or the credential exists no more")

// ground reads what a ground stands on, for a token of a session, and returns the organization of its
// user. It returns [ErrToken] when it is gone.
func ground(ctx context.Context, q store.Querier, at ident.InstanceID, g session.Ground, now int64) (ident.OrgID, error) {
	st, known := statements[g.Kind]
	if !known {
		return "", fmt.Errorf("token: there is no kind of ground %q", g.Kind)
	}
	args := make([]any, 3, 5)
	args[0], args[1], args[2] = string(at), string(g.User), string(g.Session)
	if st.args != nil {
		args = append(args, st.args(g)...)
	}
	found, err := store.One(ctx, q, func(from store.Scanner) (r row, err error) {
		dest := make([]any, 5, 9)
		dest[0], dest[1], dest[2], dest[3], dest[4] = &r.org, &r.user, &r.orgState, &r.revoked, &r.revokedThrough
		if st.dest != nil {
			dest = append(dest, st.dest(&r)...)
		}
		return r, from.Scan(dest...)
	}, st.sql, args...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", fmt.Errorf("%w: %w", ErrToken, errGone)
	case err != nil:
		return "", fmt.Errorf("read what a token of instance %s stands on: %w", at, err)
	}
	if err := found.live(g, now); err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	return found.org, nil
}

// Live returns nil when everything that tokens with these facts stand on is as it was, as q sees it, and whoever
// acts for the user may do so. Otherwise it returns [ErrToken], or the errors of store.DB. It is for those who
// are about to give out a token, or to renew one.
func (s *Service) Live(ctx context.Context, q store.Querier, at ident.InstanceID, f session.Facts) error {
	_, err := s.live(ctx, q, at, f, "", 0)
	return err
}

// live is Live of a token that was given out: one of a number in a session, which must not be revoked. It returns
// the organization of the user.
func (s *Service) live(ctx context.Context, q store.Querier, at ident.InstanceID, f session.Facts,
	id ident.SessionID, number uint64,
) (ident.OrgID, error) {
	if len(f.Grounds) == 0 {
		return "", fmt.Errorf("%w: it stands on nothing", ErrToken)
	}
	now := store.Micros(s.config.Clock.Now())
	first, rest := f.Grounds[0], f.Grounds[1:]
	if first.User != f.User {
		// Somebody acts for the user, with a credential that is not the user's.
		first, rest = session.Ground{User: f.User}, f.Grounds
	}
	first.Session, first.Number = id, number
	org, err := ground(ctx, q, at, first, now)
	if err != nil {
		return "", err
	}
	for _, g := range rest {
		if _, err := ground(ctx, q, at, g, now); err != nil {
			return "", err
		}
	}
	return org, s.mayAct(ctx, q, at, f, org)
}

// errActor is the cause when somebody has no role any more to act for the user.
var errActor = errors.New("an actor may not act for the user any more")

// mayAct returns [ErrToken] when one of those who act for the user may not do so any more.
func (s *Service) mayAct(ctx context.Context, q store.Querier, at ident.InstanceID, f session.Facts, org ident.OrgID) error {
	if f.Actor == nil {
		return nil
	}
	if s.config.MayAct == nil {
		return fmt.Errorf("%w: nobody can say who may act for whom", ErrToken)
	}
	err := s.config.MayAct(ctx, q, at, f.Actor, f.User, org)
	if fault.KindOf(err) == fault.PermissionDenied {
		return fmt.Errorf("%w: %w: %w", ErrToken, errActor, err)
	}
	return err
}
