package server

import (
	"context"

	"castellan/internal/api/apps"
	"castellan/internal/api/authorizations"
	"castellan/internal/api/permissions"
	"castellan/internal/app"
	"castellan/internal/authorization"
	"castellan/internal/ident"
	"castellan/internal/member"
	"castellan/internal/project"
	"castellan/internal/store"
	"castellan/internal/systemuser"
)

// appService serves the applications of instances.
func (s *Server) appService(clock ident.Clock) *apps.Service {
	return &apps.Service{
		DB: s.db,
		Apps: &app.Service{
			DB: s.db, Log: s.events, IDs: s.ids, Clock: clock, Keys: s.keys,
			Project: func(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.ProjectID) (ident.OrgID, error) {
				return project.Keep(ctx, tx, s.db.Dialect(), at, id)
			},
		},
		Origin: func(domain string) string {
			return systemuser.Issuer(s.cfg.ExternalSecure, domain, s.cfg.ExternalPort)
		},
	}
}

// authorizationService serves which roles of projects the users of instances hold.
func (s *Server) authorizationService() *authorizations.Service {
	return &authorizations.Service{
		DB: s.db, Authorizations: &authorization.Service{DB: s.db, Log: s.events, IDs: s.ids}, Owners: s.hosts,
	}
}

// permissionService serves who may manage what of instances.
func (s *Server) permissionService() *permissions.Service {
	return &permissions.Service{DB: s.db, Members: &member.Service{DB: s.db, Log: s.events, IDs: s.ids}, Owners: s.hosts}
}
