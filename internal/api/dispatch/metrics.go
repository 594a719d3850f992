package dispatch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"castellan/internal/api/transport"
	"castellan/internal/audit"
)

// Metrics counts calls under the names dashboards of the interface know (contract section 7),
// and measures how long they take.
type Metrics struct {
	total    prometheus.Counter
	requests *prometheus.CounterVec
	codes    *prometheus.CounterVec
	took     *prometheus.HistogramVec
	// repeated and full count refusals of users of instances that left no entry in the audit log.
	repeated, full prometheus.Counter
}

// NewMetrics registers the metrics of calls.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		total: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "grpc_server_total_request_counter_total", Help: "Calls, all methods and protocols.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_server_request_counter_total", Help: "Calls by method.",
		}, []string{"grpc_method"}),
		codes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "grpc_server_grpc_status_code_total", Help: "Calls by method and status code.",
		}, []string{"grpc_method", "return_code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "castellan_call_duration_seconds", Help: "Time to serve a call, by method and protocol.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"grpc_method", "protocol"}),
	}
	omitted := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "castellan_audit_omitted_refusals_total",
		Help: "Refused calls of users of instances that left no entry in the audit log: repeated ones, and those without a place.",
	}, []string{"reason"})
	m.repeated, m.full = omitted.WithLabelValues("repeated"), omitted.WithLabelValues("full")
	reg.MustRegister(m.total, m.requests, m.codes, m.took, omitted)
	return m
}

// observe counts one call. Methods come from descriptors, so the labels are bounded.
func (m *Metrics) observe(c *transport.Call, code string, took time.Duration) {
	m.total.Inc()
	m.requests.WithLabelValues(c.FullMethod).Inc()
	m.codes.WithLabelValues(c.FullMethod, code).Inc()
	m.took.WithLabelValues(c.FullMethod, string(c.Protocol)).Observe(took.Seconds())
}

// omitted counts a refusal that is not in the audit log.
func (m *Metrics) omitted(fate audit.Fate) {
	switch fate {
	case audit.Repeated:
		m.repeated.Inc()
	case audit.Full:
		m.full.Inc()
	case audit.Recorded:
	}
}
