package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"connectrpc.com/grpcreflect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"castellan/internal/api/openapi"
	"castellan/internal/api/transport"
	"castellan/internal/oidc"
)

// routes are all paths of the port. What is no probe, document or endpoint of an issuer is a call, and is not shown to
// a ServeMux, which answers paths that are not clean with redirects: a call would be repeated, and
// an unknown path would not be 404 (contract section 3.1).
func (s *Server) routes(calls *transport.Registrar, provider *oidc.Provider, metrics *prometheus.Registry) http.Handler {
	probes := map[string]http.Handler{
		"/debug/healthz": http.HandlerFunc(healthz),
		"/debug/ready":   http.HandlerFunc(s.ready),
		"/debug/metrics": promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}),
	}
	documents := openapi.Handler()
	served := s.counted(seedPaths(calls.Handler()))
	issuers, ofIssuers := provider.Handler()
	issuers = s.counted(issuers)
	return s.bounded(calls.Streams, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probe := probes[r.URL.Path]
		switch {
		case probe != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			probe.ServeHTTP(w, r)
		case ofIssuers(r.URL.Path):
			issuers.ServeHTTP(w, r)
		case r.URL.Path == "/openapi" || strings.HasPrefix(r.URL.Path, "/openapi/"):
			documents.ServeHTTP(w, r)
		default:
			served.ServeHTTP(w, r)
		}
	}))
}

// healthz says that the process is up (contract section 7).
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok")) // a probe that has left needs no answer
}

// ready says whether the process can serve: whether its database answers (contract section 7).
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.db.Ping(r.Context()); err != nil {
		s.log.WarnContext(r.Context(), "not ready", "error", err)
		http.Error(w, "database not available", http.StatusPreconditionFailed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode("ok") // a probe that has left needs no answer
}

// seedPaths serves the paths that the interface's documents print, /instances/..., as the
// ones below /system/v1 that they stand for.
func seedPaths(next http.Handler) http.Handler {
	const printed, meant = "/instances/", "/system/v1/instances/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, printed); ok {
			u := *r.URL
			u.Path = meant + rest
			if u.RawPath != "" {
				u.RawPath = meant + strings.TrimPrefix(u.RawPath, printed)
			}
			c := r.Clone(r.Context())
			c.URL = &u
			r = c
		}
		next.ServeHTTP(w, r)
	})
}

// counted knows when calls begin, so that background work can wait.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		next.ServeHTTP(w, r)
	})
}

// mountReflection serves the descriptors of the named services, to anyone (contract section 3.2).
func mountReflection(calls *transport.Registrar, services ...string) {
	reflector := grpcreflect.NewStaticReflector(services...)
	calls.Mount(grpcreflect.NewHandlerV1(reflector))
	calls.Mount(grpcreflect.NewHandlerV1Alpha(reflector))
}
