package claims

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"castellan/internal/ident"
)

// The scopes of OpenID Connect Core, sections 5.4 and 11.
const (
	OpenID        = "openid"
	Profile       = "profile"
	Email         = "email"
	Phone         = "phone"
	Address       = "address"
	OfflineAccess = "offline_access"
)

// The reserved scopes (contract section 5.6) that stand for themselves.
const (
	// Metadata asks for what is kept about the user under keys of the operator's choice.
	Metadata = "urn:zitadel:iam:user:metadata"
	// ResourceOwner asks for the organization of the user.
	ResourceOwner = "urn:zitadel:iam:user:resourceowner"
	// ProjectsRoles asks for the roles on every project that the scopes name as an audience.
	ProjectsRoles = "urn:zitadel:iam:org:projects:roles"
)

// The reserved scopes that name something. The name follows; that of an audience has a suffix too.
const (
	projectRolePrefix    = "urn:zitadel:iam:org:project:role:"
	projectIDPrefix      = "urn:zitadel:iam:org:project:id:"
	audienceSuffix       = ":aud"
	orgIDPrefix          = "urn:zitadel:iam:org:id:"
	orgDomainPrefix      = "urn:zitadel:iam:org:domain:primary:"
	rolesOfOrgPrefix     = "urn:zitadel:iam:org:roles:id:"
	identityProviderStem = "urn:zitadel:iam:org:idp:id:"
)

// ownProject is what the instance's own project is called in a scope, beside its id.
const ownProject = "zitadel"

// Limits of a request for scopes.
const (
	// MaxScopeBytes is how long the value of a scope parameter may be.
	MaxScopeBytes = 8 << 10
	// MaxScopes is how many different scopes it may hold.
	MaxScopes = 100
	// maxScope is how long one scope may be, in bytes. The names in the reserved ones have 200 at most.
	maxScope = 256
)

// ErrScope means that a text is no list of scopes, or one that is too long.
var ErrScope = errors.New("claims: not a list of scopes")

// Scopes are different scopes in the order in which they were asked for. Their meaning is given by
// [Scopes.Wish]; the zero value asks for nothing.
type Scopes []string

// ParseScopes reads the value of a scope parameter (RFC 6749 section 3.3): scopes of printable ASCII
// without quotation mark and backslash, separated by spaces. Repetitions count once, and superfluous
// spaces not at all. It returns ErrScope for other characters and beyond the limits.
func ParseScopes(text string) (Scopes, error) {
	if len(text) > MaxScopeBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrScope, len(text), MaxScopeBytes)
	}
	var list Scopes
	for scope := range strings.SplitSeq(text, " ") {
		if scope == "" || slices.Contains(list, scope) {
			continue
		}
		if len(scope) > maxScope {
			return nil, fmt.Errorf("%w: a scope of %d bytes, at most %d are allowed", ErrScope, len(scope), maxScope)
		}
		if i := strings.IndexFunc(scope, notInScope); i >= 0 {
			return nil, fmt.Errorf("%w: the byte 0x%02x is in one", ErrScope, scope[i])
		}
		if len(list) == MaxScopes {
			return nil, fmt.Errorf("%w: more than %d scopes", ErrScope, MaxScopes)
		}
		list = append(list, scope)
	}
	return list, nil
}

// notInScope reports whether r may not stand in a scope (RFC 6749 section 3.3, scope-token).
func notInScope(r rune) bool {
	return r < 0x21 || r > 0x7e || r == '"' || r == '\\'
}

// String returns the scopes as a parameter has them.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Has reports whether scope is among them.
func (s Scopes) Has(scope string) bool { return slices.Contains(s, scope) }

// Known returns the scopes that mean something here. Others are dropped silently (contract section 5.2). Nobody may
// change either list: they may be one.
func (s Scopes) Known() Scopes {
	unknown := func(scope string) bool { return !new(Wish).read(scope) }
	if !slices.ContainsFunc(s, unknown) {
		return slices.Clip(s)
	}
	return slices.DeleteFunc(slices.Clone(s), unknown)
}

// Within returns the scopes that are also in one of the lists, so that what is derived of a token
// asks for nothing that the token could not.
func (s Scopes) Within(lists ...Scopes) Scopes {
	var within Scopes
	for _, scope := range s {
		if slices.ContainsFunc(lists, func(l Scopes) bool { return l.Has(scope) }) {
			within = append(within, scope)
		}
	}
	return within
}

// OfOrg returns the scopes without those that want the user to be of another organization than the
// one given, by its id or by its primary domain: they would have a token say what is not so.
func (s Scopes) OfOrg(org ident.OrgID, primaryDomain string) Scopes {
	var kept Scopes
	for _, scope := range s {
		if id, ok := strings.CutPrefix(scope, orgIDPrefix); ok && ident.OrgID(id) != org {
			continue
		}
		if domain, ok := strings.CutPrefix(scope, orgDomainPrefix); ok && !strings.EqualFold(domain, primaryDomain) {
			continue
		}
		kept = append(kept, scope)
	}
	return kept
}

// Meant returns the scopes without those that name a project which is not in an audience, that of the token: what
// a token tells of the user's roles is for whom it is meant. own is the instance's own project, which has a name
// beside its id.
func (s Scopes) Meant(audience []string, own ident.ProjectID) Scopes {
	var kept Scopes
	for _, scope := range s {
		id, names := named(scope, projectIDPrefix, audienceSuffix)
		if id == ownProject {
			id = string(own)
		}
		if !names || slices.Contains(audience, id) {
			kept = append(kept, scope)
		}
	}
	return kept
}

// Wish is what scopes ask for.
type Wish struct {
	OpenID, Profile, Email, Phone, Address, OfflineAccess bool
	// Metadata, ResourceOwner and ProjectsRoles are the scopes of these names.
	Metadata, ResourceOwner, ProjectsRoles bool
	// Roles are the keys of roles that are asked for by name.
	Roles []string
	// Projects are those whose applications are to accept the token.
	Projects []ident.ProjectID
	// OwnProject asks for the instance's own project by its name: for access to the instance's APIs.
	OwnProject bool
	// RolesOf are the organizations that granted roles are limited to; none is no limit.
	RolesOf []ident.OrgID
	// Org and OrgDomain are the organization that the user is to be of, by id or primary domain.
	Org       ident.OrgID
	OrgDomain string
	// IdentityProvider is the one to be sent to when signing in.
	IdentityProvider string
}

// Wish returns what the scopes ask for. Unknown scopes ask for nothing.
func (s Scopes) Wish() Wish {
	var w Wish
	for _, scope := range s {
		w.read(scope)
	}
	return w
}

// read adds what one scope asks for, and reports whether it means anything.
func (w *Wish) read(scope string) bool {
	switch scope {
	case OpenID:
		w.OpenID = true
	case Profile:
		w.Profile = true
	case Email:
		w.Email = true
	case Phone:
		w.Phone = true
	case Address:
		w.Address = true
	case OfflineAccess:
		w.OfflineAccess = true
	case Metadata:
		w.Metadata = true
	case ResourceOwner:
		w.ResourceOwner = true
	case ProjectsRoles:
		w.ProjectsRoles = true
	default:
		return w.readNamed(scope)
	}
	return true
}

// readNamed is read for the scopes that name something. A scope without the name means nothing.
func (w *Wish) readNamed(scope string) bool {
	if key, ok := named(scope, projectRolePrefix, ""); ok {
		w.Roles = append(w.Roles, key)
		return true
	}
	if id, ok := named(scope, projectIDPrefix, audienceSuffix); ok {
		if id == ownProject {
			w.OwnProject = true
		} else {
			w.Projects = append(w.Projects, ident.ProjectID(id))
		}
		return true
	}
	if id, ok := named(scope, rolesOfOrgPrefix, ""); ok {
		w.RolesOf = append(w.RolesOf, ident.OrgID(id))
		return true
	}
	if id, ok := named(scope, orgIDPrefix, ""); ok {
		w.Org = ident.OrgID(id)
		return true
	}
	if domain, ok := named(scope, orgDomainPrefix, ""); ok {
		w.OrgDomain = domain
		return true
	}
	if id, ok := named(scope, identityProviderStem, ""); ok {
		w.IdentityProvider = id
		return true
	}
	return false
}

// named returns the name that stands in a scope between prefix and suffix, and whether there is one.
func named(scope, prefix, suffix string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(scope, prefix)
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(rest, suffix)
	return name, ok && name != ""
}

// AudienceScope returns the scope that asks for a project as an audience.
func AudienceScope(project ident.ProjectID) string {
	return projectIDPrefix + string(project) + audienceSuffix
}

// OwnAudienceScope is the scope that asks for access to the instance's own APIs (contract section 5.1).
const OwnAudienceScope = projectIDPrefix + ownProject + audienceSuffix
