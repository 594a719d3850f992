package server

import (
	"context"
	"crypto/rand"
	"net"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"castellan/internal/api/orgs"
	"castellan/internal/api/projects"
	"castellan/internal/api/transport"
	"castellan/internal/api/users"
	"castellan/internal/authorization"
	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/org"
	"castellan/internal/policy"
	"castellan/internal/project"
	"castellan/internal/provision"
	"castellan/internal/removal"
	"castellan/internal/store"

	optionsv1 "castellan/gen/castellan/options/v1"
)

// serveOrgs registers the organizations and projects of instances. accounts serves their users.
func (s *Server) serveOrgs(calls *transport.Registrar, accounts *users.Service) {
	organizations := &org.Service{
		DB: s.db, Log: s.events, ExternalDomain: s.cfg.ExternalDomain, Random: rand.Reader,
		Proofs: org.Proofs{Get: s.sender.Client.Get, LookupTXT: net.DefaultResolver.LookupTXT},
		Asks: func(ctx context.Context, q store.Querier, at ident.InstanceID, id ident.OrgID) (bool, error) {
			held, err := policy.Resolver{}.Domain(ctx, q, at, id)
			return held.ValidateOrgDomains, err
		},
	}
	removals := &removal.Service{DB: s.db, Log: s.events}
	(&orgs.Service{
		DB: s.db, Orgs: organizations, Metadata: accounts.Metadata, Removal: removals,
		Begin: &provision.Orgs{DB: s.db, Log: s.events, IDs: s.ids, Orgs: organizations, Users: accounts.Users},
	}).Table().Register(calls)
	(&projects.Service{
		DB: s.db, Removal: removals,
		Projects: &project.Service{
			DB: s.db, Log: s.events, IDs: s.ids, Org: s.keepOrg,
			Withdraw: func(ctx context.Context, w *eventlog.Writer, grant ident.GrantID, roles []string) error {
				return authorization.Withdraw(ctx, w, s.db.Dialect(), authorization.Of{Grant: grant}, roles...)
			},
		},
	}).Table().Register(calls)
}

// keepOrg keeps an organization from being removed until tx ends.
func (s *Server) keepOrg(ctx context.Context, tx store.Tx, at ident.InstanceID, id ident.OrgID) error {
	return org.Keep(ctx, tx, s.db.Dialect(), at, id)
}

// successCode is the status of a success of a method over REST; 0 where none is declared.
func successCode(m protoreflect.MethodDescriptor) int {
	return int(proto.GetExtension(m.Options(), optionsv1.E_Success).(int32))
}
