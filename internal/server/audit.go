package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"castellan/internal/audit"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// newAudit returns the audit log of this node.
func newAudit(cfg Config, db store.DB, clock ident.Clock, log *slog.Logger, metrics prometheus.Registerer) (*audit.Log, error) {
	a, err := audit.New(audit.Config{DB: db, Clock: clock, Logger: log, Retention: cfg.AuditRetention})
	if err != nil {
		return nil, err
	}
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "castellan_audit_queue_entries", Help: "Entries of the audit log that are not written yet.",
	}, func() float64 { return float64(a.Len()) }))
	return a, nil
}

// runAudit writes the audit log until ctx ends, and then what is left of it.
func (s *Server) runAudit(ctx context.Context) {
	if err := s.audit.Run(ctx); err != nil {
		s.log.Error("the last entries of the audit log were not written; they are in this log", "error", err)
	}
}

// sweepAudit removes the entries that are too old.
func (s *Server) sweepAudit(ctx context.Context) {
	if err := s.audit.Sweep(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("old entries of the audit log were not removed; trying again later", "error", err)
	}
}
