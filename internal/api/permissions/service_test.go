package permissions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/access"
	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/member"
	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"

	filterv2 "castellan/gen/zitadel/filter/v2"
	permissionv2 "castellan/gen/zitadel/internal_permission/v2"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is the service on one database with instance 1: organization o owns project p, and has granted it to
// organization r by grant g. Each organization has two users, named after it: o1 and o2, r1 and r2.
type fixture struct {
	*testing.T
	*Service
	log *eventlog.Log
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		clock := ident.NewManualClock(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
		f := &fixture{T: t}
		f.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), clock, member.Noun)
		f.Service = &Service{
			DB: db, Members: &member.Service{DB: db, Log: f.log, IDs: ident.NewSource(idgrant.New(db), clock)},
			Owners: access.NewDirectory(access.Config{DB: db, Clock: clock}),
		}
		f.must(f.log.Write(t.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			if err := w.Create(ctx); err != nil {
				return err
			}
			return neighbours(ctx, w)
		}))
		fn(f)
		logtest.CheckFold(t, db, f.log)
	})
}

// neighbours makes the rows of other nouns.
func neighbours(ctx context.Context, tx store.Tx) error {
	var errs []error
	exec := func(sql string, args ...any) { errs = append(errs, tx.Exec(ctx, sql, args...)) }
	for _, org := range []string{"o", "r"} {
		exec(`INSERT INTO orgs (instance_id, org_id, name, state, sequence, created_at, changed_at) VALUES ('1', $1, $1, 'active', 1, 1, 1)`, org)
		for _, n := range []string{"1", "2"} {
			exec(`INSERT INTO users (instance_id, user_id, org_id, login_key, username, kind, state, name, access_token_type, first_name,
 last_name, display_name, preferred_language, email, email_verified, password_hash, password_change_required, sequence, created_at, changed_at)
 VALUES ('1', $1, $2, $1, $1, 'machine', 'active', $1, 'bearer', '', '', '', '', '', FALSE, '', FALSE, 1, 1, 1)`, org+n, org)
		}
	}
	exec(`INSERT INTO projects (instance_id, project_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ('1', 'p', 'o', 'P', 'active', 1, 1, 1)`)
	exec(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ('1', 'g', 'p', 'o', 'r', '[]', 'active', 1, 1, 1)`)
	return errors.Join(errs...)
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// by is a call of a user with memberships.
func (f *fixture) by(user ident.UserID, of ...access.Membership) context.Context {
	return call.With(f.Context(), call.Call{Actor: ident.Actor(user), Rights: access.User{
		ID: user, Instance: access.Instance{ID: "1"}, ResourceOwner: ident.OrgID(user[:1]), Memberships: of,
	}})
}

// The memberships of callers.
func inInstance(roles ...string) access.Membership {
	return access.Membership{Scope: member.Instance, ID: "1", Roles: roles}
}

func inOrg(org string, roles ...string) access.Membership {
	return access.Membership{Scope: member.Org, ID: org, Roles: roles}
}

// The resources.
var (
	theInstance = &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_Instance{Instance: true}}
	orgO        = &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: "o"}}
	projectP    = &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_ProjectId{ProjectId: "p"}}
	grantG      = &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_ProjectGrant_{
		ProjectGrant: &permissionv2.ResourceType_ProjectGrant{ProjectId: "p", OrganizationId: "r"},
	}}
)

func (f *fixture) create(by context.Context, user string, on *permissionv2.ResourceType, roles ...string) error {
	_, err := f.CreateAdministrator(by, "1", &permissionv2.CreateAdministratorRequest{UserId: user, Resource: on, Roles: roles})
	return err
}

// Nobody gives what it lacks, unless it owns what it gives it on.
func TestNobodyGivesWhatItLacks(t *testing.T) {
	project := func(role string) access.Membership {
		return access.Membership{Scope: member.Project, ID: "p", Roles: []string{role}}
	}
	grant := func(role string) access.Membership {
		return access.Membership{Scope: member.ProjectGrant, ID: "g", Roles: []string{role}}
	}
	cases := []struct {
		by   access.Membership
		on   *permissionv2.ResourceType
		role string
		may  bool
	}{
		{inInstance("IAM_OWNER"), theInstance, "IAM_OWNER", true},
		{inInstance("IAM_OWNER"), orgO, "ORG_OWNER", true},
		{inInstance("IAM_OWNER"), projectP, "PROJECT_OWNER", true},
		{inInstance("IAM_ORG_MANAGER"), theInstance, "IAM_OWNER", false},
		{inInstance("IAM_ORG_MANAGER"), theInstance, "IAM_ORG_MANAGER", true},
		{inInstance("IAM_USER_MANAGER"), orgO, "ORG_OWNER", false},
		{inInstance("IAM_LOGIN_CLIENT"), theInstance, "IAM_OWNER", false},
		{inOrg("o", "ORG_OWNER"), orgO, "ORG_OWNER", true},
		{inOrg("o", "ORG_OWNER"), projectP, "PROJECT_OWNER", true},
		{inOrg("o", "ORG_OWNER"), grantG, "PROJECT_GRANT_OWNER", true},
		{inOrg("o", "ORG_OWNER"), theInstance, "IAM_OWNER_VIEWER", false},
		{inOrg("r", "ORG_OWNER"), orgO, "ORG_OWNER_VIEWER", false},
		{inOrg("r", "ORG_OWNER"), grantG, "PROJECT_GRANT_OWNER", true},
		{inOrg("r", "ORG_OWNER"), projectP, "PROJECT_OWNER_VIEWER", false},
		{inOrg("o", "ORG_SETTINGS_MANAGER"), orgO, "ORG_OWNER", false},
		{inOrg("o", "ORG_OWNER_VIEWER"), orgO, "ORG_OWNER_VIEWER", true}, // that it may give anything at all is for the dispatcher to say
		{project("PROJECT_OWNER"), projectP, "PROJECT_OWNER", true},
		{project("PROJECT_OWNER"), orgO, "ORG_OWNER_VIEWER", false},
		{project("PROJECT_OWNER_VIEWER"), projectP, "PROJECT_OWNER", false},
		{grant("PROJECT_GRANT_OWNER"), grantG, "PROJECT_GRANT_OWNER", true},
		{grant("PROJECT_GRANT_OWNER_VIEWER"), grantG, "PROJECT_GRANT_OWNER", false},
		{grant("PROJECT_GRANT_OWNER"), projectP, "PROJECT_OWNER_VIEWER", false},
	}
	eachEngine(t, func(f *fixture) {
		for _, c := range cases {
			by := f.by("o1", c.by, inOrg("r", "ORG_USER_MANAGER")) // reads the users of both organizations
			user := "o2"
			if c.on == grantG {
				user = "r2"
			}
			err := f.create(by, user, c.on, c.role)
			denied := fault.Of(err)
			if (err == nil) != c.may || !c.may && (denied.Kind != fault.PermissionDenied || denied.ID != "AUTH-5mWD2" || !strings.Contains(denied.Message, c.role)) {
				f.Errorf("%v gives %s on %v: %v", c.by, c.role, c.on, err)
			}
			if err != nil {
				continue
			}
			_, err = f.UpdateAdministrator(by, "1", &permissionv2.UpdateAdministratorRequest{UserId: user, Resource: c.on, Roles: []string{c.role}})
			f.must(err)
			_, err = f.DeleteAdministrator(by, "1", &permissionv2.DeleteAdministratorRequest{UserId: user, Resource: c.on})
			f.must(err)
		}
		// Nor when it changes what somebody has.
		owner, lesser := f.by("o1", inInstance("IAM_OWNER")), f.by("o1", inOrg("o", "ORG_USER_PERMISSION_EDITOR"))
		f.must(f.create(owner, "o2", orgO, "ORG_USER_MANAGER"))
		_, err := f.UpdateAdministrator(lesser, "1", &permissionv2.UpdateAdministratorRequest{UserId: "o2", Resource: orgO, Roles: []string{"ORG_OWNER"}})
		if fault.KindOf(err) != fault.PermissionDenied {
			f.Errorf("a lesser one made an owner: %v", err)
		}
	})
}

// A user of another organization can be named by who may read it; to others there is no such user.
func TestUsersOfOthers(t *testing.T) {
	cases := []struct {
		by   access.Membership
		user string
		on   *permissionv2.ResourceType
		role string
		may  bool
	}{
		{inOrg("o", "ORG_OWNER"), "o2", orgO, "ORG_OWNER", true},
		{inOrg("o", "ORG_OWNER"), "r2", orgO, "ORG_OWNER", false},
		{inInstance("IAM_OWNER"), "r2", orgO, "ORG_OWNER", true},
		{inOrg("o", "ORG_OWNER"), "r2", projectP, "PROJECT_OWNER", false},
		{inOrg("o", "ORG_OWNER"), "o2", projectP, "PROJECT_OWNER", true},
		{inOrg("r", "ORG_OWNER"), "r2", grantG, "PROJECT_GRANT_OWNER", true},
		{inOrg("r", "ORG_OWNER"), "o2", grantG, "PROJECT_GRANT_OWNER", false},
		{inOrg("o", "ORG_OWNER"), "r1", grantG, "PROJECT_GRANT_OWNER", true},
		{inInstance("IAM_OWNER"), "r2", theInstance, "IAM_OWNER", true},
	}
	eachEngine(t, func(f *fixture) {
		for _, c := range cases {
			err := f.create(f.by("o1", c.by), c.user, c.on, c.role)
			missing := f.create(f.by("o1", c.by), "404", c.on, c.role)
			if (err == nil) != c.may || !c.may && err.Error() != missing.Error() {
				f.Errorf("%v makes %s %s: %v; one who is not there: %v", c.by, c.user, c.role, err, missing)
			}
		}
	})
}

// A call that does not say what the roles are on is about nothing, and above all not about the instance.
func TestResourceIsNeeded(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		by := f.by("o1", inInstance("IAM_OWNER"))
		for _, on := range []*permissionv2.ResourceType{
			nil, {}, {Resource: &permissionv2.ResourceType_Instance{}}, {Resource: &permissionv2.ResourceType_OrganizationId{}},
			{Resource: &permissionv2.ResourceType_ProjectId{}}, {Resource: &permissionv2.ResourceType_ProjectGrant_{}},
			{Resource: &permissionv2.ResourceType_ProjectGrant_{ProjectGrant: &permissionv2.ResourceType_ProjectGrant{ProjectId: "p"}}},
		} {
			_, err := f.UpdateAdministrator(by, "1", &permissionv2.UpdateAdministratorRequest{UserId: "o2", Resource: on, Roles: []string{"IAM_OWNER"}})
			_, gone := f.DeleteAdministrator(by, "1", &permissionv2.DeleteAdministratorRequest{UserId: "o2", Resource: on})
			for _, err := range []error{f.create(by, "o2", on, "IAM_OWNER"), err, gone} {
				logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.InvalidArgument, Fields: []string{"resource"}})
			}
		}
	})
}

func TestDelete(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		by := f.by("o1", inInstance("IAM_OWNER"))
		f.must(f.create(by, "o2", orgO, "ORG_OWNER"))
		for _, dated := range []bool{true, false} { // the second time it is done already
			gone, err := f.DeleteAdministrator(by, "1", &permissionv2.DeleteAdministratorRequest{UserId: "o2", Resource: orgO})
			f.must(err)
			if (gone.GetDeletionDate() != nil) != dated {
				f.Errorf("removed at %v", gone.GetDeletionDate())
			}
		}
		nowhere := &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: "404"}}
		if _, err := f.DeleteAdministrator(by, "1", &permissionv2.DeleteAdministratorRequest{UserId: "o2", Resource: nowhere}); fault.KindOf(err) != fault.NotFound {
			f.Errorf("of an organization that is not there: %v", err)
		}
	})
}

// seen are who a list shows, as user:resource.
func (f *fixture) seen(by context.Context, filters ...*permissionv2.AdministratorSearchFilter) string {
	f.Helper()
	answer, err := f.ListAdministrators(by, "1", &permissionv2.ListAdministratorsRequest{
		Pagination: &filterv2.PaginationRequest{Asc: true}, Filters: filters,
		SortingColumn: permissionv2.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_USER_ID,
	})
	f.must(err)
	var all []string
	for _, a := range answer.GetAdministrators() {
		on := map[bool]string{true: "instance"}[a.GetInstance()] + a.GetOrganization().GetId() + a.GetProject().GetId() + a.GetProjectGrant().GetId()
		all = append(all, a.GetUser().GetId()+":"+on)
	}
	if n := answer.GetPagination().GetTotalResult(); int(n) != len(all) {
		f.Errorf("%d are counted, %q shown", n, all)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestList(t *testing.T) {
	and := func(of ...*permissionv2.AdministratorSearchFilter) *permissionv2.AdministratorSearchFilter {
		return &permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_And{And: &permissionv2.AndFilter{Queries: of}}}
	}
	or := func(of ...*permissionv2.AdministratorSearchFilter) *permissionv2.AdministratorSearchFilter {
		return &permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_Or{Or: &permissionv2.OrFilter{Queries: of}}}
	}
	not := func(of *permissionv2.AdministratorSearchFilter) *permissionv2.AdministratorSearchFilter {
		return &permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_Not{Not: &permissionv2.NotFilter{Query: of}}}
	}
	users := func(ids ...string) *permissionv2.AdministratorSearchFilter {
		return &permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_InUserIdsFilter{InUserIdsFilter: &filterv2.InIDsFilter{Ids: ids}}}
	}
	role := func(key string) *permissionv2.AdministratorSearchFilter {
		return &permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_Role{Role: &permissionv2.RoleFilter{RoleKey: key}}}
	}
	on := func(r *permissionv2.ResourceFilter) *permissionv2.AdministratorSearchFilter {
		return &permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_Resource{Resource: r}}
	}
	date := timestamppb.New(time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC))
	moment := &filterv2.TimestampFilter{Timestamp: date, Method: filterv2.TimestampFilterMethod_TIMESTAMP_FILTER_METHOD_AFTER}
	prefix := filterv2.TextFilterMethod_TEXT_FILTER_METHOD_STARTS_WITH
	const all = "o1:instance o1:o o2:p r1:g"
	eachEngine(t, func(f *fixture) {
		owner := f.by("o1", inInstance("IAM_OWNER"))
		f.must(f.create(owner, "o1", theInstance, "IAM_OWNER"))
		f.must(f.create(owner, "o1", orgO, "ORG_OWNER"))
		f.must(f.create(owner, "o2", projectP, "PROJECT_OWNER"))
		f.must(f.create(owner, "r1", grantG, "PROJECT_GRANT_OWNER"))
		for name, c := range map[string]struct {
			filter *permissionv2.AdministratorSearchFilter
			want   string
		}{
			"users":         {users("o1", "r1"), "o1:instance o1:o r1:g"},
			"role":          {role("PROJECT_OWNER"), "o2:p"},
			"instance":      {on(&permissionv2.ResourceFilter{Resource: &permissionv2.ResourceFilter_Instance{Instance: true}}), "o1:instance"},
			"organization":  {on(&permissionv2.ResourceFilter{Resource: &permissionv2.ResourceFilter_OrganizationId{OrganizationId: "o"}}), "o1:o"},
			"project":       {on(&permissionv2.ResourceFilter{Resource: &permissionv2.ResourceFilter_ProjectId{ProjectId: "p"}}), "o2:p"},
			"grant":         {on(&permissionv2.ResourceFilter{Resource: &permissionv2.ResourceFilter_ProjectGrant_{ProjectGrant: &permissionv2.ResourceFilter_ProjectGrant{ProjectId: "p", OrganizationId: "r"}}}), "r1:g"},
			"of a user":     {&permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_UserOrganizationId{UserOrganizationId: &filterv2.IDFilter{Id: "r"}}}, "r1:g"},
			"login name":    {&permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_UserPreferredLoginName{UserPreferredLoginName: &permissionv2.UserPreferredLoginNameFilter{PreferredLoginName: "r", Method: prefix}}}, "r1:g"},
			"display name":  {&permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_UserDisplayName{UserDisplayName: &permissionv2.UserDisplayNameFilter{DisplayName: "o2"}}}, "o2:p"},
			"created":       {&permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_CreationDate{CreationDate: moment}}, ""},
			"changed":       {&permissionv2.AdministratorSearchFilter{Filter: &permissionv2.AdministratorSearchFilter_ChangeDate{ChangeDate: &filterv2.TimestampFilter{Timestamp: date}}}, all},
			"and":           {and(users("o1"), role("ORG_OWNER")), "o1:o"},
			"or":            {or(role("PROJECT_OWNER"), role("ORG_OWNER")), "o1:o o2:p"},
			"not":           {not(users("o1")), "o2:p r1:g"},
			"not any of or": {not(or(role("PROJECT_OWNER"), not(users("o1")))), "o1:instance o1:o"},
		} {
			if got := f.seen(owner, c.filter); got != c.want {
				f.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		for name, c := range map[string]struct {
			by   context.Context
			want string
		}{
			"the owner of the instance":     {owner, all},
			"who reads members":             {f.by("o1", inInstance("IAM_OWNER_VIEWER")), all},
			"the owner of the organization": {f.by("x", inOrg("o", "ORG_OWNER")), "o1:o o2:p r1:g"},
			"of the granted one":            {f.by("x", inOrg("r", "ORG_OWNER")), "r1:g"},
			"of the project":                {f.by("x", access.Membership{Scope: member.Project, ID: "p", Roles: []string{"PROJECT_OWNER"}}), "o2:p r1:g"},
			"of the grant":                  {f.by("x", access.Membership{Scope: member.ProjectGrant, ID: "g", Roles: []string{"PROJECT_GRANT_OWNER"}}), "r1:g"},
			"somebody with a membership":    {f.by("o2"), "o2:p"},
			"somebody without":              {f.by("r2"), ""},
		} {
			if got := f.seen(c.by); got != c.want {
				f.Errorf("%s sees %q, want %q", name, got, c.want)
			}
		}
		f.refusals(owner, and, not, users)
	})
}

// refusals are filters that no list has.
func (f *fixture) refusals(by context.Context, and func(...*permissionv2.AdministratorSearchFilter) *permissionv2.AdministratorSearchFilter,
	not func(*permissionv2.AdministratorSearchFilter) *permissionv2.AdministratorSearchFilter, users func(...string) *permissionv2.AdministratorSearchFilter,
) {
	f.Helper()
	deep := users("o1")
	for range maxDepth {
		deep = not(deep)
	}
	many := slices.Repeat([]*permissionv2.AdministratorSearchFilter{users("o1")}, search.MaxConditions/2)
	ids := make([]string, search.MaxValues+1)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	for name, c := range map[string]struct {
		filters []*permissionv2.AdministratorSearchFilter
		id      string
		field   string
	}{
		"too deep":          {[]*permissionv2.AdministratorSearchFilter{deep}, "SEARCH-max01", "filters[0]" + strings.Repeat(".not.query[0]", maxDepth-1) + ".not.query"},
		"too many in all":   {[]*permissionv2.AdministratorSearchFilter{and(many...), and(many...)}, "SEARCH-max01", "filters[1].and.queries"},
		"too many ids":      {[]*permissionv2.AdministratorSearchFilter{users(ids...)}, "SEARCH-max01", "filters[0].in_user_ids_filter.ids"},
		"nothing":           {[]*permissionv2.AdministratorSearchFilter{{}}, "", "filters[0].filter"},
		"nothing in not":    {[]*permissionv2.AdministratorSearchFilter{not(nil)}, "", "filters[0].not.query[0].filter"},
		"no time":           {[]*permissionv2.AdministratorSearchFilter{{Filter: &permissionv2.AdministratorSearchFilter_CreationDate{}}}, "QUERY-time1", "filters[0].creation_date.timestamp"},
		"no time of change": {[]*permissionv2.AdministratorSearchFilter{{Filter: &permissionv2.AdministratorSearchFilter_ChangeDate{}}}, "QUERY-time1", "filters[0].change_date.timestamp"},
	} {
		_, err := f.ListAdministrators(by, "1", &permissionv2.ListAdministratorsRequest{Filters: c.filters})
		got := fault.Of(err)
		if got == nil || got.Kind != fault.InvalidArgument || got.ID != c.id || got.Violations[0].Field != c.field {
			f.Errorf("%s: %v", name, err)
		}
	}
	_, err := f.ListAdministrators(by, "1", &permissionv2.ListAdministratorsRequest{Pagination: &filterv2.PaginationRequest{Limit: 1001}})
	logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.InvalidArgument, ID: "QUERY-4M0fs", Fields: []string{"pagination.limit"}})
}
