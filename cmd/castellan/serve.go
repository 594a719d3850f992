package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/server"
	"castellan/internal/terminal"
)

// serveCommand returns `castellan serve`.
func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `serve runs the server until it gets SIGINT or SIGTERM; requests in flight are then finished. A
second signal ends it at once. SIGHUP makes it read the system users and their keys again.

` + settingsHelp,
		Example: `  castellan serve --config castellan.yaml
  CASTELLAN_DATABASE_URL=postgres://castellan@db/castellan CASTELLAN_SYSTEM_USERS=ops=/etc/castellan/ops.pub.pem \
    castellan serve --listen 0.0.0.0:8080`,
		Args: terminal.Arguments(),
	}
	addSettings(cmd, server.Defaults())
	cmd.RunE = p.Do(func(ctx context.Context, _ []string) error {
		return p.serve(ctx, p.sourcesOf(cmd))
	})
	return cmd
}

// serve runs a server until ctx ends or a signal comes.
func (p *program) serve(ctx context.Context, from sources) error {
	c, err := from.load(server.Defaults())
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From here on SIGHUP does not end the program. One that comes during the start is kept, for
	// what was loaded above may be old by then.
	reloads := make(chan os.Signal, 1)
	signal.Notify(reloads, syscall.SIGHUP)
	defer signal.Stop(reloads)
	node, log, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	if len(c.SystemUsers) == 0 {
		log.Warn("there are no system users, so nobody can call the System API; 'castellan system-user keygen' makes a key for one")
	}
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		for range reloads {
			reload(node, from, log)
		}
	}()
	defer func() {
		// Stop promises that nothing is sent any more, so the channel can be closed.
		signal.Stop(reloads)
		close(reloads)
		<-reloaded
	}()
	announce(log, node, c)
	return node.Serve(ctx)
}

// untilSignal returns a context that ends with the first of the signals. From then on they do
// what they do by default, so that a second one ends the program at once.
func untilSignal(ctx context.Context, signals ...os.Signal) (_ context.Context, stop func()) {
	ctx, stop = context.WithCancel(ctx)
	first := make(chan os.Signal, 1)
	signal.Notify(first, signals...)
	go func() {
		select {
		case <-first:
		case <-ctx.Done():
		}
		// Before anything notices that ctx ends, or a second signal could be lost.
		signal.Stop(first)
		stop()
	}()
	return ctx, stop
}

// open opens database and port, and says what is noteworthy about the configuration.
func (p *program) open(ctx context.Context, c configuration) (*server.Server, *slog.Logger, error) {
	log := p.logger(c)
	for _, warning := range c.warnings {
		log.Warn(warning)
	}
	version, _ := build()
	node, err := server.New(ctx, c.Config, log, version)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil, fmt.Errorf("%s is in use by another program; choose another address with --listen or CASTELLAN_LISTEN", c.Listen)
	}
	return node, log, err
}

// announce logs the one line that says what runs where.
func announce(log *slog.Logger, node *server.Server, c configuration) {
	version, _ := build()
	engine, place := engineOf(c.DatabaseURL)
	log.Info("listening", "address", node.Addr(), "engine", engine, "database", place, "version", version)
}

// reload gives node the system users as they are configured now; when anything is wrong with
// the configuration it keeps those it has.
func reload(node *server.Server, from sources, log *slog.Logger) {
	c, err := from.load(server.Defaults())
	if err == nil {
		err = node.Reload(c.SystemUsers)
	}
	if err != nil {
		log.Error("the system users were not reloaded; the old ones stay", "error", err)
	}
}

// logger returns the logger of a server, which writes to standard error.
func (p *program) logger(c configuration) *slog.Logger {
	level, err := c.Level()
	if err != nil {
		level = slog.LevelInfo // unreachable: load has checked it
	}
	text := c.LogFormat == "text" || c.LogFormat == "auto" && p.ErrShown
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch {
		case a.Value.Kind() == slog.KindDuration:
			a.Value = slog.StringValue(a.Value.Duration().String()) // JSON would have nanoseconds
		case text && a.Value.Kind() == slog.KindTime && a.Key == slog.TimeKey:
			a.Value = slog.StringValue(a.Value.Time().Format(time.TimeOnly))
		}
		return a
	}}
	if text {
		return slog.New(slog.NewTextHandler(p.Err, options))
	}
	return slog.New(slog.NewJSONHandler(p.Err, options))
}

// engineOf names the database of a URL without what may be secret in it: only scheme, host and
// path are shown, as passwords can stand among the parameters too.
func engineOf(databaseURL string) (engine, place string) {
	scheme, rest, _ := strings.Cut(databaseURL, "://")
	if scheme == "sqlite" {
		return "sqlite", rest
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "postgres", "" // unreachable: load has checked it
	}
	return "postgres", u.Host + u.Path
}
