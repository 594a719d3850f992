package policy

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// strict are settings of all fields.
func strict(minLength uint64) ComplexitySettings {
	return ComplexitySettings{new(minLength), new(true), new(true), new(true), new(true)}
}

func builtInSet(t *testing.T) defaults.Set {
	set, ok := defaults.Of(1)
	if !ok {
		t.Fatal("there are no defaults 1")
	}
	return set
}

func TestChange(t *testing.T) {
	set := builtInSet(t)
	when := func(s Settings) func(State) ([]eventlog.Payload, error) { return Change{s, set}.Decide }
	org := ident.OrgID(logtest.Owner)
	longer := []eventlog.Payload{InstanceComplexityChanged{ComplexitySettings{MinLength: new(uint64(12))}}}
	hour, day := time.Hour, 24*time.Hour
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "what differs from the built-in default alone", When: when(strict(12)), Then: longer,
			State: &State{Org: org, Settings: ComplexitySettings{MinLength: new(uint64(12))}},
		},
		{
			Name: "what differs from what was set", Given: longer,
			When:  when(ComplexitySettings{MinLength: new(uint64(12)), Symbol: new(false)}),
			Then:  []eventlog.Payload{InstanceComplexityChanged{ComplexitySettings{Symbol: new(false)}}},
			State: &State{Org: org, Settings: ComplexitySettings{MinLength: new(uint64(12)), Symbol: new(false)}},
		},
		{
			Name: "back to what the default is", Given: longer, When: when(strict(8)),
			Then:  []eventlog.Payload{InstanceComplexityChanged{ComplexitySettings{MinLength: new(uint64(8))}}},
			State: &State{Org: org, Settings: ComplexitySettings{MinLength: new(uint64(8))}},
		},
		{
			Name: "the same as the default", When: when(strict(8)),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INSTANCE-9jlsf"},
		},
		{
			Name: "the same as before", Given: longer, When: when(strict(12)),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INSTANCE-9jlsf"},
		},
		{
			Name: "nothing", When: when(ComplexitySettings{}),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INSTANCE-9jlsf"},
		},
		{Name: "72 bytes", When: when(strict(72)), Then: []eventlog.Payload{InstanceComplexityChanged{ComplexitySettings{MinLength: new(uint64(72))}}}},
		{Name: "73 bytes", When: when(strict(73)), Fault: refused("MODEL-Lsp0e", "min_length")},
		{Name: "no byte", When: when(strict(0)), Fault: refused("MODEL-Lsp0e", "min_length")},
		{
			Name: "age", When: when(AgeSettings{MaxDays: new(uint64(90)), WarnDays: new(uint64(0))}),
			Then: []eventlog.Payload{InstanceAgeChanged{AgeSettings{MaxDays: new(uint64(90))}}},
		},
		{
			Name: "the same age", When: when(AgeSettings{MaxDays: new(uint64(0))}),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INSTANCE-180sf"},
		},
		{
			Name: "lockout", When: when(LockoutSettings{MaxPasswordAttempts: new(uint64(5)), MaxOTPAttempts: new(uint64(0)), ShowFailures: new(false)}),
			Then: []eventlog.Payload{InstanceLockoutChanged{LockoutSettings{MaxPasswordAttempts: new(uint64(5)), ShowFailures: new(false)}}},
		},
		{
			Name: "the same lockout", When: when(LockoutSettings{}),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INSTANCE-0psjF"},
		},
		{
			Name: "domains", When: when(DomainSettings{UserLoginMustBeDomain: new(false), ValidateOrgDomains: new(true)}),
			Then: []eventlog.Payload{InstanceDomainChanged{DomainSettings{ValidateOrgDomains: new(true)}}},
		},
		{
			Name: "domains in login names", When: when(DomainSettings{UserLoginMustBeDomain: new(true)}),
			Fault: &logtest.Refusal{Kind: fault.Unimplemented, ID: "POLICY-login1", Fields: []string{"user_login_must_be_domain"}},
		},
		{
			Name: "the same domains", When: when(DomainSettings{UserLoginMustBeDomain: new(false)}),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "INSTANCE-pl9fN"},
		},
		{
			Name: "lifetimes", When: when(OIDCSettings{&hour, &set.OIDC.IDTokenLifetime, &day, nil}),
			Then: []eventlog.Payload{InstanceOIDCChanged{OIDCSettings{AccessTokenLifetime: &hour, RefreshTokenIdleExpiration: &day}}},
		},
		{
			Name: "the same lifetimes", When: when(builtInOIDC(set)),
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "COMMAND-0pk2nu"},
		},
		{
			Name: "no lifetimes", When: when(OIDCSettings{new(time.Duration(0)), new(time.Second), new(time.Second - 1), new(-time.Hour)}),
			Fault: refused("INST-10sxks", "access_token_lifetime", "refresh_token_idle_expiration", "refresh_token_expiration"),
		},
	})
}

func refused(id string, fields ...string) *logtest.Refusal {
	return &logtest.Refusal{Kind: fault.InvalidArgument, ID: id, Fields: fields}
}

func TestOfOrganizations(t *testing.T) {
	org := ident.OrgID(logtest.Owner)
	added := []eventlog.Payload{OrgComplexityAdded{strict(10)}}
	remove := RemoveOrg{PasswordComplexity}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name: "a new one has everything, also what is as it was inherited", When: AddOrg{strict(10)}.Decide, Then: added,
			State: &State{Org: org, Settings: strict(10)},
		},
		{
			Name: "a second", Given: added, When: AddOrg{strict(11)}.Decide,
			Fault: &logtest.Refusal{Kind: fault.AlreadyExists, ID: "Org-LdhbS"},
		},
		{Name: "of no byte", When: AddOrg{strict(0)}.Decide, Fault: refused("MODEL-Lsp0e", "min_length")},
		{
			Name: "a change", Given: added, When: ChangeOrg{strict(11)}.Decide,
			Then:  []eventlog.Payload{OrgComplexityChanged{ComplexitySettings{MinLength: new(uint64(11))}}},
			State: &State{Org: org, Settings: strict(11)},
		},
		{
			Name: "no change", Given: added, When: ChangeOrg{strict(10)}.Decide,
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "Org-DAs21"},
		},
		{Name: "a change to no byte", Given: added, When: ChangeOrg{strict(0)}.Decide, Fault: refused("MODEL-Lsp0e", "min_length")},
		{
			Name: "a change of none", When: ChangeOrg{strict(11)}.Decide,
			Fault: &logtest.Refusal{Kind: fault.NotFound, ID: "ORG-Dgs3g"},
		},
		{
			Name: "a removal", Given: added, When: remove.Decide, Then: []eventlog.Payload{OrgComplexityRemoved{}},
			State: &State{Org: org, Settings: strict(10), Removed: true},
		},
		{Name: "a removal of none", When: remove.Decide, Fault: &logtest.Refusal{Kind: fault.NotFound, ID: "ORG-ADgs2"}},
	})
}

// Each kind is complete: its settings survive being stored, its built-in ones say everything, and its
// events are called like it.
func TestKinds(t *testing.T) {
	set := builtInSet(t)
	declared := make(map[string]bool)
	for _, p := range Noun.Payloads {
		declared[p.EventType()] = true
	}
	for kind, k := range kinds {
		full := k.builtIn(set)
		if full.kind() != kind || k.none.kind() != kind {
			t.Errorf("%s: settings of %s and %s", kind, full.kind(), k.none.kind())
		}
		for i := range reflect.ValueOf(full).NumField() {
			if reflect.ValueOf(full).Field(i).IsNil() {
				t.Errorf("%s: the default says nothing of %s", kind, reflect.TypeOf(full).Field(i).Name)
			}
		}
		for _, s := range []Settings{full, k.none} {
			back, err := decode(kind, encode(s))
			if err != nil || !cmp.Equal(back, s) {
				t.Errorf("%s: %v became %v, %v", kind, s, back, err)
			}
		}
		events := []eventlog.Payload{k.changed(full)}
		if k.org != nil {
			events = append(events, k.org.added(full), k.org.changed(full), k.org.removed)
		}
		for _, p := range events {
			if !declared[p.EventType()] || !strings.Contains(p.EventType(), "."+string(kind)+".") {
				t.Errorf("%s: event %s", kind, p.EventType())
			}
			delete(declared, p.EventType())
		}
	}
	if len(declared) > 0 {
		t.Errorf("events of no kind: %v", declared)
	}
	if _, err := decode("policy.of.truth", "{}"); err == nil {
		t.Error("an unknown kind is decoded")
	}
	if _, err := decode(OIDC, `{"accessTokenLifetime":"long"}`); err == nil {
		t.Error("a text is decoded as a lifetime")
	}
}
