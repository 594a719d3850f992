package system

import (
	"context"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/feature"
	"castellan/internal/ident"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// SetInstanceFeature switches a feature of an instance on or off (contract section 2.8).
func (s *Service) SetInstanceFeature(ctx context.Context, req *systemv1.SetInstanceFeatureRequest) (*systemv1.SetInstanceFeatureResponse, error) {
	after, err := s.Features.Set(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, feature.Set{
		Key: feature.Key(req.GetFeatureId()), Value: req.GetBool(),
	})
	if err != nil {
		return nil, err
	}
	return &systemv1.SetInstanceFeatureResponse{Details: v1.Changed(after)}, nil
}
