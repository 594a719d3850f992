package operation_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"castellan/internal/eventlog/logtest"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// administrator is a connection beside the program's, to another database of the same server.
type administrator struct {
	conn     *pgx.Conn
	database string
}

func newAdministrator(t *testing.T, b *kit.Backend) administrator {
	t.Helper()
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	a := administrator{database: strings.TrimPrefix(u.Path, "/")}
	u.Path = "/postgres"
	if a.conn, err = pgx.Connect(t.Context(), u.String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.conn.Close(context.WithoutCancel(t.Context())) }) // nothing is lost with it
	return a
}

func (a administrator) do(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := a.conn.Exec(context.WithoutCancel(t.Context()), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// cut ends all connections to the database.
func (a administrator) cut(t *testing.T) {
	t.Helper()
	a.do(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, a.database)
}

// allow says whether anyone may connect to the database.
func (a administrator) allow(t *testing.T, yes bool) {
	t.Helper()
	a.do(t, fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS %t`, pgx.Identifier{a.database}.Sanitize(), yes))
}

// TestConnectionsCut cuts all connections to PostgreSQL again and again while clients create
// instances. A call may fail for it, and then says so; repeated with its key it is done once.
func TestConnectionsCut(t *testing.T) {
	kit.OnPostgres(t, func(t *testing.T, b *kit.Backend) {
		n, admin := b.Start(t, nil), newAdministrator(t, b)
		const clients, each, cuts = 6, 15, 12
		book := newLedger()
		var answers atomic.Int64
		cut := make(chan struct{}, clients*each)
		var all sync.WaitGroup
		for client := range clients {
			all.Go(func() {
				for i := range each {
					if createThroughOutage(t, n.Client, book, fmt.Sprintf("c%d-%d", client, i)) {
						if answers.Add(1)%(clients*each/cuts) == 0 {
							cut <- struct{}{}
						}
					}
				}
			})
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range cut {
				admin.cut(t)
			}
		}()
		all.Wait()
		close(cut)
		<-done
		admin.cut(t)
		for key, made := range book.answered {
			if _, a := n.Get(t, made.GetInstanceId()); a.Code != codes.OK {
				t.Errorf("%s: %v", key, a)
			}
		}
		if whole := kit.CheckWhole(t, n.DB()); len(whole) != clients*each || len(book.answered) != clients*each {
			t.Errorf("%d instances and %d answers for %d keys", len(whole), len(book.answered), clients*each)
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// createThroughOutage creates an instance, again while the database is not available.
func createThroughOutage(t *testing.T, c *kit.Client, book *ledger, key string) bool {
	call := book.begin(t, key)
	for deadline := time.Now().Add(kit.Patience); time.Now().Before(deadline); {
		made := new(systemv1.CreateInstanceResponse)
		a, err := kit.REST().Do(context.WithoutCancel(t.Context()), c, call, made)
		switch {
		case err != nil:
			t.Errorf("%s: %v", key, err)
			return false
		case a.Code == codes.OK:
			book.end(t, key, made, a, nil)
			return true
		case a.Code != codes.Unavailable || a.HTTP != http.StatusServiceUnavailable:
			t.Errorf("%s: %v", key, a)
			return false
		}
	}
	t.Errorf("%s: the database does not come back", key)
	return false
}

// TestDatabaseGone: while nobody can connect, the program is alive, not ready, and answers calls
// with 503 instead of something wrong; when the database is back, so is the program.
func TestDatabaseGone(t *testing.T) {
	kit.OnPostgres(t, func(t *testing.T, b *kit.Backend) {
		n, admin := b.Start(t, nil), newAdministrator(t, b)
		made := n.Create(t, kit.Machine("Acme"))
		admin.allow(t, false)
		admin.cut(t)
		probe := func(path string) (int, string) {
			status, _, text := kit.Raw(t, n.HTTP, "GET", n.URL+path, "", nil)
			return status, text
		}
		if status, text := probe("/debug/ready"); status != http.StatusPreconditionFailed || strings.Contains(text, "postgres") {
			t.Errorf("/debug/ready: %d %s", status, text)
		}
		if status, _ := probe("/debug/healthz"); status != http.StatusOK {
			t.Errorf("/debug/healthz: %d", status)
		}
		for _, w := range kit.Wires() {
			for method, a := range map[string]kit.Answer{
				"GetInstance":    w.Call(t, n.Client, "GetInstance", &systemv1.GetInstanceRequest{InstanceId: made.GetInstanceId()}, nil),
				"CreateInstance": w.Call(t, n.Client, "CreateInstance", kit.Machine("Other"), nil),
			} {
				if a.Code != codes.Unavailable || w.Name == "rest" && a.HTTP != http.StatusServiceUnavailable {
					t.Errorf("%s over %s: %v", method, w.Name, a)
				}
				if strings.Contains(a.Message, admin.database) || strings.Contains(a.Message, "dial") {
					t.Errorf("%s over %s tells too much: %v", method, w.Name, a)
				}
			}
		}
		if a := kit.REST().Send(t, n.Client, kit.Call{Method: "CreateInstance", Request: kit.Machine("Other")}, nil); a.Code != codes.Unauthenticated {
			t.Errorf("a stranger: %v", a)
		}
		admin.allow(t, true)
		if status, text := probe("/debug/ready"); status != http.StatusOK {
			t.Errorf("/debug/ready afterwards: %d %s", status, text)
		}
		if _, a := n.Get(t, made.GetInstanceId()); a.Code != codes.OK {
			t.Errorf("afterwards: %v", a)
		}
		n.Create(t, kit.Machine("Other"))
		if got := kit.CheckWhole(t, n.DB()); len(got) != 2 {
			t.Errorf("%d instances", len(got))
		}
	})
}
