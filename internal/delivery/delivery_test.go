package delivery

import (
	"strings"
	"testing"
	"time"

	"castellan/internal/egress"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/ident"
)

var (
	due = Due{Kind: "quota_notification", URL: "https://acme.example/hook?token=x", ContentType: "application/json", Body: []byte(`{"a":1}`)}

	dueAt  = logtest.At(1)
	leased = Attempted{Attempt: 1, LeaseUntil: dueAt.Add(Lease)}
	again  = Failed{Attempt: 1, Error: "status 500", Status: 500, RetryAt: dueAt.Add(2 * time.Minute)}
	final  = Failed{Attempt: 1, Error: "the URL cannot be parsed", KeepUntil: dueAt.Add(Keep)}
)

// attempts are the events of n attempts that failed, after the first event.
func attempts(n int) []eventlog.Payload {
	events := []eventlog.Payload{due}
	for i := range n {
		events = append(events,
			Attempted{Attempt: i + 1, LeaseUntil: dueAt.Add(Lease)},
			Failed{Attempt: i + 1, Error: "status 500", Status: 500, RetryAt: dueAt.Add(time.Minute)})
	}
	return events
}

// decided makes a decision that refuses nothing one of logtest.
func decided(decide func(State) []eventlog.Payload) func(State) ([]eventlog.Payload, error) {
	return func(s State) ([]eventlog.Payload, error) { return decide(s), nil }
}

func TestDecisions(t *testing.T) {
	base := State{
		Kind: due.Kind, URL: due.URL, ContentType: due.ContentType, Body: due.Body, Phase: Waiting, NextAt: dueAt,
	}
	with := func(change func(*State)) *State {
		s := base
		change(&s)
		return &s
	}
	late := dueAt.Add(time.Hour)
	logtest.Run(t, Noun, []logtest.Case[State]{{
		Name: "due at once", Given: []eventlog.Payload{due},
		When: decided(Attempt{Now: dueAt}.Decide), Then: []eventlog.Payload{leased},
		State: with(func(s *State) { s.Phase, s.NextAt, s.Attempts = Attempting, leased.LeaseUntil, 1 }),
	}, {
		Name: "an empty body", Given: []eventlog.Payload{Due{Kind: "k", URL: "u", ContentType: "text/plain", Body: []byte{}}},
		When:  decided(Dismiss{Kind: "k"}.Decide),
		State: &State{Kind: "k", URL: "u", ContentType: "text/plain", Phase: Waiting, NextAt: dueAt},
	}, {
		Name: "leased", Given: []eventlog.Payload{due, leased},
		When: decided(Attempt{Now: leased.LeaseUntil.Add(-time.Microsecond)}.Decide),
	}, {
		Name: "lease ended", Given: []eventlog.Payload{due, leased},
		When: decided(Attempt{Now: leased.LeaseUntil}.Decide),
		Then: []eventlog.Payload{Attempted{Attempt: 2, LeaseUntil: leased.LeaseUntil.Add(Lease)}},
	}, {
		Name: "succeeds", Given: []eventlog.Payload{due, leased},
		When: decided(Succeed{Attempt: 1, Status: 204}.Decide), Then: []eventlog.Payload{Succeeded{Attempt: 1, Status: 204}},
		State: with(func(s *State) { s.Phase, s.NextAt, s.Attempts = Ended, leased.LeaseUntil, 1 }),
	}, {
		Name: "succeeds late", Given: []eventlog.Payload{due, leased, Attempted{Attempt: 2, LeaseUntil: late}},
		When: decided(Succeed{Attempt: 1, Status: 200}.Decide), Then: []eventlog.Payload{Succeeded{Attempt: 1, Status: 200}},
	}, {
		Name: "succeeds twice", Given: []eventlog.Payload{due, leased, Succeeded{Attempt: 1, Status: 200}},
		When: decided(Succeed{Attempt: 2, Status: 200}.Decide),
	}, {
		Name: "fails", Given: []eventlog.Payload{due, leased},
		When: decided(Fail{Now: late, Attempt: 1, Error: "status 500", Status: 500, Jitter: 1 << 15}.Decide),
		Then: []eventlog.Payload{Failed{Attempt: 1, Error: "status 500", Status: 500, RetryAt: late.Add(FirstBackoff)}},
		State: with(func(s *State) {
			s.NextAt, s.Attempts, s.Failures, s.LastError = late.Add(FirstBackoff), 1, 1, "status 500"
			s.LastFailed = logtest.At(3)
		}),
	}, {
		Name: "fails for good", Given: []eventlog.Payload{due, leased},
		When: decided(Fail{Now: dueAt, Attempt: 1, Error: final.Error, Final: true}.Decide), Then: []eventlog.Payload{final},
		State: with(func(s *State) {
			s.Phase, s.NextAt, s.Attempts, s.Failures, s.LastError = GivenUp, final.KeepUntil, 1, 1, final.Error
			s.LastFailed, s.Body = logtest.At(3), nil
		}),
	}, {
		Name: "fails late", Given: []eventlog.Payload{due, leased, Attempted{Attempt: 2, LeaseUntil: late}},
		When: decided(Fail{Now: late, Attempt: 1, Error: "x"}.Decide),
	}, {
		Name: "fails twice", Given: []eventlog.Payload{due, leased, again},
		When: decided(Fail{Now: late, Attempt: 1, Error: "x"}.Decide),
	}, {
		Name: "fails after it was dismissed", Given: []eventlog.Payload{due, leased, again, Dismissed{}},
		When: decided(Fail{Now: late, Attempt: 1, Error: "x"}.Decide),
	}, {
		Name: "not yet again", Given: []eventlog.Payload{due, leased, again},
		When: decided(Attempt{Now: again.RetryAt.Add(-time.Microsecond)}.Decide),
	}, {
		Name: "again", Given: []eventlog.Payload{due, leased, again},
		When: decided(Attempt{Now: again.RetryAt}.Decide),
		Then: []eventlog.Payload{Attempted{Attempt: 2, LeaseUntil: again.RetryAt.Add(Lease)}},
	}, {
		Name: "the last attempt", Given: append(attempts(MaxAttempts-1), Attempted{Attempt: MaxAttempts, LeaseUntil: late}),
		When: decided(Fail{Now: late, Attempt: MaxAttempts, Error: "x"}.Decide),
		Then: []eventlog.Payload{Failed{Attempt: MaxAttempts, Error: "x", KeepUntil: late.Add(Keep)}},
	}, {
		Name: "the last attempt is not heard of", Given: append(attempts(MaxAttempts-1), Attempted{Attempt: MaxAttempts, LeaseUntil: late}),
		When: decided(Attempt{Now: late}.Decide),
		Then: []eventlog.Payload{Failed{
			Attempt: MaxAttempts, Error: "the outcome of the last attempt is not known", KeepUntil: late.Add(Keep),
		}},
	}, {
		Name: "kept", Given: []eventlog.Payload{due, leased, final}, When: decided(Attempt{Now: final.KeepUntil.Add(-time.Microsecond)}.Decide),
	}, {
		Name: "kept long enough", Given: []eventlog.Payload{due, leased, final},
		When: decided(Attempt{Now: final.KeepUntil}.Decide), Then: []eventlog.Payload{Dismissed{}},
	}, {
		Name: "dismissed", Given: []eventlog.Payload{due, leased, again},
		When: decided(Dismiss{Kind: due.Kind}.Decide), Then: []eventlog.Payload{Dismissed{}},
	}, {
		Name: "dismissed under way", Given: []eventlog.Payload{due, leased, again, Attempted{Attempt: 2, LeaseUntil: late}},
		When: decided(Dismiss{Kind: due.Kind}.Decide), Then: []eventlog.Payload{Dismissed{}},
	}, {
		Name: "dismissed as another kind", Given: []eventlog.Payload{due, leased, again}, When: decided(Dismiss{Kind: "webhook"}.Decide),
	}, {
		Name: "dismissed before it failed", Given: []eventlog.Payload{due, leased}, When: decided(Dismiss{Kind: due.Kind}.Decide),
	}, {
		Name: "dismissed twice", Given: []eventlog.Payload{due, leased, again, Dismissed{}}, When: decided(Dismiss{Kind: due.Kind}.Decide),
	}, {
		Name: "tried when dismissed", Given: []eventlog.Payload{due, leased, again, Dismissed{}}, When: decided(Attempt{Now: late}.Decide),
	}})
}

// The attempts take about a day, and never less than 4/5 or more than 6/5 of their time.
func TestBackoff(t *testing.T) {
	var least, most time.Duration
	for attempt := 1; attempt < MaxAttempts; attempt++ {
		low, high := backoff(attempt, 0), backoff(attempt, 1<<16-1)
		whole := 45 * time.Second * time.Duration(int(1)<<(attempt-1))
		if low != whole*4/5 || high <= whole*119/100 || high >= whole*6/5 || backoff(attempt, 1<<15) != whole {
			t.Errorf("after attempt %d: %v to %v around %v", attempt, low, high, whole)
		}
		least, most = least+low, most+high
	}
	if least < 20*time.Hour || most > 31*time.Hour {
		t.Errorf("all attempts take %v to %v", least, most)
	}
}

func TestCheck(t *testing.T) {
	for name, change := range map[string]func(id *ident.DeliveryID, d *Due){
		"no id":           func(id *ident.DeliveryID, _ *Due) { *id = "" },
		"zero":            func(id *ident.DeliveryID, _ *Due) { *id = "0" },
		"sign":            func(id *ident.DeliveryID, _ *Due) { *id = "+7" },
		"leading zero":    func(id *ident.DeliveryID, _ *Due) { *id = "07" },
		"a name":          func(id *ident.DeliveryID, _ *Due) { *id = "seven" },
		"too great":       func(id *ident.DeliveryID, _ *Due) { *id = "18446744073709551616" },
		"no kind":         func(_ *ident.DeliveryID, d *Due) { d.Kind = "" },
		"bad kind":        func(_ *ident.DeliveryID, d *Due) { d.Kind = "Quota" },
		"long kind":       func(_ *ident.DeliveryID, d *Due) { d.Kind = strings.Repeat("k", maxKind+1) },
		"long URL":        func(_ *ident.DeliveryID, d *Due) { d.URL = strings.Repeat("u", egress.MaxURL+1) },
		"NUL":             func(_ *ident.DeliveryID, d *Due) { d.URL += "\x00" },
		"no UTF-8":        func(_ *ident.DeliveryID, d *Due) { d.URL += "\xff" },
		"no content type": func(_ *ident.DeliveryID, d *Due) { d.ContentType = "" },
		"header":          func(_ *ident.DeliveryID, d *Due) { d.ContentType += "\r\nX: y" },
		"invisible":       func(_ *ident.DeliveryID, d *Due) { d.ContentType = `text/plain; a="` + "\x01" + `"` },
		"long body":       func(_ *ident.DeliveryID, d *Due) { d.Body = make([]byte, MaxBody+1) },
	} {
		id, d := ident.DeliveryID("7"), due
		change(&id, &d)
		if err := d.check(id); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, id := range []ident.DeliveryID{"1", "18446744073709551615"} {
		d := Due{Kind: strings.Repeat("k", maxKind), URL: "no URL at all", ContentType: "text/plain; charset=utf-8", Body: make([]byte, MaxBody)}
		if err := d.check(id); err != nil {
			t.Error(err)
		}
	}
}
