package org

import (
	"context"
	"fmt"

	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/hostname"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what a list of organizations is sorted by; the id decides between equals.
type Column uint8

// The columns, of which the date of creation is the default.
const (
	ByCreation Column = iota
	ByName
)

// Search says which organizations of an instance are wanted. All conditions must hold.
type Search struct {
	Page search.Page
	By   Column
	// Shown is on which of them the caller holds the permission to read.
	Shown call.Reach
	IDs   []ident.OrgID
	Names []search.Text
	// Domains are compared with the verified domains of an organization, in both forms of each and
	// without regard to case, which domains do not have; one must meet the condition.
	Domains []search.Text
	// Active are the states that are wanted.
	Active []bool
	// Default asks for the organization that is the default of the instance.
	Default bool
}

// List returns a page of the organizations of an instance, and how many are on all pages. Of its
// domains each has the primary one. It returns the errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s Search) (total int, page []State, err error) {
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l, err := s.list(ctx, q, db.Dialect(), at)
		if err != nil {
			return err
		}
		by := "o.created_at"
		if s.By == ByName {
			by = "o.name"
		}
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, scanListed, `SELECT o.instance_id, o.org_id, o.name, o.state,
 o.sequence, o.created_at, o.changed_at, d.domain
 FROM orgs o LEFT JOIN org_domains d ON d.instance_id = o.instance_id AND d.org_id = o.org_id AND d.is_primary
 WHERE o.instance_id = $1 AND `+db.Dialect().InList("o.org_id", "$2"), string(at), ids)
		page = listing.Sort(ids, found, func(s State) string { return s.ID })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the organizations of instance %s: %w", at, err)
	}
	return total, page, nil
}

// list returns the list that a search makes.
func (s Search) list(ctx context.Context, q store.Querier, dialect *store.Dialect, at ident.InstanceID) (*listing.List, error) {
	l := listing.New(dialect, "orgs o JOIN org_names n ON n.instance_id = o.instance_id AND n.org_id = o.org_id", "o.org_id")
	l.And("o.instance_id = " + l.Arg(string(at)))
	l.Within(s.Shown, listing.Columns{Org: "o.org_id"})
	for _, id := range s.IDs {
		l.Among("o.org_id", string(id))
	}
	for _, active := range s.Active {
		l.Among("o.state", stateOf(active))
	}
	if s.Default {
		l.And("o.org_id = (SELECT i.default_org_id FROM instances i WHERE i.instance_id = " + l.Arg(string(at)) + ")")
	}
	for _, condition := range s.Names {
		l.Text("o.name", "n.name_key", condition)
	}
	for _, condition := range s.Domains {
		owners, err := ownersOf(ctx, q, at, condition)
		if err != nil {
			return nil, err
		}
		l.Among("o.org_id", owners...)
	}
	return l, nil
}

// ownersOf returns the organizations that have a verified domain which meets a condition.
func ownersOf(ctx context.Context, q store.Querier, at ident.InstanceID, condition search.Text) ([]string, error) {
	sql, args := `SELECT org_id, domain FROM org_domains WHERE instance_id = $1 AND is_verified`, []any{string(at)}
	if name, err := hostname.Unicode(condition.Value); err == nil && condition.Method <= search.EqualsIgnoreCase {
		sql, args = sql+` AND domain = $2`, append(args, name) // by the index
	}
	match := domainMatcher(condition)
	var owners []string
	_, err := store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		var owner, domain string
		if err := row.Scan(&owner, &domain); err != nil {
			return none, err
		}
		if match(domain) {
			owners = append(owners, owner)
		}
		return none, nil
	}, sql, args...)
	return owners, err
}

// domainMatcher returns a function that reports whether a domain, in one of its two forms, meets a
// condition.
func domainMatcher(condition search.Text) func(domain string) bool {
	condition.Method |= 1 // the method that ignores case
	match := condition.Matcher()
	return func(domain string) bool {
		if match(domain) {
			return true
		}
		ascii, err := hostname.ASCII(domain)
		return err == nil && match(ascii)
	}
}

// DomainColumn is what a list of domains is sorted by; the name decides between equals.
type DomainColumn uint8

// The columns, of which the date of creation is the default.
const (
	ByDomainCreation DomainColumn = iota
	ByDomainName
)

// DomainSearch says which domains of an organization are wanted. All conditions must hold.
type DomainSearch struct {
	Page search.Page
	By   DomainColumn
	// Names are compared as those of [Search].
	Names []search.Text
}

// SearchDomains returns a page of the organization's domains, and how many are on all pages.
func (s State) SearchDomains(by DomainSearch) (total int, page []Domain) {
	var found []Domain
	for _, d := range s.Domains {
		meets := true
		for _, condition := range by.Names {
			meets = meets && domainMatcher(condition)(d.Name)
		}
		if meets {
			found = append(found, d)
		}
	}
	sortDomains(found, by)
	return len(found), search.Of(by.Page, found)
}

// MetadataSearch says which metadata of an organization is wanted. All conditions must hold.
type MetadataSearch struct {
	Page search.Page
	Keys []search.Text
}

// maxValues is how much the values on a page of metadata have at most together, in bytes: they are held
// in memory, and sent in one message.
const maxValues = 16 << 20

// ListMetadata returns a page of the metadata of an organization, sorted by key, and how much is on all
// pages. It returns [NotFound] when there is no such organization, META-page1 for a page whose values
// are too large together, and the errors of store.DB.
func ListMetadata(ctx context.Context, db store.DB, at ident.InstanceID, id ident.OrgID, s MetadataSearch) (total int, page []Metadata, err error) {
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		if _, err := Get(ctx, q, at, id); err != nil {
			return err
		}
		l := listing.New(db.Dialect(), "org_metadata", "meta_key")
		l.And("instance_id = " + l.Arg(string(at)) + " AND org_id = " + l.Arg(string(id)))
		l.Compare("meta_key", s.Keys...)
		var keys []string
		if total, keys, err = l.Find(ctx, q, s.Page, "meta_key"); err != nil || len(keys) == 0 {
			page = nil
			return err
		}
		where := ` FROM org_metadata WHERE instance_id = $1 AND org_id = $2 AND ` + db.Dialect().InList("meta_key", "$3")
		bytes, err := store.One(ctx, q, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) },
			`SELECT CAST(sum(length(meta_value)) AS BIGINT)`+where, string(at), string(id), keys)
		if err != nil {
			return err
		}
		if bytes > maxValues {
			return fault.New(fault.FailedPrecondition, "META-page1", "Errors.Query.InvalidRequest").
				WithViolation("pagination.limit", "must be smaller: the values on the page have more than 16 MiB")
		}
		found, err := store.All(ctx, q, scanMetadata, `SELECT meta_key, meta_value, created_at, changed_at`+where,
			string(at), string(id), keys)
		page = listing.Sort(keys, found, func(m Metadata) string { return m.Key })
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	return total, page, nil
}

// scanListed reads an organization with its primary domain.
func scanListed(row store.Scanner) (State, error) {
	var domain *string
	s, err := scanOrg(scanner(func(dest ...any) error { return row.Scan(append(dest, &domain)...) }))
	if domain != nil {
		s.Domains = []Domain{{Name: *domain, Primary: true, Verified: true}}
	}
	return s, err
}

// scanner is a function that scans.
type scanner func(dest ...any) error

// Scan implements store.Scanner.
func (f scanner) Scan(dest ...any) error { return f(dest...) }
