package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/maypok86/otter/v2"

	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/quota"
	"castellan/internal/role"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/vault"
)

// The answers to callers who may not.
var (
	errToken  = fault.New(fault.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid")
	errDenied = fault.New(fault.PermissionDenied, "AUTH-5mWD2", "No matching permissions found")
)

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

// User is a user of an instance who has shown a token.
type User struct {
	ID ident.UserID
	// Instance is the one whose user it is.
	Instance Instance
	// Roles are those of its membership of the instance. What it holds on organizations of the
	// instance is not among them.
	Roles []string
}

// instanceRole begins the names of the roles that count on an instance. The table of roles has others,
// SYSTEM_OWNER among them, which no membership of an instance can give.
const instanceRole = "IAM_"

// May returns nil when the user is a member of the instance a call is about with an IAM_* role that
// grants permission, and otherwise a fault of kind PermissionDenied (AUTH-5mWD2), the same whether
// there is such an instance or not.
func (u User) May(permission string, about ident.InstanceID) error {
	if about != "" && about == u.Instance.ID {
		for _, name := range u.Roles {
			if strings.HasPrefix(name, instanceRole) && role.Instance.Grants(name, permission) {
				return nil
			}
		}
	}
	return errDenied.WithCause(fmt.Errorf("user %s of instance %s has no %s for instance %.200q",
		u.ID, u.Instance.ID, permission, about))
}

// Limits of what strangers can make a node do.
const (
	// maxAsking is how many look-ups for tokens that have proved nothing may run at once. Everybody can
	// make up a token, and so have the database asked; nobody can occupy it.
	maxAsking = 2
	// maxProved is how many tokens are remembered that were of use when last seen.
	maxProved = 10_000
)

// Config is what a Directory needs.
type Config struct {
	// DB is asked outside of transactions.
	DB    store.Querier
	Clock ident.Clock
	// ExternalDomain and Secure are how clients reach the system; callers with a wrong host are told.
	ExternalDomain string
	Secure         bool
}

// Directory finds instances by host, and users by token. It is safe for concurrent use.
type Directory struct {
	config Config
	asking chan struct{} // one place for each look-up for a stranger
	// proved has the hashes of tokens that were of use when last seen. It says who need not wait behind
	// strangers, and nothing else: each call has the database asked.
	proved *otter.Cache[[sha256.Size]byte, struct{}]
}

// NewDirectory returns a directory that has seen no token.
func NewDirectory(config Config) *Directory {
	return &Directory{
		config: config, asking: make(chan struct{}, maxAsking),
		proved: otter.Must(&otter.Options[[sha256.Size]byte, struct{}]{MaximumSize: maxProved}),
	}
}

// hostSQL reads all that a call by host needs to know of the instance. The column of a row that is
// not there is NULL.
const hostSQL = `SELECT i.instance_id, i.is_stopped, l.block,
 q.quota_id, q.period_from, q.reset_interval, q.amount, q.is_limited
 FROM instance_domains d
 JOIN instances i ON i.instance_id = d.instance_id
 LEFT JOIN instance_limits l ON l.instance_id = d.instance_id
 LEFT JOIN quotas q ON q.instance_id = d.instance_id AND q.unit = $2
 WHERE d.domain = $1`

// ByHost returns the instance that a host leads to: the value of a Host or :authority header, perhaps
// with a port. It returns a plain fault of kind NotFound (contract section 3.3) when there is none,
// and the errors of store.DB.
func (d *Directory) ByHost(ctx context.Context, host string) (Instance, error) {
	domain, ok := domainOf(host)
	if !ok {
		return Instance{}, d.unknown(host)
	}
	found, err := store.One(ctx, d.config.DB, scanInstance, hostSQL, domain, quota.RequestsAllAuthenticated)
	if errors.Is(err, store.ErrNotFound) {
		return Instance{}, d.unknown(host)
	}
	if err != nil {
		return Instance{}, fmt.Errorf("find the instance of a host: %w", err)
	}
	return found, nil
}

// unknown is the answer to a host that leads nowhere. Its text is the one clients know, cut where
// no host can be as long.
func (d *Directory) unknown(host string) error {
	scheme := "http"
	if d.config.Secure {
		scheme = "https"
	}
	return fault.Plain(fault.NotFound, fmt.Sprintf(
		"unable to set instance using origin %s://%.260s (ExternalDomain is %s): ID=QUERY-1kIjX Message=Instance not found",
		scheme, host, d.config.ExternalDomain))
}

// scanInstance reads one row of hostSQL.
func scanInstance(row store.Scanner) (i Instance, err error) {
	var (
		blocked, limited *bool
		id               *ident.QuotaID
		from, interval   *int64
		amount           *uint64
	)
	if err := row.Scan(&i.ID, &i.Stopped, &blocked, &id, &from, &interval, &amount, &limited); err != nil {
		return i, err
	}
	i.Blocked = blocked != nil && *blocked
	if id != nil {
		i.Requests = quota.TermsOf(*id, quota.RequestsAllAuthenticated, *from, *interval, *amount, *limited)
	}
	return i, nil
}

// tokenSQL reads a token with its user and the roles that the user holds on the instance itself.
const tokenSQL = `SELECT t.user_id, t.expires_at, u.state, m.roles
 FROM personal_access_tokens t
 JOIN users u ON u.instance_id = t.instance_id AND u.user_id = t.user_id
 LEFT JOIN members m ON m.instance_id = t.instance_id AND m.user_id = t.user_id
  AND m.scope = $3 AND m.scope_id = t.instance_id
 WHERE t.instance_id = $1 AND t.token_hash = $2`

// ByToken returns the user whose token is sent to a host: one of the instance the host leads to, who
// is active, with a token that has not expired. Otherwise it returns a fault of kind Unauthenticated
// (AUTH-7fs1e), whose hidden cause names the reason; the errors of store.DB; and that of ctx when it
// ends while a token that has proved nothing waits. The look-up is by the hash of 256 random bits, so
// what its time tells is of no use.
func (d *Directory) ByToken(ctx context.Context, host string, token vault.Token) (User, error) {
	hash := [sha256.Size]byte(token.Hash())
	_, proved := d.proved.GetIfPresent(hash)
	if !proved {
		select {
		case d.asking <- struct{}{}:
			defer func() { <-d.asking }()
		case <-ctx.Done():
			return User{}, ctx.Err()
		}
	}
	who, err := d.byHash(ctx, host, hash[:])
	switch {
	case err == nil && !proved:
		d.proved.Set(hash, struct{}{})
	case proved && errors.Is(err, errToken):
		d.proved.Invalidate(hash)
	}
	return who, err
}

// byHash is ByToken of the hash of a token.
func (d *Directory) byHash(ctx context.Context, host string, hash []byte) (User, error) {
	at, err := d.ByHost(ctx, host)
	if fault.KindOf(err) == fault.NotFound {
		return User{}, errToken.WithCause(err)
	}
	if err != nil {
		return User{}, err
	}
	found, err := store.One(ctx, d.config.DB, scanToken, tokenSQL, at.ID, hash, member.Instance)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return User{}, errToken.WithCause(fmt.Errorf("instance %s has no such token", at.ID))
	case err != nil:
		return User{}, fmt.Errorf("find a token of instance %s: %w", at.ID, err)
	case store.Micros(d.config.Clock.Now()) >= found.expires:
		return User{}, errToken.WithCause(fmt.Errorf("the token of user %s has expired", found.user))
	case found.state != user.Active:
		return User{}, errToken.WithCause(fmt.Errorf("user %s is %s", found.user, found.state))
	}
	return User{ID: found.user, Instance: at, Roles: found.roles}, nil
}

// shown is a token as its row has it.
type shown struct {
	user    ident.UserID
	expires int64 // microseconds
	state   string
	roles   []string
}

// scanToken reads one row of tokenSQL.
func scanToken(row store.Scanner) (s shown, err error) {
	var roles *string
	err = row.Scan(&s.user, &s.expires, &s.state, &roles)
	if roles != nil {
		s.roles = strings.Fields(*roles)
	}
	return s, err
}
