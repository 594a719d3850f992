package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"castellan/internal/store/postgres"
)

// server is where this process creates databases.
type server struct {
	url     *url.URL // of a database to connect to
	cluster *cluster // nil when the server was given

	mu       sync.Mutex
	admin    *pgx.Conn
	made     int
	template string // a migrated database to copy
}

// shared is the server of this process, started on first use.
var shared struct {
	sync.Mutex
	server *server
	err    error
}

// Main runs the tests of a package and then stops the server, if one was started. A package
// may call it from TestMain; without it the server stops by itself shortly after.
func Main(m *testing.M) {
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the PostgreSQL server of the tests:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	return shared.server.close()
}

// PostgresURL returns the URL of a fresh, migrated PostgreSQL database, for tests, benchmarks and
// programs under test. It is removed when the test ends.
func PostgresURL(t testing.TB) string { return freshURL(t, true) }

// EmptyPostgresURL is [PostgresURL] without the migrations.
func EmptyPostgresURL(t testing.TB) string { return freshURL(t, false) }

func freshURL(t testing.TB, migrated bool) string {
	t.Helper()
	skipLeftOut(t, "postgres")
	s, err := theServer()
	if err != nil {
		t.Fatal(err)
	}
	name, err := s.create(context.Background(), migrated)
	if err != nil {
		t.Fatalf("create a PostgreSQL database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.drop(name); err != nil {
			t.Errorf("drop a PostgreSQL database: %v", err)
		}
	})
	return s.of(name)
}

// theServer starts or returns the server of this process.
func theServer() (*server, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newServer()
	}
	return shared.server, shared.err
}

func newServer() (*server, error) {
	if given := os.Getenv("CASTELLAN_TEST_POSTGRES_URL"); given != "" {
		u, err := url.Parse(given)
		if err != nil || u.Host == "" && u.RawQuery == "" {
			return nil, errors.New("CASTELLAN_TEST_POSTGRES_URL is not a postgres:// URL")
		}
		return connected(&server{url: u})
	}
	c, err := startCluster()
	if err != nil {
		return nil, err
	}
	return connected(&server{url: c.url, cluster: c})
}

func connected(s *server) (*server, error) {
	var err error
	s.admin, err = pgx.Connect(context.Background(), s.url.String())
	return s, err
}

// of returns the URL of a database of the server.
func (s *server) of(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

// create makes a database and returns its name.
func (s *server) create(ctx context.Context, migrated bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !migrated {
		return s.copy(ctx, "template0")
	}
	if s.template == "" {
		name, err := s.copy(ctx, "template0")
		if err != nil {
			return "", err
		}
		db, err := postgres.Open(ctx, postgres.Config{URL: s.of(name)})
		if err != nil {
			return "", err
		}
		if err := db.Close(); err != nil {
			return "", err
		}
		s.template = name
	}
	return s.copy(ctx, s.template)
}

// copy makes a database like another; the caller holds mu.
func (s *server) copy(ctx context.Context, template string) (string, error) {
	s.made++
	name := fmt.Sprintf("castellan_test_%d_%d", os.Getpid(), s.made)
	_, err := s.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template)
	return name, err
}

func (s *server) drop(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.admin.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	return err
}

// close removes what the process made on the server, or the server.
func (s *server) close() error {
	if s.cluster != nil {
		return s.cluster.stop()
	}
	if s.template == "" {
		return nil
	}
	return s.drop(s.template)
}
