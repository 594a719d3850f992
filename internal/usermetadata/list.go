package usermetadata

import (
	"context"
	"fmt"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Search says which entries of a user are wanted. All conditions must hold. They are sorted by key.
type Search struct {
	Page search.Page
	User ident.UserID
	Keys []search.Text
}

// maxAnswer is how many bytes of values a page holds at most: several times what clients take in one
// answer.
const maxAnswer = 16 << 20

// List returns a page of the entries that are searched for, and how many are on all pages. It returns
// META-page1 when the values on the page are more than an answer can hold, and the errors of store.DB.
func List(ctx context.Context, db store.DB, at ident.InstanceID, s Search) (total int, page []State, err error) {
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), Table, "meta_key")
		l.And("instance_id = " + l.Arg(at))
		l.And("user_id = " + l.Arg(s.User))
		l.Compare("meta_key", s.Keys...)
		var keys []string
		if total, keys, err = l.Find(ctx, q, s.Page, "meta_key"); err != nil || len(keys) == 0 {
			page = nil
			return err
		}
		size := 0
		found, err := store.All(ctx, q, func(row store.Scanner) (State, error) {
			one, err := scan(at)(row)
			if size += len(one.Value); err == nil && size > maxAnswer {
				err = fault.Invalid("META-page1", "Errors.Query.InvalidRequest", "pagination.limit",
					"must be less, for what is on the page is too large for one answer")
			}
			return one, err
		}, selected+` AND user_id = $2 AND `+db.Dialect().InList("meta_key", "$3"), at, s.User, keys)
		page = listing.Sort(keys, found, func(s State) string { return s.Key })
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the metadata of user %s of instance %s: %w", s.User, at, err)
	}
	return total, page, nil
}

// Having are conditions on one entry of a user. All must hold of the same.
type Having struct {
	Keys []search.Text
	// Values the entry has, and does not have.
	Values, OtherValues [][]byte
}

// Users returns the users of an instance who have such an entry, in no order. It returns the errors of
// the database.
func (h Having) Users(ctx context.Context, db store.DB, at ident.InstanceID) ([]ident.UserID, error) {
	var l search.Where
	l.And("instance_id = " + l.Arg(at))
	for _, v := range h.Values {
		l.And("meta_value = " + l.Arg(bytesOf(v)))
	}
	for _, v := range h.OtherValues {
		l.And("meta_value <> " + l.Arg(bytesOf(v)))
	}
	var matches []func(string) bool
	for _, key := range h.Keys {
		if key.Method == search.Equals {
			l.And("meta_key = " + l.Arg(key.Value))
		} else {
			matches = append(matches, key.Matcher())
		}
	}
	seen := make(map[ident.UserID]bool)
	_, err := store.All(ctx, db, func(row store.Scanner) (none struct{}, err error) {
		var (
			user ident.UserID
			key  string
		)
		if err := row.Scan(&user, &key); err != nil {
			return none, err
		}
		for _, match := range matches {
			if !match(key) {
				return none, nil
			}
		}
		seen[user] = true
		return none, nil
	}, `SELECT user_id, meta_key FROM user_metadata`+l.SQL(), l.Args()...)
	if err != nil {
		return nil, fmt.Errorf("search the metadata of users of instance %s: %w", at, err)
	}
	users := make([]ident.UserID, 0, len(seen))
	for user := range seen {
		users = append(users, user)
	}
	return users, nil
}

// bytesOf makes an empty value one, which is not NULL.
func bytesOf(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}
