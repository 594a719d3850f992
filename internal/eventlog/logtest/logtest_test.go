package logtest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/org"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
	"castellan/internal/vault"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// recorder is a test that notes how it failed.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// record returns what fn said went wrong.
func record(t *testing.T, fn func(t testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(r)
	}()
	<-done
	return strings.Join(r.said, "\n")
}

// list is a state that folds words, rightly unless told otherwise.
type list struct {
	eventlog.Head
	Words []string
}

type word struct {
	Word   string `json:"word"`
	Hidden string `json:"-"`
}

func (word) EventType() string { return "word" }

type other struct{}

func (other) EventType() string { return "other" }

func words(apply func(list, eventlog.Event) list) *eventlog.Noun[list] {
	return eventlog.NewNoun(eventlog.Noun[list]{Type: "list", Payloads: []eventlog.Payload{word{}}, Apply: apply})
}

func rightly(s list, e eventlog.Event) list {
	s.Head = s.After(e)
	if p, ok := e.Payload.(word); ok {
		s.Words = append([]string{p.Word}, s.Words...)
	}
	return s
}

func TestFold(t *testing.T) {
	s := logtest.Fold(t, words(rightly), word{Word: "a"}, word{Word: "b"})
	if strings.Join(s.Words, " ") != "b a" || s.Sequence != 2 || !s.CreatedAt.Equal(logtest.At(1)) {
		t.Errorf("state = %+v", s)
	}
}

func TestFoldFindsMistakes(t *testing.T) {
	cases := map[string]struct {
		apply    func(list, eventlog.Event) list
		payloads []eventlog.Payload
		want     string
	}{
		"head does not advance": {
			apply:    func(s list, e eventlog.Event) list { s.Words = nil; return s },
			payloads: []eventlog.Payload{word{Word: "a"}}, want: "the head is",
		},
		"payload does not survive": {
			apply: func(s list, e eventlog.Event) list {
				s = rightly(s, e)
				s.Words[0] = e.Payload.(word).Hidden
				return s
			},
			payloads: []eventlog.Payload{word{Hidden: "a"}}, want: "written and read back",
		},
		"payload is not declared": {apply: rightly, payloads: []eventlog.Payload{word{}, other{}}, want: "does not declare other"},
		"state before changes": {
			apply: func(s list, e eventlog.Event) list {
				s.Head = s.After(e)
				for i := range s.Words {
					s.Words[i] = "changed"
				}
				s.Words = append([]string{"new"}, s.Words...)
				return s
			},
			payloads: []eventlog.Payload{word{}, word{}}, want: "changed the state before it",
		},
	}
	for name, c := range cases {
		said := record(t, func(t testing.TB) { logtest.Fold(t, words(c.apply), c.payloads...) })
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: Fold says %q, want %q", name, said, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	n := words(rightly)
	given := []eventlog.Payload{word{Word: "a"}}
	then := func(events []eventlog.Payload, err error) func(list) ([]eventlog.Payload, error) {
		return func(s list) ([]eventlog.Payload, error) {
			if len(s.Words) != 1 {
				t.Errorf("the decision is given %+v", s)
			}
			return events, err
		}
	}
	b := []eventlog.Payload{word{Word: "b"}}
	refusal := fault.New(fault.NotFound, "ID", "message")
	right := []logtest.Case[list]{
		{Given: given, When: then(b, nil), Then: b, State: &list{Words: []string{"b", "a"}}},
		{Given: given, When: then(nil, nil)},
		{Given: given, When: then(nil, refusal), Fault: &logtest.Refusal{Kind: fault.NotFound, ID: "ID"}},
	}
	for _, c := range right {
		logtest.Check(t, n, c)
	}
	wrong := map[string]logtest.Case[list]{
		"other events":        {When: then(b, nil), Then: given},
		"no events":           {When: then(nil, nil), Then: b},
		"unexpected events":   {When: then(b, nil)},
		"unexpected fault":    {When: then(nil, refusal), Then: b},
		"other fault":         {When: then(nil, refusal), Fault: &logtest.Refusal{Kind: fault.NotFound, ID: "DI"}},
		"no fault":            {When: then(b, nil), Fault: &logtest.Refusal{Kind: fault.NotFound, ID: "ID"}},
		"fault and events":    {When: then(b, refusal), Fault: &logtest.Refusal{Kind: fault.NotFound, ID: "ID"}},
		"other state":         {When: then(b, nil), Then: b, State: &list{Words: []string{"a", "b"}}},
		"undeclared decision": {When: then([]eventlog.Payload{other{}}, nil), Then: []eventlog.Payload{other{}}},
	}
	for name, c := range wrong {
		c.Given = given
		if said := record(t, func(t testing.TB) { logtest.Check(t, n, c) }); said == "" {
			t.Errorf("%s: nothing is wrong, says Check", name)
		}
	}
}

func TestCheckRefusal(t *testing.T) {
	f := fault.New(fault.NotFound, "ID", "message").WithViolation("a", "rule").WithViolation("b", "rule")
	want := logtest.Refusal{Kind: fault.NotFound, ID: "ID", Fields: []string{"a", "b"}}
	logtest.CheckRefusal(t, fmt.Errorf("wrapped: %w", f), want)
	for name, err := range map[string]error{
		"no error":        nil,
		"no fault":        context.Canceled,
		"other kind":      fault.New(fault.Aborted, "ID", "message").WithViolation("a", "rule").WithViolation("b", "rule"),
		"other id":        fault.New(fault.NotFound, "DI", "message").WithViolation("a", "rule").WithViolation("b", "rule"),
		"field missing":   fault.New(fault.NotFound, "ID", "message").WithViolation("a", "rule"),
		"rule missing":    fault.New(fault.NotFound, "ID", "message").WithViolation("a", "").WithViolation("b", "rule"),
		"message missing": fault.New(fault.NotFound, "ID", "").WithViolation("a", "rule").WithViolation("b", "rule"),
	} {
		if said := record(t, func(t testing.TB) { logtest.CheckRefusal(t, err, want) }); said == "" {
			t.Errorf("%s: nothing is wrong, says CheckRefusal", name)
		}
	}
}

// orgs is a log with one organization in it.
func orgs(t *testing.T, db store.DB) *eventlog.Log {
	keys := vault.NewKeyring(vault.NewMasterKey([vault.KeySize]byte{1}, nil), nil)
	clock := ident.NewManualClock(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC))
	log := eventlog.New(db, keys, clock, org.Noun)
	err := log.Write(t.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
		if err := w.Create(ctx); err != nil {
			return err
		}
		_, err := eventlog.Begin(ctx, w, org.Noun, eventlog.Origin{ID: "2", Owner: "2"},
			org.Added{Name: "ACME"}, org.DomainAdded{Domain: "a.example"}, org.DomainAdded{Domain: "b.example"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// Every way in which rows can differ from the log is found, and the check leaves no trace.
func TestCheckFold(t *testing.T) {
	changes := map[string]struct{ sql, want string }{
		"value changed":   {`UPDATE orgs SET name = 'forged'`, "table orgs: 1 rows a rebuild does not give, 1 rows missing"},
		"truth changed":   {`UPDATE org_domains SET is_verified = TRUE WHERE domain = 'b.example'`, "table org_domains: 1 rows a rebuild does not give, 1 rows missing"},
		"row removed":     {`DELETE FROM org_domains WHERE domain = 'a.example'`, "table org_domains: 0 rows a rebuild does not give, 1 rows missing"},
		"all rows gone":   {`DELETE FROM org_domains`, "table org_domains: 0 rows a rebuild does not give, 2 rows missing"},
		"row added":       {`INSERT INTO org_domains (instance_id, org_id, domain, is_verified, is_primary) VALUES ('1', '2', 'c.example', FALSE, FALSE)`, "table org_domains: 1 rows a rebuild does not give, 0 rows missing"},
		"foreign row":     {`INSERT INTO org_domains (instance_id, org_id, domain, is_verified, is_primary) VALUES ('9', '2', 'a.example', FALSE, FALSE)`, "table org_domains: 1 rows a rebuild does not give, 0 rows missing"},
		"time changed":    {`UPDATE orgs SET changed_at = changed_at + 1`, "table orgs: 1 rows"},
		"sequence behind": {`UPDATE orgs SET sequence = 2`, "table orgs: 1 rows"},
	}
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		log := orgs(t, db)
		exec := func(sql string) {
			t.Helper()
			err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Exec(ctx, sql) })
			if err != nil {
				t.Fatal(err)
			}
		}
		logtest.CheckFold(t, db, log)
		for name, change := range changes {
			exec(change.sql)
			for range 2 { // the first check has changed nothing
				if said := record(t, func(t testing.TB) { logtest.CheckFold(t, db, log) }); !strings.Contains(said, change.want) {
					t.Errorf("%s: CheckFold says %q, want %q", name, said, change.want)
				}
			}
			err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				_, err := log.Rebuild(ctx, tx)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			logtest.CheckFold(t, db, log)
		}
		// A log that cannot be rebuilt is no success either.
		exec(`UPDATE events SET event_type = 'org.forged' WHERE sequence = 2`)
		if said := record(t, func(t testing.TB) { logtest.CheckFold(t, db, log) }); !strings.Contains(said, "check the fold") {
			t.Errorf("after an event was forged CheckFold says %q", said)
		}
	})
}

func TestTypes(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		log := orgs(t, db)
		const first = "org.added org.domain.added org.domain.added"
		if got := strings.Join(logtest.Types(t, db, log, "1"), " "); got != first {
			t.Errorf("types = %s", got)
		}
		if none := logtest.Types(t, db, log, "2"); len(none) != 0 {
			t.Errorf("an instance without events has %v", none)
		}
		// More than one page of them.
		err := log.Write(t.Context(), "1", "ada", func(ctx context.Context, w *eventlog.Writer) error {
			events := []eventlog.Payload{org.Added{Name: "B"}}
			for range 250 {
				events = append(events, org.DomainPrimarySet{Domain: "x"})
			}
			_, err := eventlog.Begin(ctx, w, org.Noun, eventlog.Origin{ID: "3", Owner: "3"}, events...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := first + " org.added" + strings.Repeat(" org.domain.primary.set", 250)
		if got := strings.Join(logtest.Types(t, db, log, "1"), " "); got != want {
			t.Errorf("%d types", len(strings.Fields(got)))
		}
	})
}
