package main

import (
	"context"
	"encoding/json"
	"io"
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
	"castellan/internal/client"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// greeted is the end of what castellan dev prints.
const greeted = "Ctrl-C stops the server.\n"

// startDev runs castellan dev on a free port.
func startDev(t *testing.T, dir string) *terminaltest.Process {
	t.Helper()
	return castellan().Start(t, greeted, "dev", "--data", dir, "--listen", "127.0.0.1:0", "--key-pool-size", "0")
}

// value returns what castellan dev has printed in the row called name.
func value(t *testing.T, p *terminaltest.Process, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` +(.*)$`).FindStringSubmatch(p.Printed)
	if m == nil {
		t.Fatalf("no %s in:\n%s", name, p.Printed)
	}
	return m[1]
}

func TestDevStartsTwice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "it's data") // the commands printed must be quoted well
	first := startDev(t, dir)
	id, token := value(t, first, "Instance"), value(t, first, "Owner's token")
	terminaltest.Contains(t, first.Printed, " (Castellan)\n", "localhost (primary)\n", ".localhost (generated)\n")
	terminaltest.Contains(t, first.Err.String(), `"msg":"listening"`, `"engine":"sqlite"`)
	if strings.Contains(first.Err.String(), token) {
		t.Error("the token is in the log")
	}
	if code := first.Stop(); code != terminal.ExitOK {
		t.Errorf("code %d", code)
	}
	terminaltest.Modes(t, dir, map[string]os.FileMode{
		".": 0o700, devKeyFile: 0o600, devMasterKey: 0o600, devDatabase: 0o600, devAnswerFile: 0o600, devOwnerKey: 0o600,
	})
	var key struct{ Type, KeyID, UserID, Key string }
	text, err := os.ReadFile(value(t, first, "Owner's key"))
	if err == nil {
		err = json.Unmarshal(text, &key)
	}
	if err != nil || key.Type != "serviceaccount" || !strings.HasPrefix(key.Key, "-----BEGIN RSA PRIVATE KEY-----") {
		t.Errorf("the owner's key: %v, %+v", err, key.Type)
	}

	second := startDev(t, dir)
	if got := value(t, second, "Instance"); got != id {
		t.Errorf("instance %s, then %s", id, got)
	}
	if got := value(t, second, "Owner's token"); got != token {
		t.Error("the token has changed")
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
	for line := range strings.Lines(dev.Printed) {
		if strings.HasPrefix(line, "curl ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) != 2 {
		t.Fatalf("%d commands in:\n%s", len(lines), dev.Printed)
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
	own := regexp.MustCompile(`(?m)^.* instance get .*$`).FindString(dev.Printed)
	terminaltest.Contains(t, string(shell(own)), "Name      Castellan\n", "State     running\n")
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
	id, token := value(t, first, "Instance"), value(t, first, "Owner's token")
	first.Stop()

	for _, name := range []string{devAnswerFile, devOwnerKey} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	second := startDev(t, dir)
	if value(t, second, "Instance") != id || value(t, second, "Owner's token") != token {
		t.Errorf("another instance after the answer was lost:\n%s", second.Printed)
	}
	terminaltest.Modes(t, dir, map[string]os.FileMode{devAnswerFile: 0o600, devOwnerKey: 0o600})
	second.Stop()

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
	if value(t, third, "Instance") == id {
		t.Error("the instance is still there without its database")
	}
	terminaltest.Contains(t, third.Err.String(), "the first instance is gone")
	third.Stop()

	if err := os.WriteFile(filepath.Join(dir, devAnswerFile), []byte(`{"pat":"secret`), 0o600); err != nil {
		t.Fatal(err)
	}
	got := castellan().Run(t, "dev", "--data", dir, "--listen", "127.0.0.1:0")
	if got.Code != terminal.ExitFailure || strings.Contains(got.Err, "secret") {
		t.Errorf("code %d, %s", got.Code, got.Err)
	}
	terminaltest.Contains(t, got.Err, devAnswerFile+" is not what castellan dev has written")
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
			calls = append(calls, r.Header().Get("Idempotency-Key")+" "+r.Msg.GetCustomDomain())
			if code := answers[len(calls)-1]; code != 0 {
				return nil, connect.NewError(code, nil)
			}
			return connect.NewResponse(&systemv1.CreateInstanceResponse{InstanceId: "1"}), nil
		}))
	server := httptest.NewServer(mux)
	defer server.Close()
	program := programOn(castellan().Terminal(io.Discard, io.Discard))
	first := firstInstance{
		domain: "localhost", log: program.logger(configuration{}),
		client: client.New(server.URL, server.Client().Transport, time.Minute, func() (string, error) { return "x", nil }),
	}
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
	dev := castellan().Start(t, greeted, "dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--key-pool-size", "0",
		"--external-domain", "127.0.0.1")
	terminaltest.Contains(t, dev.Printed, "URL            http://127.0.0.1:", " (primary, generated)\n")
	terminaltest.Contains(t, dev.Err.String(), "the external domain is an IP address")
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
		got := castellan().Run(t, append(args, "--listen", address)...)
		if got.Code != terminal.ExitFailure {
			t.Errorf("code %d", got.Code)
		}
		terminaltest.Contains(t, got.Err, address+" is in use by another program; choose another address with --listen or CASTELLAN_LISTEN")
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

func TestDevDefaultsOfTokens(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if _, err := openDevData(devDataDir); err != nil {
		t.Fatal(err)
	}
	token := castellan().Succeed(t, "token")
	terminaltest.Claims(t, token, filepath.Join(devDataDir, devPublicFile), devUser, systemuser.Issuer(false, "localhost", 8080))
}
