package instance

import (
	"strings"
	"testing"
	"time"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

// add decides a without regard to what was.
func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide() }

func refused(id, field string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: []string{field}}
}

func TestAdd(t *testing.T) {
	const generated = "acme-abc123.localhost"
	added := Added{Name: "ACME", Defaults: defaults.Current}
	generatedAdded := DomainAdded{Domain: generated, Generated: true}
	primary := DomainPrimarySet{Domain: generated}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "name only",
			When: Add{Name: "ACME", Generated: generated}.when,
			Then: []eventlog.Payload{added, generatedAdded, primary},
			State: &State{Name: "ACME", Defaults: 1, Domains: []Domain{{
				Name: generated, Generated: true, Primary: true, Sequence: 3,
				CreatedAt: logtest.At(2), ChangedAt: logtest.At(3),
			}}},
		},
		{
			Name: "the name loses surrounding space",
			When: Add{Name: " \tACME\u00a0", Generated: generated}.when,
			Then: []eventlog.Payload{added, generatedAdded, primary},
		},
		{
			Name: "custom domain becomes the one primary domain",
			When: Add{Name: "ACME", Generated: generated, Custom: "Login.BÜCHER.example"}.when,
			Then: []eventlog.Payload{
				added, generatedAdded, DomainAdded{Domain: "login.xn--bcher-kva.example"},
				DomainPrimarySet{Domain: "login.xn--bcher-kva.example"},
			},
			State: &State{Name: "ACME", Defaults: 1, Domains: []Domain{
				{Name: generated, Generated: true, Sequence: 2, CreatedAt: logtest.At(2), ChangedAt: logtest.At(2)},
				{
					Name: "login.xn--bcher-kva.example", Primary: true, Sequence: 4,
					CreatedAt: logtest.At(3), ChangedAt: logtest.At(4),
				},
			}},
		},
		{
			Name: "the built-in language is not recorded",
			When: Add{Name: "ACME", Generated: generated, Language: "EN"}.when,
			Then: []eventlog.Payload{added, generatedAdded, primary},
		},
		{
			Name: "another language is",
			When: Add{Name: "ACME", Generated: generated, Language: "de_ch"}.when,
			Then: []eventlog.Payload{added, DefaultLanguageSet{Language: "de-CH"}, generatedAdded, primary},
			State: &State{Name: "ACME", Defaults: 1, Language: "de-CH", Domains: []Domain{{
				Name: generated, Generated: true, Primary: true, Sequence: 4,
				CreatedAt: logtest.At(3), ChangedAt: logtest.At(4),
			}}},
		},
	})
}

func TestAddRefusals(t *testing.T) {
	const generated = "acme-abc123.localhost"
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "no name", When: Add{Generated: generated}.when, Fault: refused("INST-092mid", "instance_name")},
		{Name: "blank name", When: Add{Name: " \u2003\t"}.when, Fault: refused("INST-092mid", "instance_name")},
		{
			Name: "bad custom domain", When: Add{Name: "ACME", Generated: generated, Custom: "a_b"}.when,
			Fault: refused("INST-S3v3w", "custom_domain"),
		},
		{
			Name: "blank custom domain", When: Add{Name: "ACME", Generated: generated, Custom: " "}.when,
			Fault: refused("INST-S3v3w", "custom_domain"),
		},
	})
}

func TestAddLanguage(t *testing.T) {
	cases := map[string]string{ // tag to the id of the fault, empty: allowed
		"de": "", "zh-Hant-TW": "", "en-x-pirate": "", "pt-BR": "", "in": "", // the old code of id
		"nb": "LANG-lg4DP", "tlh": "LANG-lg4DP", "mul": "LANG-lg4DP",
		"und": "LANG-lg4DP", "und-CN": "LANG-lg4DP", "root": "LANG-lg4DP", "x-en": "LANG-lg4DP",
		"deutsch": "LANG-jc8Sq", "e": "LANG-jc8Sq", "xx": "LANG-jc8Sq", "en-": "LANG-jc8Sq",
		" en": "LANG-jc8Sq", //nolint:gocritic // the space is what is refused
		"日本":  "LANG-jc8Sq", "de\x00": "LANG-jc8Sq",
	}
	for tag, id := range cases {
		events, err := Add{Name: "ACME", Generated: "a.b", Language: tag}.Decide()
		if id != "" {
			logtest.CheckRefusal(t, err, *refused(id, "default_language"))
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tag, err)
			continue
		}
		if _, ok := events[1].(DefaultLanguageSet); !ok {
			t.Errorf("%q: events = %v, want the language recorded", tag, events)
		}
	}
}

func TestEverySupportedLanguageIsAllowed(t *testing.T) {
	set, _ := defaults.Of(defaults.Current)
	for _, tag := range set.Languages {
		if _, err := (Add{Name: "ACME", Generated: "a.b", Language: tag}).Decide(); err != nil {
			t.Errorf("%q: %v", tag, err)
		}
	}
}

func TestSetUpEvents(t *testing.T) {
	begun := []eventlog.Payload{
		Added{Name: "ACME", Defaults: 1}, DomainAdded{Domain: "a.b", Generated: true}, DomainPrimarySet{Domain: "a.b"},
		DefaultOrgSet{Org: "11"}, ProjectSet{Project: "12"}, ConsoleSet{ClientID: "13", App: "14"},
	}
	s := logtest.Fold(t, Noun, begun...)
	if s.DefaultOrg != "11" || s.Project != "12" || s.Console != "14" || s.ConsoleClientID != "13" {
		t.Errorf("state = %+v", s)
	}
	if s.ID != logtest.ID || s.Instance != logtest.Instance || s.Owner != logtest.Owner ||
		s.Sequence != 6 || !s.CreatedAt.Equal(logtest.At(1)) || !s.ChangedAt.Equal(logtest.At(6)) {
		t.Errorf("head = %+v", s.Head)
	}
}

// Whichever domain is made primary, exactly one is (decision D5), and only the two that
// change are marked as changed.
func TestOnePrimaryDomain(t *testing.T) {
	names := []string{"a.example", "b.example", "c.example"}
	events := []eventlog.Payload{Added{Name: "ACME", Defaults: 1}}
	for _, n := range names {
		events = append(events, DomainAdded{Domain: n})
	}
	for _, choice := range []string{"a.example", "c.example", "c.example", "b.example"} {
		events = append(events, DomainPrimarySet{Domain: choice})
		var primary []string
		s := logtest.Fold(t, Noun, events...)
		for _, d := range s.Domains {
			if d.Primary {
				primary = append(primary, d.Name)
			}
		}
		if strings.Join(primary, " ") != choice {
			t.Fatalf("primary = %v, want %s alone", primary, choice)
		}
	}
	s := logtest.Fold(t, Noun, events...)
	want := map[string]time.Time{"a.example": logtest.At(6), "b.example": logtest.At(8), "c.example": logtest.At(8)}
	for _, d := range s.Domains {
		if !d.ChangedAt.Equal(want[d.Name]) {
			t.Errorf("%s changed at %v, want %v", d.Name, d.ChangedAt, want[d.Name])
		}
	}
}

func TestNotFound(t *testing.T) {
	f := NotFound("77")
	const want = "unable to set instance using id 77: ID=QUERY-1kIjX Message=Instance not found"
	if f.Kind != fault.NotFound || f.Public() != want {
		t.Errorf("NotFound = %v %q", f.Kind, f.Public())
	}
}
