package systemuser

import (
	"time"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/role"
)

// AggregateType is the name of system users in the log. Their instance there is [ident.System],
// their id the name.
const AggregateType = "system_user"

// State is a system user of the database as its events have left it. One that is removed keeps its
// name and its sequence, so that a sequence stands for one key and one set of memberships for ever.
type State struct {
	eventlog.Head

	Removed     bool
	PublicKey   string // PEM
	Memberships []Membership
	// PreviousKey counts too before PreviousUntil; empty when no key was replaced, or the one
	// before stopped at once.
	PreviousKey   string
	PreviousUntil time.Time
}

// Noun declares system users to the log.
var Noun = eventlog.NewNoun(eventlog.Noun[State]{
	Type:     AggregateType,
	Payloads: []eventlog.Payload{Added{}, KeyRotated{}, Removed{}},
	Apply:    apply,
	Tables:   tables,
})

// apply is the fold of a system user.
func apply(s State, e eventlog.Event) State {
	head := s.After(e)
	switch p := e.Payload.(type) {
	case Added:
		// It is a new user, who has nothing of one that had its name before.
		head.CreatedAt = e.At
		s = State{PublicKey: p.PublicKey, Memberships: p.Memberships}
	case KeyRotated:
		s.PreviousKey, s.PreviousUntil = "", time.Time{}
		if !p.PreviousUntil.IsZero() {
			s.PreviousKey, s.PreviousUntil = s.PublicKey, p.PreviousUntil
		}
		s.PublicKey = p.PublicKey
	case Removed:
		s = State{Removed: true}
	}
	s.Head = head
	return s
}

// Limits of users that are added.
const (
	// MaxUsers is how many system users the database may hold.
	MaxUsers = 1000
	// MaxKeep is how long a key that is replaced may go on counting.
	MaxKeep = 24 * time.Hour
	// maxMemberships and maxRoles bound what a user has, and each of its memberships.
	maxMemberships, maxRoles = 100, 20
)

var (
	errMany = fault.New(fault.ResourceExhausted, "SYSUSER-many1", "Errors.SystemUser.TooMany").
		WithViolation("id", "must not be one more than 1000 users")
	errExists = fault.New(fault.AlreadyExists, "SYSUSER-have1", "Errors.SystemUser.AlreadyExists").
			WithViolation("id", "is already the id of a system user")
	errNone = fault.New(fault.NotFound, "SYSUSER-none1", "Errors.SystemUser.NotFound").
		WithViolation("id", "must be the id of a system user")
	errConfigured = fault.New(fault.FailedPrecondition, "SYSUSER-conf1", "Errors.SystemUser.Configured").
			WithViolation("id", "is a user of the configuration, which is changed there")
	errLast = fault.New(fault.FailedPrecondition, "SYSUSER-last1", "Errors.SystemUser.LastOne").
		WithViolation("id", "is the last user who can let others in; add another one first")
)

// Add is the wish for a system user.
type Add struct {
	// Name is 1 to 200 characters. It is used in lower case.
	Name string
	// PublicKey is PEM, as in [Config].
	PublicKey string
	// Memberships say what the user may do: 1 to 100 of them, each with 1 to 20 roles. What they
	// grant the caller must have, in the same scope or a wider one.
	Memberships []Membership
}

// Decide returns system.user.added. by is who wishes, now the time. It returns SYSUSER-have1 when
// there is a user with that name, SYSUSER-name1, SYSUSER-key01 or SYSUSER-role1 for what is not
// well-formed, and SYSUSER-grant for memberships that would grant more than the caller has.
func (a Add) Decide(s State, by Caller, now time.Time) ([]eventlog.Payload, error) {
	if s.Exists() && !s.Removed {
		return nil, errExists
	}
	if err := acceptName(a.Name); err != nil {
		return nil, err
	}
	key, err := acceptKey(a.PublicKey, now)
	if err != nil {
		return nil, err
	}
	memberships, err := acceptMemberships(a.Memberships)
	if err != nil {
		return nil, err
	}
	if err := by.covers(memberships); err != nil {
		return nil, err
	}
	return []eventlog.Payload{Added{PublicKey: key, Memberships: memberships}}, nil
}

// Rotate is the wish for another key of a user.
type Rotate struct {
	// PublicKey is PEM, as in [Config].
	PublicKey string
	// Keep is how long the key before counts too, 0 to [MaxKeep]. One that was replaced earlier
	// stops to count.
	Keep time.Duration
}

// Decide returns system.user.key.rotated. It returns SYSUSER-none1 when there is no such user,
// SYSUSER-key01 or SYSUSER-keep1 for what is not well-formed, and SYSUSER-grant when the user has
// more than the caller: who holds the new key is that user.
func (r Rotate) Decide(s State, by Caller, now time.Time) ([]eventlog.Payload, error) {
	if !s.Exists() || s.Removed {
		return nil, errNone
	}
	if r.Keep < 0 || r.Keep > MaxKeep {
		return nil, fault.Invalid("SYSUSER-keep1", "Errors.SystemUser.KeepInvalid", "keep_previous_for",
			"must be 0 to 24 hours")
	}
	key, err := acceptKey(r.PublicKey, now)
	if err != nil {
		return nil, err
	}
	if by.Name != ident.Actor(s.ID) {
		if err := by.covers(s.Memberships); err != nil {
			return nil, err
		}
	}
	rotated := KeyRotated{PublicKey: key}
	if r.Keep > 0 {
		rotated.PreviousUntil = now.Add(r.Keep).Truncate(time.Microsecond) // what a row keeps
	}
	return []eventlog.Payload{rotated}, nil
}

// Remove is the wish that a user be no more.
type Remove struct{}

// Decide returns system.user.removed. stays says whether somebody else can let users in. It
// returns SYSUSER-none1 when there is no such user, and SYSUSER-last1 when nobody could let
// anybody in afterwards. Who wishes may be the user itself.
func (Remove) Decide(s State, stays bool) ([]eventlog.Payload, error) {
	switch {
	case !s.Exists() || s.Removed:
		return nil, errNone
	case !stays:
		return nil, errLast
	}
	return []eventlog.Payload{Removed{}}, nil
}

// invalid is a fault of one field whose rule is an error of the configuration.
func invalid(id, message, field string, rule error) error {
	return fault.Invalid(id, message, field, rule.Error())
}

// letsIn reports whether the caller may add system users.
func (c Caller) letsIn() bool { return c.May("system.user.write", Scope{}) == nil }

// covers returns nil when the caller has everything that memberships would grant, in the same
// scope or a wider one, and otherwise a fault of kind PermissionDenied (SYSUSER-grant).
func (c Caller) covers(memberships []Membership) error {
	for i := range memberships {
		m := &memberships[i]
		for _, name := range m.Roles {
			for _, permission := range role.System.Permissions(name) {
				if !c.has(permission, m) {
					return errGrant(i, name, permission)
				}
			}
		}
	}
	return nil
}

// has reports whether the caller has a permission wherever a membership would count.
func (c Caller) has(permission string, where *Membership) bool {
	for i := range c.Memberships {
		m := &c.Memberships[i]
		if m.Type != System && (m.Type != where.Type || m.AggregateID != where.AggregateID) {
			continue
		}
		for _, name := range m.Roles {
			if role.System.Grants(name, permission) {
				return true
			}
		}
	}
	return false
}
