package user

import (
	"castellan/internal/eventlog"
	"castellan/internal/fault"
)

// The refusals of what is not possible in the state a user is in.
var (
	errNotActive       = fault.New(fault.FailedPrecondition, "COMMAND-lgws8wtsqf", "Errors.User.ShouldBeActiveOrInitial")
	errNotLocked       = fault.New(fault.FailedPrecondition, "COMMAND-olb9vb0oca", "Errors.User.NotLocked")
	errAlreadyInactive = fault.New(fault.FailedPrecondition, "COMMAND-5gunjw0cd7", "Errors.User.AlreadyInactive")
	errNotInactive     = fault.New(fault.FailedPrecondition, "COMMAND-s5qqcz97hf", "Errors.User.NotInactive")
	errNoMachine       = fault.New(fault.FailedPrecondition, "COMMAND-x8910n", "Errors.User.NotExisting")
	errNoSecret        = fault.New(fault.FailedPrecondition, "COMMAND-coi82n", "Errors.User.Machine.Secret.NotExisting")
)

// Deactivate is the wish that a user be out of use until it is reactivated.
type Deactivate struct{}

// Decide returns COMMAND-5gunjw0cd7 for a user who is inactive already.
func (Deactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status == Inactive {
		return nil, errAlreadyInactive
	}
	return []eventlog.Payload{Deactivated{}}, nil
}

// Reactivate is the wish that an inactive user be active again.
type Reactivate struct{}

// Decide returns COMMAND-s5qqcz97hf for a user who is not inactive.
func (Reactivate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status != Inactive {
		return nil, errNotInactive
	}
	return []eventlog.Payload{Reactivated{}}, nil
}

// Lock is the wish that a user be locked out.
type Lock struct{}

// Decide returns COMMAND-lgws8wtsqf for a user who is not active.
func (Lock) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status != Active {
		return nil, errNotActive
	}
	return []eventlog.Payload{Locked{}}, nil
}

// Unlock is the wish that a locked user be let in again.
type Unlock struct{}

// Decide returns COMMAND-olb9vb0oca for a user who is not locked.
func (Unlock) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status != LockedOut {
		return nil, errNotLocked
	}
	return []eventlog.Payload{Unlocked{}}, nil
}

// Remove is the wish that a user be no more, whatever its state. Its user name is free afterwards, its
// id is not. What belongs to the user goes in the same write, by whoever knows of it.
type Remove struct{}

// Decide returns the event that ends a user.
func (Remove) Decide(State) ([]eventlog.Payload, error) { return []eventlog.Payload{Removed{}}, nil }

// SetSecret is the wish for a secret of a machine, in the place of the one before it.
type SetSecret struct {
	Hash []byte // see vault.HashSecret
}

// Decide returns COMMAND-x8910n for a user who is no machine.
func (w SetSecret) Decide(s State) ([]eventlog.Payload, error) {
	if s.Kind != Machine {
		return nil, errNoMachine
	}
	return []eventlog.Payload{SecretSet{Hash: w.Hash}}, nil
}

// RemoveSecret is the wish that a machine have no secret.
type RemoveSecret struct{}

// Decide returns COMMAND-x8910n for a user who is no machine, and COMMAND-coi82n for a machine that has
// no secret.
func (RemoveSecret) Decide(s State) ([]eventlog.Payload, error) {
	switch {
	case s.Kind != Machine:
		return nil, errNoMachine
	case s.SecretHash == nil:
		return nil, errNoSecret
	}
	return []eventlog.Payload{SecretRemoved{}}, nil
}

// SkipMFA is the wish of a human to set up a second factor later.
type SkipMFA struct{}

// Decide returns [NotFound] for a machine.
func (SkipMFA) Decide(s State) ([]eventlog.Payload, error) {
	if s.Kind != Human {
		return nil, NotFound
	}
	return []eventlog.Payload{MFAInitSkipped{}}, nil
}

// errIdle is the refusal to let somebody act for a user who may not act.
var errIdle = fault.New(fault.FailedPrecondition, "COMMAND-imp1e", "Errors.User.NotActive")

// Impersonate is the wish to act for a user. Whether the actor may is not decided here.
type Impersonate struct {
	// Client is the client_id of the application that asks.
	Client string
	Actor  Actor
}

// Decide returns COMMAND-imp1e for a user who is not active.
func (w Impersonate) Decide(s State) ([]eventlog.Payload, error) {
	if s.Status != Active {
		return nil, errIdle
	}
	return []eventlog.Payload{Impersonated{Client: w.Client, Actor: w.Actor}}, nil
}
