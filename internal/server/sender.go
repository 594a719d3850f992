package server

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"castellan/internal/delivery"
	"castellan/internal/egress"
	"castellan/internal/ident"
)

// senderPause is how long a message may wait so that a busy server does not look for messages
// after each commit.
const senderPause = 100 * time.Millisecond

// newSender returns the worker that sends what leaves the system. It returns the fault of
// EgressAllowed.
func newSender(cfg Config, deliveries *delivery.Service, clock ident.Clock, log *slog.Logger,
	metrics prometheus.Registerer,
) (*delivery.Worker, error) {
	allowed, err := egress.ParseAllowed(cfg.EgressAllowed)
	if err != nil {
		return nil, fmt.Errorf("egressAllowed: %w", err)
	}
	w := &delivery.Worker{
		Deliveries: deliveries,
		Client:     egress.New(egress.Config{Allowed: allowed}),
		Clock:      clock,
		Random:     rand.Reader,
		Logger:     log,
		Pause:      senderPause,
	}
	for outcome, count := range map[string]func() uint64{"succeeded": w.Succeeded, "failed": w.Failed} {
		metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "castellan_delivery_attempts_total",
			Help:        "Attempts to send a message to a URL that somebody else has chosen, by how they ended.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(count()) }))
	}
	return w, nil
}
