package authorizations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/access"
	"castellan/internal/authorization"
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

	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var start = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is the service on one database with instance 1: organization o owns project p with roles a and b, and has
// granted a to organization r by grant g. Each organization has two users, named after it: o1 and o2, r1 and r2.
type fixture struct {
	*testing.T
	*Service
	log *eventlog.Log
}

func eachEngine(t *testing.T, fn func(f *fixture)) {
	t.Helper()
	t.Parallel()
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		clock := ident.NewManualClock(start)
		f := &fixture{T: t}
		f.log = eventlog.New(db, vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil), clock, authorization.Noun)
		f.Service = &Service{
			DB: db, Authorizations: &authorization.Service{DB: db, Log: f.log, IDs: ident.NewSource(idgrant.New(db), clock)},
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
 VALUES ('1', $1, $2, $1, $1, 'human', 'active', '', 'bearer', '', '', $3, '', '', FALSE, '', FALSE, 1, 1, 1)`, org+n, org, "User "+org+n)
		}
	}
	exec(`INSERT INTO projects (instance_id, project_id, org_id, name, state, sequence, created_at, changed_at)
 VALUES ('1', 'p', 'o', 'Project', 'active', 1, 1, 1)`)
	for _, role := range []string{"a", "b"} {
		exec(`INSERT INTO project_roles (instance_id, project_id, role_key, role_id, org_id, display_name, group_name,
 sequence, created_at, changed_at) VALUES ('1', 'p', $1, $1, 'o', $2, 'staff', 1, 1, 1)`, role, "Role "+role)
	}
	exec(`INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, role_keys, state,
 sequence, created_at, changed_at) VALUES ('1', 'g', 'p', 'o', 'r', '["a"]', 'active', 1, 1, 1)`)
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
		ID: user, Instance: access.Instance{ID: "1"}, Memberships: of,
	}})
}

// of is a membership.
func of(scope member.Scope, id string, role string) access.Membership {
	return access.Membership{Scope: scope, ID: id, Roles: []string{role}}
}

// The callers of the tests.
var (
	instanceOwner = of(member.Instance, "1", "IAM_OWNER")
	ownerOfO      = of(member.Org, "o", "ORG_OWNER")
	ownerOfR      = of(member.Org, "r", "ORG_OWNER")
	ownerOfP      = of(member.Project, "p", "PROJECT_OWNER")
	ownerOfG      = of(member.ProjectGrant, "g", "PROJECT_GRANT_OWNER")
	viewer        = of(member.Instance, "1", "IAM_OWNER_VIEWER")
)

func (f *fixture) create(by context.Context, user, project, org string, roles ...string) (string, error) {
	made, err := f.CreateAuthorization(by, "1", &authorizationv2.CreateAuthorizationRequest{
		UserId: user, ProjectId: project, OrganizationId: org, RoleKeys: roles,
	})
	return made.GetId(), err
}

// Who may give roles of a project, where, and to whom; to others the project, or the user, is not there.
func TestWhoMayGive(t *testing.T) {
	const noProject, noUser, noGrant = "QUERY-fk2fs", "COMMAND-4f8sg", "COMMAND-4m9ff"
	cases := []struct {
		by        access.Membership
		user, org string
		id        string // of the fault; empty: given
	}{
		{instanceOwner, "o2", "o", ""},
		{instanceOwner, "r2", "o", ""},
		{instanceOwner, "r2", "r", ""},
		{instanceOwner, "o2", "404", noGrant},
		{ownerOfO, "o2", "o", ""},
		{ownerOfO, "r2", "o", noUser},
		{ownerOfO, "r2", "r", ""},
		{ownerOfO, "o2", "404", noGrant},
		{ownerOfR, "r2", "r", ""},
		{ownerOfR, "o2", "r", noUser},
		{ownerOfR, "r2", "o", noProject},
		{ownerOfR, "r2", "404", noProject},
		{ownerOfP, "o2", "o", ""},
		{ownerOfP, "r2", "o", noUser},
		{ownerOfP, "r2", "r", ""},
		{ownerOfG, "r2", "r", ""},
		{ownerOfG, "o2", "o", noProject},
		{viewer, "o2", "o", noProject},
	}
	eachEngine(t, func(f *fixture) {
		for _, c := range cases {
			id, err := f.create(f.by("x", c.by), c.user, "p", c.org, "a")
			if (err == nil) != (c.id == "") || err != nil && fault.Of(err).ID != c.id {
				f.Errorf("%v gives a role in %s to %s: %v, want %q", c.by, c.org, c.user, err, c.id)
			}
			if err != nil {
				_, nothing := f.create(f.by("x", c.by), c.user, "404", c.org, "a")
				if c.id == noProject && err.Error() != nothing.Error() {
					f.Errorf("%v is told %v, of nothing %v", c.by, err, nothing)
				}
				continue
			}
			_, err = f.DeleteAuthorization(f.by("x", c.by), "1", &authorizationv2.DeleteAuthorizationRequest{Id: id})
			f.must(err)
		}
	})
}

// Who may remove anything is told that there is nothing; to others what they may not remove is not there.
func TestDelete(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		id, err := f.create(f.by("x", instanceOwner), "o2", "p", "o", "a")
		f.must(err)
		remove := func(by access.Membership, id string) (*authorizationv2.DeleteAuthorizationResponse, error) {
			return f.DeleteAuthorization(f.by("x", by), "1", &authorizationv2.DeleteAuthorizationRequest{Id: id})
		}
		for _, by := range []access.Membership{ownerOfR, ownerOfG, viewer} {
			_, err := remove(by, id)
			_, nothing := remove(by, "404")
			if !errors.Is(err, authorization.NotFound) || err.Error() != nothing.Error() {
				f.Errorf("%v is told %v, of nothing %v", by, err, nothing)
			}
		}
		gone, err := remove(ownerOfP, id)
		f.must(err)
		if !gone.GetDeletionDate().AsTime().Equal(start) {
			f.Errorf("removed at %v", gone.GetDeletionDate())
		}
		if _, err := remove(ownerOfP, id); !errors.Is(err, authorization.NotFound) {
			f.Errorf("again: %v", err)
		}
		gone, err = remove(instanceOwner, id)
		f.must(err)
		if gone.GetDeletionDate() != nil {
			f.Errorf("again, by the owner of the instance: %v", gone)
		}
	})
}

// Each call answers, and changes what it says.
func TestCalls(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		by := f.by("x", instanceOwner)
		id, err := f.create(by, "r1", "p", "r", "a")
		f.must(err)
		want := &authorizationv2.Authorization{
			Id: id, CreationDate: timestamppb.New(start), ChangeDate: timestamppb.New(start),
			Project:      &authorizationv2.Project{Id: "p", Name: "Project", OrganizationId: "o"},
			Organization: &authorizationv2.Organization{Id: "r", Name: "r"},
			User:         &authorizationv2.User{Id: "r1", PreferredLoginName: "r1", DisplayName: "User r1", OrganizationId: "r"},
			State:        authorizationv2.State_STATE_ACTIVE, Roles: []*authorizationv2.Role{{Key: "a", DisplayName: "Role a", Group: "staff"}},
		}
		is := func() {
			f.Helper()
			all, err := f.ListAuthorizations(by, "1", &authorizationv2.ListAuthorizationsRequest{})
			f.must(err)
			if diff := cmp.Diff([]*authorizationv2.Authorization{want}, all.GetAuthorizations(), protocmp.Transform()); diff != "" {
				f.Errorf("(-want +got):\n%s", diff)
			}
		}
		is()
		off, err := f.DeactivateAuthorization(by, "1", &authorizationv2.DeactivateAuthorizationRequest{Id: id})
		f.must(err)
		want.State = authorizationv2.State_STATE_INACTIVE
		is()
		on, err := f.ActivateAuthorization(by, "1", &authorizationv2.ActivateAuthorizationRequest{Id: id})
		f.must(err)
		want.State = authorizationv2.State_STATE_ACTIVE
		is()
		changed, err := f.UpdateAuthorization(by, "1", &authorizationv2.UpdateAuthorizationRequest{Id: id})
		f.must(err)
		want.Roles = nil
		is()
		for _, at := range []*timestamppb.Timestamp{off.GetChangeDate(), on.GetChangeDate(), changed.GetChangeDate()} {
			if !at.AsTime().Equal(start) {
				f.Errorf("changed at %v", at)
			}
		}
		for what, do := range map[string]func() error{
			"update": func() error {
				_, err := f.UpdateAuthorization(by, "1", &authorizationv2.UpdateAuthorizationRequest{Id: "404"})
				return err
			},
			"activate": func() error {
				_, err := f.ActivateAuthorization(by, "1", &authorizationv2.ActivateAuthorizationRequest{Id: "404"})
				return err
			},
			"deactivate": func() error {
				_, err := f.DeactivateAuthorization(by, "1", &authorizationv2.DeactivateAuthorizationRequest{Id: "404"})
				return err
			},
		} {
			if err := do(); !errors.Is(err, authorization.NotFound) {
				f.Errorf("%s nothing: %v", what, err)
			}
		}
	})
}

func TestList(t *testing.T) {
	prefix := filterv2.TextFilterMethod_TEXT_FILTER_METHOD_STARTS_WITH
	id := func(id string) *filterv2.IDFilter { return &filterv2.IDFilter{Id: id} }
	eachEngine(t, func(f *fixture) {
		by := f.by("x", instanceOwner)
		label := make(map[string]string)
		for _, a := range [][3]string{{"o1", "o", "a"}, {"r1", "r", "a"}, {"o2", "o", "b"}} {
			made, err := f.create(by, a[0], "p", a[1], a[2])
			f.must(err)
			label[made] = a[0]
		}
		var first string
		for made, user := range label {
			if user == "o1" {
				first = made
			}
		}
		_, err := f.DeactivateAuthorization(by, "1", &authorizationv2.DeactivateAuthorizationRequest{Id: first})
		f.must(err)
		for name, c := range map[string]struct {
			filter *authorizationv2.AuthorizationsSearchFilter
			want   string
		}{
			"ids":          {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_AuthorizationIds{AuthorizationIds: &filterv2.InIDsFilter{Ids: []string{first}}}}, "o1"},
			"users":        {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_InUserIds{InUserIds: &filterv2.InIDsFilter{Ids: []string{"r1", "o2"}}}}, "o2 r1"},
			"organization": {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_OrganizationId{OrganizationId: id("r")}}, "r1"},
			"active":       {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_State{State: &authorizationv2.StateQuery{State: authorizationv2.State_STATE_ACTIVE}}}, "o2 r1"},
			"inactive":     {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_State{State: &authorizationv2.StateQuery{State: authorizationv2.State_STATE_INACTIVE}}}, "o1"},
			"user's":       {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_UserOrganizationId{UserOrganizationId: id("o")}}, "o1 o2"},
			"login name":   {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_UserPreferredLoginName{UserPreferredLoginName: &authorizationv2.UserPreferredLoginNameQuery{LoginName: "r", Method: prefix}}}, "r1"},
			"display name": {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_UserDisplayName{UserDisplayName: &authorizationv2.UserDisplayNameQuery{DisplayName: "User o", Method: prefix}}}, "o1 o2"},
			"project":      {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_ProjectId{ProjectId: id("404")}}, ""},
			"project name": {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_ProjectName{ProjectName: &authorizationv2.ProjectNameQuery{Name: "Proj", Method: prefix}}}, "o1 o2 r1"},
			"role":         {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_RoleKey{RoleKey: &authorizationv2.RoleKeyQuery{Key: "b"}}}, "o2"},
			"grant":        {&authorizationv2.AuthorizationsSearchFilter{Filter: &authorizationv2.AuthorizationsSearchFilter_ProjectGrantId{ProjectGrantId: id("g")}}, "r1"},
		} {
			if got := f.seen(by, label, c.filter); got != c.want {
				f.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		for _, c := range []struct {
			by   context.Context
			want string
		}{
			{f.by("x", ownerOfO), "o1 o2 r1"}, {f.by("x", ownerOfR), "r1"}, {f.by("x", ownerOfP), "o1 o2 r1"}, {f.by("x", ownerOfG), "r1"},
			{f.by("x", viewer), "o1 o2 r1"}, {f.by("o1"), "o1"}, {f.by("r2"), ""},
		} {
			if got := f.seen(c.by, label); got != c.want {
				f.Errorf("seen %q, want %q", got, c.want)
			}
		}
	})
}

// seen are the users whose authorizations a list shows, from the first user on.
func (f *fixture) seen(by context.Context, label map[string]string, filters ...*authorizationv2.AuthorizationsSearchFilter) string {
	f.Helper()
	answer, err := f.ListAuthorizations(by, "1", &authorizationv2.ListAuthorizationsRequest{
		Filters: filters, SortingColumn: authorizationv2.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_USER_ID,
		Pagination: &filterv2.PaginationRequest{Asc: true},
	})
	f.must(err)
	var all []string
	for _, a := range answer.GetAuthorizations() {
		all = append(all, label[a.GetId()])
	}
	if n := answer.GetPagination().GetTotalResult(); int(n) != len(all) || answer.GetPagination().GetAppliedLimit() != 100 {
		f.Errorf("%v for %q", answer.GetPagination(), all)
	}
	return strings.Join(all, " ")
}

func TestListRefuses(t *testing.T) {
	eachEngine(t, func(f *fixture) {
		ids := make([]string, search.MaxValues+1)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		for _, c := range []struct {
			req   *authorizationv2.ListAuthorizationsRequest
			id    string
			field string
		}{
			{&authorizationv2.ListAuthorizationsRequest{Pagination: &filterv2.PaginationRequest{Limit: 1001}}, "QUERY-4M0fs", "pagination.limit"},
			{&authorizationv2.ListAuthorizationsRequest{Filters: make([]*authorizationv2.AuthorizationsSearchFilter, search.MaxConditions+1)}, "SEARCH-max01", "filters"},
			{&authorizationv2.ListAuthorizationsRequest{Filters: []*authorizationv2.AuthorizationsSearchFilter{
				{Filter: &authorizationv2.AuthorizationsSearchFilter_InUserIds{InUserIds: &filterv2.InIDsFilter{Ids: ids}}},
			}}, "SEARCH-max01", "filters[0].in_user_ids.ids"},
			{&authorizationv2.ListAuthorizationsRequest{Filters: []*authorizationv2.AuthorizationsSearchFilter{
				{Filter: &authorizationv2.AuthorizationsSearchFilter_AuthorizationIds{AuthorizationIds: &filterv2.InIDsFilter{Ids: ids}}},
			}}, "SEARCH-max01", "filters[0].authorization_ids.ids"},
		} {
			_, err := f.ListAuthorizations(f.by("x", instanceOwner), "1", c.req)
			logtest.CheckRefusal(f, err, logtest.Refusal{Kind: fault.InvalidArgument, ID: c.id, Fields: []string{c.field}})
		}
	})
}
