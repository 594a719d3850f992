package instance

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// DomainsTable is the directory's table of domains; a conflict in it means that the domain
// is taken.
const DomainsTable = "instance_domains"

var tables = []eventlog.Table[State]{
	{
		Name: "instances",
		Kept: eventlog.Kept{Epoch: eventlog.Settings},
		Key:  []string{"instance_id"},
		Rest: []string{
			"name", "defaults_version", "default_language", "default_org_id", "iam_project_id",
			"console_app_id", "console_client_id", "is_stopped", "sequence", "created_at", "changed_at",
		},
		Rows: func(s State) [][]any {
			if s.Removed {
				return nil
			}
			return [][]any{append([]any{
				s.ID, s.Name, int64(s.Defaults), s.Language, string(s.DefaultOrg), string(s.Project),
				string(s.Console), s.ConsoleClientID, s.Stopped,
			}, s.Row()...)}
		},
	},
	{
		Name: DomainsTable,
		Kept: eventlog.Kept{Epoch: eventlog.Settings, FoundOnly: true},
		Key:  []string{"domain"},
		Rest: []string{"instance_id", "is_generated", "is_primary", "sequence", "created_at", "changed_at"},
		Rows: func(s State) [][]any {
			if s.Removed {
				return nil // anyone may have them
			}
			rows := make([][]any, len(s.Domains))
			for i, d := range s.Domains {
				rows[i] = []any{
					d.Name, s.ID, d.Generated, d.Primary, int64(d.Sequence),
					store.Micros(d.CreatedAt), store.Micros(d.ChangedAt),
				}
			}
			return rows
		},
	},
	{
		Name: "instance_trusted_domains",
		Kept: eventlog.Kept{Epoch: eventlog.Settings},
		Key:  []string{"instance_id", "domain"},
		Rest: []string{"sequence", "created_at"},
		Rows: func(s State) (rows [][]any) {
			if s.Removed {
				return nil
			}
			for _, d := range s.Trusted {
				rows = append(rows, []any{s.ID, d.Name, int64(d.Sequence), store.Micros(d.CreatedAt)})
			}
			return rows
		},
	},
}

// selected are the columns of an instance and one of its domains, as scan reads them.
const selected = `i.instance_id, i.name, i.defaults_version, i.default_language, i.default_org_id,
 i.iam_project_id, i.console_app_id, i.console_client_id, i.is_stopped, i.sequence, i.created_at, i.changed_at,
 d.domain, d.is_generated, d.is_primary, d.sequence, d.created_at, d.changed_at`

// getSQL reads an instance and its domains at once: one row a domain.
const getSQL = `SELECT ` + selected + ` FROM instances i JOIN instance_domains d ON d.instance_id = i.instance_id
 WHERE i.instance_id = $1 ORDER BY d.created_at, d.domain`

// Get returns an instance, without its trusted domains (see [GetTrusted]). It returns [NotFound] when there is none with that id.
func Get(ctx context.Context, q store.Querier, id ident.InstanceID) (State, error) {
	found, err := collect(ctx, q, getSQL, string(id))
	if err != nil {
		return State{}, fmt.Errorf("get instance %s: %w", id, err)
	}
	if len(found) == 0 {
		return State{}, NotFound(id)
	}
	return found[0], nil
}

// collect runs a query whose rows are those of scan, the rows of an instance together.
func collect(ctx context.Context, q store.Querier, sql string, args ...any) ([]State, error) {
	var found []State
	_, err := store.All(ctx, q, func(row store.Scanner) (struct{}, error) {
		s, err := scan(row)
		if last := len(found) - 1; last >= 0 && found[last].ID == s.ID {
			found[last].Domains = append(found[last].Domains, s.Domains...)
		} else {
			found = append(found, s)
		}
		return struct{}{}, err
	}, sql, args...)
	return found, err
}

// NotFound is what a caller is told of an instance that does not exist (contract section 2.2).
func NotFound(id ident.InstanceID) *fault.Error {
	return fault.Plain(fault.NotFound,
		fmt.Sprintf("unable to set instance using id %s: ID=QUERY-1kIjX Message=Instance not found", id))
}

// Require returns [NotFound] unless there is an instance with that id.
func Require(ctx context.Context, q store.Querier, id ident.InstanceID) error {
	there, err := exists(ctx, q, `SELECT instance_id FROM instances WHERE instance_id = $1`, string(id))
	if err == nil && !there {
		return NotFound(id)
	}
	return err
}

// DomainExists reports whether a domain, in whatever form, leads to an instance. What cannot be a
// host name does not.
func DomainExists(ctx context.Context, q store.Querier, domain string) (bool, error) {
	name, err := NormalizeDomain("domain", domain)
	if err != nil {
		return false, nil //nolint:nilerr // the answer to the question is no
	}
	return DomainTaken(ctx, q, name)
}

// DomainTaken reports whether a domain, in its normalised form, leads to an instance.
func DomainTaken(ctx context.Context, q store.Querier, domain string) (bool, error) {
	return exists(ctx, q, `SELECT instance_id FROM instance_domains WHERE domain = $1`, domain)
}

// exists reports whether a query for an instance id has an answer.
func exists(ctx context.Context, q store.Querier, sql string, args ...any) (bool, error) {
	_, err := store.One(ctx, q, func(row store.Scanner) (string, error) {
		var id string
		return id, row.Scan(&id)
	}, sql, args...)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// scan reads one row: an instance with one of its domains.
func scan(row store.Scanner) (State, error) {
	var (
		s                                    State
		d                                    Domain
		id, org, project, console            string
		created, changed, dCreated, dChanged int64
		sequence                             uint64
	)
	err := row.Scan(&id, &s.Name, &s.Defaults, &s.Language, &org, &project, &console, &s.ConsoleClientID,
		&s.Stopped, &sequence, &created, &changed,
		&d.Name, &d.Generated, &d.Primary, &d.Sequence, &dCreated, &dChanged)
	s.Head = eventlog.Restore(ident.InstanceID(id), id, id, sequence, created, changed)
	s.DefaultOrg, s.Project, s.Console = ident.OrgID(org), ident.ProjectID(project), ident.AppID(console)
	d.CreatedAt, d.ChangedAt = store.Time(dCreated), store.Time(dChanged)
	s.Domains = []Domain{d}
	return s, err
}
