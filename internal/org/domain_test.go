package org

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func TestDomains(t *testing.T) {
	s := logtest.Fold(t, Noun, Added{Name: "ACME"},
		DomainAdded{Domain: "a"}, DomainVerified{Domain: "a"}, DomainPrimarySet{Domain: "a"},
		DomainAdded{Domain: "b"}, DomainVerificationAdded{Domain: "b", Type: DNS, Token: "t"}, DomainVerificationFailed{Domain: "b"},
		DomainAdded{Domain: "c"}, DomainVerificationAdded{Domain: "c", Type: HTTP, Token: "u"}, DomainVerified{Domain: "c"},
		DomainPrimarySet{Domain: "c"}, DomainAdded{Domain: "d"}, DomainRemoved{Domain: "d"})
	want := []Domain{
		{Name: "a", Verified: true, CreatedAt: logtest.At(2)},
		{Name: "b", Validation: DNS, Token: "t", CreatedAt: logtest.At(5)},
		{Name: "c", Verified: true, Primary: true, Validation: HTTP, CreatedAt: logtest.At(8)},
	}
	if len(s.Domains) != 3 || s.Domains[0] != want[0] || s.Domains[1] != want[1] || s.Domains[2] != want[2] || s.PrimaryDomain() != "c" {
		t.Errorf("domains = %+v, want %+v", s.Domains, want)
	}
}

func TestRename(t *testing.T) {
	moved := Rename{Name: " New\n", From: "a", To: "n"}.Decide
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "the default domain follows", Given: begun, When: moved,
			Then: []eventlog.Payload{
				Changed{Name: "New"}, DomainAdded{Domain: "n"}, DomainVerified{Domain: "n"}, DomainPrimarySet{Domain: "n"}, DomainRemoved{Domain: "a"},
			},
			State: &State{
				Name: "New", Active: true, Domains: []Domain{{Name: "n", Verified: true, Primary: true, CreatedAt: logtest.At(6)}},
			},
		},
		{
			Name: "it is not the primary one", Given: then(DomainAdded{Domain: "b"}, DomainVerified{Domain: "b"}, DomainPrimarySet{Domain: "b"}),
			When: moved,
			Then: []eventlog.Payload{Changed{Name: "New"}, DomainAdded{Domain: "n"}, DomainVerified{Domain: "n"}, DomainRemoved{Domain: "a"}},
		},
		{
			Name: "the new one is there", Given: then(DomainAdded{Domain: "n"}), When: moved,
			Then: []eventlog.Payload{Changed{Name: "New"}, DomainVerified{Domain: "n"}, DomainPrimarySet{Domain: "n"}, DomainRemoved{Domain: "a"}},
		},
		{
			Name: "it is the same", Given: begun, When: Rename{Name: "Acme", From: "a", To: "a"}.Decide,
			Then: []eventlog.Payload{Changed{Name: "Acme"}},
		},
		{
			Name: "there is none", Given: begun, When: Rename{Name: "New"}.Decide, Then: []eventlog.Payload{Changed{Name: "New"}},
		},
		{Name: "blank", Given: begun, When: Rename{Name: " \t"}.Decide, Fault: refusal(fault.InvalidArgument, "EVENT-Mf9sd", "name")},
		{Name: "the same name", Given: begun, When: Rename{Name: " ACME"}.Decide, Fault: refusal(fault.FailedPrecondition, "ORG-4VSdf", "name")},
	})
}

func TestAddDomain(t *testing.T) {
	many := then()
	for i := range MaxDomains - 1 {
		many = append(many, DomainAdded{Domain: fmt.Sprintf("d%d", i)})
	}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "a proof is asked for", Given: begun, When: AddDomain{Domain: " B.example "}.Decide,
			Then: []eventlog.Payload{DomainAdded{Domain: "b.example"}},
		},
		{
			Name: "none is asked for", Given: begun, When: AddDomain{Domain: "xn--bcher-kva.Example", Verified: true}.Decide,
			Then: []eventlog.Payload{DomainAdded{Domain: "bücher.example"}, DomainVerified{Domain: "bücher.example"}},
		},
		{
			Name: "in another form", Given: then(DomainAdded{Domain: "bücher.example"}), When: AddDomain{Domain: "XN--bcher-kva.example"}.Decide,
			Fault: refusal(fault.AlreadyExists, "COMMA-Bd2jj", "domain"),
		},
		{Name: "no domain", Given: begun, When: AddDomain{Domain: "a_b"}.Decide, Fault: refusal(fault.InvalidArgument, "ORG-R24hb", "domain")},
		{Name: "an address", Given: begun, When: AddDomain{Domain: "10.0.0.1"}.Decide, Fault: refusal(fault.InvalidArgument, "ORG-R24hb", "domain")},
		{Name: "blank", Given: begun, When: AddDomain{Domain: " "}.Decide, Fault: refusal(fault.InvalidArgument, "ORG-R24hb", "domain")},
		{Name: "too many", Given: many, When: AddDomain{Domain: "x.example"}.Decide, Fault: refusal(fault.FailedPrecondition, "ORG-many1", "domain")},
	})
}

func TestChangeDomain(t *testing.T) {
	given := then(DomainAdded{Domain: "bücher.example"}, DomainAdded{Domain: "v.example"}, DomainVerified{Domain: "v.example"})
	token := DomainVerificationAdded{Domain: "bücher.example", Type: DNS, Token: "t"}
	waiting := append(append([]eventlog.Payload(nil), given...), token)
	checked := Domain{Name: "bücher.example", Validation: DNS, Token: "t"}
	const book = "XN--BCHER-KVA.example"
	missing := func(id string) *logtest.Refusal { return refusal(fault.NotFound, id, "domain") }
	wrong := func(id string) *logtest.Refusal { return refusal(fault.FailedPrecondition, id, "domain") }
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "remove", Given: given, When: RemoveDomain{Domain: book}.Decide, Then: []eventlog.Payload{DomainRemoved{Domain: "bücher.example"}}},
		{Name: "remove the primary one", Given: given, When: RemoveDomain{Domain: "A"}.Decide, Fault: wrong("ORG-Sjdi3")},
		{Name: "remove one of others", Given: given, When: RemoveDomain{Domain: "x"}.Decide, Fault: missing("ORG-GDfA3")},
		{Name: "remove what is none", Given: given, When: RemoveDomain{Domain: "a b"}.Decide, Fault: missing("ORG-GDfA3")},

		{Name: "primary", Given: given, When: SetPrimaryDomain{Domain: "v.example"}.Decide, Then: []eventlog.Payload{DomainPrimarySet{Domain: "v.example"}}},
		{Name: "primary already", Given: given, When: SetPrimaryDomain{Domain: "a"}.Decide},
		{Name: "primary, not verified", Given: given, When: SetPrimaryDomain{Domain: book}.Decide, Fault: wrong("ORG-Ggd32")},
		{Name: "primary, one of others", Given: given, When: SetPrimaryDomain{Domain: "x"}.Decide, Fault: missing("ORG-GDfA3")},

		{Name: "validate", Given: given, When: Validate{Domain: book, Type: DNS, Token: "t"}.Decide, Then: []eventlog.Payload{token}},
		{
			Name: "validate again", Given: waiting, When: Validate{Domain: book, Type: HTTP, Token: "u"}.Decide,
			Then: []eventlog.Payload{DomainVerificationAdded{Domain: "bücher.example", Type: HTTP, Token: "u"}},
		},
		{
			Name: "validate somehow", Given: given, When: Validate{Domain: book, Type: "mail", Token: "t"}.Decide,
			Fault: refusal(fault.InvalidArgument, "ORG-Gsw31", "type"),
		},
		{Name: "validate what is verified", Given: given, When: Validate{Domain: "v.example", Type: DNS, Token: "t"}.Decide, Fault: wrong("ORG-HGw21")},
		{Name: "validate one of others", Given: given, When: Validate{Domain: "x", Type: DNS, Token: "t"}.Decide, Fault: missing("ORG-AGD31")},

		{Name: "verify", Given: waiting, When: Verify{Checked: checked}.Decide, Then: []eventlog.Payload{DomainVerified{Domain: "bücher.example"}}},
		{
			Name: "verify, not proved", Given: waiting, When: Verify{Checked: checked, Failed: true}.Decide,
			Then: []eventlog.Payload{DomainVerificationFailed{Domain: "bücher.example"}},
		},
		{Name: "verify without a token", Given: given, When: Verify{Checked: checked}.Decide, Fault: wrong("ORG-SFBB3")},
		{
			Name:  "verify with the token of before",
			Given: append(append([]eventlog.Payload(nil), waiting...), DomainVerificationAdded{Domain: "bücher.example", Type: DNS, Token: "new"}),
			When:  Verify{Checked: checked}.Decide, Fault: wrong("ORG-SFBB3"),
		},
		{Name: "verify what is verified", Given: given, When: Verify{Checked: Domain{Name: "v.example"}}.Decide, Fault: wrong("ORG-HGw21")},
		{Name: "verify what is gone", Given: given, When: Verify{Checked: Domain{Name: "x"}}.Decide, Fault: missing("ORG-Sjdi3")},
	})
}

func TestPlace(t *testing.T) {
	for want, d := range map[string]Domain{
		"_zitadel-challenge.xn--bcher-kva.example":                          {Name: "bücher.example", Validation: DNS, Token: "t"},
		"https://xn--bcher-kva.example/.well-known/zitadel-challenge/t.txt": {Name: "bücher.example", Validation: HTTP, Token: "t"},
	} {
		if got := d.Place(); got != want {
			t.Errorf("%+v is proved at %s, want %s", d, got, want)
		}
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

func TestOwnDomain(t *testing.T) {
	for _, c := range []struct{ name, id, want string }{
		{"ACME", "1234", "acme-1234.id.example"},
		{"🎉", "1234", "organization-1234.id.example"},
		{strings.Repeat("a", 99), "123456789012345678", strings.Repeat("a", 44) + "-123456789012345678.id.example"},
		{"ACME", "My own, long and strange id/", "acme-my-own-long-and-stra.id.example"},
		{"ACME", "/", "acme-organization.id.example"},
	} {
		if got := ownDomain(c.name, c.id, "id.example"); got != c.want {
			t.Errorf("%q with the id %q became %q, want %q", c.name, c.id, got, c.want)
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
		base := external[:min(len(external), longestBase)]
		own := ownDomain(name, rapid.String().Draw(t, "id"), base)
		if label, rest, _ := strings.Cut(own, "."); rest != base || label == "" || len(label) > 63 || len(own) > 253 || !utf8.ValidString(own) {
			t.Fatalf("ownDomain(%q) = %q of %d bytes", name, own, len(own))
		}
	})
}

// An external domain that leaves no room is a mistake of the configuration, not a panic.
func TestDefaultDomainNoRoom(t *testing.T) {
	if got := DefaultDomain("ACME", strings.Repeat("x", 300)); !strings.HasPrefix(got, ".x") {
		t.Errorf("DefaultDomain = %.20q", got)
	}
}
