package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"castellan/internal/store"
	"castellan/internal/store/postgres"
)

// cluster is a PostgreSQL server of this run. Its settings are those of initdb: fsync,
// synchronous_commit and full_page_writes are on.
type cluster struct {
	dir     string // its data and its socket
	bin     string // folder of its programs
	keys    string // folder of castellan's master keys
	cmd     *exec.Cmd
	ended   chan struct{}
	err     error // of its end
	admin   *pgx.Conn
	version string
}

// Names in a cluster.
const (
	clusterUser = "castellan"
	adminDB     = "postgres"
)

// startCluster makes and starts a server in a new folder below dir.
func startCluster(ctx context.Context, dir, keys string) (*cluster, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, keys: keys, ended: make(chan struct{})}
	if c.dir, err = os.MkdirTemp(dir, "castellan-bench-pg-"); err != nil {
		return nil, err
	}
	data := filepath.Join(c.dir, "data")
	made, err := c.command("initdb", "-D", data, "-U", clusterUser, "-A", "trust", "-E", "UTF8", "--locale=C")
	if err == nil {
		var said []byte
		if said, err = made.CombinedOutput(); err != nil {
			err = fmt.Errorf("initdb: %w\n%s", err, said)
		}
	}
	if err == nil {
		c.cmd, err = c.command("postgres", "-D", data, "-k", c.dir, "-c", "listen_addresses=")
	}
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// command prepares a program of the server; as root it runs as the user postgres, for PostgreSQL
// refuses to run as root.
func (c *cluster) command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	if os.Getuid() == 0 {
		uid, gid, err := becomeUser(cmd, "postgres")
		if err == nil {
			err = os.Chown(c.dir, uid, gid)
		}
		if err != nil {
			return nil, err
		}
	}
	dieWithUs(cmd, syscall.SIGINT) // a fast shutdown
	return cmd, nil
}

// start runs the server and returns when it answers.
func (c *cluster) start(ctx context.Context) error {
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		if c.admin, err = pgx.Connect(ctx, c.url(adminDB)); err == nil {
			return c.admin.QueryRow(ctx, "SHOW server_version").Scan(&c.version)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-c.ended:
			return fmt.Errorf("PostgreSQL ended: %s", tail(log.Name()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the server and removes it.
func (c *cluster) stop() error {
	var errs []error
	if c.admin != nil {
		errs = append(errs, c.admin.Close(context.Background()))
	}
	if c.cmd != nil && c.cmd.Process != nil {
		if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		select {
		case <-c.ended:
		case <-time.After(stopLimit):
			errs = append(errs, errors.New("PostgreSQL had to be killed"), c.cmd.Process.Kill())
			<-c.ended
		}
		errs = append(errs, c.err)
	}
	return errors.Join(append(errs, os.RemoveAll(c.dir))...)
}

// postgresPrograms finds the folder of the programs: the newest version installed the Debian
// way, or else the search path.
func postgresPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // other names count as oldest
		return n
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New("no PostgreSQL server found: install one (Debian: apt-get install postgresql), " +
			"or measure SQLite alone with -engines sqlite")
	}
	return filepath.Dir(path), nil
}

func (c *cluster) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(clusterUser), Path: "/" + database,
		RawQuery: url.Values{"host": {c.dir}}.Encode(),
	}
	return u.String()
}

func (c *cluster) title() string { return "PostgreSQL" }
func (c *cluster) shared() bool  { return true }

func (c *cluster) at(name string) place {
	return place{name: name, url: c.url(name), key: filepath.Join(c.keys, name+"-postgres.key")}
}

func (c *cluster) fresh(ctx context.Context, name string) (place, error) {
	_, err := c.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
	return c.at(name), err
}

func (c *cluster) twin(ctx context.Context, of place, name string) (place, error) {
	_, err := c.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+of.name+" STRATEGY FILE_COPY")
	return c.at(name), err
}

func (c *cluster) settle(ctx context.Context, p place) error {
	conn, err := pgx.Connect(ctx, p.url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE")
	if err == nil {
		_, err = conn.Exec(ctx, "CHECKPOINT")
	}
	return errors.Join(err, conn.Close(ctx))
}

func (c *cluster) size(ctx context.Context, p place) (n int64, err error) {
	return n, c.admin.QueryRow(ctx, "SELECT pg_database_size($1)", p.name).Scan(&n)
}

func (c *cluster) open(ctx context.Context, p place) (store.DB, error) {
	return opened(postgres.Open(ctx, postgres.Config{URL: p.url}))
}

// log counts the commit records of the whole cluster, in which nothing else is going on.
func (c *cluster) log(ctx context.Context, _ place, work func() error) (t traffic, err error) {
	var from, to string
	if err := c.admin.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&from); err != nil {
		return t, err
	}
	if err := work(); err != nil {
		return t, err
	}
	if err := c.admin.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&to); err != nil {
		return t, err
	}
	if err := c.admin.QueryRow(ctx, "SELECT pg_wal_lsn_diff($1::pg_lsn, $2::pg_lsn)::bigint", to, from).Scan(&t.bytes); err != nil {
		return t, err
	}
	dump, err := c.command("pg_waldump", "-p", filepath.Join(c.dir, "data", "pg_wal"), "-r", "Transaction", "-s", from, "-e", to)
	if err != nil {
		return t, err
	}
	var failed bytes.Buffer
	dump.Stderr = &failed
	records, err := dump.Output()
	if err != nil {
		return t, fmt.Errorf("pg_waldump: %w\n%s", err, failed.Bytes())
	}
	t.commits = bytes.Count(records, []byte("desc: COMMIT"))
	return t, nil
}
