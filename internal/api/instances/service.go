package instances

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"

	instancev2 "castellan/gen/zitadel/instance/v2"
)

// Service implements instancev2.InstanceServiceServer.
type Service struct {
	instancev2.UnimplementedInstanceServiceServer

	DB        store.DB
	Instances *instance.Service
	Lister    *instance.Lister
	// Version is the version of the running build, as instances are shown with it.
	Version string
}

// The ids of NotFound, by what is done with the instance that does not exist.
const (
	absentRead   = "QUERY-n0wng"
	absentWrite  = "INST-nuso2m"
	absentDelete = "COMMA-AE3GS"
)

// DeleteInstance removes an instance (contract section 2.5).
func (s *Service) DeleteInstance(ctx context.Context, req *instancev2.DeleteInstanceRequest) (*instancev2.DeleteInstanceResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	after, err := s.Instances.Remove(ctx, id, call.From(ctx).Actor)
	if err != nil {
		return nil, absent(err, id, absentDelete)
	}
	return &instancev2.DeleteInstanceResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// GetInstance returns an instance with all its domains (contract section 2.2).
func (s *Service) GetInstance(ctx context.Context, req *instancev2.GetInstanceRequest) (*instancev2.GetInstanceResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	found, err := instance.Get(ctx, s.DB, id)
	if err != nil {
		return nil, absent(err, id, absentRead)
	}
	return &instancev2.GetInstanceResponse{Instance: s.shown(found)}, nil
}

// UpdateInstance gives an instance another name (contract section 2.4).
func (s *Service) UpdateInstance(ctx context.Context, req *instancev2.UpdateInstanceRequest) (*instancev2.UpdateInstanceResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	after, err := s.Instances.Rename(ctx, id, call.From(ctx).Actor, req.GetInstanceName())
	if err != nil {
		return nil, absent(err, id, absentWrite)
	}
	return &instancev2.UpdateInstanceResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// AddCustomDomain gives an instance one more domain (contract section 2.6).
func (s *Service) AddCustomDomain(ctx context.Context, req *instancev2.AddCustomDomainRequest) (*instancev2.AddCustomDomainResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	after, err := s.Instances.AddDomain(ctx, id, call.From(ctx).Actor, req.GetCustomDomain())
	if err != nil {
		return nil, fault.Renamed(absent(err, id, absentWrite), "domain", "custom_domain")
	}
	return &instancev2.AddCustomDomainResponse{CreationDate: timestamppb.New(after.ChangedAt)}, nil
}

// RemoveCustomDomain takes a domain from an instance (contract section 2.6, decision D5).
func (s *Service) RemoveCustomDomain(ctx context.Context, req *instancev2.RemoveCustomDomainRequest) (*instancev2.RemoveCustomDomainResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	after, err := s.Instances.RemoveDomain(ctx, id, call.From(ctx).Actor, req.GetCustomDomain())
	if err != nil {
		return nil, fault.Renamed(absent(err, id, absentWrite), "domain", "custom_domain")
	}
	return &instancev2.RemoveCustomDomainResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// AddTrustedDomain lets links of an instance carry another host (contract section 2.9).
func (s *Service) AddTrustedDomain(ctx context.Context, req *instancev2.AddTrustedDomainRequest) (*instancev2.AddTrustedDomainResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	after, err := s.Instances.AddTrustedDomain(ctx, id, call.From(ctx).Actor, req.GetTrustedDomain())
	if err != nil {
		return nil, absent(err, id, absentWrite)
	}
	return &instancev2.AddTrustedDomainResponse{CreationDate: timestamppb.New(after.ChangedAt)}, nil
}

// RemoveTrustedDomain takes that back (contract section 2.9).
func (s *Service) RemoveTrustedDomain(ctx context.Context, req *instancev2.RemoveTrustedDomainRequest) (*instancev2.RemoveTrustedDomainResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	after, err := s.Instances.RemoveTrustedDomain(ctx, id, call.From(ctx).Actor, req.GetTrustedDomain())
	if err != nil {
		return nil, absent(err, id, absentWrite)
	}
	return &instancev2.RemoveTrustedDomainResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// shown is an instance as callers see it.
func (s *Service) shown(i instance.State) *instancev2.Instance {
	state := instancev2.State_STATE_RUNNING
	if i.Stopped {
		state = instancev2.State_STATE_STOPPED
	}
	return &instancev2.Instance{
		Id:            i.ID,
		ChangeDate:    timestamppb.New(i.ChangedAt),
		CreationDate:  timestamppb.New(i.CreatedAt),
		State:         state,
		Name:          i.Name,
		Version:       s.Version,
		CustomDomains: domainsOf(i.ID, i.Domains),
	}
}

// domainsOf shows domains of the instance with an id.
func domainsOf(id string, all []instance.Domain) []*instancev2.CustomDomain {
	domains := make([]*instancev2.CustomDomain, len(all))
	for i, d := range all {
		domains[i] = &instancev2.CustomDomain{
			InstanceId:   id,
			CreationDate: timestamppb.New(d.CreatedAt),
			Domain:       d.Name,
			Primary:      d.Primary,
			Generated:    d.Generated,
		}
	}
	return domains
}

// absent gives the id of a call to the error that says that there is no such instance. The
// older API has a text without an id there (contract section 2.2), for it looked before every
// call; this one knows ids (contract section 2.9).
func absent(err error, id ident.InstanceID, as string) error {
	if errors.Is(err, instance.NotFound(id)) {
		return fault.New(fault.NotFound, as, "Errors.Instance.NotFound").WithCause(err)
	}
	return err
}
