package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"castellan/internal/client"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// TestOwnerFlags: of an owner who is a machine nothing can be said that is said of people. Every
// flag of castellan instance create is of one kind, or of neither.
func TestOwnerFlags(t *testing.T) {
	t.Parallel()
	cmd := (&Commands{}).createInstance()
	var neither []string
	line := func(name string) string {
		if f := cmd.Flags().Lookup(name); f.Value.Type() == "bool" {
			return "--" + name
		}
		return "--" + name + "=x"
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(machineFlags, f.Name) && !slices.Contains(humanFlags, f.Name) {
			neither = append(neither, f.Name)
		}
	})
	if want := strings.Fields("audience domain idempotency-key key language org output server timeout token user"); !slices.Equal(neither, want) {
		t.Errorf("flags of no kind of owner: %q, want %q", neither, want)
	}
	for _, machine := range machineFlags {
		for _, human := range humanFlags {
			got := castellan().Run(t, "instance", "create", "x", line(machine), line(human))
			if got.Code != terminal.ExitUsage || !strings.Contains(got.Err, "none of the others can be") {
				t.Errorf("--%s with --%s: code %d, %s", machine, human, got.Code, got.Err)
			}
		}
	}
}

func TestInstanceCommands(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	keyFile := filepath.Join(t.TempDir(), "owner.json")
	create := []string{"instance", "create", "Blåbær & Søn", "--domain", "Berry.Example", "--machine-user", "owner",
		"--pat", "--machine-key-file", keyFile, "--machine-key-expires", "720h", "--idempotency-key", "once"}

	table := cli.Succeed(t, create...)
	id := cell(t, table, "Instance")
	terminaltest.Contains(t, table, "Organization  ", "Created       20", "Token         ", "Machine key   "+keyFile)
	terminaltest.Modes(t, filepath.Dir(keyFile), map[string]os.FileMode{"owner.json": 0o600})
	var key struct{ Type, UserID string }
	if text, err := os.ReadFile(keyFile); err != nil || json.Unmarshal(text, &key) != nil || key.Type != "serviceaccount" {
		t.Errorf("the key file holds %s (%v)", text, err)
	}

	terminaltest.Contains(t, cli.Succeed(t, "instance", "get", id),
		"Instance  "+id+"\n", "Name      Blåbær & Søn\n", "State     running\n", "Domain    berry.example (primary)\n", " (generated)\n")
	got := decode[systemv1Get](t, cli.Succeed(t, "instance", "get", id, "-o", "json"))
	if got.Instance.ID != id || got.Instance.State != "STATE_RUNNING" || len(got.Instance.Domains) != 2 {
		t.Errorf("got %+v", got)
	}

	refused := cli.Run(t, create...)
	terminaltest.Contains(t, refused.Err, "--machine-key-file: open "+keyFile) // never overwritten
	if refused.Code != terminal.ExitFailure {
		t.Errorf("code %d", refused.Code)
	}
}

// systemv1Get is GetInstanceResponse in JSON, as a script reads it.
type systemv1Get struct {
	Instance struct {
		ID, State string
		Domains   []struct {
			Domain             string
			Primary, Generated bool
		}
	}
}

func TestInstanceCreateJSON(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	create := []string{"instance", "create", "Acme", "--machine-user", "owner", "--pat-expires", "2040-01-01T00:00:00Z",
		"--machine-key", "--idempotency-key", "k", "--output", "json"}
	first := cli.Succeed(t, create...)
	var made struct {
		InstanceID, Pat string
		MachineKey      []byte
		Details         struct{ CreationDate, ResourceOwner string }
	}
	if err := json.Unmarshal([]byte(first), &made); err != nil {
		t.Fatal(err)
	}
	if made.InstanceID == "" || made.Pat == "" || !json.Valid(made.MachineKey) || made.Details.ResourceOwner == "" {
		t.Errorf("got %s", first)
	}
	if again := cli.Succeed(t, create...); again != first {
		t.Error("the same key gave another answer")
	}
	create[len(create)-3] = "k2"
	if other := cli.Succeed(t, create...); strings.Contains(other, made.InstanceID) {
		t.Error("another key gave the same instance")
	}
}

// A key that goes to a file with mode 0600 goes nowhere else.
func TestKeyInAFileIsNotPrinted(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	for _, output := range []string{"table", "json"} {
		keyFile := filepath.Join(t.TempDir(), "owner.json")
		printed := cli.Succeed(t, "instance", "create", "Acme", "--machine-user", "owner", "--machine-key-file", keyFile, "-o", output)
		text, err := os.ReadFile(keyFile)
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: the key file holds %d bytes, %v", output, len(text), err)
		}
		if strings.Contains(printed, "achineKey") || strings.Contains(printed, "PRIVATE KEY") || !strings.Contains(printed, "nstance") {
			t.Errorf("%s: printed %s", output, printed)
		}
	}
}

func TestInstanceCreateHuman(t *testing.T) {
	t.Parallel()
	_, cli := serve(t)
	create := []string{"instance", "create", "Acme", "--email", "ada@example.com", "--first-name", "Ada",
		"--last-name", "Lovelace", "--password-stdin"}
	cli.In = strings.NewReader("Secret-123\r\nrest\n")
	table := cli.Succeed(t, create...)
	terminaltest.Contains(t, table, "Instance ")
	if strings.Contains(table, "Token") || strings.Contains(table, "Secret-123") {
		t.Errorf("got:\n%s", table)
	}
	for password, want := range map[string]string{
		"short\n":                 "the server refused: ", // with the rule that the password breaks
		"\n":                      "the password is empty",
		strings.Repeat("x", 1000): "the password is too long",
	} {
		cli.In = strings.NewReader(password)
		got := cli.Run(t, create...)
		if got.Code != terminal.ExitFailure {
			t.Errorf("%.10q: code %d", password, got.Code)
		}
		terminaltest.Contains(t, got.Err, want)
	}
	cli.In = strings.NewReader("short")
	terminaltest.Contains(t, cli.Run(t, create...).Err, "\n  human.password.password: ")
}

func TestInstanceErrors(t *testing.T) {
	t.Parallel()
	node, cli := serve(t)
	id := newInstanceID(t, cli, "Acme", "--domain", "acme.example")
	notFound := cli.Run(t, "instance", "get", "404")
	terminaltest.Contains(t, notFound.Err, "castellan: the server refused: ", "[not_found]\n")
	terminaltest.Contains(t, cli.Run(t, "instance", "get", id, "--token", "nonsense").Err, "AUTH-7fs1e", "[unauthenticated]")
	for _, token := range []string{"a\n", "a\r\nb", "a b", "ä", "\x00"} {
		cli.Fail(t, terminal.ExitUsage, []string{"--token or CASTELLAN_TOKEN has a line break"}, "instance", "get", id, "--token", token)
	}
	terminaltest.Contains(t, cli.Run(t, "instance", "get", id, "--audience", "http://elsewhere").Err, "AUTH-7fs1e")
	terminaltest.Contains(t, cli.Run(t, "instance", "create", "x", "--machine-user", "o", "--domain", "acme.example").Err, "V3-DKcYh", "[already_exists]")

	cli.Environ[client.TokenEnv] = strings.TrimSpace(cli.Succeed(t, "token"))
	delete(cli.Environ, client.KeyEnv)
	cli.Succeed(t, "instance", "get", id)
	node.Stop(t)

	gone := cli.Run(t, "instance", "create", "x", "--machine-user", "o")
	terminaltest.Contains(t, gone.Err, "cannot reach "+node.Node.URL+": ", "refused")
	if gone.Code != terminal.ExitFailure || strings.Contains(gone.Err, "--idempotency-key") {
		t.Errorf("code %d, %s", gone.Code, gone.Err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	foreign := cli.Run(t, "instance", "create", "x", "--machine-user", "o", "--server", other.URL, "--machine-key-file", filepath.Join(t.TempDir(), "k"))
	terminaltest.Contains(t, foreign.Err, other.URL+" does not answer as a castellan server does")
	enough := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-enough }))
	defer hang.Close()
	defer close(enough)
	late := cli.Run(t, "instance", "create", "x", "--machine-user", "o", "--server", hang.URL, "--timeout", "50ms", "--idempotency-key", "k7")
	unsent := cli.Run(t, "instance", "create", "x", "--machine-user", "o", "--key", "/no/such.pem")
	terminaltest.Contains(t, unsent.Err, "open /no/such.pem: no such file")
	if strings.Contains(unsent.Err, "--idempotency-key") {
		t.Errorf("a call that was not made is to be repeated: %s", unsent.Err)
	}
	terminaltest.Contains(t, late.Err, "did not answer within 50ms; repeat with --idempotency-key k7")
}
