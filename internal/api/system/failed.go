package system

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/call"
	"castellan/internal/delivery"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/search"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// What can fail after a write has succeeded is the delivery of a message. Clients of the interface
// know a failure by a database, a view and a number (contract section 2.7). Here the database is
// always the same, there is a view for each kind of message, and the number is the id of the
// delivery, which no two instances share.
const (
	failedDatabase = "castellan"
	failedViews    = "projections.deliveries_"
)

// ListFailedEvents returns the deliveries of all instances that have failed and have neither
// arrived since nor been removed from the list, at most search.MaxPage of them. The message begins
// with the id of the instance, which RemoveFailedEvent asks for and no field is for.
func (s *Service) ListFailedEvents(ctx context.Context, _ *systemv1.ListFailedEventsRequest) (*systemv1.ListFailedEventsResponse, error) {
	failures, err := delivery.ListFailed(ctx, s.DB, search.MaxPage)
	if err != nil {
		return nil, err
	}
	answer := &systemv1.ListFailedEventsResponse{Result: make([]*systemv1.FailedEvent, len(failures))}
	for i, f := range failures {
		number, err := strconv.ParseUint(string(f.ID), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("delivery %s of instance %s has no number: %w", f.ID, f.Instance, err)
		}
		answer.Result[i] = &systemv1.FailedEvent{
			Database:       failedDatabase,
			ViewName:       failedViews + f.Kind,
			FailedSequence: number,
			FailureCount:   uint64(f.Failures),
			ErrorMessage:   fmt.Sprintf("instance %s: %s", f.Instance, f.Error),
			LastFailed:     timestamppb.New(f.FailedAt),
		}
	}
	return answer, nil
}

// RemoveFailedEvent takes a delivery from the list of failures; it is not tried again. It is no
// error when it is not there. As in the reference, the database is not looked at.
func (s *Service) RemoveFailedEvent(ctx context.Context, req *systemv1.RemoveFailedEventRequest) (*systemv1.RemoveFailedEventResponse, error) {
	id := ident.InstanceID(req.GetInstanceId())
	if err := instance.Require(ctx, s.DB, id); err != nil {
		return nil, err
	}
	if kind, ok := strings.CutPrefix(req.GetViewName(), failedViews); ok {
		number := ident.DeliveryID(strconv.FormatUint(req.GetFailedSequence(), 10))
		if err := s.Deliveries.Dismiss(ctx, id, number, call.From(ctx).Actor, kind); err != nil {
			return nil, err
		}
	}
	return &systemv1.RemoveFailedEventResponse{}, nil
}
