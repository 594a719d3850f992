package member

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
)

func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide(), nil }

func TestAdd(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name:  "of the instance",
			When:  Add{User: "7", Roles: []string{InstanceOwner}}.when,
			Then:  []eventlog.Payload{InstanceAdded{User: "7", Roles: []string{"IAM_OWNER"}}},
			State: &State{User: "7", Scope: Instance, ScopeID: string(logtest.Instance), Roles: []string{"IAM_OWNER"}},
		},
		{
			Name:  "of an organization",
			When:  Add{Org: "8", User: "7", Roles: []string{OrgOwner, "X"}}.when,
			Then:  []eventlog.Payload{OrgAdded{Org: "8", User: "7", Roles: []string{"ORG_OWNER", "X"}}},
			State: &State{User: "7", Scope: Org, ScopeID: "8", Roles: []string{"ORG_OWNER", "X"}},
		},
	})
}

// Every membership is an aggregate of its own, owned by what it is about.
func TestOrigin(t *testing.T) {
	cases := []struct {
		add  Add
		want eventlog.Origin
	}{
		{Add{User: "7"}, eventlog.Origin{ID: "instance:7", Owner: "1"}},
		{Add{User: "7", Org: "8"}, eventlog.Origin{ID: "org:8:7", Owner: "8"}},
		{Add{User: "7", Org: "9"}, eventlog.Origin{ID: "org:9:7", Owner: "9"}},
	}
	for _, c := range cases {
		if got := c.add.Origin("1"); got != c.want {
			t.Errorf("%+v has the origin %+v, want %+v", c.add, got, c.want)
		}
	}
}
