package roster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/listing"
	"castellan/internal/member"
	"castellan/internal/search"
	"castellan/internal/store"
)

// Administrator is a membership with who holds it, and what it is on.
type Administrator struct {
	CreatedAt, ChangedAt time.Time
	Roles                []string
	Holder               Holder
	Scope                member.Scope
	ScopeID              string // of the instance, the organization, the project or the grant
	// Name is that of the organization or the project; for a grant that of its project.
	Name string
	// Of a project, and of a grant:
	Project    ident.ProjectID
	ProjectOrg ident.OrgID // that owns the project
	GrantedOrg ident.OrgID // that was granted the project
}

// AdministratorColumn is what administrators are sorted by; the id of the membership decides between
// equals.
type AdministratorColumn uint8

// The columns, of which the date of creation is the default.
const (
	ByAdministratorCreation AdministratorColumn = iota
	ByAdministratorUser
	ByAdministratorChange
)

// administratorColumns are those of the statement, in the order of their constants.
var administratorColumns = [...]string{
	ByAdministratorCreation: "m.created_at", ByAdministratorUser: "m.user_id", ByAdministratorChange: "m.changed_at",
}

// AdministratorSearch says which administrators are wanted.
type AdministratorSearch struct {
	Page search.Page
	By   AdministratorColumn
	// Within is what the caller may see of each scope; what it is a member of itself it always may.
	Within map[member.Scope]call.Reach
	// All must be met.
	All []AdministratorCondition
}

// AdministratorCondition is one that an administrator meets or does not. Make one with the functions below,
// and listing.All, Any and Not.
type AdministratorCondition = listing.Condition

// The columns on which there are conditions, by their place.
const (
	createdAt = iota
	changedAt
	userID
	userOrg
	loginName
	shownName
	scope
	scopeID
	roles
	grantProject
	grantOrg
)

// conditionColumns are the columns in the order of their places. Texts are compared, so times are texts.
var conditionColumns = []string{
	createdAt: "CAST(m.created_at AS TEXT)", changedAt: "CAST(m.changed_at AS TEXT)", userID: "m.user_id", userOrg: "u.org_id",
	loginName: "u.username", shownName: displayName, scope: "m.scope", scopeID: "m.scope_id", roles: "m.roles",
	grantProject: "g.project_id", grantOrg: "g.granted_org_id",
}

// WasCreated is the condition on when somebody became an administrator.
func WasCreated(m search.Moment) AdministratorCondition { return moment("m.created_at", createdAt, m) }

// WasChanged is the condition on when the roles were last changed.
func WasChanged(m search.Moment) AdministratorCondition {
	return moment("m.changed_at", changedAt, m)
}

func moment(column string, place int, m search.Moment) AdministratorCondition {
	first, last := m.Bounds()
	return AdministratorCondition{
		Meets: func(texts []*string) bool {
			at, err := strconv.ParseInt(*texts[place], 10, 64)
			return err == nil && first <= at && at <= last
		},
		Narrow: func(l *listing.List) { l.Moment(column, m) },
		Exact:  true,
	}
}

// IsUser is the condition that the user is one of some.
func IsUser(ids []string) AdministratorCondition { return oneOf("m.user_id", userID, ids) }

// OfUserOrg is the condition that the user belongs to an organization.
func OfUserOrg(org ident.OrgID) AdministratorCondition {
	return oneOf("u.org_id", userOrg, []string{string(org)})
}

func oneOf(column string, place int, values []string) AdministratorCondition {
	return AdministratorCondition{
		Meets:  func(texts []*string) bool { return texts[place] != nil && slices.Contains(values, *texts[place]) },
		Narrow: func(l *listing.List) { l.Among(column, values...) },
		Exact:  true,
	}
}

// HasLoginName is the condition on the login name of the user.
func HasLoginName(t search.Text) AdministratorCondition { return like(loginName, t) }

// HasDisplayName is the condition on the name the user is shown with.
func HasDisplayName(t search.Text) AdministratorCondition { return like(shownName, t) }

func like(place int, t search.Text) AdministratorCondition {
	match := t.Matcher()
	return AdministratorCondition{Meets: func(texts []*string) bool { return match(*texts[place]) }}
}

// IsOn is the condition that the membership is on a thing. For a grant, project and org name it, and id
// is empty.
func IsOn(s member.Scope, id string, project ident.ProjectID, org ident.OrgID) AdministratorCondition {
	all := []AdministratorCondition{oneOf("m.scope", scope, []string{string(s)})}
	if s == member.ProjectGrant {
		all = append(all, oneOf("g.project_id", grantProject, []string{string(project)}), oneOf("g.granted_org_id", grantOrg, []string{string(org)}))
	} else {
		all = append(all, oneOf("m.scope_id", scopeID, []string{id}))
	}
	return listing.All(all)
}

// HasRole is the condition that one of the roles is this.
func HasRole(name string) AdministratorCondition {
	return AdministratorCondition{
		Meets: func(texts []*string) bool { return slices.Contains(strings.Fields(*texts[roles]), name) },
	}
}

// administrators is what the list is made of.
const administrators = `members m
 JOIN users u ON u.instance_id = m.instance_id AND u.user_id = m.user_id
 LEFT JOIN project_grants g ON g.instance_id = m.instance_id AND m.scope = 'project_grant' AND g.grant_id = m.scope_id`

// Administrators returns a page of the administrators of an instance, and how many are on all pages. It
// returns the errors of store.DB.
func Administrators(ctx context.Context, db store.DB, at ident.InstanceID, s AdministratorSearch) (total int, page []Administrator, err error) {
	by := administratorColumns[ByAdministratorCreation]
	if int(s.By) < len(administratorColumns) {
		by = administratorColumns[s.By]
	}
	err = db.Snapshot(ctx, func(ctx context.Context, q store.Querier) error {
		l := listing.New(db.Dialect(), administrators, "m.member_id")
		l.And("m.instance_id = " + l.Arg(at))
		s.within(l)
		l.Meet(s.All, conditionColumns...)
		var ids []string
		if total, ids, err = l.Find(ctx, q, s.Page, by); err != nil || len(ids) == 0 {
			page = nil
			return err
		}
		page, err = administratorsOf(ctx, q, db.Dialect(), at, ids)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("list the administrators of instance %s: %w", at, err)
	}
	return total, page, nil
}

// within leaves of a list what the caller may see: by scope, because each has a permission of its own.
func (s AdministratorSearch) within(l *listing.List) {
	instance := s.Within[member.Instance]
	l.Any(
		"m.scope = 'instance' AND "+l.Reached(call.Reach{Instance: instance.Instance}, listing.Columns{}),
		"m.scope = 'org' AND "+l.Reached(s.Within[member.Org], listing.Columns{Org: "m.scope_id"}),
		"m.scope = 'project' AND "+l.Reached(s.Within[member.Project], listing.Columns{Org: "m.owner", Project: "m.scope_id"}),
		"m.scope = 'project_grant' AND "+l.Reached(s.Within[member.ProjectGrant], listing.Columns{
			Org: "m.owner", OtherOrg: "g.granted_org_id", Project: "g.project_id", Grant: "m.scope_id",
		}),
		l.Reached(call.Reach{Self: instance.Self}, listing.Columns{Self: "m.user_id"}),
	)
}

// administratorsOf returns the memberships with some ids, in their order.
func administratorsOf(ctx context.Context, q store.Querier, d *store.Dialect, at ident.InstanceID, ids []string) ([]Administrator, error) {
	type listed struct {
		Administrator

		id string
	}
	found, err := store.All(ctx, q, func(row store.Scanner) (a listed, err error) {
		var created, changed int64
		var roles string
		dest := []any{&a.id, &a.Scope, &a.ScopeID, &roles, &created, &changed, &a.Name, &a.Project, &a.ProjectOrg, &a.GrantedOrg}
		err = row.Scan(append(dest, a.Holder.dest()...)...)
		a.CreatedAt, a.ChangedAt, a.Roles = store.Time(created), store.Time(changed), strings.Fields(roles)
		return a, err
	}, `SELECT m.member_id, m.scope, m.scope_id, m.roles, m.created_at, m.changed_at, COALESCE(o.name, p.name, ''),
 COALESCE(p.project_id, ''), COALESCE(p.org_id, ''), COALESCE(g.granted_org_id, ''), `+holder+` FROM `+administrators+`
 LEFT JOIN orgs o ON o.instance_id = m.instance_id AND m.scope = 'org' AND o.org_id = m.scope_id
 LEFT JOIN projects p ON p.instance_id = m.instance_id AND p.project_id = CASE m.scope WHEN 'project' THEN m.scope_id ELSE g.project_id END
 WHERE m.instance_id = $1 AND `+d.InList("m.member_id", "$2"), at, ids)
	if err != nil {
		return nil, err
	}
	page := make([]Administrator, len(found))
	for i, a := range listing.Sort(ids, found, func(a listed) string { return a.id }) {
		page[i] = a.Administrator
	}
	return page, nil
}
