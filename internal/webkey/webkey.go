package webkey

import (
	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// The states of a key, as they are stored.
const (
	Initial  = "initial"  // published, and has signed nothing yet
	Active   = "active"   // the one that signs
	Inactive = "inactive" // published, and signs no more
	removed  = "removed"  // has no row
)

// MaxKeys is how many keys an instance may have: all of them are in every answer that publishes them, and
// are read into memory together.
const MaxKeys = 100

// NotFound is the answer to the id of a key that the instance does not have.
var NotFound = fault.New(fault.NotFound, "COMMAND-teiG3", "Errors.WebKey.NotFound").
	WithViolation("id", "must be the id of a web key of the instance")

// State is a key as its events have left it. Owner of its head is the instance.
type State struct {
	eventlog.Head

	Config Config
	State  string
	// PublicKey is a JWK (RFC 7517 section 4), in JSON.
	PublicKey string
	// PrivateKey is sealed, see [State.OpenPrivate].
	PrivateKey []byte
}

// Noun declares web keys to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     "web_key",
	Payloads: []eventlog.Payload{Added{}, Activated{}, Deactivated{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a key.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		s.Config, s.PublicKey, s.PrivateKey, s.State = p.Config, string(p.PublicKey), p.PrivateKey, Initial
	case Activated:
		s.State = Active
	case Deactivated:
		s.State = Inactive
	case Removed:
		s.State = removed
	}
	return s
}

// exists reports whether there is such a key.
func (s State) exists() bool { return s.Exists() && s.State != removed }

// activate returns web_key.activated, or nothing when the key is active already. It returns [NotFound]
// when there is no such key.
func activate(s State) ([]eventlog.Payload, error) {
	switch {
	case !s.exists():
		return nil, NotFound
	case s.State == Active:
		return nil, nil
	}
	return []eventlog.Payload{Activated{}}, nil
}

// deactivate returns web_key.deactivated for the active key, and nothing for another.
func deactivate(s State) []eventlog.Payload {
	if s.State != Active {
		return nil
	}
	return []eventlog.Payload{Deactivated{}}
}

// remove returns web_key.removed, or nothing when there is no such key: a deletion that is repeated has
// nothing to do. It returns COMMAND-Chai1 for the active key.
func remove(s State) ([]eventlog.Payload, error) {
	switch {
	case !s.exists():
		return nil, nil
	case s.State == Active:
		return nil, fault.New(fault.FailedPrecondition, "COMMAND-Chai1", "Errors.WebKey.ActiveDelete").
			WithViolation("id", "must not be the active key: activate another one first")
	}
	return []eventlog.Payload{Removed{}}, nil
}
