package server

import (
	"context"

	"castellan/internal/api/admin"
	"castellan/internal/api/transport"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/instance"
	"castellan/internal/journal"
	"castellan/internal/member"
	"castellan/internal/org"
	"castellan/internal/policy"
	"castellan/internal/store"
	"castellan/internal/vault"

	eventsv1 "castellan/gen/castellan/events/v1"
)

const (
	// maxTails is how many streams of events a node serves at once, maxTailsOfInstance how many of one
	// instance.
	maxTails           = 200
	maxTailsOfInstance = 10
)

// serveAdmin registers what those call who look after an instance as a whole. tail is the end of the log,
// which is followed once for all.
func (s *Server) serveAdmin(calls *transport.Registrar, tail *eventlog.Tail, keyring *vault.Keyring, clock ident.Clock, version string) {
	events := &journal.Reader{DB: s.db, Log: s.events, Clock: clock}
	instances := &instance.Service{DB: s.db, Log: s.events}
	service := &admin.Service{
		DB: s.db, Clock: clock, Instances: instances, Journal: events, Version: version,
		Members: &member.Service{DB: s.db, Log: s.events, IDs: s.ids},
		Policies: &policy.Service{
			DB: s.db, Log: s.events, IDs: s.ids, Hold: instances.Hold,
			HoldOrg: func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.OrgID) error {
				return org.Hold(ctx, tx, s.db.Dialect(), at, id)
			},
		},
	}
	service.Admin().Register(calls)
	service.Management().Register(calls)
	eventsv1.RegisterEventServiceServer(calls, &admin.Events{
		Journal: events, Tail: tail, Positions: keyring.Positions(), Beat: every(heartbeat),
		MaxTails: maxTails, MaxOfInstance: maxTailsOfInstance,
	})
}
