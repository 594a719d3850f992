package server

import (
	"context"

	"castellan/internal/api/users"
	"castellan/internal/ident"
	"castellan/internal/machinekey"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/policy"
	"castellan/internal/removal"
	"castellan/internal/store"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
)

// userService serves the users of instances.
func (s *Server) userService(clock ident.Clock) *users.Service {
	return &users.Service{
		DB: s.db,
		Users: &user.Service{
			DB:          s.db,
			Log:         s.events,
			IDs:         s.ids,
			Clock:       clock,
			Passwords:   s.passwords,
			Policies:    policy.Resolver{},
			KeepOrg:     s.keepOrg,
			DomainOwner: org.OwnerOf,
		},
		Tokens:   &pat.Service{DB: s.db, Log: s.events, IDs: s.ids, Clock: clock, Keep: s.keepUser},
		Keys:     &machinekey.Service{DB: s.db, Log: s.events, IDs: s.ids, Clock: clock, Keys: s.keys, Keep: s.keepUser},
		Metadata: &usermetadata.Service{DB: s.db, Log: s.events, IDs: s.ids, Clock: clock, Keep: s.ownerOfUser},
		Removal:  &removal.Service{DB: s.db, Log: s.events},
	}
}

// keepUser keeps a user from being removed until tx ends, for those who add something to it.
func (s *Server) keepUser(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.UserID) (of ident.OrgID, machine bool, err error) {
	kept, err := user.Keep(ctx, tx, s.db.Dialect(), at, id)
	return ident.OrgID(kept.Owner), kept.Kind == user.Machine, err
}

// ownerOfUser is keepUser for those who add to humans and machines alike.
func (s *Server) ownerOfUser(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.UserID) (ident.OrgID, error) {
	of, _, err := s.keepUser(ctx, tx, at, id)
	return of, err
}
