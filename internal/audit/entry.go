package audit

import (
	"log/slog"
	"strings"
	"time"

	"castellan/internal/ident"
	"castellan/internal/store"
)

// Kind tells the users of the system from those of its instances.
type Kind uint8

// The kinds of actors.
const (
	SystemUser Kind = iota
	InstanceUser
)

// Entry is one call of an authenticated caller.
type Entry struct {
	// At is when the call came in.
	At time.Time
	// Actor is who made it: the name of a system user, or the id of a user of ActorInstance.
	Actor ident.Actor
	// ActorInstance is the instance whose user the actor is; empty for a system user.
	ActorInstance ident.InstanceID
	// Method is the full name of the method: /package.Service/Method.
	Method string
	// Protocol is how the call came in: grpc, grpc-web, connect or rest.
	Protocol string
	// Instance is the instance the call was about, as the caller named it, or the one it made.
	// It may never have existed; empty for a call about none.
	Instance ident.InstanceID
	// RemoteAddress is the address of the connection, host:port: that of a proxy where one is.
	RemoteAddress string
	// RequestID is the id of the request, which the caller may have chosen.
	RequestID string
	// Outcome is the name of the gRPC code of the answer: [OK], or for instance PermissionDenied.
	Outcome string
	// Duration is how long the call took, in microseconds precisely.
	Duration time.Duration
}

// OK is the outcome of a call that succeeded.
const OK = "OK"

// Kind says what the actor is a user of.
func (e Entry) Kind() Kind {
	if e.ActorInstance == "" {
		return SystemUser
	}
	return InstanceUser
}

// Limits of the texts of an entry, in bytes. What is longer is cut.
const (
	maxName    = 200 // actors, ids of instances, and methods
	maxAddress = 100
	maxID      = 128 // of a request: as transport takes them
	maxWord    = 32  // protocols and outcomes
)

// bounded returns the entry as it can be stored. A caller has chosen some of its texts, and they
// have not been validated when the call was refused.
func (e Entry) bounded() Entry {
	e.At = e.At.UTC().Truncate(time.Microsecond)
	e.Duration = e.Duration.Truncate(time.Microsecond)
	e.Actor = ident.Actor(clean(string(e.Actor), maxName))
	e.ActorInstance = ident.InstanceID(clean(string(e.ActorInstance), maxName))
	e.Instance = ident.InstanceID(clean(string(e.Instance), maxName))
	e.Method, e.Protocol = clean(e.Method, maxName), clean(e.Protocol, maxWord)
	e.RemoteAddress, e.RequestID = clean(e.RemoteAddress, maxAddress), clean(e.RequestID, maxID)
	e.Outcome = clean(e.Outcome, maxWord)
	return e
}

// clean returns at most limit bytes of text, with a question mark in place of what no engine
// stores: NUL, and bytes that are no UTF-8.
func clean(text string, limit int) string {
	text = strings.ToValidUTF8(text[:min(len(text), limit)], "?")
	return strings.ReplaceAll(text, "\x00", "?")
}

// row returns the columns of an entry in the order of insertSQL, without its number.
func (e Entry) row() []any {
	return []any{
		store.Micros(e.At), string(e.Actor), string(e.ActorInstance), e.Method, e.Protocol, string(e.Instance),
		e.RemoteAddress, e.RequestID, e.Outcome, e.Duration.Microseconds(),
	}
}

// LogValue implements slog.LogValuer, for entries that end in the log of the process.
func (e Entry) LogValue() slog.Value {
	e = e.bounded()
	return slog.GroupValue(
		slog.Time("at", e.At), slog.String("actor", string(e.Actor)),
		slog.String("actor_instance", string(e.ActorInstance)), slog.String("method", e.Method),
		slog.String("protocol", e.Protocol), slog.String("instance", string(e.Instance)),
		slog.String("remote_address", e.RemoteAddress), slog.String("request_id", e.RequestID),
		slog.String("outcome", e.Outcome), slog.Duration("duration", e.Duration),
	)
}
