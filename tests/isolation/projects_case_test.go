package isolation

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	filterv2 "castellan/gen/zitadel/filter/v2"
	projectv2 "castellan/gen/zitadel/project/v2"
)

func init() {
	add(projects, map[string]case_{
		"CreateProject": {thing, func(t Target) proto.Message {
			return &projectv2.CreateProjectRequest{OrganizationId: t["organization_id"], Name: fmt.Sprintf("%s another %d", t["name"], named.Add(1))}
		}},
		"UpdateProject": {thing, func(t Target) proto.Message {
			return &projectv2.UpdateProjectRequest{ProjectId: t["project_id"], Name: proto.String(t["name"] + " renamed")}
		}},
		"DeleteProject": {thing, func(t Target) proto.Message { return &projectv2.DeleteProjectRequest{ProjectId: t["project_id"]} }},
		"GetProject":    {thing, func(t Target) proto.Message { return &projectv2.GetProjectRequest{ProjectId: t["project_id"]} }},
		"ListProjects": {list, func(t Target) proto.Message {
			return &projectv2.ListProjectsRequest{Filters: []*projectv2.ProjectSearchFilter{
				{Filter: &projectv2.ProjectSearchFilter_InProjectIdsFilter{InProjectIdsFilter: &filterv2.InIDsFilter{Ids: []string{t["project_id"]}}}},
				{Filter: &projectv2.ProjectSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &projectv2.ProjectOrganizationIDFilter{OrganizationId: t["organization_id"]}}},
			}}
		}},
		"DeactivateProject": {thing, func(t Target) proto.Message { return &projectv2.DeactivateProjectRequest{ProjectId: t["project_id"]} }},
		"ActivateProject":   {thing, func(t Target) proto.Message { return &projectv2.ActivateProjectRequest{ProjectId: t["project_id"]} }},
	})
	add(projects, rolesOfProjects)
	add(projects, grantsOfProjects)
	names(projects, map[string]string{
		"filters.in_project_ids_filter.ids": "project_id", "filters.organization_id_filter.id": "organization_id",
		"filters.granted_organization_id_filter.id": "granted_organization_id",
	})
	absent[projects+"/ActivateProject"] = true    // it is active
	absent[projects+"/CreateProjectGrant"] = true // there is such a grant
	except(projects+"/CreateProject", "project_id", "ids are those of one instance: in another the id is free, and where it is not it is refused")
}

var rolesOfProjects = map[string]case_{
	"AddProjectRole": {thing, func(t Target) proto.Message {
		return &projectv2.AddProjectRoleRequest{ProjectId: t["project_id"], RoleKey: fmt.Sprint("another", named.Add(1)), DisplayName: "Another"}
	}},
	"UpdateProjectRole": {thing, func(t Target) proto.Message {
		return &projectv2.UpdateProjectRoleRequest{ProjectId: t["project_id"], RoleKey: t["role_key"], DisplayName: proto.String("Renamed")}
	}},
	"RemoveProjectRole": {thing, func(t Target) proto.Message {
		return &projectv2.RemoveProjectRoleRequest{ProjectId: t["project_id"], RoleKey: t["role_key"]}
	}},
	"ListProjectRoles": {thing, func(t Target) proto.Message {
		return &projectv2.ListProjectRolesRequest{ProjectId: t["project_id"], Filters: []*projectv2.ProjectRoleSearchFilter{
			{Filter: &projectv2.ProjectRoleSearchFilter_RoleKeyFilter{RoleKeyFilter: &projectv2.ProjectRoleKeyFilter{Key: t["role_key"]}}},
		}}
	}},
}

var grantsOfProjects = map[string]case_{
	"CreateProjectGrant": {thing, func(t Target) proto.Message {
		return &projectv2.CreateProjectGrantRequest{
			ProjectId: t["project_id"], GrantedOrganizationId: t["granted_organization_id"], RoleKeys: []string{t["role_key"]},
		}
	}},
	"UpdateProjectGrant": {thing, func(t Target) proto.Message {
		return &projectv2.UpdateProjectGrantRequest{ProjectId: t["project_id"], GrantedOrganizationId: t["granted_organization_id"]}
	}},
	"DeleteProjectGrant": {thing, func(t Target) proto.Message {
		return &projectv2.DeleteProjectGrantRequest{ProjectId: t["project_id"], GrantedOrganizationId: t["granted_organization_id"]}
	}},
	"DeactivateProjectGrant": {thing, func(t Target) proto.Message {
		return &projectv2.DeactivateProjectGrantRequest{ProjectId: t["project_id"], GrantedOrganizationId: t["granted_organization_id"]}
	}},
	"ActivateProjectGrant": {thing, func(t Target) proto.Message {
		return &projectv2.ActivateProjectGrantRequest{ProjectId: t["project_id"], GrantedOrganizationId: t["granted_organization_id"]}
	}},
	"ListProjectGrants": {list, func(t Target) proto.Message {
		return &projectv2.ListProjectGrantsRequest{Filters: []*projectv2.ProjectGrantSearchFilter{
			{Filter: &projectv2.ProjectGrantSearchFilter_InProjectIdsFilter{InProjectIdsFilter: &filterv2.InIDsFilter{Ids: []string{t["project_id"]}}}},
			{Filter: &projectv2.ProjectGrantSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &filterv2.IDFilter{Id: t["organization_id"]}}},
			{Filter: &projectv2.ProjectGrantSearchFilter_GrantedOrganizationIdFilter{GrantedOrganizationIdFilter: &filterv2.IDFilter{Id: t["granted_organization_id"]}}},
		}}
	}},
}
