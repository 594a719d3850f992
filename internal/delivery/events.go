package delivery

import "time"

// Due begins a delivery, to be tried at once.
type Due struct {
	// Kind says what the message is, for operators: 1 to 50 lower-case letters, digits and _.
	Kind string `json:"kind"`
	// URL is where it goes, at most egress.MaxURL bytes.
	URL string `json:"url"`
	// ContentType is the media type of Body (RFC 9110 section 8.3).
	ContentType string `json:"contentType"`
	// Body is the message, at most [MaxBody] bytes.
	Body []byte `json:"body,omitempty"`
}

// Attempted leases a delivery to the node that is about to send it.
type Attempted struct {
	Attempt int `json:"attempt"` // from 1
	// LeaseUntil is when others may try, should nothing more be heard of this attempt.
	LeaseUntil time.Time `json:"leaseUntil"`
}

// Succeeded ends a delivery that has arrived.
type Succeeded struct {
	Attempt int `json:"attempt"`
	Status  int `json:"status"` // of HTTP, 200 to 299
}

// Failed ends an attempt. One of RetryAt and KeepUntil is set.
type Failed struct {
	Attempt int `json:"attempt"`
	// Error says what went wrong, in words that hold nothing of the URL or the answer.
	Error  string `json:"error"`
	Status int    `json:"status,omitempty"` // of HTTP, when there was an answer
	// RetryAt is when it is tried again.
	RetryAt time.Time `json:"retryAt,omitzero"`
	// KeepUntil is when a delivery that is not tried again is forgotten.
	KeepUntil time.Time `json:"keepUntil,omitzero"`
}

// Dismissed ends a delivery that nobody wants any more: an operator has said so, or it was given
// up and kept long enough.
type Dismissed struct{}

// EventType implements eventlog.Payload.
func (Due) EventType() string { return "delivery.due" }

// EventType implements eventlog.Payload.
func (Attempted) EventType() string { return "delivery.attempted" }

// EventType implements eventlog.Payload.
func (Succeeded) EventType() string { return "delivery.succeeded" }

// EventType implements eventlog.Payload.
func (Failed) EventType() string { return "delivery.failed" }

// EventType implements eventlog.Payload.
func (Dismissed) EventType() string { return "delivery.dismissed" }
