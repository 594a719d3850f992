package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"castellan/bench/rows"
	"castellan/internal/app"
	"castellan/internal/assertion"
	"castellan/internal/eventlog"
	"castellan/internal/expiry"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// What is seeded for those who ask about tokens, in the first of the instances for tokens: a project with
// applications that have a secret, and a machine user whose tokens are opaque, with a personal access token.
const (
	askedProject = "50"
	askedRoot    = 60 // the first application; the others follow
	askedUser    = "99"
	askedSecret  = "a secret of an application, as long as those that are made"

	pathIntrospect = "/oauth/v2/introspect"
	formType       = "application/x-www-form-urlencoded"
)

// seedAsked makes all that within a write.
func seedAsked(ctx context.Context, w *eventlog.Writer, public []byte, personal vault.Token) error {
	errs := []error{
		begin(ctx, w, project.Noun, askedProject, tokenOrg, project.Added{Name: "Asked"}),
		begin(ctx, w, user.Noun, askedUser, tokenOrg, user.MachineAdded{UserName: "robot", Name: "Robot", AccessTokenType: user.Bearer}),
		begin(ctx, w, machinekey.Noun, askedUser, tokenOrg, machinekey.Added{
			Key: askedUser, User: askedUser, Type: 1, PublicKey: public, Expiration: expiry.Never,
		}),
		begin(ctx, w, pat.Noun, askedUser, tokenOrg, pat.Added{
			Token: askedUser, User: askedUser, Hash: personal.Hash(), Expiration: expiry.Never,
		}),
	}
	for n := range readClients {
		id := ident.AppID(strconv.Itoa(askedRoot + n))
		errs = append(errs, begin(ctx, w, app.Noun, string(id), tokenOrg,
			app.Added{App: id, Project: askedProject, Name: "api-" + string(id)},
			app.APIConfigAdded{App: id, ClientID: string(id), AuthMethod: app.SecretBasic, SecretHash: vault.HashSecret(askedSecret)}))
	}
	return errors.Join(errs...)
}

// askAbout returns calls of applications that ask about a token, each for itself: a node lets one client ask
// so often and no more.
func askAbout(domain, token string) func(*restClient) call {
	n := 0
	body := []byte(url.Values{"token": {token}}.Encode())
	return func(c *restClient) call {
		id := strconv.Itoa(askedRoot + n%readClients)
		n++
		c.host, c.contentType = domain, formType
		c.basic = base64.StdEncoding.EncodeToString([]byte(id + ":" + url.QueryEscape(askedSecret)))
		return func(context.Context, int) error {
			answer, err := c.do(http.MethodPost, pathIntrospect, body)
			if err == nil && !strings.Contains(string(answer), `"active":true`) {
				err = fmt.Errorf("introspection answered %.300s", answer)
			}
			return err
		}
	}
}

// tokenOf gets an opaque token of the machine user.
func (s signer) tokenOf(addr string) (token string, err error) {
	c, err := dialREST(addr, "")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.host, c.contentType = s.domain, formType
	text, err := assertion.Sign(s.key, askedUser, askedUser, "http://"+s.domain, assertion.MaxAge, time.Now())
	if err != nil {
		return "", err
	}
	answer, err := c.do(http.MethodPost, pathToken, []byte(url.Values{
		"grant_type": {grantAssertion}, "assertion": {text}, "scope": {"profile urn:zitadel:iam:org:project:id:" + askedProject + ":aud"},
	}.Encode()))
	if err != nil {
		return "", err
	}
	var got struct {
		AccessToken string `json:"access_token"`
	}
	return got.AccessToken, json.Unmarshal(answer, &got)
}

// hostRead is the read of the instance a host leads to.
func hostRead(domain string) rows.Read {
	return rows.Read{
		SQL: `SELECT i.instance_id, i.iam_project_id, i.is_stopped, l.block, q.quota_id, q.period_from, q.reset_interval, q.amount, q.is_limited
 FROM instance_domains d JOIN instances i ON i.instance_id = d.instance_id
 LEFT JOIN instance_limits l ON l.instance_id = d.instance_id
 LEFT JOIN quotas q ON q.instance_id = d.instance_id AND q.unit = 1 WHERE d.domain = $1`,
		Args: []string{domain}, Columns: "ssbbsiiib",
	}
}

// introspectReads are the point reads of an introspection, each as castellan makes it when it has nothing in
// memory: the instance of the host, the application that asks, what the token stands on, its user, and the
// roles of that on the project.
func introspectReads(d *store.Dialect, domain string) []rows.Read {
	const instance = "1"
	first := strconv.Itoa(askedRoot)
	return []rows.Read{hostRead(domain), {
		SQL: `SELECT a.app_id, a.project_id, a.kind, a.auth_method, a.secret_hash, a.state, p.state, o.state, k.public_key, k.expires_at
 FROM apps a JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id
 LEFT JOIN app_keys k ON k.instance_id = a.instance_id AND k.key_id = $3 AND k.app_id = a.app_id
 WHERE a.instance_id = $1 AND a.client_id = $2`,
		Args: []string{instance, first, ""}, Columns: "ssssysssyi",
	}, {
		SQL: `SELECT u.org_id, u.state, o.state, s.is_revoked, s.revoked_through, k.expires_at FROM users u
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 LEFT JOIN oidc_sessions s ON s.instance_id = u.instance_id AND s.session_id = $3
 JOIN machine_keys k ON k.instance_id = u.instance_id AND k.key_id = $4 AND k.user_id = u.user_id
 WHERE u.instance_id = $1 AND u.user_id = $2`,
		Args: []string{instance, askedUser, "none", askedUser}, Columns: "sssbii",
	}, {
		SQL: `SELECT u.kind, u.state, o.state, u.username, u.name, u.email, u.email_verified, u.changed_at, o.org_id, o.name, i.iam_project_id,
 d.domain, a.project_id, p.role_assertion FROM users u
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 JOIN instances i ON i.instance_id = u.instance_id
 LEFT JOIN org_domains d ON d.instance_id = u.instance_id AND d.org_id = u.org_id AND d.is_primary
 LEFT JOIN apps a ON a.instance_id = u.instance_id AND a.client_id = $3
 LEFT JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 WHERE u.instance_id = $1 AND u.user_id = $2`,
		Args: []string{instance, askedUser, first}, Columns: "ssssssbisssssb",
	}, {
		SQL: `SELECT a.project_id, a.org_id, d.domain, a.role_keys, g.role_keys FROM authorizations a
 JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id AND p.state = 'active'
 JOIN orgs po ON po.instance_id = p.instance_id AND po.org_id = p.org_id AND po.state = 'active'
 JOIN orgs ao ON ao.instance_id = a.instance_id AND ao.org_id = a.org_id AND ao.state = 'active'
 LEFT JOIN org_domains d ON d.instance_id = a.instance_id AND d.org_id = a.org_id AND d.is_primary
 LEFT JOIN project_grants g ON g.instance_id = a.instance_id AND g.grant_id = a.project_grant_id AND g.state = 'active'
 WHERE a.instance_id = $1 AND a.user_id = $2 AND a.state = 'active' AND ` + d.InList("a.project_id", "$3"),
		Args: []string{instance, askedUser, `["` + askedProject + `"]`}, Columns: "sssss",
	}}
}

// measureIntrospect lets many applications ask about a token, beside a bare handler that makes the same
// reads.
func (f *field) measureIntrospect(ctx context.Context, s servers) error {
	of := f.signers[0]
	token, err := of.tokenOf(s.large.addr)
	if err != nil {
		return err
	}
	dialect, err := f.dialect(ctx)
	if err != nil {
		return err
	}
	return f.measureDocuments(ctx, s, leastRead, document{
		what: "introspection of an opaque token", path: pathIntrospect, does: askAbout(of.domain, token),
		reads: introspectReads(dialect, of.domain),
	})
}

// dialect returns how the engine spells what engines spell differently.
func (f *field) dialect(ctx context.Context) (*store.Dialect, error) {
	on, err := f.engine.fresh(ctx, "dialect")
	if err != nil {
		return nil, err
	}
	db, err := f.engine.open(ctx, on)
	if err != nil {
		return nil, err
	}
	return db.Dialect(), db.Close()
}
