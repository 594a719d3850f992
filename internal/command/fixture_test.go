package command

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
	"castellan/tests/kit"
)

// castellan returns what runs command lines in process. Without an audience, tokens are made out
// to kit.Issuer.
func castellan() terminaltest.Runner {
	return terminaltest.Runner{Root: func(t *terminal.Terminal) *cobra.Command {
		c := &Commands{
			Surroundings: client.Surroundings{
				Terminal: t, Issuer: func() (string, bool, error) { return kit.Issuer, true, nil },
			},
			SystemUsersEnv: "CASTELLAN_SYSTEM_USERS",
		}
		return terminal.Group(&cobra.Command{Use: "castellan"}, c.All()...)
	}}
}

// node is a server on a database.
type node struct {
	*kit.Node
	*kit.Backend
}

// serve runs a server on SQLite until the test ends, and returns what runs command lines whose
// calls reach it, made by kit.Operator.
func serve(t *testing.T) (node, terminaltest.Runner) {
	t.Helper()
	return serveOn(t, kit.NewBackend(t, "sqlite"))
}

// serveOn is serve on a database that is there.
func serveOn(t *testing.T, b *kit.Backend) (node, terminaltest.Runner) {
	t.Helper()
	n := node{b.Start(t, nil), b}
	der, err := x509.MarshalPKCS8PrivateKey(kit.Operator().Key)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "operator.pem")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	cli := castellan()
	cli.Environ = map[string]string{client.ServerEnv: n.Node.URL, client.KeyEnv: key, client.UserEnv: kit.Operator().Name}
	return n, cli
}

// newInstanceID creates an instance called name, and returns its id.
func newInstanceID(t *testing.T, cli terminaltest.Runner, name string, more ...string) string {
	t.Helper()
	args := append([]string{"instance", "create", name, "--machine-user", "owner"}, more...)
	return cell(t, cli.Succeed(t, args...), "Instance")
}

// cell returns the value of the row called name of a table.
func cell(t *testing.T, table, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` +(.*)$`).FindStringSubmatch(table)
	if m == nil {
		t.Fatalf("no %s in:\n%s", name, table)
	}
	return m[1]
}

// decode reads JSON, as a script would.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return v
}

// fake is a server that answers what a test says.
type fake struct {
	t   *testing.T
	mux *http.ServeMux
	// cli runs command lines whose calls reach it.
	cli terminaltest.Runner
}

// newFake returns a server that answers nothing yet.
func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, mux: http.NewServeMux(), cli: castellan()}
	server := httptest.NewServer(f.mux)
	t.Cleanup(server.Close)
	f.cli.Environ = map[string]string{client.ServerEnv: server.URL, client.TokenEnv: "secret"}
	return f
}

// handle makes f answer calls of a procedure.
func handle[Req, Res any](f *fake, procedure string, with func(*connect.Request[Req]) (*connect.Response[Res], error)) {
	f.mux.Handle(procedure, connect.NewUnaryHandler(procedure,
		func(_ context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
			if r.Header().Get("Authorization") != "Bearer secret" {
				f.t.Errorf("%s: %v", procedure, r.Header())
			}
			return with(r)
		}))
}

// answer is handle for answers that are made of the message alone.
func answer[Req, Res any](f *fake, procedure string, with func(*Req) (*Res, error)) {
	handle(f, procedure, func(r *connect.Request[Req]) (*connect.Response[Res], error) {
		res, err := with(r.Msg)
		if err != nil {
			return nil, err
		}
		return connect.NewResponse(res), nil
	})
}
