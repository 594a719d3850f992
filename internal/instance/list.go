package instance

import (
	"cmp"
	"context"
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
// is a condition, and all of them must hold; an empty list is met by no instance. Who reads it out of
// a request keeps to search.MaxConditions and search.MaxValues.
type Search struct {
	Page search.Page
	By   Column
	// IDs are met by the instances with one of the ids.
	IDs [][]string
	// Domains are met by the instances that have one of the domains, in whatever form.
	Domains [][]string
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
