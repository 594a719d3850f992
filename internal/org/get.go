package org

import (
	"context"
	"errors"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/hostname"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// NotFound is what a caller is told of an organization that does not exist.
var NotFound = fault.New(fault.NotFound, "QUERY-iTTGJ", "Errors.Org.NotFound")

// Get returns an organization, without its metadata. It returns [NotFound] when the instance has none
// with that id.
func Get(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.OrgID) (State, error) {
	s, err := store.One(ctx, q, scanOrg, `SELECT instance_id, org_id, name, state, sequence, created_at, changed_at
 FROM orgs WHERE instance_id = $1 AND org_id = $2`, string(at), string(id))
	if errors.Is(err, store.ErrNotFound) {
		return State{}, NotFound
	}
	if err == nil {
		s.Domains, err = store.All(ctx, q, scanDomain, `SELECT `+domainColumns+`
 FROM org_domains WHERE instance_id = $1 AND org_id = $2 ORDER BY created_at, domain`, string(at), string(id))
	}
	if err != nil {
		return State{}, fmt.Errorf("get organization %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// WithMetadata is [Get] with what stands under some keys.
func WithMetadata(ctx context.Context, q store.Querier, dialect *store.Dialect, at ident.InstanceID, id ident.OrgID,
	keys ...string,
) (State, error) {
	s, err := Get(ctx, q, at, id)
	if err != nil {
		return s, err
	}
	s.Metadata, err = store.All(ctx, q, scanMetadata, `SELECT meta_key, meta_value, created_at, changed_at
 FROM org_metadata WHERE instance_id = $1 AND org_id = $2 AND `+dialect.InList("meta_key", "$3")+` ORDER BY meta_key`,
		string(at), string(id), keys)
	if err != nil {
		return State{}, fmt.Errorf("get metadata of organization %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// Whole is [Get] with all metadata, of which the values are left out: what it takes to remove an
// organization.
func Whole(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.OrgID) (State, error) {
	s, err := Get(ctx, q, at, id)
	if err != nil {
		return s, err
	}
	s.Metadata, err = store.All(ctx, q, func(row store.Scanner) (m Metadata, err error) { return m, row.Scan(&m.Key) },
		`SELECT meta_key FROM org_metadata WHERE instance_id = $1 AND org_id = $2 ORDER BY meta_key`, string(at), string(id))
	if err != nil {
		return State{}, fmt.Errorf("get all of organization %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// Hold locks an organization until tx ends: commands on it follow each other, and nobody adds to it
// meanwhile what [Keep] guards. It returns [NotFound] when there is none.
func Hold(ctx context.Context, tx store.Tx, dialect *store.Dialect, at ident.InstanceID, id ident.OrgID) error {
	return require(ctx, tx, dialect.ForUpdate, at, id)
}

// Keep is for whoever adds something to an organization: nobody removes it until tx ends. Any number
// of transactions may keep it at once. It returns [NotFound] when there is none.
func Keep(ctx context.Context, tx store.Tx, dialect *store.Dialect, at ident.InstanceID, id ident.OrgID) error {
	return require(ctx, tx, dialect.ForKeyShare, at, id)
}

// require returns NotFound unless there is an organization; lock ends the SELECT.
func require(ctx context.Context, tx store.Tx, lock string, at ident.InstanceID, id ident.OrgID) error {
	_, err := store.One(ctx, tx, scanText, `SELECT org_id FROM orgs WHERE instance_id = $1 AND org_id = $2`+lock,
		string(at), string(id))
	if errors.Is(err, store.ErrNotFound) {
		return NotFound
	}
	return err
}

// OwnerOf returns the organization that has verified a domain, in whatever form; it is empty when none has.
func OwnerOf(ctx context.Context, q store.Querier, at ident.InstanceID, domain string) (ident.OrgID, error) {
	name, err := hostname.Unicode(domain)
	if err != nil {
		return "", nil //nolint:nilerr // what is no domain belongs to nobody
	}
	id, err := store.One(ctx, q, scanText, `SELECT org_id FROM org_domains
 WHERE instance_id = $1 AND domain = $2 AND is_verified`, string(at), name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find the owner of a domain of instance %s: %w", at, err)
	}
	return ident.OrgID(id), nil
}

// scanOrg reads an organization without what it has.
func scanOrg(row store.Scanner) (s State, err error) {
	var (
		instance         ident.InstanceID
		id, state        string
		sequence         uint64
		created, changed int64
	)
	err = row.Scan(&instance, &id, &s.Name, &state, &sequence, &created, &changed)
	s.Head = eventlog.Restore(instance, id, id, sequence, created, changed)
	s.Active = state == stateOf(true)
	return s, err
}

const domainColumns = `domain, is_verified, is_primary, validation_type, validation_token, created_at`

func scanDomain(row store.Scanner) (d Domain, err error) {
	var created int64
	err = row.Scan(&d.Name, &d.Verified, &d.Primary, &d.Validation, &d.Token, &created)
	d.CreatedAt = store.Time(created)
	return d, err
}

func scanMetadata(row store.Scanner) (m Metadata, err error) {
	var created, changed int64
	err = row.Scan(&m.Key, &m.Value, &created, &changed)
	m.CreatedAt, m.ChangedAt = store.Time(created), store.Time(changed)
	return m, err
}

func scanText(row store.Scanner) (text string, err error) { return text, row.Scan(&text) }
