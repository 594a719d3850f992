// Package health serves grpc.health.v1.Health: whether this process serves, as gRPC load
// balancers and probes ask for it.
//
// It owns the answer only; the HTTP probes are the server's. It guarantees that a Watch
// ends when the process begins to shut down, so that no stream holds a shutdown up.
package health

import (
	"context"
	"sync"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"castellan/internal/fault"
)

// ServiceName is the name of the service, which is public by its nature.
const ServiceName = "grpc.health.v1.Health"

// Service implements healthv1.HealthServer.
type Service struct {
	healthv1.UnimplementedHealthServer

	services map[string]bool
	ending   chan struct{}
	once     sync.Once

	mu      sync.Mutex
	watches int
	idle    chan struct{} // closed when it is ending and the last watch has ended
}

// New returns a service that is SERVING for the process (the empty name) and each of the
// named services.
func New(services ...string) *Service {
	s := &Service{services: map[string]bool{"": true}, ending: make(chan struct{}), idle: make(chan struct{})}
	for _, name := range services {
		s.services[name] = true
	}
	return s
}

// Shutdown makes every answer NOT_SERVING and ends all watches. It returns when they have been told,
// or ctx ends. It may be called again.
func (s *Service) Shutdown(ctx context.Context) {
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.ending)
		if s.watches == 0 {
			close(s.idle)
		}
	})
	select {
	case <-s.idle:
	case <-ctx.Done():
	}
}

// enter counts a watch until the function it returns is called. It reports false when the process
// is ending already: there is nothing to wait for, and nobody waits for it.
func (s *Service) enter() (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status() == healthv1.HealthCheckResponse_NOT_SERVING {
		return nil, false
	}
	s.watches++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.watches--; s.watches == 0 && s.status() == healthv1.HealthCheckResponse_NOT_SERVING {
			close(s.idle)
		}
	}, true
}

func (s *Service) status() healthv1.HealthCheckResponse_ServingStatus {
	select {
	case <-s.ending:
		return healthv1.HealthCheckResponse_NOT_SERVING
	default:
		return healthv1.HealthCheckResponse_SERVING
	}
}

// Check answers for one service. It returns NotFound for a name it does not know.
func (s *Service) Check(_ context.Context, req *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	if !s.services[req.GetService()] {
		return nil, fault.Plain(fault.NotFound, "unknown service")
	}
	return &healthv1.HealthCheckResponse{Status: s.status()}, nil
}

// List answers for all services.
func (s *Service) List(context.Context, *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
	all := make(map[string]*healthv1.HealthCheckResponse, len(s.services))
	for name := range s.services {
		all[name] = &healthv1.HealthCheckResponse{Status: s.status()}
	}
	return &healthv1.HealthListResponse{Statuses: all}, nil
}

// Watch sends the status now and when it changes. Unlike Check it answers SERVICE_UNKNOWN
// for a name it does not know, as the protocol demands.
func (s *Service) Watch(req *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	known := s.services[req.GetService()]
	send := func(status healthv1.HealthCheckResponse_ServingStatus) error {
		if !known {
			status = healthv1.HealthCheckResponse_SERVICE_UNKNOWN
		}
		return stream.Send(&healthv1.HealthCheckResponse{Status: status})
	}
	leave, ok := s.enter()
	if !ok {
		return send(healthv1.HealthCheckResponse_NOT_SERVING)
	}
	defer leave()
	if err := send(healthv1.HealthCheckResponse_SERVING); err != nil {
		return err
	}
	select {
	case <-stream.Context().Done():
		return nil
	case <-s.ending:
	}
	if !known {
		return nil // nothing has changed
	}
	return send(healthv1.HealthCheckResponse_NOT_SERVING)
}
