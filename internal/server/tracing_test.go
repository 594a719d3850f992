package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
)

func TestSpansReachTheCollector(t *testing.T) {
	for given, want := range map[string]string{"": "/v1/traces", "/": "/v1/traces", "/otlp/v1/traces": "/otlp/v1/traces"} {
		paths := make(chan string, 1)
		collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			paths <- r.Method + " " + r.URL.Path
		}))
		stop, err := startTracing(t.Context(), collector.URL+given, "test")
		if err != nil {
			t.Fatal(err)
		}
		_, span := otel.Tracer("test").Start(t.Context(), "call")
		span.End()
		if err := stop(t.Context()); err != nil { // sends what is left
			t.Error(err)
		}
		if got := <-paths; got != "POST "+want {
			t.Errorf("endpoint with path %q: spans went to %s, want %s", given, got, want)
		}
		collector.Close()
	}
}
