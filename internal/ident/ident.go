// Package ident holds what identifies things: typed ids, owners, the clock and the source
// of new ids.
//
// It owns the types only; which objects exist belongs to the nouns. [InstanceID] is the
// tenant: the first parameter after ctx everywhere, never taken from a context value and
// never defaulted. Ids are opaque strings to callers; those made here are 63-bit,
// time-ordered decimal numbers that are unique across nodes (see [Source]).
package ident

import "time"

// InstanceID names one instance, the tenant every other object belongs to.
type InstanceID string

// System stands in the place of an instance for what belongs to no instance but to the system
// itself, such as the users that operators add at run time: its events are in the log, sealed under
// a key of its own. It is no instance: it is not in the directory, and ids of instances are decimal
// numbers.
const System InstanceID = "system"

// OrgID names an organization of an instance.
type OrgID string

// UserID names a user of an instance. System users have names instead, see [Actor].
type UserID string

// ProjectID names a project of an instance.
type ProjectID string

// AuthorizationID names what a user was given on a project: roles of it.
type AuthorizationID string

// GrantID names a grant of a project to another organization of its instance.
type GrantID string

// AppID names an application of a project.
type AppID string

// TokenID names a personal access token, or a token of a session.
type TokenID string

// SessionID names an OIDC session: what the tokens that were given out one after the other belong to.
type SessionID string

// KeyID names a machine key.
type KeyID string

// QuotaID names a quota of an instance.
type QuotaID string

// DeliveryID names a message that has to reach a URL. It is one of [Source]: other systems know
// it as a number.
type DeliveryID string

// Actor is who did something, as events record it: a user id, or the name of a system user.
type Actor string

// Clock tells the time. Production uses [SystemClock]; tests hold a [ManualClock].
type Clock interface {
	// Now is the current time in UTC, cut to microseconds: the precision every engine keeps.
	Now() time.Time
}

// SystemClock is the clock of the machine.
type SystemClock struct{}

// Now implements [Clock].
func (SystemClock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
