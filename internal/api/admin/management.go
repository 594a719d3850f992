package admin

import (
	"context"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/policy"

	managementv1 "castellan/gen/zitadel/management/v1"
)

// The organization that calls of the management API are about is that of the header x-zitadel-orgid, else
// the caller's: call.Rights knows it, and the dispatcher has seen to it that the caller may.

// managementHealthz answers while the instance is served (contract section 7).
func (s *Service) managementHealthz(context.Context, ident.InstanceID, *managementv1.HealthzRequest) (*managementv1.HealthzResponse, error) {
	return &managementv1.HealthzResponse{}, nil
}

// getOrgComplexity returns what passwords of users of an organization must contain.
func (s *Service) getOrgComplexity(ctx context.Context, at ident.InstanceID, _ *managementv1.GetPasswordComplexityPolicyRequest) (*managementv1.GetPasswordComplexityPolicyResponse, error) {
	holds, err := policy.Resolver{}.HeldComplexity(ctx, s.DB, at, call.From(ctx).Rights.Org())
	if err != nil {
		return nil, err
	}
	return &managementv1.GetPasswordComplexityPolicyResponse{Policy: complexityOf(holds), IsDefault: holds.Inherited}, nil
}

// addOrgComplexity gives an organization a policy of its own, see [policy.AddOrg].
func (s *Service) addOrgComplexity(ctx context.Context, at ident.InstanceID, req *managementv1.AddCustomPasswordComplexityPolicyRequest) (*managementv1.AddCustomPasswordComplexityPolicyResponse, error) {
	c := call.From(ctx)
	after, err := s.Policies.AddOrg(ctx, at, c.Rights.Org(), c.Actor, complexityWanted(req.GetMinLength(), req))
	if err != nil {
		return nil, err
	}
	return &managementv1.AddCustomPasswordComplexityPolicyResponse{Details: v1.Added(after)}, nil
}

// updateOrgComplexity changes it, see [policy.ChangeOrg].
func (s *Service) updateOrgComplexity(ctx context.Context, at ident.InstanceID, req *managementv1.UpdateCustomPasswordComplexityPolicyRequest) (*managementv1.UpdateCustomPasswordComplexityPolicyResponse, error) {
	c := call.From(ctx)
	after, err := s.Policies.ChangeOrg(ctx, at, c.Rights.Org(), c.Actor, complexityWanted(req.GetMinLength(), req))
	if err != nil {
		return nil, err
	}
	return &managementv1.UpdateCustomPasswordComplexityPolicyResponse{Details: v1.Changed(after)}, nil
}

// resetOrgComplexity takes it away, see [policy.RemoveOrg].
func (s *Service) resetOrgComplexity(ctx context.Context, at ident.InstanceID, _ *managementv1.ResetPasswordComplexityPolicyToDefaultRequest) (*managementv1.ResetPasswordComplexityPolicyToDefaultResponse, error) {
	c := call.From(ctx)
	after, err := s.Policies.RemoveOrg(ctx, at, c.Rights.Org(), c.Actor, policy.PasswordComplexity)
	if err != nil {
		return nil, err
	}
	return &managementv1.ResetPasswordComplexityPolicyToDefaultResponse{Details: v1.Changed(after)}, nil
}
