package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"castellan/internal/access"
	"castellan/internal/api/health"
	"castellan/internal/audit"
	"castellan/internal/delivery"
	"castellan/internal/eventlog"
	"castellan/internal/fresh"
	"castellan/internal/ident"
	"castellan/internal/once"
	"castellan/internal/origin"
	"castellan/internal/session"
	"castellan/internal/signing"
	"castellan/internal/spent"
	"castellan/internal/store"
	"castellan/internal/systemuser"
	"castellan/internal/token"
	"castellan/internal/usage"
	"castellan/internal/vault"
	"castellan/internal/webkey"
)

// Server is one node.
type Server struct {
	cfg      Config
	log      *slog.Logger
	db       store.DB
	events   *eventlog.Log
	ids      *ident.Source
	meter    *usage.Meter
	users    *systemuser.Registry
	sysusers *systemuser.Service
	once     *once.Book
	origins  *origin.Resolver
	signing  *signing.Keys
	tokens   *token.Service
	sessions *session.Service
	spent    *spent.Book
	audit    *audit.Log
	keys     *vault.KeyPool
	// passwords is one line for all who hash passwords, so that what they compute at once is bounded.
	passwords *vault.Hasher
	webkeys   *webkey.Service
	epochs    *fresh.Epochs
	hosts     *access.Directory
	sender    *delivery.Worker
	sent      chan struct{} // closed when sender has ended
	health    *health.Service
	http      *http.Server
	listener  net.Listener
	served    atomic.Uint64               // calls that have begun
	tracing   func(context.Context) error // ends tracing
	stopping  context.Context             // ends when Serve begins to stop
	stop      context.CancelFunc
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
