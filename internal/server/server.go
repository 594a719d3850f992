package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"castellan/internal/access"
	"castellan/internal/api/dispatch"
	"castellan/internal/api/health"
	"castellan/internal/api/instances"
	"castellan/internal/api/system"
	"castellan/internal/api/transport"
	"castellan/internal/app"
	"castellan/internal/audit"
	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/feature"
	"castellan/internal/ident"
	"castellan/internal/idgrant"
	"castellan/internal/instance"
	"castellan/internal/limit"
	"castellan/internal/machinekey"
	"castellan/internal/member"
	"castellan/internal/once"
	"castellan/internal/org"
	"castellan/internal/pat"
	"castellan/internal/project"
	"castellan/internal/provision"
	"castellan/internal/quota"
	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/sqlite"
	"castellan/internal/systemuser"
	"castellan/internal/usage"
	"castellan/internal/user"
	"castellan/internal/vault"

	castellansystemv1 "castellan/gen/castellan/system/v1"
	instancev2 "castellan/gen/zitadel/instance/v2"
	instancev2beta "castellan/gen/zitadel/instance/v2beta"
	systemv1 "castellan/gen/zitadel/system/v1"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Server is one node.
type Server struct {
	cfg      Config
	log      *slog.Logger
	db       store.DB
	events   *eventlog.Log
	meter    *usage.Meter
	users    *systemuser.Registry
	sysusers *systemuser.Service
	once     *once.Book
	audit    *audit.Log
	keys     *vault.KeyPool
	sender   *delivery.Worker
	sent     chan struct{} // closed when sender has ended
	health   *health.Service
	http     *http.Server
	listener net.Listener
	served   atomic.Uint64               // calls that have begun
	tracing  func(context.Context) error // ends tracing
	stopping context.Context             // ends when Serve begins to stop
	stop     context.CancelFunc
}

// Nouns are all nouns the log knows.
func Nouns() []eventlog.Kind {
	return []eventlog.Kind{
		instance.Noun, org.Noun, user.Noun, pat.Noun, machinekey.Noun, project.Noun, app.Noun, member.Noun,
		quota.Noun, limit.Noun, feature.Noun,
		delivery.Noun,
		systemuser.Noun,
	}
}

// New opens the database and the port; Serve then serves. version is shown to clients.
//
// It returns every fault of the configuration at once, or the error of the first thing that
// could not be opened; then nothing stays open.
func New(ctx context.Context, cfg Config, log *slog.Logger, version string) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	s := &Server{cfg: cfg, log: log, sent: make(chan struct{}), tracing: func(context.Context) error { return nil }}
	s.stopping, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	certificate, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	if s.tracing, err = startTracing(ctx, cfg.TraceEndpoint, version); err != nil {
		return nil, err
	}
	if s.db, err = openDB(ctx, cfg); err != nil {
		return nil, err
	}
	keyring, err := s.keyring(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.compose(keyring, version); err != nil {
		return nil, err
	}
	if err := s.sysusers.Prepare(ctx); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.http.TLSConfig = certificate
	return s, nil
}

// openDB opens the engine the URL names.
func openDB(ctx context.Context, cfg Config) (store.DB, error) {
	e, err := cfg.engine()
	if err != nil {
		return nil, err
	}
	// An engine that failed to open must not become a store.DB: a nil pointer is not a nil interface.
	if e.sqlite != "" {
		db, err := sqlite.Open(ctx, sqlite.Config{Path: e.sqlite})
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: e.url, MaxConns: cfg.DatabaseMaxConns})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// keyring loads the master key. A new one is made for a new database only: what is sealed
// under another cannot be read with it.
func (s *Server) keyring(ctx context.Context) (*vault.Keyring, error) {
	claimed, err := vault.Claimed(ctx, s.db)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.cfg.MasterKeyFile); claimed && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("masterKeyFile: %s is missing, and only the key that was in it opens what the database holds",
			s.cfg.MasterKeyFile)
	}
	master, err := vault.LoadMasterKey(s.cfg.MasterKeyFile, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("masterKeyFile: %w", err)
	}
	keyring := vault.NewKeyring(master, rand.Reader)
	if err := keyring.Claim(ctx, s.db); err != nil {
		return nil, fmt.Errorf("masterKeyFile: %w", err)
	}
	return keyring, nil
}

// compose builds every ring out of the inner ones.
func (s *Server) compose(keyring *vault.Keyring, version string) error {
	cfg, clock := s.cfg, ident.SystemClock{}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	s.events = eventlog.New(s.db, keyring, clock, Nouns()...)
	s.events.Aside(quota.Side)
	ids := ident.NewSource(idgrant.New(s.db), clock)
	s.meter = usage.New(usage.Config{DB: s.db, Log: s.events, Clock: clock, IDs: ids})
	s.once = once.NewBook(keyring, clock)
	s.keys = vault.NewKeyPool(vault.KeyPoolConfig{
		Size: cfg.KeyPoolSize,
		Busy: s.busy(),
	})
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "castellan_key_pool_keys", Help: "RSA keys that are ready to be taken.",
	}, func() float64 { return float64(s.keys.Len()) }))
	var err error
	issuer := systemuser.Issuer(cfg.ExternalSecure, cfg.ExternalDomain, cfg.ExternalPort)
	s.users, err = systemuser.NewRegistry(cfg.SystemUsers, issuer, clock)
	if err != nil {
		return err
	}
	setUp := &provision.Service{
		DB:             s.db,
		Log:            s.events,
		Once:           s.once,
		IDs:            ids,
		Clock:          clock,
		Random:         rand.Reader,
		Passwords:      vault.NewHasher(vault.HasherConfig{}),
		Keys:           s.keys,
		ExternalDomain: cfg.ExternalDomain,
		Secure:         cfg.ExternalSecure,
	}
	deliveries := &delivery.Service{DB: s.db, Log: s.events}
	if s.sender, err = newSender(cfg, deliveries, clock, s.log, metrics); err != nil {
		return err
	}
	if s.audit, err = newAudit(cfg, s.db, clock, s.log, metrics); err != nil {
		return err
	}
	calls := transport.New(transport.Config{
		Logger: s.log,
		Dispatcher: &dispatch.Dispatcher{
			Users:          s.users,
			Directory:      access.NewDirectory(access.Config{DB: s.db, Clock: clock, ExternalDomain: cfg.ExternalDomain, Secure: cfg.ExternalSecure}),
			Meter:          s.meter,
			Audit:          s.audit,
			AuditReads:     cfg.AuditReads,
			Logger:         s.log,
			Metrics:        dispatch.NewMetrics(metrics),
			PublicServices: []string{health.ServiceName},
		},
	})
	lister := instance.NewLister(s.db, s.events, keyring.Positions(), clock)
	systemv1.RegisterSystemServiceServer(calls, &system.Service{
		Log:        s.events,
		Deliveries: deliveries,
		DB:         s.db, Provision: setUp, Instances: s.instances(), Clock: clock, Version: version,
		Quotas:   &quota.Service{DB: s.db, Log: s.events, IDs: ids, Hold: s.instances().Hold},
		Limits:   &limit.Service{Log: s.events, Hold: s.instances().Hold},
		Features: &feature.Service{Log: s.events, Hold: s.instances().Hold},
		Lister:   lister,
	})
	v2 := &instances.Service{DB: s.db, Lister: lister, Instances: s.instances(), Version: version}
	instancev2.RegisterInstanceServiceServer(calls, v2)
	instancev2beta.RegisterInstanceServiceServer(calls, &instances.Beta{Service: v2})
	s.users.Ask(s.db)
	own := s.lifecycle(keyring, clock)
	castellansystemv1.RegisterInstanceLifecycleServiceServer(calls, own)
	s.sysusers = own.Operators
	s.health = health.New(calls.Services()...)
	healthv1.RegisterHealthServer(calls, s.health)
	mountReflection(calls, calls.Services()...)

	s.http = &http.Server{
		Handler:           s.routes(calls, metrics),
		Protocols:         protocols(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2:             http2Config(streamTimeout),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return nil
}

// instances is the service that changes instances.
func (s *Server) instances() *instance.Service { return &instance.Service{DB: s.db, Log: s.events} }

// busy returns how the pool of keys asks whether the machine has better things to do: whether
// a call has begun since it asked last. Streams that stay open are no work.
func (s *Server) busy() func() bool {
	var seen uint64
	return func() bool {
		served := s.served.Load()
		busy := served != seen
		seen = served
		return busy
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

// Addr is the address the port listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// DB is the database, for tests that look at what a call has left.
func (s *Server) DB() store.DB { return s.db }

// Events is the log, for tests that look at what a call has left.
func (s *Server) Events() *eventlog.Log { return s.events }

// Reload replaces the system users. With an error the old ones stay.
func (s *Server) Reload(users []systemuser.Config) error {
	if err := s.users.Reload(users); err != nil {
		return err
	}
	s.log.Info("system users reloaded", "users", len(users))
	return nil
}

const (
	// sweepInterval is how often answers past their window are forgotten, and entries of the audit log.
	sweepInterval = 10 * time.Minute
	// reclaimInterval is how often a node looks for what other nodes, or it itself before it was
	// restarted, have not reclaimed of removed instances.
	reclaimInterval = time.Minute
	// usageInterval is how often it is written what quotas have been used: what a crash loses.
	usageInterval = 500 * time.Millisecond
	// usageGrace is how long the last of that may take when the server stops.
	usageGrace = 5 * time.Second
)

// Serve serves until ctx ends, then finishes the requests in flight and closes everything.
// It returns nil after an orderly end.
func (s *Server) Serve(ctx context.Context) error {
	defer s.close()
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.work(background)
	}()
	defer func() {
		stop()
		<-done
	}()

	failed := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			failed <- s.http.ServeTLS(s.listener, "", "")
			return
		}
		failed <- s.http.Serve(s.listener)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.log.Info("stopping", "grace", s.cfg.ShutdownGrace)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownGrace)
	defer cancel()
	s.health.Shutdown(grace) // before other streams end: who watches is told why
	s.stop()
	if err := s.http.Shutdown(grace); err != nil {
		s.log.Warn("requests did not finish within the grace", "error", err)
		return s.http.Close()
	}
	select {
	case <-s.sent:
	case <-grace.Done(): // what is under way is cut off, and sent again by another node
	}
	return nil
}

// work does what is not part of any request, until ctx ends.
func (s *Server) work(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() {
		if err := s.keys.Run(ctx); err != nil {
			s.log.Error("the pool of keys stopped; keys are made when asked for", "error", err)
		}
	})
	tasks.Go(func() {
		tick := time.NewTicker(reclaimInterval)
		defer tick.Stop()
		s.events.RunReclaim(ctx, tick.C, func(err error) {
			s.log.Warn("rows of removed instances were not reclaimed; trying again later", "error", err)
		})
	})
	tasks.Go(func() {
		defer close(s.sent)
		s.sender.Run(ctx, s.stopping.Done())
	})
	tasks.Go(func() {
		tick := time.NewTicker(usageInterval)
		defer tick.Stop()
		s.meter.Run(ctx, tick.C, usageGrace, func(err error) {
			s.log.Warn("the use of quotas was not written; trying again", "error", err)
		})
	})
	tasks.Go(func() { s.runAudit(ctx) })
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	var rest quiet
	look := time.NewTicker(quietTime)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if rest.begins(s.served.Load()) {
				runtime.GC() // pools keep what they hold for one collection
				debug.FreeOSMemory()
			}
		case <-sweep.C:
			if err := s.once.Sweep(ctx, s.db); err != nil && !errors.Is(err, context.Canceled) {
				s.log.Warn("kept answers were not swept; trying again later", "error", err)
			}
			s.sweepAudit(ctx)
		}
	}
}

// close releases what New opened.
func (s *Server) close() {
	s.stop()
	if s.listener != nil {
		// Shutdown has closed it already, unless the server never served.
		_ = s.listener.Close()
	}
	if s.db != nil {
		if err := s.db.Close(); err != nil {
			s.log.Error("the database did not close cleanly", "error", err)
		}
	}
	flush, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.tracing(flush); err != nil {
		s.log.Warn("the last traces were not sent", "error", err)
	}
}
