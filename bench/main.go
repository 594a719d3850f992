package main

import (
	"context"
	"crypto"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"castellan/internal/assertion"
	"castellan/internal/systemuser"
)

// options are what can be asked of a run.
type options struct {
	castellan string
	out       string
	dir       string
	engines   string
	instances int
	directory int
	rounds    int
	limit     time.Duration
	only      string
}

func main() {
	var o options
	flag.StringVar(&o.castellan, "castellan", "", "the program to measure; built from ./cmd/castellan when empty")
	flag.StringVar(&o.out, "out", "", "file for the report; empty: none is written")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder on the disk where the databases are to lie")
	flag.StringVar(&o.engines, "engines", "sqlite,postgres", "engines to measure")
	flag.IntVar(&o.instances, "instances", 10_000, "instances in the large database")
	flag.IntVar(&o.directory, "directory", 100_000, "instances in the database whose pages are read in order")
	flag.IntVar(&o.rounds, "rounds", 15, "rounds of each comparison")
	flag.StringVar(&o.only, "only", "", "measure these alone of what is measured under load, by their names; no report is written")
	flag.DurationVar(&o.limit, "limit", 15*time.Minute, "give up after this time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	err := run(ctx, o)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, and writes the report.
func run(ctx context.Context, o options) (err error) {
	if o.instances < smallest || o.directory < 2*pageSize || o.rounds < 1 {
		return fmt.Errorf("at least %d instances, %d in the directory, and one round are needed", smallest, 2*pageSize)
	}
	dir, err := os.MkdirTemp(o.dir, "castellan-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &report{begun: time.Now()}
	if r.machine, err = inspect(dir); err != nil {
		return err
	}
	s := &suite{options: o, dir: dir}
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.identify(); err != nil {
		return err
	}
	if r.version, err = s.version(ctx); err != nil {
		return err
	}
	if err := s.measureProgram(r.section("Program")); err != nil {
		return err
	}
	if err := s.measureEngines(ctx, r); err != nil {
		return err
	}
	r.took = time.Since(r.begun)
	hold, all := r.score()
	fmt.Printf("\n%d of %d targets hold; the run took %s\n", hold, all, r.took.Round(time.Second))
	for _, name := range r.missed() {
		fmt.Println("missed:", name)
	}
	if o.out == "" || o.only != "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(r.markdown()), 0o644)
}

// suite is one run.
type suite struct {
	options
	dir   string
	bare  string // the program
	users string // CASTELLAN_SYSTEM_USERS
	token string
}

// build builds the programs that are not given, as the Makefile builds castellan.
func (s *suite) build(ctx context.Context) error {
	s.bare = filepath.Join(s.dir, "bare")
	if err := goBuild(ctx, s.bare, "./bench/bare"); err != nil {
		return err
	}
	if s.castellan == "" {
		s.castellan = filepath.Join(s.dir, "castellan")
		return goBuild(ctx, s.castellan, "./cmd/castellan")
	}
	var err error
	s.castellan, err = filepath.Abs(s.castellan)
	return err
}

func goBuild(ctx context.Context, out, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", folder, err, said)
	}
	return nil
}

// What castellan is told about how clients reach it; tokens are made out to that.
const (
	externalDomain = "localhost"
	externalPort   = 8080
	userName       = "bench"
)

// identify makes a system user and the token of all calls.
func (s *suite) identify() error {
	private, public, err := systemuser.GenerateKey(systemuser.KindECDSA)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, "bench.pub.pem")
	if err := os.WriteFile(path, public, 0o600); err != nil {
		return err
	}
	s.users = userName + "=" + path
	key, err := assertion.ParsePrivateKey(private)
	if err != nil {
		return err
	}
	s.token, err = mint(key)
	return err
}

func mint(key crypto.Signer) (string, error) {
	issuer := systemuser.Issuer(false, externalDomain, externalPort)
	return systemuser.Mint(key, userName, issuer, time.Hour, time.Now())
}

// version returns what castellan says of itself.
func (s *suite) version(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, s.castellan, "version").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", s.castellan, err)
	}
	for line := range strings.Lines(string(said)) {
		if fields := strings.Fields(line); len(fields) == 2 && strings.TrimSuffix(strings.ToLower(fields[0]), ":") == "version" {
			return fields[1], nil
		}
	}
	return "unknown", nil
}

// measureProgram looks at the file.
func (s *suite) measureProgram(out *section) error {
	var size [2]float64
	for i, path := range []string{s.castellan, s.bare} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		size[i] = float64(info.Size())
	}
	out.add(figure{
		what: "size of the program", value: mbText(size[0]), baseline: mbText(size[1]) + ", bare handler",
		ratio: size[0] / size[1], target: atMost(size[0], 45e6, "45 MB"),
	})
	return nil
}

// measureEngines measures every engine that was asked for.
func (s *suite) measureEngines(ctx context.Context, r *report) (err error) {
	asked := strings.Split(s.engines, ",")
	for _, name := range asked {
		if name != "sqlite" && name != "postgres" {
			return fmt.Errorf("unknown engine %q", name)
		}
	}
	r.machine.postgres = "not measured"
	if slices.Contains(asked, "sqlite") {
		if err := s.measureEngine(ctx, r, files{s.dir}, targetsSQLite); err != nil {
			return err
		}
	}
	if !slices.Contains(asked, "postgres") {
		return nil
	}
	c, err := startCluster(ctx, s.options.dir, s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	r.machine.postgres = c.version
	return s.measureEngine(ctx, r, c, targetsPostgres)
}

func (s *suite) measureEngine(ctx context.Context, r *report, e engine, t targets) (err error) {
	f := &field{suite: s, engine: e, targets: t, out: r.section(e.title())}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.measure(ctx); err != nil {
		return fmt.Errorf("%s: %w", e.title(), err)
	}
	return nil
}
