package system

import (
	"context"
	"fmt"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/ident"
	"castellan/internal/limit"

	systemv1 "castellan/gen/zitadel/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// SetLimits gives an instance limits; those that are absent stay (contract section 2.8).
func (s *Service) SetLimits(ctx context.Context, req *systemv1.SetLimitsRequest) (*systemv1.SetLimitsResponse, error) {
	wish, err := limitsOf(req, "")
	if err != nil {
		return nil, err
	}
	after, err := s.Limits.Set(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, wish)
	if err != nil {
		return nil, err
	}
	return &systemv1.SetLimitsResponse{Details: v1.Added(after)}, nil
}

// BulkSetLimits gives several instances limits, or none of them any (contract section 2.8). The
// details of the whole are those of the entry that changed last, without an owner.
func (s *Service) BulkSetLimits(ctx context.Context, req *systemv1.BulkSetLimitsRequest) (*systemv1.BulkSetLimitsResponse, error) {
	entries := make([]limit.Entry, len(req.GetLimits()))
	for i, one := range req.GetLimits() {
		wish, err := limitsOf(one, fmt.Sprintf("limits[%d].", i))
		if err != nil {
			return nil, err
		}
		entries[i] = limit.Entry{Instance: ident.InstanceID(one.GetInstanceId()), Set: wish}
	}
	after, err := s.Limits.SetEach(ctx, call.From(ctx).Actor, entries)
	if err != nil {
		return nil, err
	}
	last := after[0]
	answer := &systemv1.BulkSetLimitsResponse{TargetDetails: make([]*zitadelv1.ObjectDetails, len(after))}
	for i, state := range after {
		answer.TargetDetails[i] = v1.Added(state)
		if !state.ChangedAt.Before(last.ChangedAt) {
			last = state
		}
	}
	answer.Details = v1.Added(last)
	answer.Details.ResourceOwner = ""
	return answer, nil
}

// ResetLimits takes all limits of an instance away (contract section 2.8).
func (s *Service) ResetLimits(ctx context.Context, req *systemv1.ResetLimitsRequest) (*systemv1.ResetLimitsResponse, error) {
	after, err := s.Limits.Reset(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &systemv1.ResetLimitsResponse{Details: v1.Changed(after)}, nil
}

// limitsOf reads the wish out of a request whose fields are called path and their names. A retention
// of more than 292 years is one of 292 years: no event is older.
func limitsOf(req *systemv1.SetLimitsRequest, path string) (limit.Set, error) {
	wish := limit.Set{Block: req.Block} // not the getter: absent is not false
	if retention := req.GetAuditLogRetention(); retention != nil {
		if err := valid(retention, path+"audit_log_retention", "must be a duration of at most 10000 years"); err != nil {
			return wish, err
		}
		wish.AuditLogRetention = new(retention.AsDuration())
	}
	return wish, nil
}
