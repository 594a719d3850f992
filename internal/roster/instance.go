package roster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/member"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/user"
)

// Member is a membership of an instance with the user who holds it.
type Member struct {
	Owner     string // of the membership: the instance
	Roles     []string
	Sequence  uint64
	CreatedAt time.Time
	ChangedAt time.Time

	User     ident.UserID
	UserOrg  ident.OrgID
	UserKind user.Kind
	// LoginName is what the user is called when signing in: the user name as it is, for the
	// defaults do not ask for the domain of the organization in it (contract section 8).
	LoginName string
	// DisplayName is the name of a machine.
	DisplayName string
	// Humans only.
	FirstName, LastName, Email string
}

// Column is what members are sorted by; the id of the user decides between equals.
type Column uint8

// The columns, of which the id of the user is the default.
const (
	ByUser Column = iota
	ByCreation
	ByChange
	ByUserOrg
)

// columns are the columns of the statement, in the order of their constants.
var columns = [...]string{ByUser: "m.user_id", ByCreation: "m.created_at", ByChange: "m.changed_at", ByUserOrg: "u.org_id"}

// Search says which members are wanted (contract section 2.7). All conditions must hold. Those
// on names and addresses are met by humans alone.
type Search struct {
	Page       search.Page
	By         Column
	FirstNames []search.Text
	LastNames  []search.Text
	Emails     []search.Text
	Users      []ident.UserID
}

// OfInstance returns a page of the members of an instance, and how many are on all pages. It
// returns instance.NotFound when there is no such instance. It reads every member of the
// instance, and none of its organizations.
func OfInstance(ctx context.Context, db store.DB, id ident.InstanceID, s Search) (total int, page []Member, err error) {
	meets := s.conditions()
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		total, page = 0, nil
		if err := instance.Require(ctx, q, id); err != nil {
			return err
		}
		_, err := store.All(ctx, q, func(row store.Scanner) (none struct{}, err error) {
			m, err := scan(row)
			if err != nil || !meets(m) {
				return none, err
			}
			if total++; total > s.Page.From() && len(page) < s.Page.Size() {
				page = append(page, m)
			}
			return none, nil
		}, s.sql(), string(id), string(member.Instance))
		if err != nil {
			return fmt.Errorf("list the members of instance %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return total, page, nil
}

// sql is the text of the search; there are two for each column.
func (s Search) sql() string {
	by, direction := columns[ByUser], " DESC"
	if int(s.By) < len(columns) {
		by = columns[s.By]
	}
	if s.Page.Ascending {
		direction = ""
	}
	return `SELECT m.user_id, m.owner, m.roles, m.sequence, m.created_at, m.changed_at,
 u.org_id, u.kind, u.username, u.name, u.first_name, u.last_name, u.display_name, u.email
 FROM members m JOIN users u ON u.instance_id = m.instance_id AND u.user_id = m.user_id
 WHERE m.instance_id = $1 AND m.scope = $2 AND m.scope_id = $1
 ORDER BY ` + by + direction + `, m.user_id` + direction
}

// conditions returns the function that tells whether a member is wanted.
func (s Search) conditions() func(Member) bool {
	type condition struct {
		of    func(Member) string
		match func(string) bool
	}
	var all []condition
	add := func(texts []search.Text, of func(Member) string) {
		for _, t := range texts {
			all = append(all, condition{of, t.Matcher()})
		}
	}
	add(s.FirstNames, func(m Member) string { return m.FirstName })
	add(s.LastNames, func(m Member) string { return m.LastName })
	add(s.Emails, func(m Member) string { return m.Email })
	return func(m Member) bool {
		if slices.ContainsFunc(s.Users, func(id ident.UserID) bool { return id != m.User }) {
			return false
		}
		if m.UserKind != user.Human {
			return len(all) == 0
		}
		return !slices.ContainsFunc(all, func(c condition) bool { return !c.match(c.of(m)) })
	}
}

func scan(row store.Scanner) (m Member, err error) {
	var roles, name string
	var created, changed int64
	err = row.Scan(&m.User, &m.Owner, &roles, &m.Sequence, &created, &changed,
		&m.UserOrg, &m.UserKind, &m.LoginName, &name, &m.FirstName, &m.LastName, &m.DisplayName, &m.Email)
	m.Roles = strings.Fields(roles)
	m.CreatedAt, m.ChangedAt = store.Time(created), store.Time(changed)
	if m.UserKind == user.Machine {
		m.DisplayName = name
	}
	return m, err
}
