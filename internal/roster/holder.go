package roster

import (
	"castellan/internal/ident"
	"castellan/internal/user"
)

// Holder is the user who holds something.
type Holder struct {
	User ident.UserID
	Org  ident.OrgID // it belongs to
	// LoginName is what the user is called when signing in.
	LoginName string
	// DisplayName is the name of a machine.
	DisplayName string
}

// displayName is the SQL of Holder.DisplayName, of a user u.
const displayName = `CASE u.kind WHEN '` + string(user.Machine) + `' THEN u.name ELSE u.display_name END`

// holder are the columns of a Holder, of a user u, in the order of its fields.
const holder = `u.user_id, u.org_id, u.username, ` + displayName

// dest are where those columns are scanned into.
func (h *Holder) dest() []any { return []any{&h.User, &h.Org, &h.LoginName, &h.DisplayName} }
