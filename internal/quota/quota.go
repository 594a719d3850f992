package quota

import (
	"math/bits"
	"slices"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
)

// Unit is what a quota counts. The numbers are those of the contract and of the log.
type Unit int

// The units.
const (
	Unimplemented            Unit = iota // none
	RequestsAllAuthenticated             // authenticated requests
	ActionsAllRunSeconds                 // seconds that actions run
)

// valid reports whether there is such a unit.
func (u Unit) valid() bool { return u == RequestsAllAuthenticated || u == ActionsAllRunSeconds }

// Terms are what decides whether more may be used, and all that is needed for it.
type Terms struct {
	Quota ident.QuotaID
	Unit  Unit
	// From is when the first period begins, in microseconds.
	From time.Time
	// Interval is how long a period lasts: a minute at least, 292 years at most, in microseconds.
	Interval time.Duration
	// Amount is how much may be used in a period.
	Amount uint64
	// Limited is whether more than Amount is refused. Without it use is only counted.
	Limited bool
}

// Schedule is when the periods of a quota begin. Two schedules are equal when all their periods are.
type Schedule struct {
	from, interval int64 // microseconds
}

// Schedule returns the schedule of the terms.
func (t Terms) Schedule() Schedule {
	return Schedule{from: t.From.UnixMicro(), interval: t.Interval.Microseconds()}
}

// State is a quota as its events have left it.
type State struct {
	eventlog.Head
	Terms

	Notifications []Notification // in the order of the wish
	Removed       bool
}

// Notification is whom to tell at which share of the amount.
type Notification struct {
	ID string `json:"id"`
	// Percent is the share of the amount, more than 0; it may be more than 100.
	Percent uint32 `json:"percent"`
	// Repeat also tells of every multiple of Percent.
	Repeat  bool   `json:"repeat,omitempty"`
	CallURL string `json:"callUrl"`

	// Due is what has last been told.
	Due Due `json:"-"`
}

// Due is a threshold that use has reached in a period; the zero Due is none.
type Due struct {
	Period    time.Time
	Threshold uint64 // percent
}

// Noun declares quotas to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "quota",
	Payloads: []eventlog.Payload{Added{}, Set{}, NotificationDue{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a quota.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	s.Quota = ident.QuotaID(s.ID)
	switch p := e.Payload.(type) {
	case Added:
		s.Terms = Terms{
			Quota: s.Quota, Unit: p.Unit, From: p.From, Interval: p.Interval, Amount: p.Amount, Limited: p.Limited,
		}
		s.Notifications = slices.Clone(p.Notifications)
	case Set:
		s = applySet(s, p)
	case NotificationDue:
		s.Notifications = slices.Clone(s.Notifications)
		for i := range s.Notifications {
			if n := &s.Notifications[i]; n.ID == p.ID {
				n.Due = Due{Period: p.PeriodStart, Threshold: p.Threshold}
			}
		}
	case Removed:
		s.Removed = true
	}
	return s
}

// applySet changes what p has. A notification that was there before remembers what it has told, unless
// the schedule is another: then what it has told was in periods that are none any more, and could be
// later than all those that begin now.
func applySet(s State, p Set) State {
	schedule := s.Schedule()
	s.Unit = p.Unit
	if p.From != nil {
		s.From = *p.From
	}
	if p.Interval != nil {
		s.Interval = *p.Interval
	}
	if p.Amount != nil {
		s.Amount = *p.Amount
	}
	if p.Limited != nil {
		s.Limited = *p.Limited
	}
	if p.Notifications != nil {
		before := s.Notifications
		s.Notifications = append([]Notification(nil), *p.Notifications...)
		for i := range s.Notifications {
			n := &s.Notifications[i]
			if known := slices.IndexFunc(before, func(o Notification) bool { return o.ID == n.ID }); known >= 0 {
				n.Due = before[known].Due
			}
		}
	}
	if s.Schedule() != schedule {
		s.Notifications = slices.Clone(s.Notifications)
		for i := range s.Notifications {
			s.Notifications[i].Due = Due{}
		}
	}
	return s
}

// Period returns when the period begins that at is in. Before [Terms.From] there is none, and
// nothing counts.
func (t Terms) Period(at time.Time) (start time.Time, begun bool) {
	// In microseconds no sum of two dates of the years 1 to 9999 is too big.
	from, now, step := t.From.UnixMicro(), at.UnixMicro(), t.Interval.Microseconds()
	if now < from || step <= 0 {
		return time.Time{}, false
	}
	return time.UnixMicro(now - (now-from)%step).UTC(), true
}

// Exhausted reports whether nothing more may be used when used has been in the running period.
func (t Terms) Exhausted(used uint64) bool { return t.Limited && used >= t.Amount }

// Reached returns the notifications that have become due because used has been in a period: one at
// most for each, with the highest threshold that was reached. It is no decision of a caller, so
// nothing is refused; a period that is over by now counts as well.
func (s State) Reached(period time.Time, used uint64) []eventlog.Payload {
	var events []eventlog.Payload
	for _, n := range s.Notifications {
		threshold := n.threshold(s.Amount, used)
		if threshold == 0 || n.Due.Period.After(period) || n.Due.Period.Equal(period) && n.Due.Threshold >= threshold {
			continue
		}
		events = append(events, NotificationDue{
			Unit: s.Unit, ID: n.ID, CallURL: n.CallURL, PeriodStart: period, Threshold: threshold, Usage: used,
		})
	}
	return events
}

// threshold is the highest of the notification's thresholds that used has reached, in percent; 0
// when it has reached none. Of an amount of nothing any use is the whole.
func (n Notification) threshold(amount, used uint64) uint64 {
	percent := uint64(n.Percent)
	if used == 0 || percent == 0 {
		return 0
	}
	if amount == 0 {
		return percent
	}
	share := percentOf(used, amount)
	switch {
	case share < percent:
		return 0
	case n.Repeat:
		return share - share%percent
	default:
		return percent
	}
}

// percentOf returns used as a share of amount, in whole percent, or the biggest number there is.
func percentOf(used, amount uint64) uint64 {
	hi, lo := bits.Mul64(used, 100)
	if hi >= amount {
		return 1<<64 - 1
	}
	share, _ := bits.Div64(hi, lo, amount)
	return share
}
