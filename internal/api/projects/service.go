package projects

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/bind"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/project"
	"castellan/internal/store"

	projectv2 "castellan/gen/zitadel/project/v2"
)

// Removal ends projects and what belongs to them, with all that is below it. Each method returns what was
// removed as it was last, and a fault of kind NotFound when there is no such thing.
type Removal interface {
	Project(ctx context.Context, at ident.InstanceID, actor ident.Actor, id ident.ProjectID) (project.State, error)
	Role(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, key string) (project.Role, error)
	Grant(ctx context.Context, at ident.InstanceID, actor ident.Actor, of ident.ProjectID, to ident.OrgID) (project.Grant, error)
}

// Service is the ProjectService of all instances.
type Service struct {
	DB       store.DB
	Projects *project.Service
	Removal  Removal
}

// Table returns the methods that are served.
func (s *Service) Table() *bind.Table {
	return bind.Service(&projectv2.ProjectService_ServiceDesc,
		bind.Unary("CreateProject", s.CreateProject),
		bind.Unary("UpdateProject", s.UpdateProject),
		bind.Unary("DeleteProject", s.DeleteProject),
		bind.Unary("GetProject", s.GetProject),
		bind.Unary("ListProjects", s.ListProjects),
		bind.Unary("DeactivateProject", s.DeactivateProject),
		bind.Unary("ActivateProject", s.ActivateProject),
		bind.Unary("AddProjectRole", s.AddProjectRole),
		bind.Unary("UpdateProjectRole", s.UpdateProjectRole),
		bind.Unary("RemoveProjectRole", s.RemoveProjectRole),
		bind.Unary("ListProjectRoles", s.ListProjectRoles),
		bind.Unary("CreateProjectGrant", s.CreateProjectGrant),
		bind.Unary("UpdateProjectGrant", s.UpdateProjectGrant),
		bind.Unary("DeleteProjectGrant", s.DeleteProjectGrant),
		bind.Unary("DeactivateProjectGrant", s.DeactivateProjectGrant),
		bind.Unary("ActivateProjectGrant", s.ActivateProjectGrant),
		bind.Unary("ListProjectGrants", s.ListProjectGrants),
	)
}

// CreateProject makes a project of an organization. It returns V3-DKcYh for a name that another project of
// it has, COMMAND-opamwu for an id that was ever used, and PROJECT-IOVCC for a blank name.
func (s *Service) CreateProject(ctx context.Context, at ident.InstanceID, req *projectv2.CreateProjectRequest) (*projectv2.CreateProjectResponse, error) {
	after, err := s.Projects.Add(ctx, at, ident.OrgID(req.GetOrganizationId()), call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()),
		project.New{Add: project.Add{
			Name: req.GetName(), RoleAssertion: req.GetProjectRoleAssertion(), AuthorizationRequired: req.GetAuthorizationRequired(),
			AccessRequired: req.GetProjectAccessRequired(), Labeling: int(req.GetPrivateLabelingSetting()),
		}})
	if err != nil {
		return nil, err
	}
	return &projectv2.CreateProjectResponse{ProjectId: after.ID, CreationDate: timestamppb.New(after.CreatedAt)}, nil
}

// UpdateProject changes what is set of a project. It returns the faults of project.Service.Change.
func (s *Service) UpdateProject(ctx context.Context, at ident.InstanceID, req *projectv2.UpdateProjectRequest) (*projectv2.UpdateProjectResponse, error) {
	wish := project.Change{
		Name: req.Name, RoleAssertion: req.ProjectRoleAssertion, AuthorizationRequired: req.AuthorizationRequired,
		AccessRequired: req.ProjectAccessRequired,
	}
	if req.PrivateLabelingSetting != nil {
		labeling := int(req.GetPrivateLabelingSetting())
		wish.Labeling = &labeling
	}
	after, err := s.Projects.Change(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()), wish)
	if err != nil {
		return nil, err
	}
	return &projectv2.UpdateProjectResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteProject removes a project with all that belongs to it. It returns PROJECT-self1 for that of the
// instance itself.
func (s *Service) DeleteProject(ctx context.Context, at ident.InstanceID, req *projectv2.DeleteProjectRequest) (*projectv2.DeleteProjectResponse, error) {
	after, err := s.Removal.Project(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()))
	date, err := removed(after.ChangedAt, err)
	if err != nil {
		return nil, err
	}
	return &projectv2.DeleteProjectResponse{DeletionDate: date}, nil
}

// GetProject returns a project.
func (s *Service) GetProject(ctx context.Context, at ident.InstanceID, req *projectv2.GetProjectRequest) (*projectv2.GetProjectResponse, error) {
	found, err := project.Get(ctx, s.DB, at, ident.ProjectID(req.GetProjectId()))
	if err != nil {
		return nil, err
	}
	return &projectv2.GetProjectResponse{Project: shown(project.Listed{State: found})}, nil
}

// DeactivateProject ends that anybody can use a project. It returns COMMAND-mki55 when nobody can.
func (s *Service) DeactivateProject(ctx context.Context, at ident.InstanceID, req *projectv2.DeactivateProjectRequest) (*projectv2.DeactivateProjectResponse, error) {
	after, err := s.Projects.Deactivate(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()))
	if err != nil {
		return nil, err
	}
	return &projectv2.DeactivateProjectResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// ActivateProject takes that back. It returns COMMAND-5M9bs when the project is active.
func (s *Service) ActivateProject(ctx context.Context, at ident.InstanceID, req *projectv2.ActivateProjectRequest) (*projectv2.ActivateProjectResponse, error) {
	after, err := s.Projects.Reactivate(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()))
	if err != nil {
		return nil, err
	}
	return &projectv2.ActivateProjectResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// removed is the date of a removal; none when there was nothing to be removed.
func removed(at time.Time, err error) (*timestamppb.Timestamp, error) {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return timestamppb.New(at), nil
}
