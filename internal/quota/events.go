package quota

import "time"

// Added begins a quota.
type Added struct {
	Unit          Unit           `json:"unit"`
	From          time.Time      `json:"from"`
	Interval      time.Duration  `json:"interval"` // nanoseconds
	Amount        uint64         `json:"amount"`
	Limited       bool           `json:"limit"`
	Notifications []Notification `json:"notifications,omitempty"`
}

// Set begins a quota or changes one. What is absent stays as it was.
type Set struct {
	Unit          Unit            `json:"unit"`
	From          *time.Time      `json:"from,omitempty"`
	Interval      *time.Duration  `json:"interval,omitempty"` // nanoseconds
	Amount        *uint64         `json:"amount,omitempty"`
	Limited       *bool           `json:"limit,omitempty"`
	Notifications *[]Notification `json:"notifications,omitempty"`
}

// NotificationDue says that the use of a quota has reached a share of it. Its JSON is also what is
// sent to CallURL (contract section 2.8).
type NotificationDue struct {
	Unit Unit `json:"unit"`
	// ID is that of the notification.
	ID          string    `json:"id"`
	CallURL     string    `json:"callURL"`
	PeriodStart time.Time `json:"periodStart"`
	// Threshold is the share that was reached, in percent.
	Threshold uint64 `json:"threshold"`
	Usage     uint64 `json:"usage"`
}

// Removed ends a quota.
type Removed struct {
	Unit Unit `json:"unit"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "quota.added" }

// EventType implements eventlog.Payload.
func (Set) EventType() string { return "quota.set" }

// EventType implements eventlog.Payload.
func (NotificationDue) EventType() string { return "quota.notificationdue" }

// EventType implements eventlog.Payload.
func (Removed) EventType() string { return "quota.removed" }
