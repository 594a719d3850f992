package delivery

import (
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"castellan/internal/egress"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// How a delivery is tried.
const (
	// MaxAttempts is how often it is tried.
	MaxAttempts = 12
	// FirstBackoff is the time between the first two attempts. It doubles from one to the next,
	// give or take a fifth, so that all of them take about 26 hours.
	FirstBackoff = 45 * time.Second
	// Lease is how long nobody else tries what a node has begun to. It is longer than an attempt
	// and the write of its outcome can take, by more than the clocks of nodes differ.
	Lease = time.Minute
	// Keep is how long one that was given up is shown.
	Keep = 30 * 24 * time.Hour
	// MaxBody is the greatest size of a message, in bytes.
	MaxBody = 64 << 10
)

// maxKind is the greatest length of a kind: with what is put before it, it is the name of a
// view, which has at most 200 characters (contract section 2.7).
const maxKind = 50

// Phase says what a delivery waits for until State.NextAt.
type Phase string

// The phases.
const (
	Waiting    Phase = "waiting"    // for the next attempt, which is due then
	Attempting Phase = "attempting" // for the outcome of one, whose lease ends then
	GivenUp    Phase = "given_up"   // for nothing; it is forgotten then
	Ended      Phase = "ended"      // it has arrived or was dismissed, and has no row
)

// State is a delivery as its events have left it. Owner of its head is the instance.
type State struct {
	eventlog.Head

	Kind        string
	URL         string
	ContentType string
	Body        []byte // nil when there is none, or it is not needed any more
	Phase       Phase
	NextAt      time.Time
	Attempts    int // that have begun
	Failures    int // attempts of which it is known that they failed
	LastError   string
	LastFailed  time.Time
}

// Noun declares deliveries to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "delivery",
	Payloads: []eventlog.Payload{Due{}, Attempted{}, Succeeded{}, Failed{}, Dismissed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a delivery.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Due:
		s.Kind, s.URL, s.ContentType = p.Kind, p.URL, p.ContentType
		s.Phase, s.NextAt = Waiting, e.At
		if len(p.Body) > 0 {
			s.Body = p.Body
		}
	case Attempted:
		s.Phase, s.NextAt, s.Attempts = Attempting, p.LeaseUntil, p.Attempt
	case Failed:
		s.Phase, s.NextAt = Waiting, p.RetryAt
		if p.RetryAt.IsZero() {
			s.Phase, s.NextAt, s.Body = GivenUp, p.KeepUntil, nil
		}
		s.Failures, s.LastError, s.LastFailed = s.Failures+1, p.Error, e.At
	case Succeeded, Dismissed:
		s.Phase = Ended
	}
	return s
}

// check returns an error for what would be refused by the database, or by HTTP, for ever. It
// would be a mistake of the program, for callers check what outsiders say.
func (d Due) check(id ident.DeliveryID) error {
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != string(id) {
		return fmt.Errorf("delivery: %.40q is no id of ident.Source", id)
	}
	if d.Kind == "" || len(d.Kind) > maxKind || strings.Trim(d.Kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return fmt.Errorf("delivery: kind %.60q is not 1 to %d lower-case letters, digits and _", d.Kind, maxKind)
	}
	if len(d.URL) > egress.MaxURL || !utf8.ValidString(d.URL) || strings.Contains(d.URL, "\x00") {
		return fmt.Errorf("delivery: the URL is not text of at most %d bytes", egress.MaxURL)
	}
	invisible := func(r rune) bool { return r < ' ' || r > '~' }
	if _, _, err := mime.ParseMediaType(d.ContentType); err != nil || strings.ContainsFunc(d.ContentType, invisible) {
		return fmt.Errorf("delivery: content type %.100q is no media type", d.ContentType)
	}
	if len(d.Body) > MaxBody {
		return fmt.Errorf("delivery: the body has more than %d bytes", MaxBody)
	}
	return nil
}

// Attempt is the wish of a node to send a delivery.
type Attempt struct {
	Now time.Time
}

// Decide returns delivery.attempted, or nothing when it is not due. Of one that was given up it
// returns delivery.dismissed when it was kept long enough. When the last attempt that is allowed
// has not been heard of within its lease it returns delivery.failed: the node that sent it died,
// and what made it die may have been this message.
func (a Attempt) Decide(s State) []eventlog.Payload {
	switch {
	case s.Phase == Ended || a.Now.Before(s.NextAt):
		return nil
	case s.Phase == GivenUp:
		return []eventlog.Payload{Dismissed{}}
	case s.Attempts >= MaxAttempts:
		return []eventlog.Payload{Failed{
			Attempt: s.Attempts, Error: "the outcome of the last attempt is not known", KeepUntil: a.Now.Add(Keep),
		}}
	}
	return []eventlog.Payload{Attempted{Attempt: s.Attempts + 1, LeaseUntil: a.Now.Add(Lease)}}
}

// Succeed is the news that an attempt has succeeded.
type Succeed struct {
	Attempt int
	Status  int // of HTTP
}

// Decide returns delivery.succeeded, also when the lease of the attempt has ended meanwhile: the
// message has arrived. It returns nothing when the delivery has ended.
func (e Succeed) Decide(s State) []eventlog.Payload {
	if s.Phase == Ended {
		return nil
	}
	return []eventlog.Payload{Succeeded{Attempt: e.Attempt, Status: e.Status}}
}

// Fail is the news that an attempt has failed.
type Fail struct {
	Now     time.Time
	Attempt int
	Error   string
	Status  int  // of HTTP, 0 without an answer
	Final   bool // trying again is of no use
	// Jitter is a random number. It spreads the attempts of deliveries that failed together.
	Jitter uint16
}

// Decide returns delivery.failed, or nothing when another attempt has begun meanwhile, or the
// delivery has ended.
func (f Fail) Decide(s State) []eventlog.Payload {
	if s.Phase != Attempting || s.Attempts != f.Attempt {
		return nil
	}
	failed := Failed{Attempt: f.Attempt, Error: f.Error, Status: f.Status}
	if f.Final || f.Attempt >= MaxAttempts {
		failed.KeepUntil = f.Now.Add(Keep)
	} else {
		failed.RetryAt = f.Now.Add(backoff(f.Attempt, f.Jitter))
	}
	return []eventlog.Payload{failed}
}

// backoff is the time between an attempt that failed and the next one: between 4/5 and 6/5 of a
// time that doubles.
func backoff(attempt int, jitter uint16) time.Duration {
	whole := FirstBackoff << (attempt - 1)
	return (whole*4/5 + whole*2/5*time.Duration(jitter)/(1<<16)).Truncate(time.Microsecond)
}

// Dismiss is the wish that a failed delivery of a kind is not tried again.
type Dismiss struct {
	Kind string
}

// Decide returns delivery.dismissed, or nothing when the delivery has ended, has not failed yet,
// or is of another kind (contract section 2.7).
func (d Dismiss) Decide(s State) []eventlog.Payload {
	if s.Phase == Ended || s.Failures == 0 || s.Kind != d.Kind {
		return nil
	}
	return []eventlog.Payload{Dismissed{}}
}
