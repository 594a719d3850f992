package system

import (
	"context"

	"castellan/internal/api/v1"
	"castellan/internal/ident"
	"castellan/internal/roster"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// ListIAMMembers returns a page of the members of an instance (contract section 2.7), see
// [v1.MembersWanted].
func (s *Service) ListIAMMembers(ctx context.Context, req *systemv1.ListIAMMembersRequest) (*systemv1.ListIAMMembersResponse, error) {
	wanted, err := v1.MembersWanted(req)
	if err != nil {
		return nil, err
	}
	asOf := s.Clock.Now()
	total, page, err := roster.OfInstance(ctx, s.DB, ident.InstanceID(req.GetInstanceId()), wanted)
	if err != nil {
		return nil, err
	}
	return &systemv1.ListIAMMembersResponse{Details: v1.Listed(total, asOf), Result: v1.Members(page)}, nil
}
