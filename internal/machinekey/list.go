package machinekey

import (
	"context"
	"fmt"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what a list of keys is sorted by; the id decides between equals.
type Column uint8

// The columns, of which the date of creation is the default.
const (
	ByCreation Column = iota
	ByID
	ByUser
	ByOrg
	ByExpiry
)

// columns are those of the table, in the order of their constants.
var columns = [...]string{
	ByCreation: "created_at", ByID: "key_id", ByUser: "user_id", ByOrg: "org_id", ByExpiry: "expires_at",
}

// Search says which keys are wanted. All conditions must hold.
type Search struct {
	Page search.Page
	By   Column
	// Within is what the caller may see; its own it always may.
	Within  call.Reach
	IDs     []ident.KeyID
	Users   []ident.UserID
	Orgs    []ident.OrgID
	Created []search.Moment
	Expires []search.Moment
}

// List returns a page of the keys that are searched for, also of those that have expired, and how many
// are on all pages. It returns the errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s Search) (total int, page []State, err error) {
	by := columns[ByCreation]
	if int(s.By) < len(columns) {
		by = columns[s.By]
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), Table, "key_id")
		l.And("instance_id = " + l.Arg(at))
		l.Within(s.Within, listing.Columns{Org: "org_id", Self: "user_id"})
		listing.Each(l, "key_id", s.IDs)
		listing.Each(l, "user_id", s.Users)
		listing.Each(l, "org_id", s.Orgs)
		l.Moment("created_at", s.Created...)
		l.Moment("expires_at", s.Expires...)
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, scan(at), selected+` AND `+db.Dialect().InList("key_id", "$2"), at, ids)
		page = listing.Sort(ids, found, func(s State) string { return s.ID })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list keys of instance %s: %w", at, err)
	}
	return total, page, nil
}
