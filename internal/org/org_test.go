package org

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide() }

// begun are the events of an organization with the domain a.
var begun = []eventlog.Payload{
	Added{Name: "ACME"}, DomainAdded{Domain: "a"}, DomainVerified{Domain: "a"}, DomainPrimarySet{Domain: "a"},
}

// then is begun and what happened later.
func then(events ...eventlog.Payload) []eventlog.Payload {
	return append(append([]eventlog.Payload(nil), begun...), events...)
}

func refusal(kind fault.Kind, id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: kind, ID: id, Fields: fields}
}

func TestAdd(t *testing.T) {
	const domain = "acme.localhost"
	events := []eventlog.Payload{
		Added{Name: "ACME"}, DomainAdded{Domain: domain}, DomainVerified{Domain: domain}, DomainPrimarySet{Domain: domain},
	}
	blank := refusal(fault.InvalidArgument, "ORG-mruNY", "first_org_name")
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "active, with one domain that is verified and primary",
			When: Add{Name: "ACME", Domain: domain}.when,
			Then: events,
			State: &State{
				Name: "ACME", Active: true,
				Domains: []Domain{{Name: domain, Verified: true, Primary: true, CreatedAt: logtest.At(2)}},
			},
		},
		{Name: "the name loses surrounding space", When: Add{Name: "\u00a0ACME\n", Domain: domain}.when, Then: events},
		{Name: "no name", When: Add{Domain: domain}.when, Fault: blank},
		{Name: "blank name", When: Add{Name: "\t\u3000 ", Domain: domain}.when, Fault: blank},
	})
}

func TestState(t *testing.T) {
	domains := []Domain{{Name: "a", Verified: true, Primary: true, CreatedAt: logtest.At(2)}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "deactivated", Given: begun, When: Deactivate{}.Decide, Then: []eventlog.Payload{Deactivated{}},
			State: &State{Name: "ACME", Domains: domains},
		},
		{
			Name: "reactivated", Given: then(Deactivated{}), When: Reactivate{}.Decide, Then: []eventlog.Payload{Reactivated{}},
			State: &State{Name: "ACME", Active: true, Domains: domains},
		},
		{
			Name: "deactivated again", Given: then(Deactivated{}), When: Deactivate{}.Decide,
			Fault: refusal(fault.FailedPrecondition, "EVENT-Dbs2g"),
		},
		{Name: "active already", Given: begun, When: Reactivate{}.Decide, Fault: refusal(fault.FailedPrecondition, "EVENT-bfnrh")},
	})
	if s := logtest.Fold(t, Noun, then(MetadataSet{Key: "k", Value: []byte("v")}, Removed{})...); !s.Removed {
		t.Errorf("removed: %+v", s)
	} else {
		for _, table := range Noun.Tables {
			if rows := table.Rows(s); rows != nil {
				t.Errorf("removed, and yet %s has %v", table.Name, rows)
			}
		}
	}
}

func TestMetadata(t *testing.T) {
	set := func(key, value string) MetadataSet { return MetadataSet{Key: key, Value: []byte(value)} }
	entry := func(key, value string) Metadata { return Metadata{Key: key, Value: []byte(value)} }
	given := then(set("b", "1"), set("d", "2"))
	domains := []Domain{{Name: "a", Verified: true, Primary: true, CreatedAt: logtest.At(2)}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "set anew, again and the same", Given: given,
			When: SetMetadata{Entries: []Metadata{entry("d", "3"), entry("b", "1"), entry("c", "\x00\xff"), entry("a", "x")}}.Decide,
			Then: []eventlog.Payload{set("d", "3"), set("c", "\x00\xff"), set("a", "x")},
			State: &State{Name: "ACME", Active: true, Domains: domains, Metadata: []Metadata{
				{Key: "a", Value: []byte("x"), CreatedAt: logtest.At(9), ChangedAt: logtest.At(9)},
				{Key: "b", Value: []byte("1"), CreatedAt: logtest.At(5), ChangedAt: logtest.At(5)},
				{Key: "c", Value: []byte("\x00\xff"), CreatedAt: logtest.At(8), ChangedAt: logtest.At(8)},
				{Key: "d", Value: []byte("3"), CreatedAt: logtest.At(6), ChangedAt: logtest.At(7)},
			}},
		},
		{
			Name: "the later of two counts", Given: given,
			When: SetMetadata{Entries: []Metadata{entry("b", "9"), entry("b", "1"), entry("e", "1"), entry("e", "2")}}.Decide,
			Then: []eventlog.Payload{set("e", "2")},
		},
		{Name: "set nothing", Given: given, When: SetMetadata{}.Decide, Fault: refusal(fault.FailedPrecondition, "META-9mm2d", "metadata")},
		{
			Name: "set without a value", Given: given, When: SetMetadata{Entries: []Metadata{entry("e", "1"), {Key: "f"}}}.Decide,
			Fault: refusal(fault.InvalidArgument, "META-2ml0f", "metadata"),
		},
		{
			Name: "set without a key", Given: given, When: SetMetadata{Entries: []Metadata{entry("", "1")}}.Decide,
			Fault: refusal(fault.InvalidArgument, "META-2ml0f", "metadata"),
		},
		{
			Name: "remove", Given: given, When: RemoveMetadata{Keys: []string{"d", "d"}}.Decide,
			Then: []eventlog.Payload{MetadataRemoved{Key: "d"}},
			State: &State{Name: "ACME", Active: true, Domains: domains, Metadata: []Metadata{
				{Key: "b", Value: []byte("1"), CreatedAt: logtest.At(5), ChangedAt: logtest.At(5)},
			}},
		},
		{Name: "remove nothing", Given: given, When: RemoveMetadata{}.Decide, Fault: refusal(fault.FailedPrecondition, "META-9mw2d", "keys")},
		{
			Name: "remove what does not stand there", Given: given, When: RemoveMetadata{Keys: []string{"b", "c"}}.Decide,
			Fault: refusal(fault.NotFound, "META-2npds", "keys"),
		},
	})
}
