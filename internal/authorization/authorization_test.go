package authorization

import (
	"fmt"
	"strings"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
	"castellan/internal/search"
)

func given() []eventlog.Payload {
	return []eventlog.Payload{Added{User: "7", Project: "8", Grant: "9", Roles: []string{"reader", "writer"}}}
}

func TestDecisions(t *testing.T) {
	offer := Terms{Grant: "9", Roles: []string{"reader", "writer", "a role"}}
	add := func(roles ...string) func(State) ([]eventlog.Payload, error) {
		return func(State) ([]eventlog.Payload, error) {
			return New{User: "7", Project: "8", Org: "3003", Roles: roles}.Decide(offer)
		}
	}
	change := func(roles ...string) func(State) ([]eventlog.Payload, error) {
		return func(s State) ([]eventlog.Payload, error) { return Change{Roles: roles}.Decide(s, offer) }
	}
	state := func(status Status, roles ...string) *State {
		return &State{User: "7", Project: "8", Grant: "9", Roles: roles, Status: status}
	}
	removed := state(Active, "reader", "writer")
	removed.Removed = true
	inactive := append(given(), Deactivated{})
	noRole := func(i int) *logtest.Refusal {
		return &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "COMMAND-mm9F4", Fields: []string{fmt.Sprintf("role_keys[%d]", i)}}
	}
	tooMany := &logtest.Refusal{Kind: fault.InvalidArgument, ID: "SEARCH-max01", Fields: []string{"role_keys"}}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "add", When: add("reader", "writer"), Then: given(), State: state(Active, "reader", "writer")},
		{Name: "add without roles", When: add(), Then: []eventlog.Payload{Added{User: "7", Project: "8", Grant: "9"}}, State: state(Active)},
		{Name: "add a role there is not", When: add("reader", "Reader"), Fault: noRole(1)},
		{Name: "add too many", When: add(make([]string, search.MaxValues+1)...), Fault: tooMany},
		{
			Name: "change", Given: given(), When: change("a role"), Then: []eventlog.Payload{Changed{User: "7", Roles: []string{"a role"}}},
			State: state(Active, "a role"),
		},
		{Name: "change to none", Given: given(), When: change(), Then: []eventlog.Payload{Changed{User: "7"}}, State: state(Active)},
		{Name: "change to the same", Given: given(), When: change("reader", "writer")},
		{Name: "change to a role there is not", Given: given(), When: change(""), Fault: noRole(0)},
		{Name: "change to too many", Given: given(), When: change(make([]string, search.MaxValues+1)...), Fault: tooMany},
		{Name: "deactivate", Given: given(), When: Deactivate{}.Decide, Then: []eventlog.Payload{Deactivated{}}, State: state(Inactive, "reader", "writer")},
		{Name: "deactivate again", Given: inactive, When: Deactivate{}.Decide},
		{Name: "activate", Given: inactive, When: Activate{}.Decide, Then: []eventlog.Payload{Reactivated{}}, State: state(Active, "reader", "writer")},
		{Name: "activate an active one", Given: given(), When: Activate{}.Decide},
		{Name: "remove", Given: given(), When: Remove{}.Decide, Then: []eventlog.Payload{Removed{User: "7", Project: "8", Grant: "9"}}, State: removed},
		{
			Name: "a role is gone", Given: given(), When: func(s State) ([]eventlog.Payload, error) { return s.without([]string{"reader", "x"}), nil },
			Then: []eventlog.Payload{CascadeChanged{Roles: []string{"writer"}}}, State: state(Active, "writer"),
		},
		{
			Name: "all roles are gone", Given: given(), When: func(s State) ([]eventlog.Payload, error) { return s.without(s.Roles), nil },
			Then: []eventlog.Payload{CascadeChanged{}}, State: state(Active),
		},
		{Name: "another role is gone", Given: given(), When: func(s State) ([]eventlog.Payload, error) { return s.without([]string{"x"}), nil }},
	})
	cascade := logtest.Fold(t, Noun, append(given(), CascadeRemoved{})...)
	if !cascade.Removed {
		t.Errorf("removed with what it is about: %+v", cascade)
	}
}

func TestRolesAreTexts(t *testing.T) {
	for _, roles := range [][]string{nil, {"a"}, {"a b", `"`, "", ",", "ü\n"}} {
		got, err := DecodeRoles(EncodeRoles(roles))
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", roles) {
			t.Errorf("%q is read as %q, %v", roles, got, err)
		}
	}
	for _, text := range []string{"", "a b", `"a"`, "[1]", strings.Repeat("[", 100_000)} {
		if got, err := DecodeRoles(text); err == nil {
			t.Errorf("%.20q is read as %q", text, got)
		}
	}
}
