package user

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// Table is the table of users; a conflict in it means that the user name is taken.
const Table = "users"

var tables = []eventlog.Table[State]{{
	Name:      Table,
	Kept:      eventlog.Kept{Epoch: eventlog.Access, FoundOnly: true},
	Key:       []string{"instance_id", "user_id"},
	Aggregate: "user_id",
	Rest: []string{
		"org_id", "login_key", "username", "kind", "state", "name", "access_token_type",
		"first_name", "last_name", "display_name", "preferred_language", "email", "email_verified",
		"password_hash", "password_change_required", "description", "secret_hash", "nick_name", "gender",
		"email_key", "phone", "phone_verified", "password_changed_at", "mfa_skipped_at", "codes",
		"sequence", "created_at", "changed_at",
	},
	Rows: func(s State) [][]any {
		if s.Removed {
			return nil
		}
		return [][]any{append([]any{
			string(s.Instance), s.ID, s.Owner, LoginKey(s.UserName), s.UserName, string(s.Kind), s.Status,
			s.Name, s.AccessTokenType, s.FirstName, s.LastName, s.DisplayName, s.PreferredLanguage,
			s.Email, s.EmailVerified, s.PasswordHash, s.PasswordChangeRequired, s.Description, s.SecretHash,
			s.NickName, int64(s.Gender), lowerASCII(s.Email), s.Phone, s.PhoneVerified,
			moment(s.PasswordChangedAt), moment(s.MFASkippedAt), codesText(s.Codes),
		}, s.Row()...)}
	},
}}

// LoginKey is what two user names share when they are one to an instance: they differ in case alone.
func LoginKey(userName string) string { return strings.ToLower(userName) }

// lowerASCII writes A to Z small and leaves the rest: as lower() does in SQL, in both engines.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// moment is how a time is stored that may be none.
func moment(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return store.Micros(t)
}

// momentOf is the time that moment has stored.
func momentOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return store.Time(micros)
}

// codesText is the form of codes in the table.
func codesText(codes []Code) string {
	if len(codes) == 0 {
		return ""
	}
	text, err := json.Marshal(codes)
	if err != nil {
		panic("user: " + err.Error()) // unreachable: they are numbers, bytes and times of this century
	}
	return string(text)
}

const selected = `SELECT user_id, org_id, username, kind, state, name, access_token_type,
 first_name, last_name, display_name, preferred_language, email, email_verified,
 password_hash, password_change_required, description, secret_hash, nick_name, gender,
 phone, phone_verified, password_changed_at, mfa_skipped_at, codes, sequence, created_at, changed_at
 FROM users WHERE instance_id = $1`

// Get returns a user of an instance. It returns [NotFound] when there is none with that id.
func Get(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.UserID) (State, error) {
	return get(ctx, q, "", at, id)
}

// Hold is Get within a write that is to change the user: other writes that do wait until tx ends.
func Hold(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, id ident.UserID) (State, error) {
	return get(ctx, tx, d.ForUpdate, at, id)
}

// Keep is Get within a write that adds to the user, such as a key: until tx ends nobody removes the
// user, and others may add to it too.
func Keep(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, id ident.UserID) (State, error) {
	return get(ctx, tx, d.ForKeyShare, at, id)
}

func get(ctx context.Context, q store.Querier, end string, at ident.InstanceID, id ident.UserID) (State, error) {
	s, err := store.One(ctx, q, scan(at), selected+` AND user_id = $2`+end, at, id)
	if errors.Is(err, store.ErrNotFound) {
		return State{}, NotFound
	}
	if err != nil {
		return State{}, fmt.Errorf("get user %s of instance %s: %w", id, at, err)
	}
	return s, nil
}

// PageOfOrg returns at most limit users that an organization owns, the oldest first, after one of them or
// from the zero State on; other writes that change them wait until tx ends. It is for who removes them all.
func PageOfOrg(ctx context.Context, tx store.Tx, d *store.Dialect, at ident.InstanceID, org ident.OrgID, after State,
	limit int,
) ([]State, error) {
	since := int64(-1)
	if after.Exists() {
		since = store.Micros(after.CreatedAt)
	}
	found, err := store.All(ctx, tx, scan(at), selected+` AND org_id = $2 AND (created_at, user_id) > ($3, $4)
 ORDER BY created_at, user_id LIMIT $5`+d.ForUpdate, at, org, since, after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list the users of organization %s of instance %s: %w", org, at, err)
	}
	return found, nil
}

// scan reads one row of an instance.
func scan(at ident.InstanceID) func(store.Scanner) (State, error) {
	return func(row store.Scanner) (s State, err error) {
		var (
			id, org, codes            string
			created, changed          int64
			passwordChanged, mfaSkips int64
			sequence                  uint64
		)
		err = row.Scan(&id, &org, &s.UserName, &s.Kind, &s.Status, &s.Name, &s.AccessTokenType,
			&s.FirstName, &s.LastName, &s.DisplayName, &s.PreferredLanguage, &s.Email, &s.EmailVerified,
			&s.PasswordHash, &s.PasswordChangeRequired, &s.Description, &s.SecretHash, &s.NickName, &s.Gender,
			&s.Phone, &s.PhoneVerified, &passwordChanged, &mfaSkips, &codes, &sequence, &created, &changed)
		if err != nil {
			return s, err
		}
		s.Head = eventlog.Restore(at, id, org, sequence, created, changed)
		s.PasswordChangedAt, s.MFASkippedAt = momentOf(passwordChanged), momentOf(mfaSkips)
		if codes != "" {
			err = json.Unmarshal([]byte(codes), &s.Codes)
		}
		return s, err
	}
}
