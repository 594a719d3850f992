package instance

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/net/idna"

	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what a list of instances is sorted by; the id decides between equals.
type Column uint8

// The columns, of which the id is the default.
const (
	ByID Column = iota
	ByName
	ByCreation
)

// columns are the columns of the table, in the order of their constants.
var columns = [...]string{ByID: "instance_id", ByName: "name", ByCreation: "created_at"}

// Search says which instances are wanted (contract section 2.3). Every list in IDs and Domains
// is a condition, and all of them must hold; an empty list is met by no instance.
type Search struct {
	Page search.Page
	By   Column
	// IDs are met by the instances with one of the ids.
	IDs [][]string
	// Domains are met by the instances that have one of the domains, in whatever form.
	Domains [][]string
}

// Found is a page of a list of instances.
type Found struct {
	Total     uint64 // instances on all pages
	Instances []State
}

// List returns a page of the instances that are searched for, each with all its domains, as
// they are at one moment. At most search.MaxPage of them are held in memory.
//
// A page costs a walk along an index to its offset and then the rows of the page. That index
// ends with the id, so a page that begins after a known row can be found without the walk.
// The total of all instances counts the narrowest index; it is not asked for when the page
// shows where the list ends.
func List(ctx context.Context, db store.DB, s Search) (Found, error) {
	var found Found
	err := db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		ids, filtered, err := s.candidates(ctx, q, db.Dialect())
		if err != nil || filtered && len(ids) == 0 {
			return err
		}
		among, args := "", []any{s.Page.Size(), s.Page.From()}
		if filtered {
			among, args = db.Dialect().InList("instance_id", "$3"), append(args, ids)
		}
		if found.Instances, err = collect(ctx, q, s.pageSQL(among), args...); err != nil {
			return err
		}
		found.Total, err = s.total(ctx, q, len(found.Instances), ids, filtered, db.Dialect())
		return err
	})
	if err != nil {
		return Found{}, fmt.Errorf("list instances: %w", err)
	}
	return found, nil
}

// pageSQL is the text of a page; there are two for each order. The ids of the page come from an
// index alone. CROSS JOIN is the join that keeps SQLite to the order in which it is written.
func (s Search) pageSQL(among string) string {
	direction := " DESC"
	if s.Page.Ascending {
		direction = ""
	}
	by := columns[ByID]
	if int(s.By) < len(columns) {
		by = columns[s.By]
	}
	where := ""
	if among != "" {
		where = " WHERE " + among
	}
	return `SELECT ` + selected + ` FROM (SELECT instance_id FROM instances` + where +
		` ORDER BY ` + by + direction + `, instance_id` + direction + ` LIMIT $1 OFFSET $2) p
 CROSS JOIN instances i CROSS JOIN instance_domains d
 WHERE i.instance_id = p.instance_id AND d.instance_id = p.instance_id
 ORDER BY i.` + by + direction + `, i.instance_id` + direction + `, d.created_at, d.domain`
}

// total counts the instances on all pages.
func (s Search) total(ctx context.Context, q store.Querier, onPage int, ids []string, filtered bool,
	dialect *store.Dialect,
) (uint64, error) {
	last := onPage < s.Page.Size() && (onPage > 0 || s.Page.Offset == 0)
	if last {
		return s.Page.Offset + uint64(onPage), nil
	}
	sql, args := `SELECT count(*) FROM instances`, []any(nil)
	if filtered {
		sql, args = sql+` WHERE `+dialect.InList("instance_id", "$1"), []any{ids}
	}
	return store.One(ctx, q, func(row store.Scanner) (n uint64, err error) { return n, row.Scan(&n) }, sql, args...)
}

// candidates returns the ids that meet all conditions, some of which may be of no instance.
// filtered is false when there are no conditions, and so no need of ids.
func (s Search) candidates(ctx context.Context, q store.Querier, dialect *store.Dialect) (ids []string, filtered bool, err error) {
	lists := s.IDs
	if len(s.Domains) > 0 {
		owners, err := s.owners(ctx, q, dialect)
		if err != nil {
			return nil, true, err
		}
		lists = append(slices.Clone(lists), owners...)
	}
	if len(lists) == 0 {
		return nil, false, nil
	}
	counts := make(map[string]int) // how many lists, from the first on, an id is in
	for i, list := range lists {
		for _, id := range list {
			if counts[id] == i {
				counts[id] = i + 1
			}
		}
	}
	for id, n := range counts {
		if n == len(lists) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, true, nil
}

// owners returns, for each list of domains, the ids of the instances that have one of them.
func (s Search) owners(ctx context.Context, q store.Querier, dialect *store.Dialect) ([][]string, error) {
	lists := make([][]string, len(s.Domains))
	wanted := make(map[string][]int) // by name: which lists it is in
	var names []string
	for i, domains := range s.Domains {
		for _, domain := range domains {
			name, err := NormalizeDomain("domain", domain)
			if err != nil {
				continue // no instance has it
			}
			if wanted[name] == nil {
				names = append(names, name)
			}
			wanted[name] = append(wanted[name], i)
		}
	}
	_, err := store.All(ctx, q, func(row store.Scanner) (struct{}, error) {
		var name, id string
		err := row.Scan(&name, &id)
		for _, i := range wanted[name] {
			lists[i] = append(lists[i], id)
		}
		return struct{}{}, err
	}, `SELECT domain, instance_id FROM instance_domains WHERE `+dialect.InList("domain", "$1"), names)
	return lists, err
}

// DomainColumn is what a list of domains is sorted by; the name decides between equals.
type DomainColumn uint8

// The columns, of which the date of creation is the default.
const (
	ByDomainCreation DomainColumn = iota
	ByDomainName
	ByDomainPrimary
	ByDomainGenerated
)

// DomainSearch says which domains of an instance are wanted (contract section 2.6). All
// conditions must hold.
type DomainSearch struct {
	Page search.Page
	By   DomainColumn
	// Names are compared without regard to case, which domains do not have, with both forms of
	// a domain: A-labels, and the script they stand for.
	Names     []search.Text
	Generated []bool
	Primary   []bool
}

// SearchDomains returns a page of the instance's domains and how many are on all pages. A domain
// is part of its instance's state, so there is no table to search.
func (s State) SearchDomains(by DomainSearch) (total int, page []Domain) {
	matchers := nameMatchers(by.Names)
	var found []Domain
	for _, d := range s.Domains {
		if d.meets(by, matchers) {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b Domain) int {
		order := cmp.Or(by.By.compare(a, b), cmp.Compare(a.Name, b.Name))
		if !by.Page.Ascending {
			return -order
		}
		return order
	})
	return len(found), search.Of(by.Page, found)
}

// meets reports whether a domain meets all conditions.
func (d Domain) meets(by DomainSearch, names []func(string) bool) bool {
	return !slices.Contains(by.Generated, !d.Generated) && !slices.Contains(by.Primary, !d.Primary) &&
		matchesName(d.Name, names)
}

// nameMatchers returns the conditions on names of domains, which have no case.
func nameMatchers(texts []search.Text) []func(string) bool {
	matchers := make([]func(string) bool, len(texts))
	for i, text := range texts {
		text.Method |= 1 // the method that ignores case
		matchers[i] = text.Matcher()
	}
	return matchers
}

// matchesName reports whether a domain, in one of its two forms each, meets all conditions.
func matchesName(name string, conditions []func(string) bool) bool {
	shown, err := idna.ToUnicode(name)
	if err != nil {
		shown = name
	}
	return !slices.ContainsFunc(conditions, func(match func(string) bool) bool { return !match(name) && !match(shown) })
}

// compare says which of two domains comes first when sorted up.
func (c DomainColumn) compare(a, b Domain) int {
	switch c {
	case ByDomainName:
		return 0
	case ByDomainPrimary:
		return compareBool(a.Primary, b.Primary)
	case ByDomainGenerated:
		return compareBool(a.Generated, b.Generated)
	default:
		return a.CreatedAt.Compare(b.CreatedAt)
	}
}

// compareBool puts false before true, as databases do.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
