package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"castellan/internal/fault"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/origin"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// errToken is the answer to whoever has no token that is of use.
var errToken = fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")

// The answers of an instance that may not be used. The System API stays usable.
var (
	// Stopped is that of an instance an operator has stopped.
	Stopped = fault.New(fault.Unavailable, "INST-stop1", "this instance has been stopped by its operator")
	// Blocked is that of an instance whose limits block it (contract section 2.8).
	Blocked = fault.New(fault.ResourceExhausted, "LIMITS-molsj", "Errors.Limits.Instance.Blocked")
)

// Instance is what every call about an instance asks of it.
type Instance struct {
	ID ident.InstanceID
	// Project is the instance's own project, for which tokens for its APIs are given out.
	Project ident.ProjectID
	// Stopped and Blocked say that it may not be used, see [Instance.Usable].
	Stopped, Blocked bool
	// Requests is the quota of authenticated requests; zero when there is none.
	Requests quota.Terms
}

// Usable returns nil, or why the instance may not be used: [Stopped] or [Blocked].
func (i Instance) Usable() error {
	switch {
	case i.Stopped:
		return Stopped
	case i.Blocked:
		return Blocked
	}
	return nil
}

// Limits of what strangers can make a node do.
const (
	// maxAsking is how many look-ups for tokens that have proved nothing may run at once. Everybody can
	// make up a token, and so have the database asked; nobody can occupy it.
	maxAsking = 2
	// maxProved is how many tokens are remembered that were of use when last seen.
	maxProved = 10_000
	// maxHosts is how many hosts are kept with the instances they lead to. A host may be written in
	// many ways; what leads nowhere is not kept.
	maxHosts = 5000
)

// Config is what a Directory needs.
type Config struct {
	// DB is asked outside of transactions.
	DB    store.Querier
	Clock ident.Clock
	// Tokens knows access tokens; without it only personal ones are taken.
	Tokens Verifier
	// Epochs makes the directory keep which instances hosts lead to; without it the database is asked
	// each time.
	Epochs *fresh.Epochs
	// ExternalDomain is how clients reach the system; callers with a wrong host are told.
	ExternalDomain string
}

// Directory finds instances by host, and users by token. It is safe for concurrent use.
type Directory struct {
	config Config
	asking chan struct{} // one place for each look-up for a stranger
	// proved has the hashes of tokens that were of use when last seen. It says who need not wait behind
	// strangers, and nothing else: each call has the database asked.
	proved *otter.Cache[[sha256.Size]byte, struct{}]
	// hosts has instances by host as it was sent; nil without Epochs.
	hosts *fresh.Cache[string, Instance]
}

// NewDirectory returns a directory that has seen no token.
func NewDirectory(config Config) *Directory {
	d := &Directory{
		config: config, asking: make(chan struct{}, maxAsking),
		proved: otter.Must(&otter.Options[[sha256.Size]byte, struct{}]{MaximumSize: maxProved}),
	}
	if config.Epochs != nil {
		d.hosts = fresh.NewCache[string, Instance](config.Epochs, maxHosts)
	}
	return d
}

// hostSQL reads all that a call by host needs to know of the instance. The column of a row that is
// not there is NULL.
const hostSQL = `SELECT i.instance_id, i.iam_project_id, i.is_stopped, l.block,
 q.quota_id, q.period_from, q.reset_interval, q.amount, q.is_limited
 FROM instance_domains d
 JOIN instances i ON i.instance_id = d.instance_id
 LEFT JOIN instance_limits l ON l.instance_id = d.instance_id
 LEFT JOIN quotas q ON q.instance_id = d.instance_id AND q.unit = $2
 WHERE d.domain = $1`

// ByOrigin returns the instance that the host of a request leads to. It returns a plain fault of kind
// NotFound (contract section 3.3) when there is none, and when the public host that a trusted proxy names
// is neither a trusted domain of the instance nor a domain of it; and the errors of store.DB. It costs one
// read by key, which many callers share when the host has been asked for before, and another one when there
// is a public host that is not the instance host.
func (d *Directory) ByOrigin(ctx context.Context, o origin.Origin) (Instance, error) {
	at, err := d.byHost(ctx, o)
	if err != nil {
		return Instance{}, err
	}
	if err := d.mayBeShownAs(ctx, at.ID, o); err != nil {
		return Instance{}, err
	}
	return at, nil
}

// byHost is ByOrigin without a look at the public host.
func (d *Directory) byHost(ctx context.Context, o origin.Origin) (Instance, error) {
	read := func(ctx context.Context, q store.Querier) (Instance, ident.InstanceID, error) {
		domain, ok := domainOf(o.InstanceHost)
		if !ok {
			return Instance{}, "", store.ErrNotFound
		}
		found, err := store.One(ctx, q, scanInstance, hostSQL, domain, quota.RequestsAllAuthenticated)
		return found, found.ID, err
	}
	var found Instance
	var err error
	if d.hosts != nil {
		found, err = d.hosts.Find(ctx, o.InstanceHost, read)
	} else {
		found, _, err = read(ctx, d.config.DB)
	}
	if errors.Is(err, store.ErrNotFound) {
		return Instance{}, d.unknown(o.Scheme, o.InstanceHost, noInstance)
	}
	if err != nil {
		return Instance{}, fmt.Errorf("find the instance of a host: %w", err)
	}
	return found, nil
}

// mayBeShownAs returns an error unless the public host is one of the instance.
func (d *Directory) mayBeShownAs(ctx context.Context, id ident.InstanceID, o origin.Origin) error {
	if o.PublicHost == "" {
		return nil
	}
	public, ok := domainOf(o.PublicHost)
	if asked, _ := domainOf(o.InstanceHost); ok && public == asked {
		return nil
	}
	trusted := false
	if ok {
		found, err := store.All(ctx, d.config.DB, func(row store.Scanner) (n int, err error) { err = row.Scan(&n); return n, err },
			`SELECT 1 FROM instance_trusted_domains WHERE instance_id = $1 AND domain = $2
 UNION ALL SELECT 1 FROM instance_domains WHERE domain = $2 AND instance_id = $1`, id, public)
		if err != nil {
			return fmt.Errorf("find a trusted domain of instance %s: %w", id, err)
		}
		trusted = len(found) > 0
	}
	if !trusted {
		return d.unknown(o.Scheme, o.PublicHost, notTrusted)
	}
	return nil
}

// The ids of the faults of hosts (contract section 3.3).
const (
	noInstance = "QUERY-1kIjX"
	notTrusted = "QUERY-IuGh1"
)

// unknown is the answer to a host that leads nowhere. Its text is the one clients know, cut where
// no host can be as long.
func (d *Directory) unknown(scheme, host, id string) error {
	return fault.Plain(fault.NotFound, fmt.Sprintf(
		"unable to set instance using origin %s://%.260s (ExternalDomain is %s): ID=%s Message=Instance not found",
		scheme, host, d.config.ExternalDomain, id))
}

// scanInstance reads one row of hostSQL.
func scanInstance(row store.Scanner) (i Instance, err error) {
	var (
		blocked, limited *bool
		id               *ident.QuotaID
		from, interval   *int64
		amount           *uint64
	)
	if err := row.Scan(&i.ID, &i.Project, &i.Stopped, &blocked, &id, &from, &interval, &amount, &limited); err != nil {
		return i, err
	}
	i.Blocked = blocked != nil && *blocked
	if id != nil {
		i.Requests = quota.TermsOf(*id, quota.RequestsAllAuthenticated, *from, *interval, *amount, *limited)
	}
	return i, nil
}

// tokenSQL reads a token with its user, the state of that one's organization, and all its memberships:
// a row for each, or one without.
const tokenSQL = `SELECT t.user_id, t.expires_at, u.state, u.org_id, o.state, m.scope, m.scope_id, m.owner, m.roles
 FROM personal_access_tokens t
 JOIN users u ON u.instance_id = t.instance_id AND u.user_id = t.user_id
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 LEFT JOIN members m ON m.instance_id = t.instance_id AND m.user_id = t.user_id
 WHERE t.instance_id = $1 AND t.token_hash = $2`

// byPersonal finds the user of an instance who has a personal access token.
func (d *Directory) byPersonal(ctx context.Context, at Instance, personal vault.Token) (User, error) {
	rows, err := store.All(ctx, d.config.DB, scanToken, tokenSQL, at.ID, personal.Hash())
	if err != nil {
		return User{}, fmt.Errorf("find a token of instance %s: %w", at.ID, err)
	}
	if len(rows) == 0 {
		return User{}, errToken.WithCause(fmt.Errorf("instance %s has no such token", at.ID))
	}
	if err := rows[0].live(d.config.Clock.Now()); err != nil {
		return User{}, errToken.WithCause(err)
	}
	who := User{ID: rows[0].user, Instance: at, ResourceOwner: rows[0].org}
	for _, row := range rows {
		if row.scope != nil {
			who.Memberships = append(who.Memberships, Membership{
				Scope: member.Scope(*row.scope), ID: *row.scopeID, Owner: ident.OrgID(*row.owner), Roles: strings.Fields(*row.roles),
			})
		}
	}
	return who, nil
}

// orgActive is the state, in the column of that name, of an organization whose users may act.
const orgActive = "active"

// shown is one row of tokenSQL.
type shown struct {
	user                         ident.UserID
	expires                      int64 // microseconds
	state, orgState              string
	org                          ident.OrgID
	scope, scopeID, owner, roles *string // of one membership
}

// live returns nil, or why the token is of no use.
func (s *shown) live(now time.Time) error {
	switch {
	case store.Micros(now) >= s.expires:
		return fmt.Errorf("the token of user %s has expired", s.user)
	case s.state != user.Active:
		return fmt.Errorf("user %s is %s", s.user, s.state)
	case s.orgState != orgActive:
		return fmt.Errorf("organization %s of user %s is %s", s.org, s.user, s.orgState)
	}
	return nil
}

// scanToken reads one row of tokenSQL.
func scanToken(row store.Scanner) (s shown, err error) {
	err = row.Scan(&s.user, &s.expires, &s.state, &s.org, &s.orgState, &s.scope, &s.scopeID, &s.owner, &s.roles)
	return s, err
}
