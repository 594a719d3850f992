package limit

import "time"

// LimitsSet says which limits an instance has from now on. What is absent stays as it was.
type LimitsSet struct {
	AuditLogRetention *time.Duration `json:"auditLogRetention,omitempty"` // nanoseconds
	Block             *bool          `json:"block,omitempty"`
}

// LimitsReset takes all limits away.
type LimitsReset struct{}

// EventType implements eventlog.Payload.
func (LimitsSet) EventType() string { return "limits.set" }

// EventType implements eventlog.Payload.
func (LimitsReset) EventType() string { return "limits.reset" }
