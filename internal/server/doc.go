// Package server puts castellan together: it opens the database, builds each ring out of
// the inner ones as literals, and runs the one port until it is told to stop.
//
// It owns composition and lifecycle: configuration, probes, metrics, tracing, start and
// shutdown. It decides nothing about instances or calls. cmd/castellan calls it; tests call
// it the same way.
//
// It guarantees that everything wrong with a configuration is reported at once, before
// anything is opened, and that requests in flight are finished when it stops, within the
// grace that was configured.
package server
