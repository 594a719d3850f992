package server

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"castellan/internal/access"
	"castellan/internal/api/auth"
	"castellan/internal/api/dispatch"
	"castellan/internal/api/health"
	"castellan/internal/api/instances"
	"castellan/internal/api/system"
	"castellan/internal/api/transport"
	"castellan/internal/api/webkeys"
	"castellan/internal/app"
	"castellan/internal/authorization"
	"castellan/internal/delivery"
	"castellan/internal/dpop"
	"castellan/internal/eventlog"
	"castellan/internal/feature"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/once"
	"castellan/internal/org"
	"castellan/internal/origin"
	"castellan/internal/pat"
	"castellan/internal/policy"
	"castellan/internal/project"
	"castellan/internal/provision"
	"castellan/internal/quota"
	"castellan/internal/session"
	"castellan/internal/signing"
	"castellan/internal/spent"
	"castellan/internal/systemuser"
	"castellan/internal/token"
	"castellan/internal/usage"
	"castellan/internal/user"
	"castellan/internal/usermetadata"
	"castellan/internal/vault"
	"castellan/internal/webkey"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	systemv1 "castellan/gen/zitadel/system/v1"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Nouns are all nouns the log knows.
func Nouns() []eventlog.Kind {
	return []eventlog.Kind{
		instance.Noun, org.Noun, user.Noun, usermetadata.Noun, pat.Noun, machinekey.Noun, project.Noun, project.RoleNoun, project.GrantNoun, app.Noun, app.KeyNoun,
		authorization.Noun, member.Noun,
		quota.Noun, limit.Noun, feature.Noun, delivery.Noun, systemuser.Noun,
		policy.Noun,
		webkey.Noun,
		session.Noun,
	}
}

// compose builds every ring out of the inner ones.
func (s *Server) compose(keyring *vault.Keyring, version string) (err error) {
	clock, metrics := s.cfg.Clock, prometheus.NewRegistry()
	if clock == nil {
		clock = ident.SystemClock{}
	}
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	s.events = eventlog.New(s.db, keyring, clock, Nouns()...)
	s.events.Aside(quota.Side, spent.Side)
	s.ids = ident.NewSource(idgrant.New(s.db), clock)
	s.meter = usage.New(usage.Config{DB: s.db, Log: s.events, Clock: clock, IDs: s.ids})
	s.once = once.NewBook(keyring, clock)
	s.spent = &spent.Book{DB: s.db, Clock: clock}
	s.sessions = &session.Service{DB: s.db, Log: s.events, Clock: clock, IDs: s.ids, Bearers: keyring.Bearers()}
	s.passwords = vault.NewHasher(vault.HasherConfig{})
	s.keys = newKeyPool(s.cfg.KeyPoolSize, s.busy(), metrics)
	issuer := systemuser.Issuer(s.cfg.ExternalSecure, s.cfg.ExternalDomain, s.cfg.ExternalPort)
	if s.users, err = systemuser.NewRegistry(s.cfg.SystemUsers, issuer, clock); err != nil {
		return err
	}
	s.users.Ask(s.db)
	trusted, err := origin.ParseTrusted(s.cfg.TrustedProxies)
	if err != nil {
		return err
	}
	s.origins = origin.NewResolver(trusted, s.cfg.ExternalSecure)
	deliveries := &delivery.Service{DB: s.db, Log: s.events}
	if s.sender, err = newSender(s.cfg, deliveries, clock, s.log, metrics); err != nil {
		return err
	}
	if s.audit, err = newAudit(s.cfg, s.db, clock, s.log, metrics); err != nil {
		return err
	}
	s.epochs = fresh.NewEpochs(s.db, s.events)
	s.webkeys = s.webKeyService()
	s.signing = signing.New(signing.Config{Epochs: s.epochs, Sealers: keyring, Web: s.webkeys})
	s.tokens = token.New(token.Config{DB: s.db, Clock: clock, IDs: s.ids, Bearers: keyring.Bearers(), Keys: s.signing, MayAct: access.MayAct(s.db.Dialect())})
	s.hosts = access.NewDirectory(access.Config{
		DB: s.db, Clock: clock, Tokens: s.tokens, Epochs: s.epochs, ExternalDomain: s.cfg.ExternalDomain,
	})
	calls := transport.New(transport.Config{Logger: s.log, Dispatcher: s.dispatcher(clock, metrics), SuccessCode: successCode})
	s.serve(calls, keyring, deliveries, clock, version)
	s.http = &http.Server{
		Handler:           s.routes(calls, s.provider(clock), metrics),
		Protocols:         protocols(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2:             http2Config(streamTimeout),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return nil
}

// newKeyPool returns the pool of RSA keys.
func newKeyPool(size int, busy func() bool, metrics prometheus.Registerer) *vault.KeyPool {
	pool := vault.NewKeyPool(vault.KeyPoolConfig{Size: size, Busy: busy})
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "castellan_key_pool_keys", Help: "RSA keys that are ready to be taken.",
	}, func() float64 { return float64(pool.Len()) }))
	return pool
}

// dispatcher is what every call goes through.
func (s *Server) dispatcher(clock ident.Clock, metrics prometheus.Registerer) *dispatch.Dispatcher {
	return &dispatch.Dispatcher{
		Users:          s.users,
		Directory:      s.hosts,
		Origins:        s.origins,
		Proofs:         &dpop.Checker{Clock: clock, Seen: s.spent},
		Meter:          s.meter,
		Audit:          s.audit,
		AuditReads:     s.cfg.AuditReads,
		Logger:         s.log,
		Metrics:        dispatch.NewMetrics(metrics),
		PublicServices: []string{health.ServiceName},
	}
}

// serve registers all services.
func (s *Server) serve(calls *transport.Registrar, keyring *vault.Keyring, deliveries *delivery.Service,
	clock ident.Clock, version string,
) {
	instanceService := &instance.Service{DB: s.db, Log: s.events}
	lister := instance.NewLister(s.db, s.events, keyring.Positions(), clock)
	systemv1.RegisterSystemServiceServer(calls, &system.Service{
		DB:         s.db,
		Log:        s.events,
		Clock:      clock,
		Version:    version,
		Provision:  s.provision(clock),
		Instances:  instanceService,
		Lister:     lister,
		Quotas:     &quota.Service{DB: s.db, Log: s.events, IDs: s.ids, Hold: instanceService.Hold},
		Limits:     &limit.Service{Log: s.events, Hold: instanceService.Hold},
		Features:   &feature.Service{Log: s.events, Hold: instanceService.Hold},
		Deliveries: deliveries,
	})
	v2 := &instances.Service{DB: s.db, Lister: lister, Instances: instanceService, Version: version}
	instancev2.RegisterInstanceServiceServer(calls, v2)
	instancev2beta.RegisterInstanceServiceServer(calls, &instances.Beta{Service: v2})
	(&webkeys.Service{Keys: s.webkeys}).Methods().Register(calls)
	own := s.lifecycle(keyring, clock)
	s.sysusers = own.Operators
	castellansystemv1.RegisterInstanceLifecycleServiceServer(calls, own)
	s.serveAdmin(calls, own.Tail, keyring, clock, version)

	accounts := s.userService(clock)
	accounts.Table().Register(calls)
	s.serveOrgs(calls, accounts)
	s.appService(clock).Table().Register(calls)
	s.authorizationService().Table().Register(calls)
	s.permissionService().Table().Register(calls)
	(&auth.Service{DB: s.db}).Table().Register(calls)

	s.health = health.New(calls.Services()...)
	healthv1.RegisterHealthServer(calls, s.health)
	mountReflection(calls, calls.Services()...)
}

// provision is the service that sets up instances.
func (s *Server) provision(clock ident.Clock) *provision.Service {
	return &provision.Service{
		DB:             s.db,
		Log:            s.events,
		Once:           s.once,
		IDs:            s.ids,
		Clock:          clock,
		Random:         rand.Reader,
		Passwords:      s.passwords,
		Keys:           s.keys,
		ExternalDomain: s.cfg.ExternalDomain,
		Secure:         s.cfg.ExternalSecure,
	}
}

// protocols are those of the one port (contract section 3.2).
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
