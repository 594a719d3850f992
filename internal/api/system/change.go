package system

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// UpdateInstance gives an instance another name (contract section 2.4).
func (s *Service) UpdateInstance(ctx context.Context, req *systemv1.UpdateInstanceRequest) (*systemv1.UpdateInstanceResponse, error) {
	after, err := s.Instances.Rename(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetInstanceName())
	if err != nil {
		return nil, err
	}
	return &systemv1.UpdateInstanceResponse{Details: added(after)}, nil
}

// RemoveInstance ends an instance (contract section 2.5). When it has answered nothing leads to the
// instance any more; repeated, it answers 404.
func (s *Service) RemoveInstance(ctx context.Context, req *systemv1.RemoveInstanceRequest) (*systemv1.RemoveInstanceResponse, error) {
	last, err := s.Instances.Remove(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &systemv1.RemoveInstanceResponse{Details: added(last)}, nil
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
	return &systemv1.AddDomainResponse{Details: added(after)}, nil
}

// RemoveDomain takes a domain from an instance (contract section 2.6, decision D5).
func (s *Service) RemoveDomain(ctx context.Context, req *systemv1.RemoveDomainRequest) (*systemv1.RemoveDomainResponse, error) {
	after, err := s.Instances.RemoveDomain(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &systemv1.RemoveDomainResponse{Details: changed(after)}, nil
}

// SetPrimaryDomain makes a domain of an instance the primary one (contract section 2.6).
func (s *Service) SetPrimaryDomain(ctx context.Context, req *systemv1.SetPrimaryDomainRequest) (*systemv1.SetPrimaryDomainResponse, error) {
	after, err := s.Instances.SetPrimaryDomain(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, req.GetDomain())
	if err != nil {
		return nil, err
	}
	return &systemv1.SetPrimaryDomainResponse{Details: changed(after)}, nil
}

// added are the details of a write that counts as adding, whose date stands as that of the
// creation; which writes those are is said in contract section 2.1. Both dates are that of the
// last event.
func added(s eventlog.State) *zitadelv1.ObjectDetails {
	h := s.Stream()
	return &zitadelv1.ObjectDetails{
		Sequence: h.Sequence, CreationDate: timestamppb.New(h.ChangedAt), ResourceOwner: h.Owner,
	}
}

// changed are the details of the other writes.
func changed(s eventlog.State) *zitadelv1.ObjectDetails {
	h := s.Stream()
	return &zitadelv1.ObjectDetails{
		Sequence: h.Sequence, ChangeDate: timestamppb.New(h.ChangedAt), ResourceOwner: h.Owner,
	}
}
