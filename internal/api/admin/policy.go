package admin

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/defaults"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/policy"

	adminv1 "castellan/gen/zitadel/admin/v1"
	policyv1 "castellan/gen/zitadel/policy/v1"
	settingsv1 "castellan/gen/zitadel/settings/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// The policies of the instance. Each is shown as the default one: it is that of all organizations that have
// none of their own. One that was never changed has the date of the instance. Settings are always
// written as a whole, and the fault of a change that changes nothing is that of [policy.Change].

// getPasswordComplexityPolicy returns what passwords must contain.
func (s *Service) getPasswordComplexityPolicy(ctx context.Context, at ident.InstanceID, _ *adminv1.GetPasswordComplexityPolicyRequest) (*adminv1.GetPasswordComplexityPolicyResponse, error) {
	holds, err := policy.Resolver{}.HeldComplexity(ctx, s.DB, at, "")
	if err != nil {
		return nil, err
	}
	return &adminv1.GetPasswordComplexityPolicyResponse{Policy: complexityOf(holds)}, nil
}

// complexityOf shows what passwords must contain.
func complexityOf(holds policy.Holds[defaults.PasswordComplexity]) *policyv1.PasswordComplexityPolicy {
	p := holds.Value
	return &policyv1.PasswordComplexityPolicy{
		Details: v1.Details(holds.From), MinLength: uint64(p.MinLength),
		HasUppercase: p.Upper, HasLowercase: p.Lower, HasNumber: p.Number, HasSymbol: p.Symbol, IsDefault: holds.Inherited,
	}
}

// complexity is a request that says what passwords must contain.
type complexity interface {
	GetHasUppercase() bool
	GetHasLowercase() bool
	GetHasNumber() bool
	GetHasSymbol() bool
}

// complexityWanted reads such a request.
func complexityWanted(minLength uint64, req complexity) policy.ComplexitySettings {
	return policy.ComplexitySettings{
		MinLength: &minLength, Lower: new(req.GetHasLowercase()), Upper: new(req.GetHasUppercase()),
		Number: new(req.GetHasNumber()), Symbol: new(req.GetHasSymbol()),
	}
}

// updatePasswordComplexityPolicy says what passwords must contain from now on.
func (s *Service) updatePasswordComplexityPolicy(ctx context.Context, at ident.InstanceID, req *adminv1.UpdatePasswordComplexityPolicyRequest) (*adminv1.UpdatePasswordComplexityPolicyResponse, error) {
	details, err := s.changePolicy(ctx, at, complexityWanted(uint64(req.GetMinLength()), req))
	if err != nil {
		return nil, err
	}
	return &adminv1.UpdatePasswordComplexityPolicyResponse{Details: details}, nil
}

// changePolicy changes a policy of the instance.
func (s *Service) changePolicy(ctx context.Context, at ident.InstanceID, wanted policy.Settings) (*zitadelv1.ObjectDetails, error) {
	after, err := s.Policies.Change(ctx, at, call.From(ctx).Actor, wanted)
	if err != nil {
		return nil, err
	}
	return v1.Changed(after), nil
}

// getDomainPolicy returns what the domains of organizations are used for.
func (s *Service) getDomainPolicy(ctx context.Context, at ident.InstanceID, _ *adminv1.GetDomainPolicyRequest) (*adminv1.GetDomainPolicyResponse, error) {
	holds, err := policy.Resolver{}.HeldDomain(ctx, s.DB, at, "")
	if err != nil {
		return nil, err
	}
	p := holds.Value
	return &adminv1.GetDomainPolicyResponse{Policy: &policyv1.DomainPolicy{
		Details: v1.Details(holds.From), UserLoginMustBeDomain: p.UserLoginMustBeDomain, IsDefault: holds.Inherited,
		ValidateOrgDomains: p.ValidateOrgDomains, SmtpSenderAddressMatchesInstanceDomain: p.SenderMatchesInstanceDomain,
	}}, nil
}

// updateDomainPolicy says what the domains of organizations are used for.
func (s *Service) updateDomainPolicy(ctx context.Context, at ident.InstanceID, req *adminv1.UpdateDomainPolicyRequest) (*adminv1.UpdateDomainPolicyResponse, error) {
	details, err := s.changePolicy(ctx, at, policy.DomainSettings{
		UserLoginMustBeDomain: new(req.GetUserLoginMustBeDomain()), ValidateOrgDomains: new(req.GetValidateOrgDomains()),
		SenderMatchesInstanceDomain: new(req.GetSmtpSenderAddressMatchesInstanceDomain()),
	})
	if err != nil {
		return nil, err
	}
	return &adminv1.UpdateDomainPolicyResponse{Details: details}, nil
}

// getOIDCSettings returns how long tokens live.
func (s *Service) getOIDCSettings(ctx context.Context, at ident.InstanceID, _ *adminv1.GetOIDCSettingsRequest) (*adminv1.GetOIDCSettingsResponse, error) {
	holds, err := policy.Resolver{}.HeldOIDC(ctx, s.DB, at)
	if err != nil {
		return nil, err
	}
	l := holds.Value
	return &adminv1.GetOIDCSettingsResponse{Settings: &settingsv1.OIDCSettings{
		Details:                    v1.Details(holds.From),
		AccessTokenLifetime:        durationpb.New(l.AccessTokenLifetime),
		IdTokenLifetime:            durationpb.New(l.IDTokenLifetime),
		RefreshTokenIdleExpiration: durationpb.New(l.RefreshTokenIdleExpiration),
		RefreshTokenExpiration:     durationpb.New(l.RefreshTokenExpiration),
	}}, nil
}

// updateOIDCSettings says how long tokens live that are given out from now on. All lifetimes are needed. It
// returns INST-10sxks, and a plain fault for what is no duration.
func (s *Service) updateOIDCSettings(ctx context.Context, at ident.InstanceID, req *adminv1.UpdateOIDCSettingsRequest) (*adminv1.UpdateOIDCSettingsResponse, error) {
	var wanted policy.OIDCSettings
	for _, l := range []struct {
		field string
		is    *durationpb.Duration
		into  **time.Duration
	}{
		{"access_token_lifetime", req.GetAccessTokenLifetime(), &wanted.AccessTokenLifetime},
		{"id_token_lifetime", req.GetIdTokenLifetime(), &wanted.IDTokenLifetime},
		{"refresh_token_idle_expiration", req.GetRefreshTokenIdleExpiration(), &wanted.RefreshTokenIdleExpiration},
		{"refresh_token_expiration", req.GetRefreshTokenExpiration(), &wanted.RefreshTokenExpiration},
	} {
		if l.is != nil && l.is.CheckValid() != nil {
			const rule = "must be a duration"
			return nil, fault.Plain(fault.InvalidArgument, l.field+": "+rule).WithViolation(l.field, rule)
		}
		*l.into = new(l.is.AsDuration()) // none is 0, which is refused
	}
	details, err := s.changePolicy(ctx, at, wanted)
	if err != nil {
		return nil, err
	}
	return &adminv1.UpdateOIDCSettingsResponse{Details: details}, nil
}
