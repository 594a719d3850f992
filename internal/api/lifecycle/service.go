package lifecycle

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/store"
	"castellan/internal/systemuser"
	"castellan/internal/vault"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// Service implements castellansystemv1.InstanceLifecycleServiceServer.
type Service struct {
	castellansystemv1.UnimplementedInstanceLifecycleServiceServer

	DB        store.DB
	Instances *instance.Service
	// Operators changes the system users of the database.
	Operators *systemuser.Service
	// Log is asked where a stream begins that begins now, Tail for what comes then.
	Log  *eventlog.Log
	Tail *eventlog.Tail
	// Positions seals what clients bring back.
	Positions *vault.Positions
	Clock     ident.Clock
	// Beat makes the ticks at which a stream sends its position although nothing has happened; 20
	// seconds is what the interface promises.
	Beat func() (tick <-chan time.Time, stop func())
	// MaxWatches is how many streams this node serves at once.
	MaxWatches int
	// Retention returns the age up to which changes of an instance are shown while it is there, 0 for
	// any age, as nil is.
	Retention func(ctx context.Context, q store.Querier, instance ident.InstanceID) (time.Duration, error)
	// Written writes what of the audit log waits on this node, before the log is listed; nil: nothing
	// waits. What other nodes have not written yet is not waited for.
	Written func(ctx context.Context) error

	watching atomic.Int64 // streams that are served
}

// StopInstance makes an instance serve nothing but operators.
func (s *Service) StopInstance(ctx context.Context, req *castellansystemv1.StopInstanceRequest) (*castellansystemv1.StopInstanceResponse, error) {
	after, err := s.Instances.Stop(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &castellansystemv1.StopInstanceResponse{Details: changed(after.Head)}, nil
}

// StartInstance makes a stopped instance serve again.
func (s *Service) StartInstance(ctx context.Context, req *castellansystemv1.StartInstanceRequest) (*castellansystemv1.StartInstanceResponse, error) {
	after, err := s.Instances.Start(ctx, ident.InstanceID(req.GetInstanceId()), call.From(ctx).Actor)
	if err != nil {
		return nil, err
	}
	return &castellansystemv1.StartInstanceResponse{Details: changed(after.Head)}, nil
}

// changed are the details of a write that changes something (contract section 2.1): with the date
// of the last event as that of the change.
func changed(h eventlog.Head) *zitadelv1.ObjectDetails {
	return &zitadelv1.ObjectDetails{
		Sequence: h.Sequence, ChangeDate: timestamppb.New(h.ChangedAt), ResourceOwner: h.Owner,
	}
}
