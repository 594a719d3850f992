package feature

import (
	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// Key names a switch. The numbers are those of the contract.
type Key int

// LoginDefaultOrg is the switch for signing in without naming an organization.
const LoginDefaultOrg Key = 1

// State is the switches of an instance as their events have left them. nil is one nobody has set.
type State struct {
	eventlog.Head

	LoginDefaultOrg *bool
}

// Noun declares features to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "feature",
	Payloads: []eventlog.Payload{LoginDefaultOrgSet{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of features.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	if p, ok := e.Payload.(LoginDefaultOrgSet); ok {
		s.LoginDefaultOrg = &p.Value
	}
	return s
}

// Set is the wish to have a switch on or off.
type Set struct {
	Key   Key
	Value bool
}

// Decide returns the event of the feature, or nothing when the switch has been set so. It returns
// SYST-SGV45 when there is no such feature.
func (w Set) Decide(s State) ([]eventlog.Payload, error) {
	if w.Key != LoginDefaultOrg {
		return nil, fault.Invalid("SYST-SGV45", "Errors.Feature.NotExisting", "feature_id", "must be a feature of instances")
	}
	if s.LoginDefaultOrg != nil && *s.LoginDefaultOrg == w.Value {
		return nil, nil
	}
	return []eventlog.Payload{LoginDefaultOrgSet{Value: w.Value}}, nil
}
