package user

import (
	"slices"
	"strings"

	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/search"
)

// Field is a text of a user on which there can be conditions.
type Field uint8

// The fields. What only humans have meets no condition on a machine.
const (
	UserName Field = iota
	FirstName
	LastName
	NickName
	DisplayName
	Email
	Phone
)

// fieldColumns are the columns of the fields, in the order of their constants; then those of
// other conditions.
var fieldColumns = []string{"username", "first_name", "last_name", "nick_name", "display_name", "email", "phone", "user_id", "org_id", "kind", "state"}

// The columns after those of the fields.
const (
	idColumn     = int(Phone) + 1
	orgColumn    = idColumn + 1
	kindColumn   = idColumn + 2
	statusColumn = idColumn + 3
)

// Condition is one that a user meets or does not. Make one with the functions below, and listing.All, Any
// and Not.
type Condition = listing.Condition

// Is is the condition that a text of a user meets t. Addresses and user names that are the same whatever
// the case of their letters are found by an index: of addresses that of the letters A to Z matters not.
func Is(field Field, t search.Text) Condition {
	match := t.Matcher()
	c := Condition{Meets: func(texts []*string) bool {
		return (field == UserName || *texts[kindColumn] == string(Human)) && match(*texts[field])
	}}
	same := t.Method == search.Equals || t.Method == search.EqualsIgnoreCase
	switch {
	case same && field == UserName:
		c.Narrow = func(l *listing.List) { l.Among("login_key", LoginKey(t.Value)) }
	case same && field == Email && isASCII(t.Value) && t.Value != "":
		c.Narrow = func(l *listing.List) { l.Among("email_key", lowerASCII(t.Value)) }
	}
	return c
}

// isASCII reports whether the case of a text is that of the letters A to Z alone.
func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '\x7f' })
}

// HasEmail is the condition that the address of a user is one of some.
func HasEmail(addresses []string) Condition {
	c := Condition{Meets: func(texts []*string) bool {
		return *texts[kindColumn] == string(Human) && slices.Contains(addresses, *texts[Email])
	}}
	keys := make([]string, len(addresses))
	for i, a := range addresses {
		keys[i] = lowerASCII(a)
	}
	c.Narrow = func(l *listing.List) { l.Among("email_key", keys...) }
	return c
}

// HasID is the condition that a user is one of some.
func HasID(ids []ident.UserID) Condition {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return among("user_id", idColumn, texts)
}

// OwnedBy is the condition that a user belongs to an organization.
func OwnedBy(org ident.OrgID) Condition { return among("org_id", orgColumn, []string{string(org)}) }

// OfKind is the condition that a user is a human, or a machine.
func OfKind(kind Kind) Condition { return among("kind", kindColumn, []string{string(kind)}) }

// HasStatus is the condition that a user is Active, Inactive or LockedOut; it is met by nobody for
// another status.
func HasStatus(status string) Condition { return among("state", statusColumn, []string{status}) }

// among is the condition that a column has one of some values.
func among(column string, index int, values []string) Condition {
	set := make(map[string]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return Condition{
		Meets:  func(texts []*string) bool { return set[*texts[index]] },
		Narrow: func(l *listing.List) { l.Among(column, values...) },
		Exact:  true,
	}
}
