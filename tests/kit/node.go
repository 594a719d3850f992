package kit

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"castellan/internal/server"
)

// Version is that of the build, as nodes of [Backend.Start] show it.
const Version = "v1.2.3-test"

// Node is a server in this process.
type Node struct {
	*Client
	*server.Server
	// Logs has what the node logs, at level debug.
	Logs *Logs

	stop func() error
}

// Config is the configuration with which nodes on the database run.
func (b *Backend) Config() server.Config {
	c := server.Defaults()
	c.Listen = "127.0.0.1:0"
	c.DatabaseURL = b.URL
	c.DatabaseMaxConns = 10
	c.ExternalDomain, c.ExternalPort, c.ExternalSecure = Domain, 0, false
	c.SystemUsers = Users()
	c.MasterKeyFile = filepath.Join(b.Dir, "master.key")
	c.KeyPoolSize = 0 // keys are made when asked for: nothing else runs on the cores of the tests
	c.ShutdownGrace = Patience
	return c
}

// Start runs a node until the test ends or Stop is called. change, which may be nil, changes its
// configuration.
func (b *Backend) Start(t testing.TB, change func(*server.Config)) *Node {
	t.Helper()
	cfg := b.Config()
	if change != nil {
		change(&cfg)
	}
	logs := NewLogs()
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	// One context for both, as the program has it: its end is what a signal is there.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.New(ctx, cfg, log, Version)
	if err != nil {
		cancel()
		t.Fatalf("start a node on %s: %v", b.Engine, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	scheme := "http://"
	if cfg.TLSCertFile != "" {
		scheme = "https://"
	}
	n := &Node{Server: s, Logs: logs, Client: NewClient(t, scheme+s.Addr())}
	n.stop = sync.OnceValue(func() error {
		n.Close()
		cancel()
		return <-ended
	})
	t.Cleanup(func() { n.Stop(t) })
	return n
}

// Stop ends the node in order. It may be called again.
func (n *Node) Stop(t testing.TB) {
	t.Helper()
	if err := n.stop(); err != nil {
		t.Errorf("a node did not end in order: %v", err)
	}
}
