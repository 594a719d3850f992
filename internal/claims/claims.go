package claims

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"castellan/internal/ident"
	"castellan/internal/store"
	"castellan/internal/user"
)

// The claims that are our own (contract section 5.6). Roles of one project have its id in the middle.
const (
	metadataClaim      = Metadata
	ownerIDClaim       = ResourceOwner + ":id"
	ownerNameClaim     = ResourceOwner + ":name"
	ownerDomainClaim   = ResourceOwner + ":primary_domain"
	orgIDClaim         = "urn:zitadel:iam:org:id"
	orgDomainClaim     = "urn:zitadel:iam:org:domain:primary"
	rolesClaim         = "urn:zitadel:iam:org:project:roles"
	rolesOfClaimPrefix = "urn:zitadel:iam:org:project:"
	rolesOfClaimSuffix = ":roles"
)

// ErrInactive means that there is no such user, or that the user or its organization may not act.
var ErrInactive = errors.New("claims: the user may not act")

// Use is what claims are for. It decides what is told beside what scopes ask for.
type Use uint8

// The uses.
const (
	// Userinfo is the answer of the userinfo endpoint. Roles on the project of the client are told unasked
	// when the project says so.
	Userinfo Use = iota
	// Introspection is what an application is told about a token that it was shown: roles on its own
	// project, always, and on no other.
	Introspection
	// AccessToken is a JWT for resource servers. It tells nothing that identifies a person.
	AccessToken
	// IDToken goes with an access token: what identifies a person can be had at the userinfo endpoint, and
	// is told when the settings of the client say so.
	IDToken
	// IDTokenOnly is an ID token without an access token.
	IDTokenOnly
)

// Subject is whom claims are wanted about, and what of.
type Subject struct {
	User   ident.UserID
	Scopes Scopes
	// Client is the client_id of the application the claims are for, which has asked for the token, or asks
	// about it; empty when that is none.
	Client string
	Use    Use
}

// Claims reads what is told about users. It is safe for concurrent use.
type Claims struct {
	db store.Querier
	// The statements that need a fragment of the dialect; one text each, for they are prepared.
	rolesSQL, projectsSQL string
}

// New returns the claims of the users in db, which is asked outside of transactions.
func New(db store.DB) *Claims {
	d := db.Dialect()
	return &Claims{
		db:          db,
		rolesSQL:    rolesSQL + d.InList("a.project_id", "$3"),
		projectsSQL: strings.Replace(projectsSQL, "LIST", d.InList("p.project_id", "$2"), 1),
	}
}

// About returns the claims about a user, by name, as they go into JSON; sub is always among them. It
// returns ErrInactive when the user may not act, and the errors of store.DB.
func (c *Claims) About(ctx context.Context, at ident.InstanceID, s Subject) (map[string]any, error) {
	wish := s.Scopes.Wish()
	who, err := c.person(ctx, at, s)
	if err != nil {
		return nil, err
	}
	told := map[string]any{"sub": string(s.User)}
	if who.identified(s.Use) {
		who.profile(told, wish)
	}
	who.owner(told, wish)
	if wish.Metadata {
		if err := c.metadata(ctx, at, s.User, told); err != nil {
			return nil, err
		}
	}
	if projects := who.projects(s.Use, wish); len(projects) > 0 {
		if err := c.roles(ctx, at, s.User, wish, projects, who.project, told); err != nil {
			return nil, err
		}
	}
	return told, nil
}

// person is the row of a user with its organization, and what matters of the client and of the instance.
type person struct {
	kind                         user.Kind
	state, orgState              string
	userName, name               string
	first, last, nick, display   string
	language, email, phone       string
	gender                       user.Gender
	emailVerified, phoneVerified bool
	changed                      int64 // microseconds
	org                          ident.OrgID
	orgName, orgDomain           string
	ownProject                   ident.ProjectID // of the instance

	project                                        ident.ProjectID // of the client
	projectRoles, accessRoles, idRoles, idIdentity bool            // what project and client say
}

// personSQL reads a user. What is of a client is NULL without one.
const personSQL = `SELECT u.kind, u.state, o.state, u.username, u.name, u.first_name, u.last_name, u.nick_name, u.display_name,
 u.preferred_language, u.email, u.phone, u.gender, u.email_verified, u.phone_verified, u.changed_at,
 o.org_id, o.name, i.iam_project_id, COALESCE(d.domain, ''), COALESCE(a.project_id, ''), COALESCE(p.role_assertion, FALSE),
 COALESCE(a.access_token_roles, FALSE), COALESCE(a.id_token_roles, FALSE), COALESCE(a.id_token_userinfo, FALSE)
 FROM users u
 JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
 JOIN instances i ON i.instance_id = u.instance_id
 LEFT JOIN org_domains d ON d.instance_id = u.instance_id AND d.org_id = u.org_id AND d.is_primary
 LEFT JOIN apps a ON a.instance_id = u.instance_id AND a.client_id = $3 AND $3 <> ''
 LEFT JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
 WHERE u.instance_id = $1 AND u.user_id = $2`

// person returns the user, or ErrInactive.
func (c *Claims) person(ctx context.Context, at ident.InstanceID, s Subject) (person, error) {
	p, err := store.One(ctx, c.db, scanPerson, personSQL, at, s.User, s.Client)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return p, fmt.Errorf("%w: instance %s has no user %s", ErrInactive, at, s.User)
	case err != nil:
		return p, fmt.Errorf("read user %s of instance %s: %w", s.User, at, err)
	case p.state != user.Active:
		return p, fmt.Errorf("%w: user %s is %s", ErrInactive, s.User, p.state)
	case p.orgState != "active":
		return p, fmt.Errorf("%w: organization %s of user %s is %s", ErrInactive, p.org, s.User, p.orgState)
	}
	return p, nil
}

func scanPerson(row store.Scanner) (p person, err error) {
	err = row.Scan(&p.kind, &p.state, &p.orgState, &p.userName, &p.name, &p.first, &p.last, &p.nick, &p.display,
		&p.language, &p.email, &p.phone, &p.gender, &p.emailVerified, &p.phoneVerified, &p.changed,
		&p.org, &p.orgName, &p.ownProject, &p.orgDomain, &p.project, &p.projectRoles,
		&p.accessRoles, &p.idRoles, &p.idIdentity)
	return p, err
}

// identified reports whether what identifies a person is told.
func (p *person) identified(use Use) bool {
	return use == Userinfo || use == Introspection || use == IDTokenOnly || use == IDToken && p.idIdentity
}

// profile tells what the standard scopes ask for (OpenID Connect Core section 5.4). A machine has a name
// and nothing else. What is empty is left out.
func (p *person) profile(told map[string]any, wish Wish) {
	human := p.kind == user.Human
	if wish.Profile {
		told["preferred_username"] = p.userName
		told["updated_at"] = store.Time(p.changed).Unix()
		if human {
			tell(told, "name", p.display)
			tell(told, "given_name", p.first)
			tell(told, "family_name", p.last)
			tell(told, "nickname", p.nick)
			tell(told, "gender", genders[p.gender])
			tell(told, "locale", p.language)
		} else {
			tell(told, "name", p.name)
		}
	}
	if wish.Email && human && p.email != "" {
		told["email"], told["email_verified"] = p.email, p.emailVerified
	}
	if wish.Phone && human && p.phone != "" {
		told["phone_number"], told["phone_number_verified"] = p.phone, p.phoneVerified
	}
}

// genders are the values of the claim gender.
var genders = map[user.Gender]string{user.Female: "female", user.Male: "male", user.Diverse: "diverse"}

// tell adds a claim unless it would be empty.
func tell(told map[string]any, name, value string) {
	if value != "" {
		told[name] = value
	}
}

// owner tells the organization of the user. A scope that wants it to be another one tells nothing.
func (p *person) owner(told map[string]any, wish Wish) {
	ofOrg := wish.Org != "" && wish.Org == p.org
	if wish.ResourceOwner || ofOrg {
		told[ownerIDClaim], told[ownerNameClaim], told[ownerDomainClaim] = string(p.org), p.orgName, p.orgDomain
	}
	if ofOrg {
		told[orgIDClaim] = string(p.org)
	}
	if wish.OrgDomain != "" && strings.EqualFold(wish.OrgDomain, p.orgDomain) {
		told[orgDomainClaim] = p.orgDomain
	}
}

// metadata tells what is kept about the user, the values in base64url without padding.
func (c *Claims) metadata(ctx context.Context, at ident.InstanceID, id ident.UserID, told map[string]any) error {
	type entry struct {
		key   string
		value []byte
	}
	entries, err := store.All(ctx, c.db, func(row store.Scanner) (e entry, err error) {
		return e, row.Scan(&e.key, &e.value)
	}, `SELECT meta_key, meta_value FROM user_metadata WHERE instance_id = $1 AND user_id = $2`, at, id)
	if err != nil {
		return fmt.Errorf("read the metadata of user %s: %w", id, err)
	}
	if len(entries) == 0 {
		return nil
	}
	values := make(map[string]string, len(entries))
	for _, e := range entries {
		values[e.key] = base64.RawURLEncoding.EncodeToString(e.value)
	}
	told[metadataClaim] = values
	return nil
}
