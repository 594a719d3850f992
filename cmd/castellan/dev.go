package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/files"
	"castellan/internal/server"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// devDataDir is where castellan dev keeps everything, unless told otherwise.
const devDataDir = "castellan-data"

// What lies in the directory of castellan dev.
const (
	devUser       = "system"
	devKeyFile    = "system-user.pem"
	devPublicFile = "system-user.pub.pem"
	devDatabase   = "castellan.db"
	devMasterKey  = "master.key"
	devAnswerFile = "first-instance.json"
	devOwnerKey   = "owner-key.json"
)

// devCommand returns `castellan dev`.
func (p *program) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a server with a first instance on this machine",
		Long: `dev runs a server on embedded SQLite at 127.0.0.1:8080, with plain HTTP. It makes what the server
needs in one directory: keys, database, a system user named ` + devUser + `, and a first instance, created
through the API. It prints how to call the server. The next start finds everything as it was.

The settings of 'castellan serve' apply here too; the external port follows --listen.`,
		Example: `  castellan dev
  castellan dev --data /tmp/try --listen 127.0.0.1:9090`,
		Args: terminal.Arguments(),
	}
	dir := cmd.Flags().String("data", devDataDir, "`directory` for all data; created when missing")
	terminal.Must(cmd.MarkFlagDirname("data"))
	shown := server.Defaults()
	shown.DatabaseURL, shown.MasterKeyFile, shown.ExternalPort = "", "", 0 // follow --data and --listen
	addSettings(cmd, shown)
	cmd.RunE = p.Do(func(ctx context.Context, _ []string) error {
		return p.dev(ctx, *dir, p.sourcesOf(cmd))
	})
	return cmd
}

// dev serves from a directory until ctx ends or a signal comes. SIGHUP, which a terminal sends
// when it is closed, ends it too.
func (p *program) dev(ctx context.Context, dir string, from sources) error {
	d, err := openDevData(dir)
	if err != nil {
		return err
	}
	c, err := d.configure(from)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	node, log, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	announce(log, node, c)
	served := make(chan error, 1)
	go func() { served <- node.Serve(ctx) }()

	if err := p.welcome(ctx, d, c, node.Addr(), log); err != nil && ctx.Err() == nil {
		stop()
		return errors.Join(err, <-served)
	}
	return <-served
}

// welcome sees to it that there is a first instance, and prints how to use the server.
func (p *program) welcome(ctx context.Context, d devData, c configuration, addr string, log *slog.Logger) error {
	local, err := localURL(addr)
	if err != nil {
		return err
	}
	issuer := systemuser.Issuer(c.ExternalSecure, c.ExternalDomain, c.ExternalPort)
	id := client.Identity{Key: d.path(devKeyFile), User: devUser, Audience: issuer}
	domain := c.ExternalDomain
	if _, err := netip.ParseAddr(domain); err == nil {
		log.Warn("the external domain is an IP address, which cannot be the domain of an instance; the first one has a generated domain only",
			"address", domain)
		domain = ""
	}
	first := firstInstance{
		data: d, domain: domain, log: log,
		// Without a proxy: the server is this process.
		client: client.New(local, &http.Transport{}, 30*time.Second, id.Tokens(p.Clock)),
	}
	made, instance, err := first.ensure(ctx)
	if err != nil {
		return fmt.Errorf("the first instance: %w", err)
	}
	g := greeting{url: issuer, local: local, id: id, made: made, instance: instance, ownerKey: d.path(devOwnerKey), executable: p.executable}
	_, err = io.WriteString(p.Out, g.String())
	return err
}

// devData is the directory of castellan dev.
type devData struct {
	dir string // absolute
}

// path returns the path of a file in the directory.
func (d devData) path(name string) string { return filepath.Join(d.dir, name) }

// openDevData makes the directory and the key of its system user where there are none.
func openDevData(dir string) (devData, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return devData{}, fmt.Errorf("--data: %w", err)
	}
	d := devData{abs}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return d, fmt.Errorf("--data: %w", err)
	}
	if _, err := os.Stat(d.path(devKeyFile)); !errors.Is(err, os.ErrNotExist) {
		return d, err
	}
	private, public, err := systemuser.GenerateKey(systemuser.KindECDSA)
	if err != nil {
		return d, err
	}
	// The private half comes last: where it is, the public one is too.
	if err := files.Replace(d.path(devPublicFile), public); err != nil {
		return d, err
	}
	return d, files.Replace(d.path(devKeyFile), private)
}

// configure returns the configuration of a server on the directory.
func (d devData) configure(from sources) (configuration, error) {
	base := server.Defaults()
	base.DatabaseURL = "sqlite://" + filepath.ToSlash(d.path(devDatabase))
	base.MasterKeyFile = d.path(devMasterKey)
	c, err := from.load(base)
	if err != nil {
		return c, err
	}
	if c.TLSCertFile != "" {
		return c, terminal.Usagef("%s: not with castellan dev, which speaks plain HTTP; take castellan serve", c.given["tlsCertFile"])
	}
	if c.Listen, err = fixPort(c.Listen); err != nil {
		return c, err
	}
	if c.given["externalPort"] == "" {
		_, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return c, err // unreachable: load has checked it
		}
		if c.ExternalPort, err = net.LookupPort("tcp", port); err != nil {
			return c, terminal.Usagef("%s: %v", c.given["listen"], err)
		}
	}
	c.SystemUsers = append(c.SystemUsers, systemuser.Config{Name: devUser, Path: d.path(devPublicFile)})
	return c, nil
}

// fixPort returns address with a free port in the place of port 0: tokens name the port, so it
// must be known before it is opened.
func fixPort(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "0" {
		return address, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	_, port, err = net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port), errors.Join(err, l.Close())
}

// localURL is where a server that listens on addr is reached from this machine.
func localURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "127.0.0.1" // wildcards take in both families
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
