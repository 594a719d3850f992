package user

import (
	"strings"

	"castellan/internal/eventlog"
)

// Table is the table of users; a conflict in it means that the user name is taken.
const Table = "users"

// Active is the state, in the column of that name, of a user who may act; so far all may.
const Active = "active"

var tables = []eventlog.Table[State]{{
	Name:      Table,
	Key:       []string{"instance_id", "user_id"},
	Aggregate: "user_id",
	Rest: []string{
		"org_id", "login_key", "username", "kind", "state", "name", "access_token_type",
		"first_name", "last_name", "display_name", "preferred_language", "email", "email_verified",
		"password_hash", "password_change_required", "sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Owner, strings.ToLower(s.UserName), s.UserName, string(s.Kind), Active,
			s.Name, s.AccessTokenType, s.FirstName, s.LastName, s.DisplayName, s.PreferredLanguage,
			s.Email, s.EmailVerified, s.PasswordHash, s.PasswordChangeRequired,
		}, s.Row()...)}
	},
}}
