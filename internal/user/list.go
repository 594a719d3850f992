package user

import (
	"context"
	"fmt"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what users are sorted by; the id decides between equals.
type Column uint8

// The columns, of which the date of creation is the default. Texts are sorted without regard to the case
// of the letters A to Z.
const (
	ByCreation Column = iota
	ByUserName
	ByFirstName
	ByLastName
	ByNickName
	ByDisplayName
	ByEmail
	ByStatus
	ByKind
)

// columns are the columns of the statement, in the order of their constants.
var columns = [...]string{
	ByCreation: "created_at", ByUserName: "lower(username)", ByFirstName: "lower(first_name)", ByLastName: "lower(last_name)",
	ByNickName: "lower(nick_name)", ByDisplayName: "lower(display_name)", ByEmail: "email_key", ByStatus: "state", ByKind: "kind",
}

// Search says which users of an instance are wanted.
type Search struct {
	Page search.Page
	By   Column
	// Within is what the caller may see; itself it always may.
	Within call.Reach
	// All must be met; see listing.All for how the database helps.
	All []Condition
}

// List returns a page of the users that are searched for, and how many are on all pages. It returns the
// errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s Search) (total int, page []State, err error) {
	by := columns[ByCreation]
	if int(s.By) < len(columns) {
		by = columns[s.By]
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), Table, "user_id")
		l.And("instance_id = " + l.Arg(at))
		l.Within(s.Within, listing.Columns{Org: "org_id", Self: "user_id"})
		l.Meet(s.All, fieldColumns...)
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, scan(at), selected+` AND `+db.Dialect().InList("user_id", "$2"), at, ids)
		page = listing.Sort(ids, found, func(s State) string { return s.ID })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the users of instance %s: %w", at, err)
	}
	return total, page, nil
}
