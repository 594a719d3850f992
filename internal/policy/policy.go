package policy

import (
	"reflect"

	"castellan/internal/defaults"
	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
)

// State is a policy as its events have left it. Owner of its head is the organization it is of, or the
// instance.
type State struct {
	eventlog.Head

	Org      ident.OrgID // empty: of the instance
	Settings Settings
	Removed  bool
}

// Noun declares policies to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type: "policy",
	Payloads: []eventlog.Payload{
		InstanceComplexityChanged{}, InstanceAgeChanged{}, InstanceLockoutChanged{}, InstanceDomainChanged{}, InstanceOIDCChanged{},
		OrgComplexityAdded{}, OrgComplexityChanged{}, OrgComplexityRemoved{},
	},
	Apply:  apply,
	Tables: tables,
})

// apply is the fold of a policy.
func apply(s State, e eventlog.Event) State {
	s.Head = s.After(e)
	if s.Owner != string(s.Instance) {
		s.Org = ident.OrgID(s.Owner)
	}
	if p, says := e.Payload.(interface{ settings() Settings }); says {
		s.Settings = over(s.Settings, p.settings())
	} else { // the events that say nothing are those that remove
		s.Removed = true
	}
	return s
}

// rules are what is particular about a kind.
type rules struct {
	none    Settings // of the kind, saying nothing
	builtIn func(defaults.Set) Settings
	changed func(Settings) eventlog.Payload
	same    *fault.Error // a change that changes nothing
	org     *orgRules    // nil: organizations have none of their own
}

type orgRules struct {
	added, changed func(Settings) eventlog.Payload
	removed        eventlog.Payload
	same           *fault.Error
	exists         *fault.Error // it cannot be added
	absent         *fault.Error // it cannot be changed
	gone           *fault.Error // it cannot be removed
}

var kinds = map[Kind]*rules{
	PasswordComplexity: {
		none: ComplexitySettings{}, builtIn: builtInComplexity,
		changed: func(s Settings) eventlog.Payload { return InstanceComplexityChanged{s.(ComplexitySettings)} },
		same:    fault.New(fault.FailedPrecondition, "INSTANCE-9jlsf", "Errors.Instance.PasswordComplexityPolicy.NotChanged"),
		org: &orgRules{
			added:   func(s Settings) eventlog.Payload { return OrgComplexityAdded{s.(ComplexitySettings)} },
			changed: func(s Settings) eventlog.Payload { return OrgComplexityChanged{s.(ComplexitySettings)} },
			removed: OrgComplexityRemoved{},
			same:    fault.New(fault.FailedPrecondition, "Org-DAs21", "Errors.Org.PasswordComplexityPolicy.NotChanged"),
			exists:  fault.New(fault.AlreadyExists, "Org-LdhbS", "Errors.Org.PasswordComplexityPolicy.AlreadyExists"),
			absent:  fault.New(fault.NotFound, "ORG-Dgs3g", "Errors.Org.PasswordComplexityPolicy.NotFound"),
			gone:    fault.New(fault.NotFound, "ORG-ADgs2", "Errors.Org.PasswordComplexityPolicy.NotFound"),
		},
	},
	PasswordAge: {
		none: AgeSettings{}, builtIn: builtInAge,
		changed: func(s Settings) eventlog.Payload { return InstanceAgeChanged{s.(AgeSettings)} },
		same:    fault.New(fault.FailedPrecondition, "INSTANCE-180sf", "Errors.Instance.PasswordAgePolicy.NotChanged"),
	},
	Lockout: {
		none: LockoutSettings{}, builtIn: builtInLockout,
		changed: func(s Settings) eventlog.Payload { return InstanceLockoutChanged{s.(LockoutSettings)} },
		same:    fault.New(fault.FailedPrecondition, "INSTANCE-0psjF", "Errors.Instance.LockoutPolicy.NotChanged"),
	},
	Domain: {
		none: DomainSettings{}, builtIn: builtInDomain,
		changed: func(s Settings) eventlog.Payload { return InstanceDomainChanged{s.(DomainSettings)} },
		same:    fault.New(fault.FailedPrecondition, "INSTANCE-pl9fN", "Errors.Instance.DomainPolicy.NotChanged"),
	},
	OIDC: {
		none: OIDCSettings{}, builtIn: builtInOIDC,
		changed: func(s Settings) eventlog.Payload { return InstanceOIDCChanged{s.(OIDCSettings)} },
		same:    fault.New(fault.FailedPrecondition, "COMMAND-0pk2nu", "Errors.NoChangesFound"),
	},
}

// Change is the wish that an instance has some settings. Those that are nil stay as they are.
type Change struct {
	Settings Settings
	// BuiltIn are the defaults the instance refers to.
	BuiltIn defaults.Set
}

// Decide returns the event with what differs from what holds. It returns the fault of a value that is
// not allowed, and one of kind FailedPrecondition when nothing differs.
func (c Change) Decide(s State) ([]eventlog.Payload, error) {
	k := kinds[c.Settings.kind()]
	changed, err := change(c.Settings, over(k.builtIn(c.BuiltIn), s.Settings), k.same)
	if err != nil {
		return nil, err
	}
	return []eventlog.Payload{k.changed(changed)}, nil
}

// change returns in what a wish differs from what holds.
func change(wish, holds Settings, same *fault.Error) (Settings, error) {
	if err := wish.check(); err != nil {
		return nil, err
	}
	changed := differing(wish, holds)
	if reflect.ValueOf(changed).IsZero() {
		return nil, same
	}
	return changed, nil
}

// AddOrg is the wish that an organization has a policy of its own, of a kind that it may have. All
// settings must say something.
type AddOrg struct{ Settings Settings }

// Decide returns the event that begins it. It returns the fault of a value that is not allowed, and one of
// kind AlreadyExists when the organization has such a policy.
func (a AddOrg) Decide(s State) ([]eventlog.Payload, error) {
	org := kinds[a.Settings.kind()].org
	if s.Exists() {
		return nil, org.exists
	}
	if err := a.Settings.check(); err != nil {
		return nil, err
	}
	return []eventlog.Payload{org.added(a.Settings)}, nil
}

// ChangeOrg is the wish that the policy of an organization has some settings. Those that are nil stay as
// they are.
type ChangeOrg struct{ Settings Settings }

// Decide returns the event with what differs. It returns the fault of a value that is not allowed, one of
// kind NotFound when the organization has no such policy, and one of kind FailedPrecondition when
// nothing differs.
func (c ChangeOrg) Decide(s State) ([]eventlog.Payload, error) {
	org := kinds[c.Settings.kind()].org
	if !s.Exists() {
		return nil, org.absent
	}
	changed, err := change(c.Settings, s.Settings, org.same)
	if err != nil {
		return nil, err
	}
	return []eventlog.Payload{org.changed(changed)}, nil
}

// RemoveOrg is the wish that an organization has no policy of its own any more.
type RemoveOrg struct{ Kind Kind }

// Decide returns the event that ends it. It returns a fault of kind NotFound when the organization has no
// such policy.
func (r RemoveOrg) Decide(s State) ([]eventlog.Payload, error) {
	org := kinds[r.Kind].org
	if !s.Exists() {
		return nil, org.gone
	}
	return []eventlog.Payload{org.removed}, nil
}
