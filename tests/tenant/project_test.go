package tenant_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	authorizationv2 "castellan/gen/zitadel/authorization/v2"
	filterv2 "castellan/gen/zitadel/filter/v2"
	orgv2 "castellan/gen/zitadel/org/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
)

const projectAPI = "zitadel.project.v2.ProjectService/"

// project makes a project of an organization with the roles a and b.
func (x *tenant) project(org, name string) string {
	x.Helper()
	made := new(projectv2.CreateProjectResponse)
	x.write(projectAPI+"CreateProject", &projectv2.CreateProjectRequest{OrganizationId: org, Name: name}, made, []string{"project.added"})
	for _, key := range []string{"a", "b"} {
		x.write(projectAPI+"AddProjectRole", &projectv2.AddProjectRoleRequest{ProjectId: made.GetProjectId(), RoleKey: key, DisplayName: "Role " + key},
			&projectv2.AddProjectRoleResponse{}, []string{"project.role.added"})
	}
	return made.GetProjectId()
}

// eachRPC is eachWire without REST, over which no project is served.
func eachRPC(t *testing.T, fn func(x *tenant)) {
	t.Helper()
	eachWire(t, func(x *tenant) {
		if x.Wire.Serves(projectAPI + "CreateProject") {
			fn(x)
		}
	})
}

// The life of a project.
func TestProject(t *testing.T) {
	eachRPC(t, func(x *tenant) {
		id := x.project(x.Org, "Shop")
		of := &projectv2.GetProjectRequest{ProjectId: id}
		x.refused(projectAPI+"CreateProject", &projectv2.CreateProjectRequest{OrganizationId: x.Org, Name: "SHOP"}, codes.AlreadyExists, "V3-DKcYh")

		update := &projectv2.UpdateProjectRequest{
			ProjectId: id, Name: proto.String("Store"), AuthorizationRequired: proto.Bool(true),
			PrivateLabelingSetting: projectv2.PrivateLabelingSetting_PRIVATE_LABELING_SETTING_ENFORCE_PROJECT_RESOURCE_OWNER_POLICY.Enum(),
		}
		x.write(projectAPI+"UpdateProject", update, &projectv2.UpdateProjectResponse{}, []string{"project.changed"})
		got := new(projectv2.GetProjectResponse)
		x.read(projectAPI+"GetProject", of, got)
		x.equal(got.GetProject(), &projectv2.Project{
			ProjectId: id, OrganizationId: x.Org, Name: "Store", State: projectv2.ProjectState_PROJECT_STATE_ACTIVE, AuthorizationRequired: true,
			PrivateLabelingSetting: update.GetPrivateLabelingSetting(),
		}, protocmp.IgnoreFields(&projectv2.Project{}, "creation_date", "change_date"))

		off, on := &projectv2.DeactivateProjectRequest{ProjectId: id}, &projectv2.ActivateProjectRequest{ProjectId: id}
		x.refused(projectAPI+"ActivateProject", on, codes.FailedPrecondition, "COMMAND-5M9bs")
		x.write(projectAPI+"DeactivateProject", off, &projectv2.DeactivateProjectResponse{}, []string{"project.deactivated"})
		x.refused(projectAPI+"DeactivateProject", off, codes.FailedPrecondition, "COMMAND-mki55")
		x.write(projectAPI+"ActivateProject", on, &projectv2.ActivateProjectResponse{}, []string{"project.reactivated"})

		x.write(projectAPI+"UpdateProjectRole", &projectv2.UpdateProjectRoleRequest{ProjectId: id, RoleKey: "a", Group: proto.String("g")},
			&projectv2.UpdateProjectRoleResponse{}, []string{"project.role.changed"})
		x.refused(projectAPI+"UpdateProjectRole", &projectv2.UpdateProjectRoleRequest{ProjectId: id, RoleKey: "z", Group: proto.String("g")}, codes.NotFound, "COMMAND-vv8M9")
		roles := new(projectv2.ListProjectRolesResponse)
		x.read(projectAPI+"ListProjectRoles", &projectv2.ListProjectRolesRequest{
			ProjectId: id, Pagination: &filterv2.PaginationRequest{Asc: true}, SortingColumn: projectv2.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_KEY.Enum(),
		}, roles)
		x.equal(roles, &projectv2.ListProjectRolesResponse{
			Pagination:   &filterv2.PaginationResponse{TotalResult: 2, AppliedLimit: 100},
			ProjectRoles: []*projectv2.ProjectRole{{ProjectId: id, Key: "a", DisplayName: "Role a", Group: "g"}, {ProjectId: id, Key: "b", DisplayName: "Role b"}},
		}, protocmp.IgnoreFields(&projectv2.ProjectRole{}, "creation_date", "change_date"))

		remove := &projectv2.DeleteProjectRequest{ProjectId: id}
		x.write(projectAPI+"DeleteProject", remove, &projectv2.DeleteProjectResponse{}, []string{"project.role.removed", "project.role.removed", "project.removed"})
		x.refused(projectAPI+"GetProject", of, codes.NotFound, "QUERY-fk2fs")
		again := new(projectv2.DeleteProjectResponse)
		x.read(projectAPI+"DeleteProject", remove, again)
		x.equal(again, &projectv2.DeleteProjectResponse{})
	})
}

// A project is granted to another organization, which loses with a role what rests on it.
func TestProjectGrant(t *testing.T) {
	eachRPC(t, func(x *tenant) {
		id := x.project(x.Org, "Shop")
		x.addOrg("77", "Partner")
		grant := &projectv2.CreateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: "77", RoleKeys: []string{"a", "b"}}
		x.write(projectAPI+"CreateProjectGrant", grant, &projectv2.CreateProjectGrantResponse{}, []string{"project.grant.added"})
		if a := x.try(projectAPI+"CreateProjectGrant", grant, nil); a.Code != codes.AlreadyExists {
			x.Errorf("a second grant: %v", a)
		}
		x.write("zitadel.authorization.v2.AuthorizationService/CreateAuthorization", &authorizationv2.CreateAuthorizationRequest{
			UserId: x.Owner, ProjectId: id, OrganizationId: "77", RoleKeys: []string{"a", "b"},
		}, nil, []string{"user.grant.added"})

		off := &projectv2.DeactivateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: "77"}
		x.write(projectAPI+"DeactivateProjectGrant", off, &projectv2.DeactivateProjectGrantResponse{}, []string{"project.grant.deactivated"})
		x.write(projectAPI+"ActivateProjectGrant", &projectv2.ActivateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: "77"},
			&projectv2.ActivateProjectGrantResponse{}, []string{"project.grant.reactivated"})

		x.write(projectAPI+"RemoveProjectRole", &projectv2.RemoveProjectRoleRequest{ProjectId: id, RoleKey: "b"}, &projectv2.RemoveProjectRoleResponse{},
			[]string{"user.grant.cascade.changed", "project.grant.cascade.changed", "project.role.removed"})
		got := new(projectv2.ListProjectGrantsResponse)
		x.read(projectAPI+"ListProjectGrants", &projectv2.ListProjectGrantsRequest{}, got)
		x.equal(got, &projectv2.ListProjectGrantsResponse{
			Pagination: &filterv2.PaginationResponse{TotalResult: 1, AppliedLimit: 100},
			ProjectGrants: []*projectv2.ProjectGrant{{
				OrganizationId: x.Org, ProjectId: id, ProjectName: "Shop", GrantedOrganizationId: "77", GrantedOrganizationName: "Partner",
				GrantedRoleKeys: []string{"a"}, State: projectv2.ProjectGrantState_PROJECT_GRANT_STATE_ACTIVE,
			}},
		}, protocmp.IgnoreFields(&projectv2.ProjectGrant{}, "creation_date", "change_date"))
		x.write(projectAPI+"UpdateProjectGrant", &projectv2.UpdateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: "77"},
			&projectv2.UpdateProjectGrantResponse{}, []string{"project.grant.changed", "user.grant.cascade.changed"})
		x.write(projectAPI+"DeleteProjectGrant", &projectv2.DeleteProjectGrantRequest{ProjectId: id, GrantedOrganizationId: "77"},
			&projectv2.DeleteProjectGrantResponse{}, []string{"user.grant.cascade.removed", "project.grant.removed"})
	})
}

// Both what is owned and what is granted is listed.
func TestListProjects(t *testing.T) {
	eachRPC(t, func(x *tenant) {
		id := x.project(x.Org, "Shop")
		x.addOrg("77", "Partner")
		x.write(projectAPI+"CreateProjectGrant", &projectv2.CreateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: "77"}, nil, []string{"project.grant.added"})
		owned, granted, either := projectv2.ProjectOrganizationIDFilter_OWNED, projectv2.ProjectOrganizationIDFilter_GRANTED, projectv2.ProjectOrganizationIDFilter_TYPE_UNSPECIFIED
		for _, c := range []struct {
			org  string
			kind projectv2.ProjectOrganizationIDFilter_Type
			want []string
		}{
			{"77", owned, nil}, {"77", granted, []string{"77"}}, {"77", either, []string{"77"}}, {x.Org, granted, nil}, {"404", either, nil},
		} {
			got := new(projectv2.ListProjectsResponse)
			x.read(projectAPI+"ListProjects", &projectv2.ListProjectsRequest{Filters: []*projectv2.ProjectSearchFilter{{
				Filter: &projectv2.ProjectSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &projectv2.ProjectOrganizationIDFilter{OrganizationId: c.org, Type: c.kind}},
			}}}, got)
			var to []string
			for _, p := range got.GetProjects() {
				to = append(to, p.GetGrantedOrganizationId())
			}
			if !slices.Equal(to, c.want) {
				x.Errorf("%v of %s: %v, want %v", c.kind, c.org, to, c.want)
			}
		}
		x.refused(projectAPI+"ListProjects", &projectv2.ListProjectsRequest{Pagination: &filterv2.PaginationRequest{Limit: 1001}}, codes.InvalidArgument, "QUERY-4M0fs")
	})
}

// The instance's own project stays as it is.
func TestOwnProject(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		got := new(projectv2.ListProjectsResponse)
		x.read(projectAPI+"ListProjects", &projectv2.ListProjectsRequest{}, got)
		if len(got.GetProjects()) != 1 {
			x.Fatalf("projects %v", got)
		}
		own := got.GetProjects()[0].GetProjectId()
		x.refused(projectAPI+"DeleteProject", &projectv2.DeleteProjectRequest{ProjectId: own}, codes.FailedPrecondition, "PROJECT-self1")
		x.refused(projectAPI+"DeactivateProject", &projectv2.DeactivateProjectRequest{ProjectId: own}, codes.FailedPrecondition, "PROJECT-self1")
		x.refused(projectAPI+"UpdateProject", &projectv2.UpdateProjectRequest{ProjectId: own, Name: proto.String("Mine")}, codes.FailedPrecondition, "PROJECT-self1")
	})
}

// With an organization everything goes that is its own; what is left folds to the same rows, see onGRPC.
func TestDeleteOrganizationWithAll(t *testing.T) {
	onGRPC(t, func(x *tenant) {
		x.addOrg("77", "Partner")
		id := x.project("77", "Shop")
		x.write(projectAPI+"CreateProjectGrant", &projectv2.CreateProjectGrantRequest{ProjectId: id, GrantedOrganizationId: x.Org, RoleKeys: []string{"a"}}, nil, []string{"project.grant.added"})
		before := len(x.Events())
		if a := x.try(orgAPI+"DeleteOrganization", &orgv2.DeleteOrganizationRequest{OrganizationId: "77"}, nil); a.Code != codes.OK {
			x.Fatal(a)
		}
		left := x.Events()[before:]
		if left[len(left)-1] != "org.removed" || !slices.Contains(left, "project.grant.removed") || !slices.Contains(left, "project.removed") {
			x.Errorf("DeleteOrganization left %v", left)
		}
		x.refused(projectAPI+"GetProject", &projectv2.GetProjectRequest{ProjectId: id}, codes.NotFound, "QUERY-fk2fs")
	})
}
