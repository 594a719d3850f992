package quota

import (
	"math"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func (a Add) when(s State) ([]eventlog.Payload, error) { return a.Decide(s) }
func (p Put) when(s State) ([]eventlog.Payload, error) { return p.Decide(s) }

// from is when the first period of the tests begins.
var from = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// wish is one in which everything is right; change makes it another.
func wish(change func(*Wish)) Wish {
	w := Wish{
		Unit: RequestsAllAuthenticated, From: from, Interval: time.Hour, Amount: 1000, Limited: true,
		Notifications: []NotificationWish{
			{Percent: 20, Repeat: true, CallURL: "https://hooks.example/q?a=b"}, {Percent: 100, CallURL: "http://[::1]:8080"},
		},
	}
	if change != nil {
		change(&w)
	}
	return w
}

var (
	ids   = []string{"n1", "n2"}
	added = Added{
		Unit: RequestsAllAuthenticated, From: from, Interval: time.Hour, Amount: 1000, Limited: true,
		Notifications: []Notification{
			{ID: "n1", Percent: 20, Repeat: true, CallURL: "https://hooks.example/q?a=b"},
			{ID: "n2", Percent: 100, CallURL: "http://[::1]:8080"},
		},
	}
	terms = Terms{
		Quota: logtest.ID, Unit: RequestsAllAuthenticated, From: from, Interval: time.Hour, Amount: 1000, Limited: true,
	}
)

// adding is the decision to add a wish that change has made another.
func adding(change func(*Wish)) func(State) ([]eventlog.Payload, error) {
	w := wish(change)
	return Add{Wish: w, IDs: make([]string, len(w.Notifications))}.when
}

// setting is the decision to set such a wish. The ids of its notifications are n3, n4 and so on.
func setting(change func(*Wish)) func(State) ([]eventlog.Payload, error) {
	return Put{Wish: wish(change), IDs: []string{"n3", "n4", "n5"}}.when
}

func TestAdd(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "with notifications", When: Add{Wish: wish(nil), IDs: ids}.when, Then: []eventlog.Payload{added},
			State: &State{Terms: terms, Notifications: added.Notifications},
		},
		{
			Name: "times are cut to microseconds", When: adding(func(w *Wish) {
				w.From, w.Interval, w.Notifications = from.Add(time.Nanosecond), time.Hour+time.Nanosecond, nil
			}),
			Then: []eventlog.Payload{Added{Unit: 1, From: from, Interval: time.Hour, Amount: 1000, Limited: true}},
		},
		{
			Name: "the limits of what can be kept",
			When: adding(func(w *Wish) {
				*w = Wish{Unit: ActionsAllRunSeconds, From: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Interval: MinInterval, Amount: MaxAmount}
			}),
			Then: []eventlog.Payload{Added{Unit: 2, From: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Interval: time.Minute, Amount: MaxAmount}},
		},
		{
			Name: "unit has a quota", Given: []eventlog.Payload{added}, When: adding(nil),
			Fault: &logtest.Refusal{Kind: fault.AlreadyExists, ID: "COMMAND-WDfFf", Fields: []string{"unit"}},
		},
		{
			Name: "nothing", When: adding(func(w *Wish) { w.Amount = 0 }), Fault: refused("", "amount"),
		},
	})
}

func refused(id, field string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: []string{field}}
}

// What is refused is refused whether a quota is added or set.
func TestRefused(t *testing.T) {
	url := func(u string) func(*Wish) { return func(w *Wish) { w.Notifications[1].CallURL = u } }
	cases := []struct {
		name, id, field string
		change          func(*Wish)
	}{
		{"no unit", "QUOTA-OTeSh", "unit", func(w *Wish) { w.Unit = Unimplemented }},
		{"unknown unit", "QUOTA-OTeSh", "unit", func(w *Wish) { w.Unit = 3 }},
		{"short interval", "QUOTA-R5otd", "reset_interval", func(w *Wish) { w.Interval = time.Minute - 1 }},
		{"negative interval", "QUOTA-R5otd", "reset_interval", func(w *Wish) { w.Interval = math.MinInt64 }},
		{"before year 1", "", "from", func(w *Wish) { w.From = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC) }},
		{"after year 9999", "", "from", func(w *Wish) { w.From = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"too much", "", "amount", func(w *Wish) { w.Amount = MaxAmount + 1 }},
		{"no share", "QUOTA-pBfjq", "notifications[1].percent", func(w *Wish) { w.Notifications[1].Percent = 0 }},
		{"no URL", "QUOTA-bZ0Fj", "notifications[1].call_url", url("https://hooks.example/%zz")},
		{"long URL", "QUOTA-bZ0Fj", "notifications[1].call_url", url("https://hooks.example/" + strings.Repeat("ü", 179))},
		{"empty URL", "QUOTA-HAYmN", "notifications[1].call_url", url("")},
		{"relative URL", "QUOTA-HAYmN", "notifications[1].call_url", url("/hook")},
		{"URL of a host alone", "QUOTA-HAYmN", "notifications[1].call_url", url("//hooks.example/")},
		{"URL without a host", "QUOTA-HAYmN", "notifications[1].call_url", url("https://:443/hook")},
		{"URL of another scheme", "QUOTA-HAYmN", "notifications[1].call_url", url("file://hooks.example/etc")},
		{"opaque URL", "QUOTA-HAYmN", "notifications[1].call_url", url("https:hooks.example")},
		{"the same notification twice", "QUOTA-Pty2n", "notifications[2]", func(w *Wish) {
			w.Notifications = append(w.Notifications, w.Notifications[0])
		}},
		{"too many notifications", "", "notifications", func(w *Wish) {
			w.Notifications = nil
			for i := range uint32(MaxNotifications + 1) {
				w.Notifications = append(w.Notifications, NotificationWish{Percent: i + 1, CallURL: "https://hooks.example"})
			}
		}},
	}
	for _, c := range cases {
		for how, when := range map[string]func(func(*Wish)) func(State) ([]eventlog.Payload, error){"add": adding, "set": setting} {
			logtest.Run(t, Noun, []logtest.Case[State]{{Name: how + " " + c.name, When: when(c.change), Fault: refused(c.id, c.field)}})
		}
	}
}

func TestSet(t *testing.T) {
	interval, limited, later, none := time.Hour, true, from.Add(time.Hour), []Notification{}
	two := func(w *Wish) {
		w.Notifications = append(w.Notifications[1:2:2], NotificationWish{Percent: 50, CallURL: "https://hooks.example"})
	}
	due := NotificationDue{Unit: 1, ID: "n2", PeriodStart: from, Threshold: 100, Usage: 1000}
	month, ofMonths, ofLater := 30*24*time.Hour, terms, terms
	ofMonths.Interval, ofLater.From = month, later
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "where there is none", When: setting(func(w *Wish) { w.Notifications = nil }),
			Then:  []eventlog.Payload{Set{Unit: 1, From: &from, Interval: &interval, Amount: new(uint64(1000)), Limited: &limited}},
			State: &State{Terms: terms},
		},
		{
			Name: "nothing where there is none", When: setting(func(w *Wish) { *w = Wish{Unit: 1, From: from, Interval: time.Hour} }),
			Then:  []eventlog.Payload{Set{Unit: 1, From: &from, Interval: &interval, Amount: new(uint64), Limited: new(bool)}},
			State: &State{Terms: Terms{Quota: logtest.ID, Unit: 1, From: from, Interval: time.Hour}},
		},
		{Name: "the same", Given: []eventlog.Payload{added}, When: setting(nil)},
		{
			Name: "the same in another order", Given: []eventlog.Payload{added},
			When: setting(func(w *Wish) { w.Notifications[0], w.Notifications[1] = w.Notifications[1], w.Notifications[0] }),
		},
		{
			Name: "another amount", Given: []eventlog.Payload{added}, When: setting(func(w *Wish) { w.Amount = 0 }),
			Then: []eventlog.Payload{Set{Unit: 1, Amount: new(uint64)}},
		},
		{
			Name: "another beginning, without a limit", Given: []eventlog.Payload{added},
			When: setting(func(w *Wish) { w.From, w.Limited = later, false }),
			Then: []eventlog.Payload{Set{Unit: 1, From: &later, Limited: new(bool)}},
		},
		{
			Name: "a notification that stays keeps what it has told", Given: []eventlog.Payload{added, due}, When: setting(two),
			Then: []eventlog.Payload{Set{Unit: 1, Notifications: &[]Notification{
				{ID: "n2", Percent: 100, CallURL: "http://[::1]:8080"}, {ID: "n4", Percent: 50, CallURL: "https://hooks.example"},
			}}},
			State: &State{Terms: terms, Notifications: []Notification{
				{ID: "n2", Percent: 100, CallURL: "http://[::1]:8080", Due: Due{Period: from, Threshold: 100}},
				{ID: "n4", Percent: 50, CallURL: "https://hooks.example"},
			}},
		},
		{
			Name: "another interval forgets what was told", Given: []eventlog.Payload{added, due},
			When:  setting(func(w *Wish) { w.Interval = month }),
			Then:  []eventlog.Payload{Set{Unit: 1, Interval: &month}},
			State: &State{Terms: ofMonths, Notifications: added.Notifications},
		},
		{
			Name: "another beginning forgets what was told, also of a notification in the wish", Given: []eventlog.Payload{added, due},
			When: setting(func(w *Wish) { w.From = later; two(w) }),
			Then: []eventlog.Payload{Set{Unit: 1, From: &later, Notifications: &[]Notification{
				{ID: "n2", Percent: 100, CallURL: "http://[::1]:8080"}, {ID: "n4", Percent: 50, CallURL: "https://hooks.example"},
			}}},
			State: &State{Terms: ofLater, Notifications: []Notification{
				{ID: "n2", Percent: 100, CallURL: "http://[::1]:8080"}, {ID: "n4", Percent: 50, CallURL: "https://hooks.example"},
			}},
		},
		{
			Name: "no notifications any more", Given: []eventlog.Payload{added}, When: setting(func(w *Wish) { w.Notifications = nil }),
			Then:  []eventlog.Payload{Set{Unit: 1, Notifications: &none}},
			State: &State{Terms: terms},
		},
	})
}

func TestRemove(t *testing.T) {
	gone := &logtest.Refusal{Kind: fault.NotFound, ID: "COMMAND-WDfFf", Fields: []string{"unit"}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "a quota", Given: []eventlog.Payload{added}, When: Remove{Unit: 1}.Decide, Then: []eventlog.Payload{Removed{Unit: 1}},
			State: &State{Terms: terms, Notifications: added.Notifications, Removed: true},
		},
		{Name: "none", When: Remove{Unit: 1}.Decide, Fault: gone},
		{Name: "of a unit that is none", When: Remove{}.Decide, Fault: gone},
	})
}

func TestPeriod(t *testing.T) {
	far := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	longest := time.Duration(math.MaxInt64).Truncate(time.Microsecond)
	for _, c := range []struct {
		name     string
		from     time.Time
		interval time.Duration
		at, want time.Time // the zero want is none
	}{
		{"before the first", from, time.Hour, from.Add(-time.Microsecond), time.Time{}},
		{"the beginning", from, time.Hour, from, from},
		{"the end of the first", from, time.Hour, from.Add(time.Hour - time.Microsecond), from},
		{"the beginning of the second", from, time.Hour, from.Add(time.Hour), from.Add(time.Hour)},
		{"of odd length", from, 7 * time.Minute, from.Add(15 * time.Minute), from.Add(14 * time.Minute)},
		{"from the first year by minutes", first, time.Minute, from.Add(90 * time.Second), from.Add(time.Minute)},
		{"from the first year in the last", first, time.Minute, far, far.Truncate(time.Minute)},
		{"the longest", from, longest, from.Add(longest - time.Microsecond), from},
		{"after the longest", from, longest, from.Add(longest), from.Add(longest)},
		{"from the last year", far, longest, from, time.Time{}},
		{"without length", from, 0, from, time.Time{}},
	} {
		start, begun := Terms{From: c.from, Interval: c.interval}.Period(c.at)
		if begun == c.want.IsZero() || !start.Equal(c.want) {
			t.Errorf("%s: %s, %v, want %s", c.name, start, begun, c.want)
		}
	}
}

func TestReached(t *testing.T) {
	const most = math.MaxUint64
	once := Notification{ID: "n", Percent: 30}
	again := Notification{ID: "n", Percent: 30, Repeat: true}
	told := func(n Notification, period time.Time, threshold uint64) Notification {
		n.Due = Due{Period: period, Threshold: threshold}
		return n
	}
	next := from.Add(time.Hour)
	for _, c := range []struct {
		name         string
		notification Notification
		amount, used uint64
		want         uint64 // 0 is none
	}{
		{"nothing used", once, 10, 0, 0},
		{"less", once, 10, 2, 0},
		{"a little less", once, 1000, 299, 0},
		{"as much", once, 10, 3, 30},
		{"more", once, 10, 100, 30},
		{"told already", told(once, from, 30), 10, 4, 0},
		{"told in another period", told(once, from.Add(-time.Hour), 30), 10, 4, 30},
		{"a period that has been left", told(once, next, 30), 10, 4, 0},
		{"repeated, less", again, 10, 2, 0},
		{"repeated, once", again, 10, 5, 30},
		{"repeated, the highest of many", again, 10, 20, 180},
		{"repeated, told already", told(again, from, 60), 10, 8, 0},
		{"repeated, more than was told", told(again, from, 60), 10, 9, 90},
		{"over the whole", Notification{ID: "n", Percent: 150}, 10, 15, 150},
		{"of nothing", once, 0, 1, 30},
		{"of nothing, repeated", again, 0, 7, 30},
		{"a share without a number", Notification{ID: "n", Percent: 1, Repeat: true}, 1, MaxAmount, most},
		{"the biggest numbers", Notification{ID: "n", Percent: math.MaxUint32}, MaxAmount, MaxAmount, 0},
		{"the biggest amount", Notification{ID: "n", Percent: 100}, MaxAmount, MaxAmount, 100},
	} {
		s := State{Terms: Terms{Unit: 1, Amount: c.amount}, Notifications: []Notification{c.notification}}
		var got uint64
		for _, p := range s.Reached(from, c.used) {
			due := p.(NotificationDue)
			got = due.Threshold
			if due.ID != "n" || due.Usage != c.used || !due.PeriodStart.Equal(from) || due.Unit != 1 {
				t.Errorf("%s: %+v", c.name, due)
			}
		}
		if got != c.want {
			t.Errorf("%s: threshold %d, want %d", c.name, got, c.want)
		}
	}
}

// Whatever the numbers, what has been told is not told again, and shares are those of arithmetic.
func FuzzReached(f *testing.F) {
	f.Add(uint32(30), true, uint64(10), uint64(20))
	f.Add(uint32(1), true, uint64(1), uint64(math.MaxInt64))
	f.Add(uint32(math.MaxUint32), false, uint64(0), uint64(1))
	f.Fuzz(func(t *testing.T, percent uint32, repeat bool, amount, used uint64) {
		s := State{Terms: Terms{Unit: 1, Amount: amount}, Notifications: []Notification{{ID: "n", Percent: percent, Repeat: repeat}}}
		due := s.Reached(from, used)
		if len(due) > 1 {
			t.Fatalf("%v", due)
		}
		for _, p := range due {
			threshold := p.(NotificationDue).Threshold
			if percent == 0 || threshold%uint64(percent) != 0 || threshold == 0 {
				t.Errorf("threshold %d of %d", threshold, percent)
			}
			s = apply(s, eventlog.Event{Sequence: 1, Payload: p})
		}
		if again := s.Reached(from, used); len(again) != 0 {
			t.Errorf("again: %v", again)
		}
	})
}

// A URL that is kept can be called: it has a host, a scheme of HTTP, and no more than 200 characters.
func FuzzCallURL(f *testing.F) {
	for _, u := range []string{"https://hooks.example/q", "http://u:p@[::1]:80#x", "//a", "http://%zz", "HTTP://A", "https:///x", "http://a b"} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, u string) {
		if (NotificationWish{Percent: 1, CallURL: u}).check("n") != nil {
			return
		}
		lower := strings.ToLower(u)
		if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") || len([]rune(u)) > MaxCallURL {
			t.Errorf("%q is kept", u)
		}
	})
}
