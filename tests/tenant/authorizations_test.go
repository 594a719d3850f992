package tenant_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
	permissionv2 "castellan/gen/zitadel/internal_permission/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
	userv2 "castellan/gen/zitadel/user/v2"
)

const (
	authorizationAPI = "zitadel.authorization.v2.AuthorizationService/"
	permissionAPI    = "zitadel.internal_permission.v2.InternalPermissionService/"
)

// must makes a call that must succeed, whatever it leaves. into gets the answer.
func (x *tenant) must(method string, in, into proto.Message) {
	x.Helper()
	if a := x.try(method, in, into); a.Code != codes.OK {
		x.Fatalf("%s %v: %v", method, in, a)
	}
}

// company is an organization with a project, which has the roles reader and writer, and a machine with a token.
type company struct {
	Org, Project, Robot, Token string
}

// newCompany makes one, of the organization there is when name is empty.
func (x *tenant) newCompany(name string) company {
	x.Helper()
	c := company{Org: x.Org}
	if name != "" {
		var made orgv2.AddOrganizationResponse
		x.must("zitadel.org.v2.OrganizationService/AddOrganization", &orgv2.AddOrganizationRequest{Name: name}, &made)
		c.Org = made.GetOrganizationId()
	}
	var project projectv2.CreateProjectResponse
	x.must("zitadel.project.v2.ProjectService/CreateProject", &projectv2.CreateProjectRequest{OrganizationId: c.Org, Name: "Shop" + name}, &project)
	c.Project = project.GetProjectId()
	for _, role := range []string{"reader", "writer"} {
		x.must("zitadel.project.v2.ProjectService/AddProjectRole", &projectv2.AddProjectRoleRequest{
			ProjectId: c.Project, RoleKey: role, DisplayName: "The " + role, Group: proto.String("staff"),
		}, nil)
	}
	c.Robot, c.Token = x.robot(c.Org, "clerk"+name)
	return c
}

// robot makes a machine of an organization, with a token.
func (x *tenant) robot(org, name string) (id, token string) {
	x.Helper()
	var made userv2.CreateUserResponse
	x.must("zitadel.user.v2.UserService/CreateUser", &userv2.CreateUserRequest{
		OrganizationId: org, Username: proto.String(name),
		UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{Name: "Robot"}},
	}, &made)
	var pat userv2.AddPersonalAccessTokenResponse
	x.must("zitadel.user.v2.UserService/AddPersonalAccessToken", &userv2.AddPersonalAccessTokenRequest{
		UserId: made.GetId(), ExpirationDate: timestamppb.New(time.Now().Add(time.Hour)),
	}, &pat)
	return made.GetId(), pat.GetToken()
}

// A user gets roles, other roles, none for a while, and none at all; each call leaves its event.
func TestAuthorization(t *testing.T) {
	eachWire(t, func(x *tenant) {
		if x.skipsREST(authorizationAPI + "CreateAuthorization") {
			return
		}
		c := x.newCompany("")
		create := &authorizationv2.CreateAuthorizationRequest{UserId: c.Robot, ProjectId: c.Project, OrganizationId: c.Org, RoleKeys: []string{"writer", "reader"}}
		var made authorizationv2.CreateAuthorizationResponse
		x.write(authorizationAPI+"CreateAuthorization", create, &made, []string{"user.grant.added"})
		x.refused(authorizationAPI+"CreateAuthorization", create, codes.AlreadyExists, "V3-DKcYh")
		reader := &authorizationv2.Role{Key: "reader", DisplayName: "The reader", Group: "staff"}
		want := &authorizationv2.Authorization{
			Id: made.GetId(), CreationDate: made.GetCreationDate(), ChangeDate: made.GetCreationDate(),
			Project: &authorizationv2.Project{Id: c.Project, Name: "Shop", OrganizationId: c.Org},
			User:    &authorizationv2.User{Id: c.Robot, PreferredLoginName: "clerk", DisplayName: "Robot", OrganizationId: c.Org},
			State:   authorizationv2.State_STATE_ACTIVE,
			Roles:   []*authorizationv2.Role{{Key: "writer", DisplayName: "The writer", Group: "staff"}, reader},
		}
		is := func() {
			x.Helper()
			for _, who := range []*tenant{x, x.as(c.Token)} { // users see their own
				var all authorizationv2.ListAuthorizationsResponse
				who.read(authorizationAPI+"ListAuthorizations", &authorizationv2.ListAuthorizationsRequest{}, &all)
				if len(all.GetAuthorizations()) != 1 {
					x.Fatalf("listed %v", &all)
				}
				want.Organization = all.GetAuthorizations()[0].GetOrganization()
				x.equal(&all, &authorizationv2.ListAuthorizationsResponse{
					Authorizations: []*authorizationv2.Authorization{want}, Pagination: &filterv2.PaginationResponse{TotalResult: 1, AppliedLimit: 100},
				})
			}
			if want.GetOrganization().GetId() != c.Org || want.GetOrganization().GetName() == "" {
				x.Errorf("given in %v", want.GetOrganization())
			}
		}
		is()
		update := &authorizationv2.UpdateAuthorizationRequest{Id: made.GetId(), RoleKeys: []string{"reader"}}
		var changed authorizationv2.UpdateAuthorizationResponse
		x.write(authorizationAPI+"UpdateAuthorization", update, &changed, []string{"user.grant.changed"})
		want.Roles, want.ChangeDate = []*authorizationv2.Role{reader}, changed.GetChangeDate()
		is()
		x.read(authorizationAPI+"UpdateAuthorization", update, &changed) // the same again changes nothing
		is()
		off := &authorizationv2.DeactivateAuthorizationRequest{Id: made.GetId()}
		var offed authorizationv2.DeactivateAuthorizationResponse
		x.write(authorizationAPI+"DeactivateAuthorization", off, &offed, []string{"user.grant.deactivated"})
		want.State, want.ChangeDate = authorizationv2.State_STATE_INACTIVE, offed.GetChangeDate()
		x.read(authorizationAPI+"DeactivateAuthorization", off, &offed)
		is()
		on := &authorizationv2.ActivateAuthorizationRequest{Id: made.GetId()}
		var oned authorizationv2.ActivateAuthorizationResponse
		x.write(authorizationAPI+"ActivateAuthorization", on, &oned, []string{"user.grant.reactivated"})
		want.State, want.ChangeDate = authorizationv2.State_STATE_ACTIVE, oned.GetChangeDate()
		x.read(authorizationAPI+"ActivateAuthorization", on, &oned)
		is()
		remove := &authorizationv2.DeleteAuthorizationRequest{Id: made.GetId()}
		var gone authorizationv2.DeleteAuthorizationResponse
		x.write(authorizationAPI+"DeleteAuthorization", remove, &gone, []string{"user.grant.removed"})
		if gone.GetDeletionDate() == nil {
			x.Error("removed at no time")
		}
		gone.Reset()
		x.read(authorizationAPI+"DeleteAuthorization", remove, &gone)
		x.equal(&gone, &authorizationv2.DeleteAuthorizationResponse{})
		for method, in := range map[string]proto.Message{"UpdateAuthorization": update, "DeactivateAuthorization": off, "ActivateAuthorization": on} {
			x.refused(authorizationAPI+method, in, codes.NotFound, "QUERY-wIPkA")
		}
	})
}

// An organization that a project is granted to gives what it was granted, and no more; what is taken from the
// grant is taken from those who hold it.
func TestGrantedAuthorization(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		c, partner := x.newCompany(""), x.newCompany(" Partner")
		x.must("zitadel.project.v2.ProjectService/CreateProjectGrant", &projectv2.CreateProjectGrantRequest{
			ProjectId: c.Project, GrantedOrganizationId: partner.Org, RoleKeys: []string{"reader"},
		}, nil)
		x.must(permissionAPI+"CreateAdministrator", &permissionv2.CreateAdministratorRequest{
			UserId: partner.Robot, Roles: []string{"ORG_OWNER"},
			Resource: &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: partner.Org}},
		}, nil)
		theirs := x.as(partner.Token)
		user, _ := x.robot(partner.Org, "employee")
		create := func(user, org string, roles ...string) *authorizationv2.CreateAuthorizationRequest {
			return &authorizationv2.CreateAuthorizationRequest{UserId: user, ProjectId: c.Project, OrganizationId: org, RoleKeys: roles}
		}
		theirs.refused(authorizationAPI+"CreateAuthorization", create(user, partner.Org, "writer"), codes.FailedPrecondition, "COMMAND-mm9F4")
		theirs.refused(authorizationAPI+"CreateAuthorization", create(user, c.Org, "reader"), codes.NotFound, "QUERY-fk2fs")
		theirs.refused(authorizationAPI+"CreateAuthorization", create(c.Robot, partner.Org, "reader"), codes.FailedPrecondition, "COMMAND-4f8sg")
		x.refused(authorizationAPI+"CreateAuthorization", create("404", partner.Org, "reader"), codes.FailedPrecondition, "COMMAND-4f8sg")
		var made authorizationv2.CreateAuthorizationResponse
		theirs.write(authorizationAPI+"CreateAuthorization", create(user, partner.Org, "reader"), &made, []string{"user.grant.added"})
		theirs.refused(authorizationAPI+"UpdateAuthorization", &authorizationv2.UpdateAuthorizationRequest{Id: made.GetId(), RoleKeys: []string{"reader", "writer"}},
			codes.FailedPrecondition, "COMMAND-mm9F4")
		x.must("zitadel.project.v2.ProjectService/UpdateProjectGrant", &projectv2.UpdateProjectGrantRequest{
			ProjectId: c.Project, GrantedOrganizationId: partner.Org, RoleKeys: []string{"writer"},
		}, nil)
		var all authorizationv2.ListAuthorizationsResponse
		theirs.read(authorizationAPI+"ListAuthorizations", &authorizationv2.ListAuthorizationsRequest{}, &all)
		if len(all.GetAuthorizations()) != 1 || len(all.GetAuthorizations()[0].GetRoles()) != 0 {
			x.Errorf("a role that is not granted any more is held: %v", &all)
		}
		x.must("zitadel.project.v2.ProjectService/DeleteProjectGrant", &projectv2.DeleteProjectGrantRequest{
			ProjectId: c.Project, GrantedOrganizationId: partner.Org,
		}, nil)
		theirs.refused(authorizationAPI+"UpdateAuthorization", &authorizationv2.UpdateAuthorizationRequest{Id: made.GetId()}, codes.NotFound, "QUERY-wIPkA")
	})
}

// Administrators come, change and go on each kind of resource, each with its event, and can do from that
// moment on what they are administrators for, and no longer.
func TestAdministrator(t *testing.T) {
	eachWire(t, func(x *tenant) {
		if x.skipsREST(permissionAPI + "CreateAdministrator") {
			return
		}
		c, partner := x.newCompany(""), x.newCompany(" Partner")
		x.must("zitadel.project.v2.ProjectService/CreateProjectGrant", &projectv2.CreateProjectGrantRequest{
			ProjectId: c.Project, GrantedOrganizationId: partner.Org, RoleKeys: []string{"reader"},
		}, nil)
		for _, r := range []struct {
			on               *permissionv2.ResourceType
			roles, others    []string
			event            string
			taken, badRole   string
			sees, seesOthers int // administrators it can see then
		}{
			{
				&permissionv2.ResourceType{Resource: &permissionv2.ResourceType_Instance{Instance: true}},
				[]string{"IAM_OWNER_VIEWER"}, []string{"IAM_ORG_MANAGER"}, "instance.member.", "INSTA-pFDwe", "INSTANCE-3m9fs", 3, 1 + 1,
			},
			{
				&permissionv2.ResourceType{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: c.Org}},
				[]string{"ORG_OWNER_VIEWER"}, []string{"ORG_USER_MANAGER"}, "org.member.", "ORG-poWwe", "Org-4N8es", 2, 1,
			},
			{
				&permissionv2.ResourceType{Resource: &permissionv2.ResourceType_ProjectId{ProjectId: c.Project}},
				[]string{"PROJECT_OWNER"}, []string{"PROJECT_OWNER_VIEWER"}, "project.member.", "PROJECT-PtXi1", "PROJECT-3m9ds", 1, 1,
			},
			{
				&permissionv2.ResourceType{Resource: &permissionv2.ResourceType_ProjectGrant_{ProjectGrant: &permissionv2.ResourceType_ProjectGrant{
					ProjectId: c.Project, OrganizationId: partner.Org,
				}}},
				[]string{"PROJECT_GRANT_OWNER"}, []string{"PROJECT_GRANT_OWNER_VIEWER"}, "project.grant.member.", "PROJECT-PtXi1", "PROJECT-m0sDf", 1, 1,
			},
		} {
			create := &permissionv2.CreateAdministratorRequest{UserId: c.Robot, Resource: r.on, Roles: r.roles}
			var made permissionv2.CreateAdministratorResponse
			x.write(permissionAPI+"CreateAdministrator", create, &made, []string{r.event + "added"})
			x.refused(permissionAPI+"CreateAdministrator", create, codes.AlreadyExists, r.taken)
			x.sees(c, r.sees)
			update := &permissionv2.UpdateAdministratorRequest{UserId: c.Robot, Resource: r.on, Roles: r.others}
			x.write(permissionAPI+"UpdateAdministrator", update, &permissionv2.UpdateAdministratorResponse{}, []string{r.event + "changed"})
			x.read(permissionAPI+"UpdateAdministrator", update, &permissionv2.UpdateAdministratorResponse{})
			x.refused(permissionAPI+"UpdateAdministrator", &permissionv2.UpdateAdministratorRequest{UserId: c.Robot, Resource: r.on, Roles: []string{"SYSTEM_OWNER"}},
				codes.InvalidArgument, r.badRole)
			x.sees(c, r.seesOthers)
			remove := &permissionv2.DeleteAdministratorRequest{UserId: c.Robot, Resource: r.on}
			x.write(permissionAPI+"DeleteAdministrator", remove, &permissionv2.DeleteAdministratorResponse{}, []string{r.event + "removed"})
			var gone permissionv2.DeleteAdministratorResponse
			x.read(permissionAPI+"DeleteAdministrator", remove, &gone)
			x.equal(&gone, &permissionv2.DeleteAdministratorResponse{})
			x.refused(permissionAPI+"UpdateAdministrator", update, codes.NotFound, "MEMBER-none1")
			x.sees(c, 0)
		}
	})
}

// sees checks how many administrators the robot of a company can see.
func (x *tenant) sees(c company, want int) {
	x.Helper()
	var all permissionv2.ListAdministratorsResponse
	x.as(c.Token).read(permissionAPI+"ListAdministrators", &permissionv2.ListAdministratorsRequest{}, &all)
	if n := all.GetPagination().GetTotalResult(); int(n) != want || len(all.GetAdministrators()) != want {
		x.Errorf("%d administrators are seen, want %d: %v", n, want, &all)
	}
}

// An owner of an organization makes others what it is, and nobody more.
func TestNobodyGivesWhatItLacks(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		c := x.newCompany(" Corner")
		onOrg := &permissionv2.ResourceType{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: c.Org}}
		x.must(permissionAPI+"CreateAdministrator", &permissionv2.CreateAdministratorRequest{UserId: c.Robot, Resource: onOrg, Roles: []string{"ORG_OWNER"}}, nil)
		other, token := x.robot(c.Org, "other")
		owner := x.as(c.Token)
		for on, role := range map[*permissionv2.ResourceType]string{
			{Resource: &permissionv2.ResourceType_Instance{Instance: true}}:              "IAM_OWNER",
			{Resource: &permissionv2.ResourceType_OrganizationId{OrganizationId: x.Org}}: "ORG_OWNER",
		} {
			code, id := codes.PermissionDenied, "AUTH-5mWD2"
			if on.GetOrganizationId() != "" { // an organization one may not look into is not there
				code, id = codes.NotFound, "QUERY-iTTGJ"
			}
			owner.refused(permissionAPI+"CreateAdministrator", &permissionv2.CreateAdministratorRequest{UserId: other, Resource: on, Roles: []string{role}}, code, id)
		}
		owner.write(permissionAPI+"CreateAdministrator", &permissionv2.CreateAdministratorRequest{UserId: other, Resource: onOrg, Roles: []string{"ORG_USER_MANAGER"}},
			&permissionv2.CreateAdministratorResponse{}, []string{"org.member.added"})
		x.as(token).refused(permissionAPI+"UpdateAdministrator", &permissionv2.UpdateAdministratorRequest{UserId: other, Resource: onOrg, Roles: []string{"ORG_OWNER"}},
			codes.PermissionDenied, "AUTH-5mWD2")
		owner.write(permissionAPI+"UpdateAdministrator", &permissionv2.UpdateAdministratorRequest{UserId: other, Resource: onOrg, Roles: []string{"ORG_OWNER"}},
			&permissionv2.UpdateAdministratorResponse{}, []string{"org.member.changed"})
	})
}
