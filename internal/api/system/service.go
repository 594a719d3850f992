package system

import (
	"context"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/feature"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/once"
	"castellan/internal/provision"
	"castellan/internal/quota"
	"castellan/internal/store"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// Service implements systemv1.SystemServiceServer. RPCs without a method here answer
// Unimplemented.
type Service struct {
	systemv1.UnimplementedSystemServiceServer

	DB        store.DB
	Log       *eventlog.Log
	Provision *provision.Service
	Instances *instance.Service
	// Deliveries ends deliveries that have failed.
	Deliveries *delivery.Service
	Quotas     *quota.Service
	Limits     *limit.Service
	Features   *feature.Service
	Lister     *instance.Lister
	// Clock dates what lists show.
	Clock ident.Clock
	// Version is the version of the running build, as GetInstance shows it.
	Version string

	rebuilds rebuilds
}

// Healthz answers while the server serves (contract section 1.1, decision D7).
func (s *Service) Healthz(context.Context, *systemv1.HealthzRequest) (*systemv1.HealthzResponse, error) {
	return &systemv1.HealthzResponse{}, nil
}

// CreateInstance makes an instance with everything it starts with (contract section 1.4).
func (s *Service) CreateInstance(ctx context.Context, req *systemv1.CreateInstanceRequest) (*systemv1.CreateInstanceResponse, error) {
	wish, err := setUpOf(req)
	if err != nil {
		return nil, err
	}
	c := call.From(ctx)
	key, err := onceKey(c, req)
	if err != nil {
		return nil, err
	}
	made, err := s.Provision.SetUp(ctx, c.Actor, wish, key)
	if err != nil {
		return nil, err
	}
	return &systemv1.CreateInstanceResponse{
		InstanceId: string(made.Instance),
		Details:    detailsOfNew(made),
		Pat:        made.Token,
		MachineKey: made.MachineKey,
	}, nil
}

// GetInstance returns an instance with all its domains (contract section 2.2).
func (s *Service) GetInstance(ctx context.Context, req *systemv1.GetInstanceRequest) (*systemv1.GetInstanceResponse, error) {
	found, err := instance.Get(ctx, s.DB, ident.InstanceID(req.GetInstanceId()))
	if err != nil {
		return nil, err
	}
	return &systemv1.GetInstanceResponse{Instance: v1.Instance(found, s.Version)}, nil
}

// setUpOf reads the wish out of a request whose lengths have been checked.
func setUpOf(req *systemv1.CreateInstanceRequest) (provision.SetUp, error) {
	wish := provision.SetUp{
		InstanceName:    req.GetInstanceName(),
		OrgName:         req.GetFirstOrgName(),
		CustomDomain:    req.GetCustomDomain(),
		DefaultLanguage: req.GetDefaultLanguage(),
	}
	if h := req.GetHuman(); h != nil {
		wish.Human = &provision.Human{
			UserName:               h.GetUserName(),
			FirstName:              h.GetProfile().GetFirstName(),
			LastName:               h.GetProfile().GetLastName(),
			PreferredLanguage:      h.GetProfile().GetPreferredLanguage(),
			Email:                  h.GetEmail().GetEmail(),
			EmailVerified:          h.GetEmail().GetIsEmailVerified(),
			Password:               h.GetPassword().GetPassword(),
			PasswordChangeRequired: h.GetPassword().GetPasswordChangeRequired(),
		}
	}
	if m := req.GetMachine(); m != nil {
		token, err := credentialOf(m.GetPersonalAccessToken() != nil, m.GetPersonalAccessToken().GetExpirationDate(),
			"machine.personal_access_token.expiration_date")
		if err != nil {
			return wish, err
		}
		key, err := credentialOf(m.GetMachineKey() != nil, m.GetMachineKey().GetExpirationDate(),
			"machine.machine_key.expiration_date")
		if err != nil {
			return wish, err
		}
		wish.Machine = &provision.Machine{UserName: m.GetUserName(), Name: m.GetName(), Token: token, Key: key}
	}
	return wish, nil
}

// credentialOf reads the wish for a credential, nil when it is not wanted. It never expires when
// there is no date, or the zero time of year 1; an empty message is a date, that of 1970.
func credentialOf(wanted bool, expires *timestamppb.Timestamp, field string) (*provision.Credential, error) {
	if !wanted {
		return nil, nil
	}
	c := &provision.Credential{}
	if expires == nil {
		return c, nil
	}
	if err := expires.CheckValid(); err != nil {
		return nil, fault.Plain(fault.InvalidArgument, field+": must be a timestamp from year 1 to 9999").
			WithViolation(field, "must be a timestamp from year 1 to 9999").WithCause(err)
	}
	c.ExpiresAt = expires.AsTime()
	return c, nil
}

// onceKey returns the idempotency key of a call with the digest of its request, or nil.
func onceKey(c call.Call, req proto.Message) (*once.Key, error) {
	if c.IdempotencyKey == "" {
		return nil, nil
	}
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("digest a request: %w", err)
	}
	name := string(req.ProtoReflect().Descriptor().FullName())
	return &once.Key{
		Actor: c.Actor, Name: c.IdempotencyKey, Request: sha256.Sum256(append([]byte(name+"\x00"), wire...)),
	}, nil
}
