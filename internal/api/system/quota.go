package system

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/api/v1"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/quota"

	quotav1 "castellan/gen/zitadel/quota/v1"
	systemv1 "castellan/gen/zitadel/system/v1"
)

// AddQuota gives a unit of an instance a quota, where there is none (contract section 2.8).
func (s *Service) AddQuota(ctx context.Context, req *systemv1.AddQuotaRequest) (*systemv1.AddQuotaResponse, error) {
	wish, err := quotaOf(req)
	if err != nil {
		return nil, err
	}
	after, err := s.Quotas.Add(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, wish)
	if err != nil {
		return nil, err
	}
	return &systemv1.AddQuotaResponse{Details: v1.Added(after)}, nil
}

// SetQuota gives a unit of an instance a quota, or changes the one it has (contract section 2.8).
func (s *Service) SetQuota(ctx context.Context, req *systemv1.SetQuotaRequest) (*systemv1.SetQuotaResponse, error) {
	wish, err := quotaOf(req)
	if err != nil {
		return nil, err
	}
	after, err := s.Quotas.Set(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, wish)
	if err != nil {
		return nil, err
	}
	return &systemv1.SetQuotaResponse{Details: v1.Added(after)}, nil
}

// RemoveQuota takes the quota of a unit away (contract section 2.8).
func (s *Service) RemoveQuota(ctx context.Context, req *systemv1.RemoveQuotaRequest) (*systemv1.RemoveQuotaResponse, error) {
	after, err := s.Quotas.Remove(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor, quota.Unit(req.GetUnit()))
	if err != nil {
		return nil, err
	}
	return &systemv1.RemoveQuotaResponse{Details: v1.Changed(after)}, nil
}

// quotaRequest is what AddQuota and SetQuota have in common.
type quotaRequest interface {
	GetUnit() quotav1.Unit
	GetFrom() *timestamppb.Timestamp
	GetResetInterval() *durationpb.Duration
	GetAmount() uint64
	GetLimit() bool
	GetNotifications() []*quotav1.Notification
}

// quotaOf reads the wish out of a request. An interval of more than 292 years, which is what the log
// can keep, is one of 292 years: nobody sees either of them end.
func quotaOf(req quotaRequest) (quota.Wish, error) {
	wish := quota.Wish{Unit: quota.Unit(req.GetUnit()), Amount: req.GetAmount(), Limited: req.GetLimit()}
	if err := valid(req.GetFrom(), "from", "must be a timestamp from year 1 to 9999"); err != nil {
		return wish, err
	}
	if err := valid(req.GetResetInterval(), "reset_interval", "must be a duration of at most 10000 years"); err != nil {
		return wish, err
	}
	wish.From, wish.Interval = req.GetFrom().AsTime(), req.GetResetInterval().AsDuration()
	for _, n := range req.GetNotifications() {
		wish.Notifications = append(wish.Notifications, quota.NotificationWish{
			Percent: n.GetPercent(), Repeat: n.GetRepeat(), CallURL: n.GetCallUrl(),
		})
	}
	return wish, nil
}

// valid refuses a timestamp or duration that is out of the range of its type, or contradicts itself.
func valid(v interface{ CheckValid() error }, field, rule string) error {
	if err := v.CheckValid(); err != nil {
		return fault.Plain(fault.InvalidArgument, field+": "+rule).WithViolation(field, rule).WithCause(err)
	}
	return nil
}
