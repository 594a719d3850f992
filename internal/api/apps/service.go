package apps

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/bind"
	"castellan/internal/app"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/store"

	applicationv2 "castellan/gen/zitadel/application/v2"
)

// Service serves the applications of all instances.
type Service struct {
	DB   store.DB
	Apps *app.Service
	// Origin is where clients reach what is served at a domain of an instance: a scheme, the domain, perhaps
	// a port.
	Origin func(domain string) string
}

// Table returns the methods that are served.
func (s *Service) Table() *bind.Table {
	return bind.Service(&applicationv2.ApplicationService_ServiceDesc,
		bind.Unary("CreateApplication", s.CreateApplication),
		bind.Unary("UpdateApplication", s.UpdateApplication),
		bind.Unary("GetApplication", s.GetApplication),
		bind.Unary("DeleteApplication", s.DeleteApplication),
		bind.Unary("DeactivateApplication", s.DeactivateApplication),
		bind.Unary("ReactivateApplication", s.ReactivateApplication),
		bind.Unary("GenerateClientSecret", s.GenerateClientSecret),
		bind.Unary("ListApplications", s.ListApplications),
		bind.Unary("CreateApplicationKey", s.CreateApplicationKey),
		bind.Unary("DeleteApplicationKey", s.DeleteApplicationKey),
		bind.Unary("GetApplicationKey", s.GetApplicationKey),
		bind.Unary("ListApplicationKeys", s.ListApplicationKeys),
	)
}

// named is how all requests name an application.
type named interface {
	GetApplicationId() string
	GetProjectId() string
}

func nameOf(req named) app.Name {
	return app.Name{App: ident.AppID(req.GetApplicationId()), Project: ident.ProjectID(req.GetProjectId())}
}

// CreateApplication makes an application, see [app.Service.Add].
func (s *Service) CreateApplication(ctx context.Context, at ident.InstanceID, req *applicationv2.CreateApplicationRequest) (*applicationv2.CreateApplicationResponse, error) {
	made, secret, err := s.Apps.Add(ctx, at, call.From(ctx).Actor, newOf(req))
	if err != nil {
		return nil, err
	}
	answer := &applicationv2.CreateApplicationResponse{ApplicationId: made.ID, CreationDate: timestamppb.New(made.CreatedAt)}
	switch made.Kind {
	case app.OIDC:
		problems := problemsOf(made.OIDC)
		answer.ApplicationType = &applicationv2.CreateApplicationResponse_OidcConfiguration{
			OidcConfiguration: &applicationv2.CreateOIDCApplicationResponse{
				ClientId: made.ClientID, ClientSecret: secret, NonCompliant: len(problems) > 0, ComplianceProblems: problems,
			},
		}
	case app.API:
		answer.ApplicationType = &applicationv2.CreateApplicationResponse_ApiConfiguration{
			ApiConfiguration: &applicationv2.CreateAPIApplicationResponse{ClientId: made.ClientID, ClientSecret: secret},
		}
	case app.SAML:
		answer.ApplicationType = &applicationv2.CreateApplicationResponse_SamlConfiguration{
			SamlConfiguration: &applicationv2.CreateSAMLApplicationResponse{},
		}
	}
	return answer, nil
}

// UpdateApplication changes an application, see [app.Service.Change].
func (s *Service) UpdateApplication(ctx context.Context, at ident.InstanceID, req *applicationv2.UpdateApplicationRequest) (*applicationv2.UpdateApplicationResponse, error) {
	after, err := s.Apps.Change(ctx, at, call.From(ctx).Actor, nameOf(req), changeOf(req))
	if err != nil {
		return nil, err
	}
	return &applicationv2.UpdateApplicationResponse{ChangeDate: timestamppb.New(after.ChangedAt)}, nil
}

// GetApplication shows an application.
func (s *Service) GetApplication(ctx context.Context, at ident.InstanceID, req *applicationv2.GetApplicationRequest) (*applicationv2.GetApplicationResponse, error) {
	found, err := app.Get(ctx, s.DB, at, ident.AppID(req.GetApplicationId()))
	if err != nil {
		return nil, err
	}
	shown, err := s.show(ctx, at, []app.State{found})
	if err != nil {
		return nil, err
	}
	return &applicationv2.GetApplicationResponse{Application: shown[0]}, nil
}

// DeleteApplication removes an application with its keys.
func (s *Service) DeleteApplication(ctx context.Context, at ident.InstanceID, req *applicationv2.DeleteApplicationRequest) (*applicationv2.DeleteApplicationResponse, error) {
	after, err := s.Apps.Remove(ctx, at, call.From(ctx).Actor, nameOf(req))
	if err != nil {
		return nil, err
	}
	return &applicationv2.DeleteApplicationResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// DeactivateApplication makes an application of no use.
func (s *Service) DeactivateApplication(ctx context.Context, at ident.InstanceID, req *applicationv2.DeactivateApplicationRequest) (*applicationv2.DeactivateApplicationResponse, error) {
	after, err := s.Apps.Deactivate(ctx, at, call.From(ctx).Actor, nameOf(req))
	if err != nil {
		return nil, err
	}
	return &applicationv2.DeactivateApplicationResponse{DeactivationDate: timestamppb.New(after.ChangedAt)}, nil
}

// ReactivateApplication makes an application of use again.
func (s *Service) ReactivateApplication(ctx context.Context, at ident.InstanceID, req *applicationv2.ReactivateApplicationRequest) (*applicationv2.ReactivateApplicationResponse, error) {
	after, err := s.Apps.Reactivate(ctx, at, call.From(ctx).Actor, nameOf(req))
	if err != nil {
		return nil, err
	}
	return &applicationv2.ReactivateApplicationResponse{ReactivationDate: timestamppb.New(after.ChangedAt)}, nil
}

// GenerateClientSecret gives an application another secret.
func (s *Service) GenerateClientSecret(ctx context.Context, at ident.InstanceID, req *applicationv2.GenerateClientSecretRequest) (*applicationv2.GenerateClientSecretResponse, error) {
	after, secret, err := s.Apps.NewSecret(ctx, at, call.From(ctx).Actor, nameOf(req))
	if err != nil {
		return nil, err
	}
	return &applicationv2.GenerateClientSecretResponse{ClientSecret: secret, CreationDate: timestamppb.New(after.ChangedAt)}, nil
}

// CreateApplicationKey gives an application a key.
func (s *Service) CreateApplicationKey(ctx context.Context, at ident.InstanceID, req *applicationv2.CreateApplicationKeyRequest) (*applicationv2.CreateApplicationKeyResponse, error) {
	expires, err := expiryOf(req.GetExpirationDate())
	if err != nil {
		return nil, err
	}
	key, file, err := s.Apps.AddKey(ctx, at, call.From(ctx).Actor, nameOf(req), expires)
	if err != nil {
		return nil, err
	}
	return &applicationv2.CreateApplicationKeyResponse{
		KeyId: key.ID, CreationDate: timestamppb.New(key.CreatedAt), KeyDetails: file,
	}, nil
}

// DeleteApplicationKey removes a key of an application.
func (s *Service) DeleteApplicationKey(ctx context.Context, at ident.InstanceID, req *applicationv2.DeleteApplicationKeyRequest) (*applicationv2.DeleteApplicationKeyResponse, error) {
	after, err := s.Apps.RemoveKey(ctx, at, call.From(ctx).Actor, nameOf(req), ident.KeyID(req.GetKeyId()))
	if err != nil {
		return nil, err
	}
	return &applicationv2.DeleteApplicationKeyResponse{DeletionDate: timestamppb.New(after.ChangedAt)}, nil
}

// GetApplicationKey shows a key.
func (s *Service) GetApplicationKey(ctx context.Context, at ident.InstanceID, req *applicationv2.GetApplicationKeyRequest) (*applicationv2.GetApplicationKeyResponse, error) {
	key, err := app.GetKey(ctx, s.DB, at, ident.KeyID(req.GetKeyId()))
	if err != nil {
		return nil, err
	}
	return &applicationv2.GetApplicationKeyResponse{
		KeyId: key.ID, CreationDate: timestamppb.New(key.CreatedAt), ExpirationDate: timestamppb.New(key.ExpiresAt),
	}, nil
}
