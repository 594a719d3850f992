package removal

import (
	"context"

	"castellan/internal/app"
	"castellan/internal/authorization"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/session"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
)

// belongings are what users may have, by the table that says who has some.
var belongings = []struct {
	table  string
	remove func(ctx context.Context, w write, of ident.UserID) error
}{
	{"personal_access_tokens", func(ctx context.Context, w write, of ident.UserID) error {
		return remove(ctx, w, pat.Noun, of, pat.OfUser, pat.Remove{}.Decide)
	}},
	{"machine_keys", func(ctx context.Context, w write, of ident.UserID) error {
		return remove(ctx, w, machinekey.Noun, of, machinekey.OfUser, machinekey.Remove{}.Decide)
	}},
	{"user_metadata", func(ctx context.Context, w write, of ident.UserID) error {
		return remove(ctx, w, usermetadata.Noun, of, usermetadata.OfUser, usermetadata.Remove{}.Decide)
	}},
	{"authorizations", func(ctx context.Context, w write, of ident.UserID) error {
		return authorization.RemoveAll(ctx, w.Writer, w.dialect, authorization.Of{User: of})
	}},
	{"members", func(ctx context.Context, w write, of ident.UserID) error {
		return member.RemoveAll(ctx, w.Writer, w.dialect, member.Of{User: of})
	}},
	{"oidc_sessions", func(ctx context.Context, w write, of ident.UserID) error {
		return session.RemoveAll(ctx, w.Writer, w.dialect, of)
	}},
}

// remove appends the removal of what a user has of one kind.
func remove[S eventlog.State](ctx context.Context, w write, noun *eventlog.Noun[S], of ident.UserID,
	ofUser func(context.Context, store.Querier, ident.InstanceID, ident.UserID) ([]S, error), decide func(S) []eventlog.Payload,
) error {
	found, err := ofUser(ctx, w, w.Instance(), of)
	if err != nil {
		return err
	}
	for _, s := range found {
		if _, err := eventlog.Append(ctx, w.Writer, noun, s, decide(s)...); err != nil {
			return err
		}
	}
	return nil
}

// users removes users who are held, with all that is their own. Most have little: which of them have
// something of a kind is asked once for all.
func (w write) users(ctx context.Context, held []user.State) ([]user.State, error) {
	ids := make([]string, len(held))
	for i, u := range held {
		ids[i] = u.ID
	}
	for _, b := range belongings {
		owners, err := store.All(ctx, w, func(row store.Scanner) (id ident.UserID, err error) { return id, row.Scan(&id) },
			`SELECT DISTINCT user_id FROM `+b.table+` WHERE instance_id = $1 AND `+w.dialect.InList("user_id", "$2")+` ORDER BY user_id`,
			string(w.Instance()), ids)
		if err != nil {
			return nil, err
		}
		for _, owner := range owners {
			if err := b.remove(ctx, w, owner); err != nil {
				return nil, err
			}
		}
	}
	after := make([]user.State, len(held))
	for i, u := range held {
		events, err := user.Remove{}.Decide(u)
		if err == nil {
			after[i], err = eventlog.Append(ctx, w.Writer, user.Noun, u, events...)
		}
		if err != nil {
			return nil, err
		}
	}
	return after, nil
}

// grant removes a grant that is held, with what rests on it.
func (w write) grant(ctx context.Context, held project.Grant) (project.Grant, error) {
	id := held.GrantID()
	if err := authorization.RemoveAll(ctx, w.Writer, w.dialect, authorization.Of{Grant: id}); err != nil {
		return held, err
	}
	if err := member.RemoveAll(ctx, w.Writer, w.dialect, member.Of{Scope: member.ProjectGrant, ScopeID: held.ID}); err != nil {
		return held, err
	}
	return eventlog.Append(ctx, w.Writer, project.GrantNoun, held, project.GrantRemoved{Grant: id})
}

// project removes a project that is held, with all that belongs to it.
func (w write) project(ctx context.Context, held project.State) (project.State, error) {
	at, id := w.Instance(), ident.ProjectID(held.ID)
	steps := []func() error{
		func() error { return authorization.RemoveAll(ctx, w.Writer, w.dialect, authorization.Of{Project: id}) },
		func() error {
			return each(ctx, w, func(last project.Grant, limit int) ([]project.Grant, error) {
				return project.GrantsOf(ctx, w, w.dialect, at, id, last.Org, limit)
			}, func(found []project.Grant) error {
				return all(ctx, found, w.grant)
			})
		},
		func() error {
			return each(ctx, w, func(last ident.AppID, limit int) ([]ident.AppID, error) {
				return store.All(ctx, w, func(row store.Scanner) (id ident.AppID, err error) { return id, row.Scan(&id) },
					`SELECT app_id FROM apps WHERE instance_id = $1 AND project_id = $2 AND app_id > $3 ORDER BY app_id LIMIT $4`,
					string(at), string(id), string(last), limit)
			}, func(found []ident.AppID) error {
				return all(ctx, found, w.app)
			})
		},
		func() error {
			return each(ctx, w, func(last project.Role, limit int) ([]project.Role, error) {
				return project.Roles(ctx, w, at, id, last.Key, limit)
			}, func(found []project.Role) error {
				return all(ctx, found, func(ctx context.Context, r project.Role) (project.Role, error) {
					return eventlog.Append(ctx, w.Writer, project.RoleNoun, r, project.RoleRemoved{Key: r.Key})
				})
			})
		},
		func() error {
			return member.RemoveAll(ctx, w.Writer, w.dialect, member.Of{Scope: member.Project, ScopeID: held.ID})
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return held, err
		}
	}
	return eventlog.Append(ctx, w.Writer, project.Noun, held, project.Removed{})
}

// app removes an application with its keys.
func (w write) app(ctx context.Context, id ident.AppID) (ident.AppID, error) {
	held, err := app.Hold(ctx, w, w.dialect, w.Instance(), id)
	if err == nil {
		_, err = app.RemoveHeld(ctx, w.Writer, held)
	}
	return id, err
}
