package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	systemv1 "castellan/gen/zitadel/system/v1"
	"castellan/internal/systemuser"
)

// greeted is the end of what castellan dev prints.
const greeted = "Ctrl-C stops the server.\n"

// startDev runs castellan dev on a free port.
func startDev(t *testing.T, dir string) *process {
	t.Helper()
	return runner{}.start(t, greeted, "dev", "--data", dir, "--listen", "127.0.0.1:0", "--key-pool-size", "0")
}

// value returns what castellan dev has printed in the row called name.
func (p *process) value(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` +(.*)$`).FindStringSubmatch(p.printed)
	if m == nil {
		t.Fatalf("no %s in:\n%s", name, p.printed)
	}
	return m[1]
}

// client returns a runner whose commands call the server of p.
func (p *process) client(t *testing.T) runner {
	t.Helper()
	return runner{environ: map[string]string{
		serverEnv: p.value(t, "URL"), keyEnv: p.value(t, "System key"), userEnv: p.value(t, "System user"),
	}}
}

func TestDevStartsTwice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "it's data") // the commands printed must be quoted well
	first := startDev(t, dir)
	id, token := first.value(t, "Instance"), first.value(t, "Owner's token")
	contains(t, first.printed, " (Castellan)\n", "localhost (primary)\n", ".localhost (generated)\n")
	contains(t, first.stderr.String(), `"msg":"listening"`, `"engine":"sqlite"`)
	if strings.Contains(first.stderr.String(), token) {
		t.Error("the token is in the log")
	}
	if code := first.stop(); code != exitOK {
		t.Errorf("code %d", code)
	}
	modes(t, dir, map[string]os.FileMode{
		".": 0o700, devKeyFile: 0o600, devMasterKey: 0o600, devDatabase: 0o600, devAnswerFile: 0o600, devOwnerKey: 0o600,
	})
	var key struct{ Type, KeyID, UserID, Key string }
	text, err := os.ReadFile(first.value(t, "Owner's key"))
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err != nil || key.Type != "serviceaccount" || !strings.HasPrefix(key.Key, "-----BEGIN RSA PRIVATE KEY-----") {
		t.Errorf("the owner's key: %v, %+v", err, key.Type)
	}

	second := startDev(t, dir)
	if got := second.value(t, "Instance"); got != id {
		t.Errorf("instance %s, then %s", id, got)
	}
	if got := second.value(t, "Owner's token"); got != token {
		t.Error("the token has changed")
	}
}

// modes fails unless the files have the modes.
func modes(t *testing.T, dir string, want map[string]os.FileMode) {
	t.Helper()
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, not %o", name, info.Mode().Perm(), mode)
		}
	}
}

// What is printed works when it is pasted into a shell in another directory.
func TestDevPrintsCommandsThatWork(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	dev := startDev(t, filepath.Join(t.TempDir(), "it's $data"))
	var lines []string
	for line := range strings.Lines(dev.printed) {
		if strings.HasPrefix(line, "curl ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) != 2 {
		t.Fatalf("%d commands in:\n%s", len(lines), dev.printed)
	}
	shell := func(line string) []byte {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), asCommand+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return out
	}
	answers := make([]map[string]any, len(lines))
	for i, line := range lines {
		if out := shell(line); json.Unmarshal(out, &answers[i]) != nil {
			t.Fatalf("%s:\n%s", line, out)
		}
	}
	own := regexp.MustCompile(`(?m)^.* instance get .*$`).FindString(dev.printed)
	contains(t, string(shell(own)), "Name      Castellan\n", "State     running\n")
	if answers[0]["instanceId"] == nil || answers[0]["pat"] == nil || answers[0]["machineKey"] == nil {
		t.Errorf("create: %v", answers[0])
	}
	if found, _ := answers[1]["instance"].(map[string]any); found["name"] != "Castellan" || found["state"] != "STATE_RUNNING" {
		t.Errorf("get: %v", answers[1])
	}
}

// A start that ended between the creation and the saving of the answer is repaired by the next,
// and so is a database that has been thrown away.
func TestDevRepairs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startDev(t, dir)
	id, token := first.value(t, "Instance"), first.value(t, "Owner's token")
	first.stop()

	for _, name := range []string{devAnswerFile, devOwnerKey} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	second := startDev(t, dir)
	if second.value(t, "Instance") != id || second.value(t, "Owner's token") != token {
		t.Errorf("another instance after the answer was lost:\n%s", second.printed)
	}
	modes(t, dir, map[string]os.FileMode{devAnswerFile: 0o600, devOwnerKey: 0o600})
	second.stop()

	files, err := filepath.Glob(filepath.Join(dir, devDatabase+"*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	third := startDev(t, dir)
	if third.value(t, "Instance") == id {
		t.Error("the instance is still there without its database")
	}
	contains(t, third.stderr.String(), "the first instance is gone")
	third.stop()

	if err := os.WriteFile(filepath.Join(dir, devAnswerFile), []byte(`{"pat":"secret`), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runner{}.run(t, "dev", "--data", dir, "--listen", "127.0.0.1:0")
	if got.code != exitFailure || strings.Contains(got.stderr, "secret") {
		t.Errorf("code %d, %s", got.code, got.stderr)
	}
	contains(t, got.stderr, devAnswerFile+" is not what castellan dev has written")
}

// When the answer is too old to be had again, or what it made is gone, there still is an
// instance in the end.
func TestFirstInstanceWithoutItsAnswer(t *testing.T) {
	t.Parallel()
	var calls []string // code, key and domain of each creation
	answers := []connect.Code{connect.CodeAlreadyExists, 0, connect.CodeNotFound, 0}
	mux := http.NewServeMux()
	mux.Handle(systemv1.SystemService_CreateInstance_FullMethodName, connect.NewUnaryHandler(
		systemv1.SystemService_CreateInstance_FullMethodName,
		func(_ context.Context, r *connect.Request[systemv1.CreateInstanceRequest]) (*connect.Response[systemv1.CreateInstanceResponse], error) {
			calls = append(calls, r.Header().Get(idempotencyKey)+" "+r.Msg.GetCustomDomain())
			if code := answers[len(calls)-1]; code != 0 {
				return nil, connect.NewError(code, nil)
			}
			return connect.NewResponse(&systemv1.CreateInstanceResponse{InstanceId: "1"}), nil
		}))
	server := httptest.NewServer(mux)
	defer server.Close()
	program := runner{}.program(&syncBuffer{}, &syncBuffer{})
	first := firstInstance{domain: "localhost", log: program.logger(configuration{}), client: &client{
		http: server.Client(), base: server.URL, timeout: time.Minute, token: func() (string, error) { return "x", nil },
	}}
	for range 2 {
		if made, err := first.create(t.Context()); err != nil || made.GetInstanceId() != "1" {
			t.Fatalf("%v, %v", made, err)
		}
	}
	with, without := requestKey(firstRequest("localhost")), requestKey(firstRequest(""))
	if calls[0] != with+" localhost" || calls[1] != without+" " || calls[2] != with+" localhost" {
		t.Errorf("calls %q", calls)
	}
	if strings.HasPrefix(calls[3], with) || !strings.HasSuffix(calls[3], " localhost") {
		t.Errorf("the last call had no key of its own: %q", calls[3])
	}
}

// A server that is reached by an address has a first instance all the same.
func TestDevAtAnAddress(t *testing.T) {
	t.Parallel()
	dev := runner{}.start(t, greeted, "dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--key-pool-size", "0",
		"--external-domain", "127.0.0.1")
	contains(t, dev.printed, "URL            http://127.0.0.1:", " (primary, generated)\n")
	contains(t, dev.stderr.String(), "the external domain is an IP address")
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address, dir := taken.Addr().String(), t.TempDir()
	for _, args := range [][]string{
		{"dev", "--data", dir},
		{"serve", "--database-url", "sqlite://" + filepath.Join(dir, "c.db"), "--master-key-file", filepath.Join(dir, "k")},
	} {
		got := runner{}.run(t, append(args, "--listen", address)...)
		if got.code != exitFailure {
			t.Errorf("code %d", got.code)
		}
		contains(t, got.stderr, address+" is in use by another program; choose another address with --listen or CASTELLAN_LISTEN")
	}
}

func TestDevConfiguration(t *testing.T) {
	t.Parallel()
	d, err := openDevData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.configure(sources{environ: map[string]string{"CASTELLAN_LISTEN": "0.0.0.0:9090"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.ExternalPort != 9090 || c.ExternalDomain != "localhost" || c.ExternalSecure ||
		c.DatabaseURL != "sqlite://"+d.path(devDatabase) || c.MasterKeyFile != d.path(devMasterKey) {
		t.Errorf("got %+v", c.Config)
	}
	if c, err = d.configure(sources{flags: map[string]string{"external-port": "0", "listen": "127.0.0.1:http"}}); err != nil || c.ExternalPort != 0 {
		t.Errorf("external port %d, %v", c.ExternalPort, err)
	}
	key := publicKey(t)
	_, err = d.configure(sources{flags: map[string]string{"tls-cert-file": key, "tls-key-file": key}})
	if err == nil || !strings.Contains(err.Error(), "--tls-cert-file: not with castellan dev") {
		t.Errorf("TLS: %v", err)
	}
	for addr, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80", "[::]:8080": "http://127.0.0.1:8080", "[::1]:8080": "http://[::1]:8080",
	} {
		if got, err := localURL(addr); err != nil || got != want {
			t.Errorf("%s: %s, %v", addr, got, err)
		}
	}
}

func TestInstanceCommands(t *testing.T) {
	t.Parallel()
	dev := startDev(t, t.TempDir())
	cli := dev.client(t)
	keyFile := filepath.Join(t.TempDir(), "owner.json")
	create := []string{"instance", "create", "Blåbær & Søn", "--domain", "Berry.Example", "--machine-user", "owner",
		"--pat", "--machine-key-file", keyFile, "--machine-key-expires", "720h", "--idempotency-key", "once"}

	table := cli.succeed(t, create...)
	id := regexp.MustCompile(`(?m)^Instance +(\d+)$`).FindStringSubmatch(table)
	if id == nil {
		t.Fatalf("no id in:\n%s", table)
	}
	contains(t, table, "Organization  ", "Created       20", "Token         ", "Machine key   "+keyFile)
	modes(t, filepath.Dir(keyFile), map[string]os.FileMode{"owner.json": 0o600})
	var key struct{ Type, UserID string }
	if text, err := os.ReadFile(keyFile); err != nil || json.Unmarshal(text, &key) != nil || key.Type != "serviceaccount" {
		t.Errorf("the key file holds %s (%v)", text, err)
	}

	contains(t, cli.succeed(t, "instance", "get", id[1]),
		"Instance  "+id[1]+"\n", "Name      Blåbær & Søn\n", "State     running\n", "Domain    berry.example (primary)\n", " (generated)\n")
	var got systemv1Get
	if err := json.Unmarshal([]byte(cli.succeed(t, "instance", "get", id[1], "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Instance.ID != id[1] || got.Instance.State != "STATE_RUNNING" || len(got.Instance.Domains) != 2 {
		t.Errorf("got %+v", got)
	}

	refused := cli.run(t, create...)
	contains(t, refused.stderr, "--machine-key-file: open "+keyFile) // never overwritten
	if refused.code != exitFailure {
		t.Errorf("code %d", refused.code)
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
	dev := startDev(t, t.TempDir())
	cli := dev.client(t)
	create := []string{"instance", "create", "Acme", "--machine-user", "owner", "--pat-expires", "2040-01-01T00:00:00Z",
		"--machine-key", "--idempotency-key", "k", "--output", "json"}
	first := cli.succeed(t, create...)
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
	if again := cli.succeed(t, create...); again != first {
		t.Error("the same key gave another answer")
	}
	create[len(create)-3] = "k2"
	if other := cli.succeed(t, create...); strings.Contains(other, made.InstanceID) {
		t.Error("another key gave the same instance")
	}
}

func TestInstanceCreateHuman(t *testing.T) {
	t.Parallel()
	dev := startDev(t, t.TempDir())
	cli := dev.client(t)
	create := []string{"instance", "create", "Acme", "--email", "ada@example.com", "--first-name", "Ada",
		"--last-name", "Lovelace", "--password-stdin"}
	cli.stdin = strings.NewReader("Secret-123\r\nrest\n")
	table := cli.succeed(t, create...)
	contains(t, table, "Instance ")
	if strings.Contains(table, "Token") || strings.Contains(table, "Secret-123") {
		t.Errorf("got:\n%s", table)
	}
	for password, want := range map[string]string{
		"short\n":                 "the server refused: ", // with the rule that the password breaks
		"\n":                      "the password is empty",
		strings.Repeat("x", 1000): "the password is too long",
	} {
		cli.stdin = strings.NewReader(password)
		got := cli.run(t, create...)
		if got.code != exitFailure {
			t.Errorf("%.10q: code %d", password, got.code)
		}
		contains(t, got.stderr, want)
	}
	cli.stdin = strings.NewReader("short")
	contains(t, cli.run(t, create...).stderr, "\n  human.password.password: ")
}

func TestInstanceErrors(t *testing.T) {
	t.Parallel()
	dev := startDev(t, t.TempDir())
	cli := dev.client(t)
	id := strings.Fields(dev.value(t, "Instance"))[0]
	notFound := cli.run(t, "instance", "get", "404")
	contains(t, notFound.stderr, "castellan: the server refused: ", "[not_found]\n")
	contains(t, cli.run(t, "instance", "get", id, "--token", "nonsense").stderr, "AUTH-7fs1e", "[unauthenticated]")
	contains(t, cli.run(t, "instance", "get", id, "--audience", "http://elsewhere").stderr, "AUTH-7fs1e")
	contains(t, cli.run(t, "instance", "create", "x", "--machine-user", "o", "--domain", "localhost").stderr, "V3-DKcYh", "[already_exists]")

	cli.environ[tokenEnv] = strings.TrimSpace(cli.succeed(t, "token", "--audience", dev.value(t, "URL")))
	delete(cli.environ, keyEnv)
	cli.succeed(t, "instance", "get", id)
	dev.stop()

	gone := cli.run(t, "instance", "create", "x", "--machine-user", "o")
	contains(t, gone.stderr, "cannot reach "+dev.value(t, "URL")+": ", "refused")
	if gone.code != exitFailure || strings.Contains(gone.stderr, "--idempotency-key") {
		t.Errorf("code %d, %s", gone.code, gone.stderr)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	foreign := cli.run(t, "instance", "create", "x", "--machine-user", "o", "--server", other.URL, "--machine-key-file", filepath.Join(t.TempDir(), "k"))
	contains(t, foreign.stderr, other.URL+" does not answer as a castellan server does")
	enough := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-enough }))
	defer hang.Close()
	defer close(enough)
	late := cli.run(t, "instance", "create", "x", "--machine-user", "o", "--server", hang.URL, "--timeout", "50ms", "--idempotency-key", "k7")
	unsent := cli.run(t, "instance", "create", "x", "--machine-user", "o", "--key", "/no/such.pem")
	contains(t, unsent.stderr, "open /no/such.pem: no such file")
	if strings.Contains(unsent.stderr, "--idempotency-key") {
		t.Errorf("a call that was not made is to be repeated: %s", unsent.stderr)
	}
	contains(t, late.stderr, "did not answer within 50ms; repeat with --idempotency-key k7")
}

func TestDevDefaultsOfTokens(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := openDevData(devDataDir); err != nil {
		t.Fatal(err)
	}
	token := runner{}.succeed(t, "token")
	claims(t, token, filepath.Join(devDataDir, devPublicFile), devUser, systemuser.Issuer(false, "localhost", 8080))
}
