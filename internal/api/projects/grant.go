package projects

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/project"

	projectv2 "castellan/gen/zitadel/project/v2"
)

// CreateProjectGrant grants roles of a project to another organization. It returns the faults of
// project.Service.AddGrant.
func (s *Service) CreateProjectGrant(ctx context.Context, at ident.InstanceID, req *projectv2.CreateProjectGrantRequest) (*projectv2.CreateProjectGrantResponse, error) {
	after, err := s.Projects.AddGrant(ctx, at, call.From(ctx).Actor, project.NewGrant{
		Project: ident.ProjectID(req.GetProjectId()), Org: ident.OrgID(req.GetGrantedOrganizationId()), Roles: req.GetRoleKeys(),
	})
	if err != nil {
		return nil, err
	}
	return &projectv2.CreateProjectGrantResponse{CreationDate: timestamppb.New(after.CreatedAt)}, nil
}

// UpdateProjectGrant grants other roles. It returns the faults of project.Service.ChangeGrant.
func (s *Service) UpdateProjectGrant(ctx context.Context, at ident.InstanceID, req *projectv2.UpdateProjectGrantRequest) (*projectv2.UpdateProjectGrantResponse, error) {
	after, err := s.Projects.ChangeGrant(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()),
		ident.OrgID(req.GetGrantedOrganizationId()), project.ChangeGrant{Roles: req.GetRoleKeys()})
	if err != nil {
		return nil, err
	}
	return &projectv2.UpdateProjectGrantResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeleteProjectGrant removes a grant with the authorizations that rest on it.
func (s *Service) DeleteProjectGrant(ctx context.Context, at ident.InstanceID, req *projectv2.DeleteProjectGrantRequest) (*projectv2.DeleteProjectGrantResponse, error) {
	after, err := s.Removal.Grant(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()), ident.OrgID(req.GetGrantedOrganizationId()))
	if errors.Is(err, project.NotFound) {
		return nil, err // of what is not there nothing can be removed
	}
	date, err := removed(after.ChangedAt, err)
	if err != nil {
		return nil, err
	}
	return &projectv2.DeleteProjectGrantResponse{DeletionDate: date}, nil
}

// DeactivateProjectGrant ends that an organization can use a project. An inactive grant stays as it is.
func (s *Service) DeactivateProjectGrant(ctx context.Context, at ident.InstanceID, req *projectv2.DeactivateProjectGrantRequest) (*projectv2.DeactivateProjectGrantResponse, error) {
	after, err := s.Projects.DeactivateGrant(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()), ident.OrgID(req.GetGrantedOrganizationId()))
	if err != nil {
		return nil, err
	}
	return &projectv2.DeactivateProjectGrantResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// ActivateProjectGrant takes that back. An active grant stays as it is.
func (s *Service) ActivateProjectGrant(ctx context.Context, at ident.InstanceID, req *projectv2.ActivateProjectGrantRequest) (*projectv2.ActivateProjectGrantResponse, error) {
	after, err := s.Projects.ReactivateGrant(ctx, at, call.From(ctx).Actor, ident.ProjectID(req.GetProjectId()), ident.OrgID(req.GetGrantedOrganizationId()))
	if err != nil {
		return nil, err
	}
	return &projectv2.ActivateProjectGrantResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}
