package webkey

import (
	"encoding/json"
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
	"castellan/internal/fault"
)

func TestDecisions(t *testing.T) {
	added := Added{
		PrivateKey: []byte("sealed"), PublicKey: json.RawMessage(`{"kid":"1"}`), Config: First, ConfigType: 1,
	}
	nothing := func(s State) ([]eventlog.Payload, error) { return deactivate(s), nil }
	notFound := &logtest.Refusal{Kind: fault.NotFound, ID: "COMMAND-teiG3", Fields: []string{"id"}}
	state := func(name string) *State {
		return &State{Config: First, State: name, PublicKey: `{"kid":"1"}`, PrivateKey: []byte("sealed")}
	}
	type given = []eventlog.Payload
	logtest.Run(t, Noun, []logtest.Case[State]{
		{Name: "activate", Given: given{added}, When: activate, Then: given{Activated{}}, State: state(Active)},
		{Name: "activate the active", Given: given{added, Activated{}}, When: activate, State: state(Active)},
		{Name: "activate again", Given: given{added, Activated{}, Deactivated{}}, When: activate, Then: given{Activated{}}, State: state(Active)},
		{Name: "activate nothing", When: activate, Fault: notFound},
		{Name: "activate the removed", Given: given{added, Removed{}}, When: activate, Fault: notFound},
		{Name: "deactivate", Given: given{added, Activated{}}, When: nothing, Then: given{Deactivated{}}, State: state(Inactive)},
		{Name: "deactivate the initial", Given: given{added}, When: nothing, State: state(Initial)},
		{Name: "remove the initial", Given: given{added}, When: remove, Then: given{Removed{}}, State: state(removed)},
		{Name: "remove the inactive", Given: given{added, Activated{}, Deactivated{}}, When: remove, Then: given{Removed{}}, State: state(removed)},
		{
			Name: "remove the active", Given: given{added, Activated{}}, When: remove,
			Fault: &logtest.Refusal{Kind: fault.FailedPrecondition, ID: "COMMAND-Chai1", Fields: []string{"id"}},
		},
		{Name: "remove the removed", Given: given{added, Removed{}}, When: remove, State: state(removed)},
		{Name: "remove nothing", When: remove, State: &State{}},
	})
}

func TestWhichKeysThereAre(t *testing.T) {
	for _, c := range []Config{
		{RS256, 2048}, {RS384, 3072}, {RS512, 4096}, {ES256, 0}, {ES384, 0}, {ES512, 0}, {EdDSA, 0},
	} {
		if err := c.check(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, c := range []Config{{}, {RS256, 0}, {RS256, 1024}, {ES256, 2048}, {EdDSA, 1}, {"none", 0}, {"HS256", 0}, {"PS256", 2048}} {
		logtest.CheckRefusal(t, c.check(), logtest.Refusal{Kind: fault.InvalidArgument, ID: "CRYPTO-Ii2ai", Fields: []string{"key"}})
	}
	for _, a := range Algorithms {
		if a.kind() == 0 {
			t.Errorf("%s is of no kind", a)
		}
	}
}
