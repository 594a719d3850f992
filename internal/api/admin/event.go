package admin

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/journal"

	adminv1 "castellan/gen/zitadel/admin/v1"
	eventv1 "castellan/gen/zitadel/event/v1"
	zitadelv1 "castellan/gen/zitadel/v1"
)

// maxEvents is how many events an answer has at most, and unless less are asked for (contract section 6).
const maxEvents = 1000

// listEvents returns what happened in the instance, newest first unless the request says otherwise
// (contract section 6). A sequence is one that those of the events are greater than, whatever the order;
// from is the date where an ascending list begins and a descending one ends, itself left out as those of
// a range are.
func (s *Service) listEvents(ctx context.Context, at ident.InstanceID, req *adminv1.ListEventsRequest) (*adminv1.ListEventsResponse, error) {
	query := eventlog.Query{
		AggregateTypes: req.GetAggregateTypes(), AggregateID: req.GetAggregateId(), Types: req.GetEventTypes(),
		Actor: ident.Actor(req.GetEditorUserId()), Owner: req.GetResourceOwner(), Beyond: req.GetSequence(),
		Descending: !req.GetAsc(), Limit: maxEvents,
	}
	if limit := req.GetLimit(); limit > 0 && limit < maxEvents {
		query.Limit = int(limit)
	}
	if err := dates(&query, req); err != nil {
		return nil, err
	}
	entries, err := s.Journal.Find(ctx, at, query)
	if err != nil {
		return nil, err
	}
	answer := &adminv1.ListEventsResponse{Events: make([]*eventv1.Event, len(entries))}
	for i, e := range entries {
		if answer.Events[i], err = eventOf(e); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// dates reads the condition on the date. creation_date is what from was called before.
func dates(query *eventlog.Query, req *adminv1.ListEventsRequest) error {
	from, field := req.GetFrom(), "from"
	if from == nil && req.GetRange() == nil {
		from, field = req.GetCreationDate(), "creation_date"
	}
	begin, err := date(from, field)
	if err != nil {
		return err
	}
	if req.GetAsc() {
		query.After = begin
	} else {
		query.Before = begin
	}
	if r := req.GetRange(); r != nil {
		if query.After, err = date(r.GetSince(), "range.since"); err != nil {
			return err
		}
		query.Before, err = date(r.GetUntil(), "range.until")
	}
	return err
}

// date reads a date of a request; the zero time is none.
func date(t *timestamppb.Timestamp, field string) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		const rule = "must be a timestamp from year 1 to 9999"
		return time.Time{}, fault.Plain(fault.InvalidArgument, field+": "+rule).WithViolation(field, rule).WithCause(err)
	}
	return t.AsTime(), nil
}

// eventOf shows an entry. The service is that of the interface.
func eventOf(e journal.Entry) (*eventv1.Event, error) {
	shown := &eventv1.Event{
		Editor: &eventv1.Editor{UserId: string(e.Actor), DisplayName: e.Editor, Service: "zitadel"},
		Aggregate: &eventv1.Aggregate{
			Id: e.Aggregate.ID, Type: aggregateTypeOf(e.Aggregate.Type), ResourceOwner: e.Owner,
		},
		Sequence:     e.Sequence,
		CreationDate: timestamppb.New(e.At),
		Type:         eventTypeOf(e.Type),
	}
	if e.Shown != nil {
		shown.Payload = &structpb.Struct{}
		if err := protojson.Unmarshal(e.Shown, shown.Payload); err != nil {
			return nil, fmt.Errorf("show event %s: %w", e.Position, err)
		}
	}
	return shown, nil
}

func eventTypeOf(typ string) *eventv1.EventType {
	return &eventv1.EventType{Type: typ, Localized: localized("EventTypes.", typ)}
}

func aggregateTypeOf(typ string) *eventv1.AggregateType {
	return &eventv1.AggregateType{Type: typ, Localized: localized("AggregateTypes.", typ)}
}

// localized is a name for people: the words it is made of, in English.
func localized(prefix, name string) *zitadelv1.LocalizedMessage {
	words := []rune(strings.NewReplacer(".", " ", "_", " ").Replace(name))
	if len(words) > 0 {
		words[0] = unicode.ToUpper(words[0])
	}
	return &zitadelv1.LocalizedMessage{Key: prefix + name, LocalizedMessage: string(words)}
}

// listEventTypes returns the types of all events there can be.
func (s *Service) listEventTypes(context.Context, ident.InstanceID, *adminv1.ListEventTypesRequest) (*adminv1.ListEventTypesResponse, error) {
	answer := &adminv1.ListEventTypesResponse{}
	for _, typ := range s.Journal.Types() {
		answer.EventTypes = append(answer.EventTypes, eventTypeOf(typ))
	}
	return answer, nil
}

// listAggregateTypes returns the types of what they can be about.
func (s *Service) listAggregateTypes(context.Context, ident.InstanceID, *adminv1.ListAggregateTypesRequest) (*adminv1.ListAggregateTypesResponse, error) {
	answer := &adminv1.ListAggregateTypesResponse{}
	for _, typ := range s.Journal.AggregateTypes() {
		answer.AggregateTypes = append(answer.AggregateTypes, aggregateTypeOf(typ))
	}
	return answer, nil
}
