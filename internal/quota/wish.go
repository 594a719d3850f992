package quota

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// Limits of a quota.
const (
	// MinInterval is the shortest period.
	MinInterval = time.Minute
	// MaxAmount is the biggest amount: what both engines can count.
	MaxAmount = math.MaxInt64
	// MaxNotifications is how many notifications a quota has at most.
	MaxNotifications = 20
	// MaxCallURL is the length of a URL, in characters (contract section 2.8).
	MaxCallURL = 200
)

// Wish is what a caller wants a quota to be.
type Wish struct {
	Unit          Unit
	From          time.Time
	Interval      time.Duration
	Amount        uint64
	Limited       bool
	Notifications []NotificationWish
}

// NotificationWish is a notification that has no id yet.
type NotificationWish struct {
	Percent uint32
	Repeat  bool
	CallURL string
}

// Normalize returns the wish with its times cut to microseconds, the precision that is kept. It
// returns QUOTA-OTeSh for a unit that is none, QUOTA-R5otd for an interval that is too short,
// QUOTA-pBfjq, QUOTA-bZ0Fj or QUOTA-HAYmN for a notification that nobody could get, QUOTA-Pty2n for
// one that is there twice, and a plain fault that names the field for what is too much or cannot be
// kept.
func (w Wish) Normalize() (Wish, error) {
	if !w.Unit.valid() {
		return w, fault.Invalid("QUOTA-OTeSh", "Errors.Quota.Invalid.Unimplemented", "unit", "must be a unit that can be counted")
	}
	if y := w.From.UTC().Year(); y < 1 || y > 9999 {
		return w, invalid("from", "must be a timestamp from year 1 to 9999")
	}
	if w.Interval < MinInterval {
		return w, fault.Invalid("QUOTA-R5otd", "Errors.Quota.Invalid.ResetInterval", "reset_interval", "must be at least one minute")
	}
	if w.Amount > MaxAmount {
		return w, invalid("amount", fmt.Sprintf("must be at most %d", int64(MaxAmount)))
	}
	if len(w.Notifications) > MaxNotifications {
		return w, invalid("notifications", fmt.Sprintf("must have at most %d entries", MaxNotifications))
	}
	for i, n := range w.Notifications {
		if err := n.check(fmt.Sprintf("notifications[%d]", i)); err != nil {
			return w, err
		}
		if slices.Contains(w.Notifications[:i], n) {
			return w, fault.Invalid("QUOTA-Pty2n", "Errors.Quota.Notifications.Duplicate",
				fmt.Sprintf("notifications[%d]", i), "must differ from the notifications before it")
		}
	}
	w.From, w.Interval = w.From.UTC().Truncate(time.Microsecond), w.Interval.Truncate(time.Microsecond)
	return w, nil
}

// invalid is a fault without an id that names a field and its rule.
func invalid(field, rule string) error {
	return fault.Plain(fault.InvalidArgument, field+": "+rule).WithViolation(field, rule)
}

// check refuses a notification that could never be sent; path is where it stands.
func (n NotificationWish) check(path string) error {
	if n.Percent == 0 {
		return fault.Invalid("QUOTA-pBfjq", "Errors.Quota.Invalid.Percent", path+".percent", "must be greater than 0")
	}
	const message = "Errors.Quota.Invalid.CallURL"
	field := path + ".call_url"
	if utf8.RuneCountInString(n.CallURL) > MaxCallURL {
		return fault.Invalid("QUOTA-bZ0Fj", message, field, fmt.Sprintf("must have at most %d characters", MaxCallURL))
	}
	u, err := url.Parse(n.CallURL)
	if err != nil {
		// The error holds the URL, which may hold a secret: it is not kept.
		return fault.Invalid("QUOTA-bZ0Fj", message, field, "must be a URL")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return fault.Invalid("QUOTA-HAYmN", message, field, "must be an absolute URL with http or https and a host")
	}
	return nil
}

// Add is the wish for a quota where there is none.
type Add struct {
	Wish // normalised
	// IDs are ids for the notifications, one each.
	IDs []string
}

// Decide returns quota.added. It returns the faults of [Wish.Normalize], a plain one for an amount of
// nothing, and COMMAND-WDfFf when the unit has a quota.
func (a Add) Decide(s State) ([]eventlog.Payload, error) {
	w, err := a.Normalize()
	if err != nil {
		return nil, err
	}
	if w.Amount == 0 {
		return nil, invalid("amount", "must be greater than 0")
	}
	if s.Exists() {
		return nil, fault.New(fault.AlreadyExists, "COMMAND-WDfFf", "Errors.Quota.AlreadyExists").
			WithViolation("unit", "has a quota already")
	}
	return []eventlog.Payload{Added{
		Unit: w.Unit, From: w.From, Interval: w.Interval, Amount: w.Amount, Limited: w.Limited,
		Notifications: w.notifications(nil, a.IDs),
	}}, nil
}

// Put is the wish for a quota whether there is one or not.
type Put struct {
	Wish
	// IDs are ids for the notifications, one each.
	IDs []string
}

// Decide returns quota.set with what differs, or nothing when nothing does. A notification that is
// there already keeps its id, and what it has told. It returns the faults of [Wish.Normalize]. An
// amount of nothing is possible (contract section 2.8).
func (p Put) Decide(s State) ([]eventlog.Payload, error) {
	w, err := p.Normalize()
	if err != nil {
		return nil, err
	}
	set, changed := Set{Unit: w.Unit}, !s.Exists()
	set.From = differing(w.From, s.From.Equal(w.From) && s.Exists(), &changed)
	set.Interval = differing(w.Interval, s.Interval == w.Interval && s.Exists(), &changed)
	set.Amount = differing(w.Amount, s.Amount == w.Amount && s.Exists(), &changed)
	set.Limited = differing(w.Limited, s.Limited == w.Limited && s.Exists(), &changed)
	// An empty list that is not nil: nil would be written as if it were absent.
	notifications := append([]Notification{}, w.notifications(s.Notifications, p.IDs)...)
	set.Notifications = differing(notifications, sameSet(s.Notifications, notifications), &changed)
	if !changed {
		return nil, nil
	}
	return []eventlog.Payload{set}, nil
}

// differing returns a pointer to v, and that there was a change, unless v is the same as before.
func differing[T any](v T, same bool, changed *bool) *T {
	if same {
		return nil
	}
	*changed = true
	return &v
}

// sameSet reports whether two lists have the same notifications, in whatever order.
func sameSet(a, b []Notification) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(n Notification) bool {
		return !slices.ContainsFunc(b, func(o Notification) bool { return o.ID == n.ID })
	})
}

// notifications gives each wish the id of the notification it is equal to, or else its own of ids.
func (w Wish) notifications(known []Notification, ids []string) []Notification {
	var all []Notification
	for i, n := range w.Notifications {
		next := Notification{ID: ids[i], Percent: n.Percent, Repeat: n.Repeat, CallURL: n.CallURL}
		for _, k := range known {
			if n == (NotificationWish{Percent: k.Percent, Repeat: k.Repeat, CallURL: k.CallURL}) {
				next.ID = k.ID
			}
		}
		all = append(all, next)
	}
	return all
}

// Remove is the wish to have a unit without a quota.
type Remove struct {
	Unit Unit
}

// Decide returns quota.removed. It returns COMMAND-WDfFf when the unit has no quota, or is none.
func (r Remove) Decide(s State) ([]eventlog.Payload, error) {
	if !s.Exists() || s.Unit != r.Unit {
		return nil, fault.New(fault.NotFound, "COMMAND-WDfFf", "Errors.Quota.NotFound").
			WithViolation("unit", "must be a unit with a quota")
	}
	return []eventlog.Payload{Removed{Unit: r.Unit}}, nil
}
