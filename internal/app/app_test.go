package app

import (
	"testing"

	"castellan/internal/eventlog"
	"castellan/internal/eventlog/logtest"
)

func (a Add) when(State) ([]eventlog.Payload, error) { return a.Decide(), nil }

func TestAdd(t *testing.T) {
	added := Added{App: "7", Project: "8", Name: "ACME"}
	logtest.Run(t, Noun, []logtest.Case[State]{
		{
			Name:  "API, which authenticates with a key",
			When:  Add{App: "7", Project: "8", Name: "ACME", ClientID: "9"}.when,
			Then:  []eventlog.Payload{added, APIConfigAdded{App: "7", ClientID: "9", AuthMethod: PrivateKeyJWT}},
			State: &State{Project: "8", Name: "ACME", Kind: API, ClientID: "9", AuthMethod: PrivateKeyJWT},
		},
		{
			Name:  "console, which has no secret",
			When:  Add{App: "7", Project: "8", Name: "ACME", ClientID: "9", Console: true}.when,
			Then:  []eventlog.Payload{added, OIDCConfigAdded{App: "7", ClientID: "9", AuthMethod: None, Console: true}},
			State: &State{Project: "8", Name: "ACME", Kind: OIDC, ClientID: "9", AuthMethod: None, Console: true},
		},
		{
			Name: "console without TLS",
			When: Add{App: "7", Project: "8", Name: "ACME", ClientID: "9", Console: true, DevMode: true}.when,
			Then: []eventlog.Payload{
				added, OIDCConfigAdded{App: "7", ClientID: "9", AuthMethod: None, Console: true, DevMode: true},
			},
			State: &State{
				Project: "8", Name: "ACME", Kind: OIDC, ClientID: "9", AuthMethod: None, Console: true, DevMode: true,
			},
		},
	})
}
