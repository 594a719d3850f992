package project

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
)

func TestAdd(t *testing.T) {
	logtest.Run(t, Noun, []logtest.Case[State]{{
		Name:  "project",
		When:  func(State) ([]eventlog.Payload, error) { return Add{Name: "ACME"}.Decide(), nil },
		Then:  []eventlog.Payload{Added{Name: "ACME"}},
		State: &State{Name: "ACME"},
	}})
}
