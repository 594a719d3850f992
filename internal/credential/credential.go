// Package credential lists what machine users prove themselves with.
//
// It owns no table: personal access tokens are of package pat, keys of package machinekey. Of both the same
// may be asked, in the same way, and that is here. Beside it: listing finds the pages of lists of any kind,
// and expiry says until when a credential may be of use.
package credential

import (
	"context"
	"fmt"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what a list is sorted by; the id decides between equals.
type Column uint8

// The columns, of which the date of creation is the default.
const (
	ByCreation Column = iota
	ByID
	ByUser
	ByOrg
	ByExpiry
)

// Search says which credentials are wanted. All conditions must hold.
type Search struct {
	Page search.Page
	By   Column
	// Within is what the caller may see; its own it always may.
	Within  call.Reach
	IDs     []string
	Users   []ident.UserID
	Orgs    []ident.OrgID
	Created []search.Moment
	Expires []search.Moment
}

// Kind is a kind of credential. Its table has the columns instance_id, user_id, org_id, created_at and
// expires_at.
type Kind[S any] struct {
	Table string
	ID    string // the column of the id
	// Select reads the states of the instance that is its first argument.
	Select string
	Scan   func(at ident.InstanceID) func(store.Scanner) (S, error)
	IDOf   func(S) string
}

// List returns a page of the credentials that are searched for, also of those that have expired, and how
// many are on all pages. It returns the errors of store.DB.
func (k Kind[S]) List(ctx context.Context, db store.DB, at ident.InstanceID, s Search) (total int, page []S, err error) {
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), k.Table, k.ID)
		l.And("instance_id = " + l.Arg(at))
		l.Within(s.Within, listing.Columns{Org: "org_id", Self: "user_id"})
		listing.Each(l, k.ID, s.IDs)
		listing.Each(l, "user_id", s.Users)
		listing.Each(l, "org_id", s.Orgs)
		l.Moment("created_at", s.Created...)
		l.Moment("expires_at", s.Expires...)
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, k.column(s.By)); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, k.Scan(at), k.Select+" AND "+db.Dialect().InList(k.ID, "$2"), at, ids)
		page = listing.Sort(ids, found, k.IDOf)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list %s of instance %s: %w", k.Table, at, err)
	}
	return total, page, nil
}

// column returns the column of the table that a list is sorted by.
func (k Kind[S]) column(by Column) string {
	switch by {
	case ByID:
		return k.ID
	case ByUser:
		return "user_id"
	case ByOrg:
		return "org_id"
	case ByExpiry:
		return "expires_at"
	case ByCreation:
	}
	return "created_at"
}
