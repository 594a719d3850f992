package system

import (
	"context"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/instance"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// UpdateInstance gives an instance another name (contract section 2.4).
func (s *Service) UpdateInstance(ctx context.Context, req *systemv1.UpdateInstanceRequest) (*systemv1.UpdateInstanceResponse, error) {
	after, err := s.Instances.Rename(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetInstanceName())
	if err != nil {
		return nil, err
	}
	return &systemv1.UpdateInstanceResponse{Details: v1.Added(after)}, nil
}

// RemoveInstance ends an instance (contract section 2.5). When it has answered nothing leads to the
// instance any more; repeated, it answers 404.
func (s *Service) RemoveInstance(ctx context.Context, req *systemv1.RemoveInstanceRequest) (*systemv1.RemoveInstanceResponse, error) {
	last, err := s.Instances.Remove(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &systemv1.RemoveInstanceResponse{Details: v1.Added(last)}, nil
}

// ExistsDomain says whether any instance has a domain (contract section 2.6).
func (s *Service) ExistsDomain(ctx context.Context, req *systemv1.ExistsDomainRequest) (*systemv1.ExistsDomainResponse, error) {
	exists, err := instance.DomainExists(ctx, s.DB, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &systemv1.ExistsDomainResponse{Exists: exists}, nil
}

// AddDomain gives an instance one more domain (contract section 2.6).
func (s *Service) AddDomain(ctx context.Context, req *systemv1.AddDomainRequest) (*systemv1.AddDomainResponse, error) {
	after, err := s.Instances.AddDomain(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &systemv1.AddDomainResponse{Details: v1.Added(after)}, nil
}

// RemoveDomain takes a domain from an instance (contract section 2.6, decision D5).
func (s *Service) RemoveDomain(ctx context.Context, req *systemv1.RemoveDomainRequest) (*systemv1.RemoveDomainResponse, error) {
	after, err := s.Instances.RemoveDomain(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &systemv1.RemoveDomainResponse{Details: v1.Changed(after)}, nil
}

// SetPrimaryDomain makes a domain of an instance the primary one (contract section 2.6).
func (s *Service) SetPrimaryDomain(ctx context.Context, req *systemv1.SetPrimaryDomainRequest) (*systemv1.SetPrimaryDomainResponse, error) {
	after, err := s.Instances.SetPrimaryDomain(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &systemv1.SetPrimaryDomainResponse{Details: v1.Changed(after)}, nil
}
