package org

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide() }

func TestAdd(t *testing.T) {
	const domain = "acme.localhost"
	events := []eventlog.Payload{
		Added{Name: "ACME"}, DomainAdded{Domain: domain}, DomainVerified{Domain: domain}, DomainPrimarySet{Domain: domain},
	}
	blank := &logtest.Refusal{Kind: fault.InvalidArgument, ID: "ORG-mruNY", Fields: []string{"first_org_name"}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "active, with one domain that is verified and primary",
			When: Add{Name: "ACME", Domain: domain}.when,
			Then: events,
			State: &State{
				Name: "ACME", Active: true,
				Domains: []Domain{{Name: domain, Verified: true, Primary: true}},
			},
		},
		{Name: "the name loses surrounding space", When: Add{Name: "\u00a0ACME\n", Domain: domain}.when, Then: events},
		{Name: "no name", When: Add{Domain: domain}.when, Fault: blank},
		{Name: "blank name", When: Add{Name: "\t\u3000 ", Domain: domain}.when, Fault: blank},
	})
}

func TestDomains(t *testing.T) {
	s := logtest.Fold(t, Noun, Added{Name: "ACME"},
		DomainAdded{Domain: "a"}, DomainVerified{Domain: "a"}, DomainPrimarySet{Domain: "a"},
		DomainAdded{Domain: "b"}, DomainAdded{Domain: "c"}, DomainVerified{Domain: "c"}, DomainPrimarySet{Domain: "c"})
	want := []Domain{{Name: "a", Verified: true}, {Name: "b"}, {Name: "c", Verified: true, Primary: true}}
	if len(s.Domains) != 3 || s.Domains[0] != want[0] || s.Domains[1] != want[1] || s.Domains[2] != want[2] {
		t.Errorf("domains = %+v, want %+v", s.Domains, want)
	}
}

func TestDefaultDomain(t *testing.T) {
	cases := map[string]string{
		"ACME":                   "acme",
		"  ACME  Inc. ":          "acme--inc",
		"Bücher & Söhne":         "bücher--söhne",
		"Кириллица":              "кириллица",
		"日本語":                    "日本語",
		"العربية":                "العربية",
		"e\u0301cole":            "e\u0301cole", // a mark stays
		"O'Brien_42":             "obrien42",
		"-a-":                    "a",
		"&_'":                    "organization",
		"🎉":                      "organization",
		"---":                    "organization",
		"":                       "organization",
		"   ":                    "organization",
		"\xff":                   "organization",
		"a\x00b":                 "ab",
		strings.Repeat("a", 200): strings.Repeat("a", 63),
		strings.Repeat("ü", 200): strings.Repeat("ü", 31), // 62 bytes: a character is not split
		strings.Repeat("語", 200): strings.Repeat("語", 21), // 63 bytes
	}
	for name, label := range cases {
		if got, want := DefaultDomain(name, "id.example"), label+".id.example"; got != want {
			t.Errorf("%.40q became %q, want %q", name, got, want)
		}
	}
}

// Whatever the name, the result is text within the limits, and never an empty label.
func TestDefaultDomainLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringN(50, 400, -1)).Draw(t, "name")
		external := strings.Repeat("x", rapid.IntRange(1, 251).Draw(t, "bytes"))
		domain := DefaultDomain(name, external)
		label, rest, _ := strings.Cut(domain, ".")
		if rest != external || label == "" || len(label) > 63 || len(domain) > 253 || !utf8.ValidString(domain) {
			t.Fatalf("DefaultDomain(%q, %d bytes) = %q of %d bytes", name, len(external), domain, len(domain))
		}
	})
}

// An external domain that leaves no room is a mistake of the configuration, not a panic.
func TestDefaultDomainNoRoom(t *testing.T) {
	if got := DefaultDomain("ACME", strings.Repeat("x", 300)); !strings.HasPrefix(got, ".x") {
		t.Errorf("DefaultDomain = %.20q", got)
	}
}
