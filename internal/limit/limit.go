package limit

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// State is the limits of an instance as their events have left them. A nil limit is none.
type State struct {
	eventlog.Head

	// AuditLogRetention is the age up to which events can be read; 0 is any age.
	AuditLogRetention *time.Duration
	// Block refuses every request to the instance.
	Block *bool
}

// Noun declares limits to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "limits",
	Payloads: []eventlog.Payload{LimitsSet{}, LimitsReset{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of limits.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case LimitsSet:
		if p.AuditLogRetention != nil {
			s.AuditLogRetention = p.AuditLogRetention
		}
		if p.Block != nil {
			s.Block = p.Block
		}
	case LimitsReset:
		s.AuditLogRetention, s.Block = nil, nil
	}
	return s
}

// Set is the wish for limits. Those that are nil stay as they are.
type Set struct {
	AuditLogRetention *time.Duration
	Block             *bool
}

// Check returns COMMAND-4M9vs when there is no limit in the wish, and a plain fault that names the
// field for a negative retention.
func (w Set) Check() error {
	const field = "audit_log_retention"
	if w.AuditLogRetention == nil && w.Block == nil {
		return fault.Invalid("COMMAND-4M9vs", "Errors.Limits.NoneSpecified", field, "is needed, unless block is given")
	}
	if w.AuditLogRetention != nil && *w.AuditLogRetention < 0 {
		return fault.Plain(fault.InvalidArgument, field+": must not be negative").WithViolation(field, "must not be negative")
	}
	return nil
}

// Decide returns limits.set with what differs, or nothing when nothing does. It returns the faults of
// [Set.Check].
func (w Set) Decide(s State) ([]eventlog.Payload, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	set := LimitsSet{
		AuditLogRetention: differing(w.AuditLogRetention, s.AuditLogRetention),
		Block:             differing(w.Block, s.Block),
	}
	if set == (LimitsSet{}) {
		return nil, nil
	}
	return []eventlog.Payload{set}, nil
}

// differing returns what is wanted, or nil when that is what there is.
func differing[T comparable](wanted, is *T) *T {
	if wanted == nil || is != nil && *is == *wanted {
		return nil
	}
	return wanted
}

// Reset is the wish for no limits.
type Reset struct{}

// Decide returns limits.reset. It returns COMMAND-9JToT when there are no limits.
func (Reset) Decide(s State) ([]eventlog.Payload, error) {
	if s.AuditLogRetention == nil && s.Block == nil {
		return nil, fault.New(fault.NotFound, "COMMAND-9JToT", "Errors.Limits.NotFound").
			WithViolation("instance_id", "must be an instance with limits")
	}
	return []eventlog.Payload{LimitsReset{}}, nil
}
