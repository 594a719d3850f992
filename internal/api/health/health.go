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
}

// New returns a service that is SERVING for the process (the empty name) and each of the
// named services.
func New(services ...string) *Service {
	s := &Service{services: map[string]bool{"": true}, ending: make(chan struct{})}
	for _, name := range services {
		s.services[name] = true
	}
	return s
}

// Shutdown makes every answer NOT_SERVING and ends all watches. It may be called again.
func (s *Service) Shutdown() { s.once.Do(func() { close(s.ending) }) }

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
	if !s.services[req.GetService()] {
		err := stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVICE_UNKNOWN})
		if err != nil {
			return err
		}
		select {
		case <-s.ending:
		case <-stream.Context().Done():
		}
		return nil
	}
	if err := stream.Send(&healthv1.HealthCheckResponse{Status: s.status()}); err != nil {
		return err
	}
	select {
	case <-s.ending:
		return stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING})
	case <-stream.Context().Done():
		return nil
	}
}
