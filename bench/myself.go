package main

import (
	"context"

	"castellan/bench/rows"
)

// pathMyself is GetMyUser over REST.
const pathMyself = "/auth/v1/users/me"

// myselfReads are the point reads of GetMyUser with a personal access token: the instance of the host, the
// token with its user, the organization of that and its memberships, and the user.
func (f *field) myselfReads(domain string) []rows.Read {
	const instance = "1"
	return []rows.Read{hostRead(domain), {
		SQL: `SELECT t.user_id, t.expires_at, u.state, u.org_id, o.state, m.scope, m.scope_id, m.roles
 FROM personal_access_tokens t
 JOIN users u ON u.instance_id = t.instance_id AND u.user_id = t.user_id
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 LEFT JOIN members m ON m.instance_id = t.instance_id AND m.user_id = t.user_id
 WHERE t.instance_id = $1 AND t.token_hash = $2`,
		Args: []string{instance}, Bytes: f.personal.Hash(), Columns: "sissssss",
	}, {
		SQL: `SELECT user_id, org_id, username, kind, state, name, access_token_type,
 first_name, last_name, display_name, preferred_language, email, email_verified,
 password_hash, password_change_required, description, secret_hash, nick_name, gender,
 phone, phone_verified, password_changed_at, mfa_skipped_at, codes, sequence, created_at, changed_at
 FROM users WHERE instance_id = $1 AND user_id = $2`,
		Args: []string{instance, askedUser}, Columns: "ssssssssssssbsbsysisbiisiii",
	}}
}

// measureMyself lets many clients of a machine user with a personal access token ask who they are, beside a
// bare handler that makes the same reads.
func (f *field) measureMyself(ctx context.Context, s servers) error {
	domain := f.signers[0].domain
	return f.measureDocuments(ctx, s, leastRead, document{
		what: "GetMyUser with a personal access token", path: pathMyself, does: readDocument(domain, pathMyself),
		token: f.personal.Reveal(), reads: f.myselfReads(domain),
	})
}
