package instance

import (
	"slices"
	"testing"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

const (
	generated = "acme-abc123.localhost"
	custom    = "login.xn--bcher-kva.example"
)

// given are the events of an instance with two domains, the custom one primary.
var given = []eventlog.Payload{
	Added{Name: "ACME", Defaults: defaults.Current},
	DomainAdded{Domain: generated, Generated: true}, DomainAdded{Domain: custom}, DomainPrimarySet{Domain: custom},
}

func refusal(kind fault.Kind, id string) *logtest.Refusal {
	return &logtest.Refusal{Kind: kind, ID: id, Fields: []string{"domain"}}
}

func TestRename(t *testing.T) {
	blank := refused("INST-092mid", "instance_name")
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "another name", Given: given[:1], When: Rename{Name: "  Acme & Söhne\n"}.Decide,
			Then:  []eventlog.Payload{Changed{Name: "Acme & Söhne"}},
			State: &State{Name: "Acme & Söhne", Defaults: defaults.Current},
		},
		{Name: "the same name", Given: given, When: Rename{Name: " ACME "}.Decide},
		{
			Name: "the same name in another case", Given: given, When: Rename{Name: "acme"}.Decide,
			Then: []eventlog.Payload{Changed{Name: "acme"}},
		},
		{Name: "blank", Given: given, When: Rename{Name: " \t\u00a0"}.Decide, Fault: blank},
		{Name: "empty", Given: given, When: Rename{}.Decide, Fault: blank},
	})
}

func TestAddDomain(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "it is normalised and not primary", Given: given, When: AddDomain{Domain: " Id.BÜCHER.example "}.Decide,
			Then: []eventlog.Payload{DomainAdded{Domain: "id.xn--bcher-kva.example"}},
			State: &State{Name: "ACME", Defaults: defaults.Current, Domains: []Domain{
				{Name: generated, Generated: true, Sequence: 2, CreatedAt: logtest.At(2), ChangedAt: logtest.At(2)},
				{Name: custom, Primary: true, Sequence: 4, CreatedAt: logtest.At(3), ChangedAt: logtest.At(4)},
				{Name: "id.xn--bcher-kva.example", Sequence: 5, CreatedAt: logtest.At(5), ChangedAt: logtest.At(5)},
			}},
		},
		{Name: "blank", Given: given, When: AddDomain{Domain: " \n"}.Decide, Fault: refused("INST-28nlD", "domain")},
		{Name: "characters", Given: given, When: AddDomain{Domain: "a_b.example"}.Decide, Fault: refused("INST-S3v3w", "domain")},
		{
			Name: "its own in another form", Given: given, When: AddDomain{Domain: "login.Bücher.example"}.Decide,
			Fault: refusal(fault.AlreadyExists, "INST-i2nl"),
		},
		{
			Name: "its own generated one", Given: given, When: AddDomain{Domain: generated}.Decide,
			Fault: refusal(fault.AlreadyExists, "INST-i2nl"),
		},
		{
			Name: "one that was removed", Given: append(given[:4:4], DomainPrimarySet{Domain: generated}, DomainRemoved{Domain: custom}),
			When: AddDomain{Domain: custom}.Decide, Then: []eventlog.Payload{DomainAdded{Domain: custom}},
		},
	})
}

func TestSetDefaultOrg(t *testing.T) {
	org := slices.Concat(given[:4], []eventlog.Payload{DefaultOrgSet{Org: "7"}})
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "another", Given: org, When: SetDefaultOrg{Org: "8"}.Decide, Then: []eventlog.Payload{DefaultOrgSet{Org: "8"}}},
		{
			Name: "the same", Given: org, When: SetDefaultOrg{Org: "7"}.Decide,
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INST-SDfw2", Fields: []string{"org_id"}},
		},
	})
}

func TestRemoveDomain(t *testing.T) {
	unknown := refusal(fault.NotFound, "INSTANCE-8ls9f")
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "the generated domain takes over from the primary one", Given: given,
			When: RemoveDomain{Domain: "Login.BÜCHER.example"}.Decide,
			Then: []eventlog.Payload{DomainPrimarySet{Domain: generated}, DomainRemoved{Domain: custom}},
			State: &State{Name: "ACME", Defaults: defaults.Current, Domains: []Domain{{
				Name: generated, Generated: true, Primary: true, Sequence: 5, CreatedAt: logtest.At(2), ChangedAt: logtest.At(5),
			}}},
		},
		{
			Name: "one that is not primary", Given: append(given[:4:4], DomainAdded{Domain: "b.example"}),
			When: RemoveDomain{Domain: "b.example"}.Decide, Then: []eventlog.Payload{DomainRemoved{Domain: "b.example"}},
		},
		{Name: "generated", Given: given, When: RemoveDomain{Domain: generated}.Decide, Fault: refusal(fault.FailedPrecondition, "INSTANCE-9hn3n")},
		{Name: "unknown", Given: given, When: RemoveDomain{Domain: "b.example"}.Decide, Fault: unknown},
		{Name: "no domain at all", Given: given, When: RemoveDomain{Domain: "https://b"}.Decide, Fault: unknown},
		{
			Name: "twice", Given: append(given[:4:4], DomainPrimarySet{Domain: generated}, DomainRemoved{Domain: custom}),
			When: RemoveDomain{Domain: custom}.Decide, Fault: unknown,
		},
	})
}

func TestSetPrimaryDomain(t *testing.T) {
	unknown := refusal(fault.NotFound, "INSTANCE-9nkWf")
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "both that change say so", Given: given, When: SetPrimaryDomain{Domain: " " + generated}.Decide,
			Then: []eventlog.Payload{DomainPrimarySet{Domain: generated}},
			State: &State{Name: "ACME", Defaults: defaults.Current, Domains: []Domain{
				{Name: generated, Generated: true, Primary: true, Sequence: 5, CreatedAt: logtest.At(2), ChangedAt: logtest.At(5)},
				{Name: custom, Sequence: 5, CreatedAt: logtest.At(3), ChangedAt: logtest.At(5)},
			}},
		},
		{
			Name: "primary already", Given: given, When: SetPrimaryDomain{Domain: "login.bücher.example"}.Decide,
			Then: []eventlog.Payload{DomainPrimarySet{Domain: custom}},
			State: &State{Name: "ACME", Defaults: defaults.Current, Domains: []Domain{
				{Name: generated, Generated: true, Sequence: 2, CreatedAt: logtest.At(2), ChangedAt: logtest.At(2)},
				{Name: custom, Primary: true, Sequence: 5, CreatedAt: logtest.At(3), ChangedAt: logtest.At(5)},
			}},
		},
		{Name: "unknown", Given: given, When: SetPrimaryDomain{Domain: "b.example"}.Decide, Fault: unknown},
		{Name: "blank", Given: given, When: SetPrimaryDomain{Domain: " "}.Decide, Fault: unknown},
	})
}
