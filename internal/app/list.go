package app

import (
	"context"
	"fmt"

	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Column is what a list of applications is sorted by; the id decides between equals.
type Column uint8

// The columns, of which the id is the default.
const (
	ByID Column = iota
	ByName
	ByStatus
	ByCreation
	ByChange
)

// columns are those of the table, in the order of their constants.
var columns = [...]string{ByID: "a.app_id", ByName: "a.name", ByStatus: "a.state", ByCreation: "a.created_at", ByChange: "a.changed_at"}

// Search says which applications are wanted. All conditions must hold.
type Search struct {
	Page search.Page
	By   Column
	// Within is what the caller may see.
	Within    call.Reach
	Projects  []ident.ProjectID
	Names     []search.Text
	Statuses  []Status
	Kinds     []Kind
	ClientIDs []string
	EntityIDs []string
}

// maxAnswer is how many bytes of metadata a page holds at most: several times what clients take in one
// answer.
const maxAnswer = 16 << 20

// List returns a page of the applications that are searched for, and how many are on all pages. It returns
// APP-page1 when the metadata on the page are more than an answer can hold, and the errors of store.DB.
func List(ctx context.Context, db store.DB, instance ident.InstanceID, s Search) (total int, page []State, err error) {
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), "apps a LEFT JOIN saml_apps s ON s.instance_id = a.instance_id AND s.app_id = a.app_id", columns[ByID])
		l.And("a.instance_id = " + l.Arg(instance))
		l.Within(s.Within, listing.Columns{Org: "a.org_id", Project: "a.project_id"})
		among(l, "a.project_id", s.Projects)
		among(l, "a.state", s.Statuses)
		among(l, "a.kind", s.Kinds)
		among(l, "a.client_id", s.ClientIDs)
		among(l, "s.entity_id", s.EntityIDs)
		for _, name := range s.Names {
			l.Text("a.name", "a.name_key", name)
		}
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, columnOf(columns[:], s.By)); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		size := 0
		found, err := store.All(ctx, q, func(row store.Scanner) (State, error) {
			one, err := scan(row)
			if size += len(one.SAML.Metadata); err == nil && size > maxAnswer {
				err = fault.Invalid("APP-page1", "Errors.Query.InvalidRequest", "pagination.limit", "must be less, for what is on the page is too large for one answer")
			}
			return one, err
		}, `SELECT `+selected+` WHERE a.instance_id = $1 AND `+db.Dialect().InList("a.app_id", "$2"), instance, ids)
		page = listing.Sort(ids, found, func(one State) string { return one.ID })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list applications: %w", err)
	}
	return total, page, nil
}

// columnOf returns the column with a number, the first for one there is not.
func columnOf[C ~uint8](columns []string, by C) string {
	if int(by) < len(columns) {
		return columns[by]
	}
	return columns[0]
}

// among adds a condition for each value.
func among[T ~string](l *listing.List, column string, values []T) {
	for _, v := range values {
		l.Among(column, string(v))
	}
}

// KeyColumn is what a list of keys is sorted by; the id decides between equals.
type KeyColumn uint8

// The columns, of which the id is the default.
const (
	ByKey KeyColumn = iota
	ByKeyProject
	ByKeyApp
	ByKeyCreation
	ByKeyOrg
	ByKeyExpiry
)

// keyColumns are those of the tables, in the order of their constants.
var keyColumns = [...]string{
	ByKey: "k.key_id", ByKeyProject: "a.project_id", ByKeyApp: "k.app_id", ByKeyCreation: "k.created_at", ByKeyOrg: "k.org_id",
	ByKeyExpiry: "k.expires_at",
}

// KeySearch says which keys are wanted. All conditions must hold.
type KeySearch struct {
	Page search.Page
	By   KeyColumn
	// Within is what the caller may see.
	Within   call.Reach
	Apps     []ident.AppID
	Projects []ident.ProjectID
	Orgs     []ident.OrgID
}

// ListedKey is a key with the project of its application.
type ListedKey struct {
	KeyState

	Project ident.ProjectID
}

// ListKeys returns a page of the keys that are searched for, and how many are on all pages. It returns
// the errors of store.DB.
func ListKeys(ctx context.Context, db store.DB, instance ident.InstanceID, s KeySearch) (total int, page []ListedKey, err error) {
	const from = "app_keys k JOIN apps a ON a.instance_id = k.instance_id AND a.app_id = k.app_id"
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), from, keyColumns[ByKey])
		l.And("k.instance_id = " + l.Arg(instance))
		l.Within(s.Within, listing.Columns{Org: "k.org_id", Project: "a.project_id"})
		among(l, "k.app_id", s.Apps)
		among(l, "a.project_id", s.Projects)
		among(l, "k.org_id", s.Orgs)
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, columnOf(keyColumns[:], s.By)); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		found, err := store.All(ctx, q, func(row store.Scanner) (k ListedKey, err error) {
			k.KeyState, err = scanKey(also{row, &k.Project})
			return k, err
		}, `SELECT `+selectedKey+`, a.project_id FROM `+from+` WHERE k.instance_id = $1 AND `+db.Dialect().InList("k.key_id", "$2"), instance, ids)
		page = listing.Sort(ids, found, func(k ListedKey) string { return k.ID })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list application keys: %w", err)
	}
	return total, page, nil
}

// also scans one more column at the end.
type also struct {
	store.Scanner

	last any
}

// Scan implements store.Scanner.
func (a also) Scan(dest ...any) error { return a.Scanner.Scan(append(dest, a.last)...) }
