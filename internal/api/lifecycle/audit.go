package lifecycle

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/audit"
	"castellan/internal/call"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/search"
	"castellan/internal/store"

	castellansystemv1 "castellan/gen/castellan/system/v1"
)

// auditPurpose is what positions in the audit log are sealed for. They are places in the whole log,
// so one serves whatever is searched for.
const auditPurpose = "castellan.system.v1.ListAuditEntries"

// ListAuditEntries returns a page of the calls that were made: all that this node has answered, and
// those of other nodes but for the last half second.
func (s *Service) ListAuditEntries(ctx context.Context, req *castellansystemv1.ListAuditEntriesRequest) (*castellansystemv1.ListAuditEntriesResponse, error) {
	wanted := audit.Search{
		Actor:    ident.Actor(req.GetActor()),
		Method:   search.Text{Value: req.GetMethod(), Method: search.Method(req.GetMethodComparison())},
		Instance: ident.InstanceID(req.GetInstanceId()),
		Outcome:  req.GetOutcome(),
		Page:     audit.Page{Limit: req.GetLimit()},
	}
	caller := string(call.From(ctx).Actor)
	var err error
	if wanted.From, err = boundOf(req.GetFrom(), "from"); err != nil {
		return nil, err
	}
	if wanted.Until, err = boundOf(req.GetUntil(), "until"); err != nil {
		return nil, err
	}
	if sealed := req.GetPosition(); sealed != "" {
		place, err := s.Positions.Open(auditPurpose, caller, sealed)
		if err != nil {
			return nil, err
		}
		if wanted.Page.After, err = parseEntry(string(place)); err != nil {
			return nil, err
		}
	}
	if s.Written != nil {
		if err := s.Written(ctx); err != nil {
			return nil, err
		}
	}
	found, err := audit.List(ctx, s.DB, wanted)
	if err != nil {
		return nil, err
	}
	answer := &castellansystemv1.ListAuditEntriesResponse{Entries: make([]*castellansystemv1.AuditEntry, len(found.Records))}
	for i, r := range found.Records {
		answer.Entries[i] = &castellansystemv1.AuditEntry{
			At: timestamppb.New(r.At), Actor: string(r.Actor), ActorInstanceId: string(r.ActorInstance),
			Method: r.Method, Protocol: r.Protocol, InstanceId: string(r.Instance), RemoteAddress: r.RemoteAddress,
			RequestId: r.RequestID, Outcome: r.Outcome, Duration: durationpb.New(r.Duration),
		}
	}
	if found.Next != nil {
		answer.NextPosition = s.Positions.Seal(auditPurpose, caller, []byte(formatEntry(*found.Next)))
	}
	return answer, nil
}

// boundOf reads a bound of time, zero for none.
func boundOf(t *timestamppb.Timestamp, field string) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		const rule = "must be a timestamp from year 1 to 9999"
		return time.Time{}, fault.Plain(fault.InvalidArgument, field+": "+rule).WithViolation(field, rule).WithCause(err)
	}
	return t.AsTime(), nil
}

// formatEntry writes a place in the audit log: the time in microseconds, a dot and the number.
func formatEntry(p audit.Position) string {
	return strconv.FormatInt(store.Micros(p.At), 10) + "." + strconv.FormatInt(p.Number, 10)
}

// parseEntry reads what formatEntry has written. Nothing else is sealed for this purpose, so an
// error is ours.
func parseEntry(text string) (*audit.Position, error) {
	at, number, _ := strings.Cut(text, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a place in the audit log: %w", err)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a place in the audit log: %w", err)
	}
	return &audit.Position{At: store.Time(micros), Number: n}, nil
}
