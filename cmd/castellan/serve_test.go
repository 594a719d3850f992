package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"castellan/internal/ident"
	"castellan/internal/systemuser"
)

// claims verifies a token with the public key in a file, and fails unless it is one of user for
// audience. It returns when the token was made and when it ends.
func claims(t *testing.T, token, publicFile, user, audience string) (issued, ends time.Time) {
	t.Helper()
	text, err := os.ReadFile(publicFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(token, "\n") || strings.Count(token, "\n") != 1 {
		t.Errorf("not one line: %q", token)
	}
	signed, err := jwt.ParseSigned(strings.TrimSpace(token), []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.Claims
	if err := signed.Claims(key, &c); err != nil {
		t.Fatal(err)
	}
	if c.Issuer != user || c.Subject != user || len(c.Audience) != 1 || c.Audience[0] != audience {
		t.Errorf("claims %+v, want user %s and audience %s", c, user, audience)
	}
	return c.IssuedAt.Time(), c.Expiry.Time()
}

func TestToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runner{}.succeed(t, "system-user", "keygen", "ops", "--out", dir)
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	cli := runner{clock: ident.NewManualClock(now), environ: map[string]string{
		keyEnv: filepath.Join(dir, "ops.pem"), userEnv: "ops",
		"CASTELLAN_EXTERNAL_DOMAIN": "id.example", "CASTELLAN_EXTERNAL_SECURE": "true", "CASTELLAN_EXTERNAL_PORT": "443",
	}}
	public := filepath.Join(dir, "ops.pub.pem")
	issued, ends := claims(t, cli.succeed(t, "token"), public, "ops", "https://id.example")
	if !issued.Equal(now) || ends.Sub(issued) != time.Hour {
		t.Errorf("from %s to %s", issued, ends)
	}
	_, ends = claims(t, cli.succeed(t, "token", "--audience", "http://a:1", "--lifetime", "5m"), public, "ops", "http://a:1")
	if ends.Sub(now) != 5*time.Minute {
		t.Errorf("ends at %s", ends)
	}
	cli.environ["CASTELLAN_EXTERNAL_PORT"] = "x"
	if got := cli.run(t, "token"); got.code != exitUsage || !strings.Contains(got.stderr, "CASTELLAN_EXTERNAL_PORT: must be a whole number") {
		t.Errorf("code %d, %s", got.code, got.stderr)
	}
	if got := cli.run(t, "token", "--audience", "a", "--key", public); got.code != exitFailure || !strings.Contains(got.stderr, "is a public key") {
		t.Errorf("code %d, %s", got.code, got.stderr)
	}
}

func TestKeygen(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{systemuser.KindECDSA, systemuser.KindRSA, systemuser.KindEd25519} {
		dir := filepath.Join(t.TempDir(), "keys, all") // a comma cannot stand in the short form
		var made keyPair
		if err := json.Unmarshal([]byte(runner{}.succeed(t, "system-user", "keygen", "ops", "--type", kind, "--out", dir, "-o", "json")), &made); err != nil {
			t.Fatal(err)
		}
		modes(t, dir, map[string]os.FileMode{".": 0o700, "ops.pem": 0o600})
		users, err := systemuser.Parse(made.SystemUsers)
		if err == nil {
			err = systemuser.Validate(users)
		}
		if err != nil || len(users) != 1 || users[0].Name != "ops" || users[0].Path != made.PublicKeyFile {
			t.Errorf("%s: %v, %+v", kind, err, users)
		}
		claims(t, runner{}.succeed(t, "token", "--key", made.PrivateKeyFile, "--user", "ops"), made.PublicKeyFile, "ops", "http://localhost:8080")
	}
}

func TestKeygenKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, there := range []string{"ops.pem", "ops.pub.pem"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, there), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := runner{}.run(t, "system-user", "keygen", "ops", "--out", dir)
		if got.code != exitFailure || !strings.Contains(got.stderr, there+": file exists") {
			t.Errorf("code %d, %s", got.code, got.stderr)
		}
		entries, err := os.ReadDir(dir)
		if text, _ := os.ReadFile(filepath.Join(dir, there)); err != nil || len(entries) != 1 || string(text) != "mine" {
			t.Errorf("%v, %v, %q", err, entries, text)
		}
	}
	if got := (runner{}).run(t, "system-user", "keygen", "../ops"); got.code != exitUsage {
		t.Errorf("code %d, %s", got.code, got.stderr)
	}
	contains(t, runner{}.succeed(t, "system-user", "keygen", "ops", "--out", t.TempDir()),
		"System user  ops\n", "\n  CASTELLAN_SYSTEM_USERS=ops=/", "\n  castellan token --key /")
}

// A server takes new system users at SIGHUP, keeps the old ones when the new ones are wrong, and
// ends in order at SIGTERM. Not parallel: the signals reach every server of this process.
func TestServeSignals(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		runner{}.succeed(t, "system-user", "keygen", name, "--out", dir)
	}
	file := filepath.Join(dir, "castellan.yaml")
	configure := func(user, path string) {
		t.Helper()
		text := "listen: 127.0.0.1:0\nkeyPoolSize: 0\ndatabaseURL: sqlite://" + dir + "/c.db\nmasterKeyFile: " + dir +
			"/master.key\nsystemUsers: [{name: " + user + ", path: " + path + "}]\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("one", dir+"/one.pub.pem")
	node := runner{environ: map[string]string{"CASTELLAN_LISTN": "x"}}.start(t, `"msg":"listening"`, "serve", "--config", file)
	contains(t, node.stderr.String(), "did you mean CASTELLAN_LISTEN?")
	var line struct{ Msg, Address, Engine, Version string }
	for text := range strings.Lines(node.stderr.String()) {
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if line.Msg != "listening" || line.Engine != "sqlite" || line.Version == "" {
		t.Fatalf("the last line is %+v", line)
	}
	get := func(user string) string {
		return runner{}.run(t, "instance", "get", "404", "--server", "http://"+line.Address, "--audience", "http://localhost:8080",
			"--key", filepath.Join(dir, user+".pem"), "--user", user).stderr
	}
	contains(t, get("one"), "[not_found]")
	contains(t, get("two"), "[unauthenticated]")

	configure("two", dir+"/two.pub.pem")
	signalSelf(t, syscall.SIGHUP)
	node.waitFor(t, "system users reloaded")
	contains(t, get("one"), "[unauthenticated]")
	contains(t, get("two"), "[not_found]")

	configure("three", dir+"/three.pub.pem")
	signalSelf(t, syscall.SIGHUP)
	node.waitFor(t, "the old ones stay")
	contains(t, get("two"), "[not_found]")

	signalSelf(t, syscall.SIGTERM)
	<-node.done
	if node.code != exitOK {
		t.Errorf("code %d", node.code)
	}
	contains(t, node.stderr.String(), `"msg":"stopping"`)
}

// hangUp is a standard error that sends this process SIGHUP when text is first written to it, and
// goes on once the signal has been delivered.
type hangUp struct {
	syncBuffer
	t         *testing.T
	text      string
	delivered chan os.Signal
	sent      bool
}

func (h *hangUp) Write(text []byte) (int, error) {
	if !h.sent && bytes.Contains(text, []byte(h.text)) {
		h.sent = true
		signalSelf(h.t, syscall.SIGHUP)
		<-h.delivered
	}
	return h.syncBuffer.Write(text)
}

// A SIGHUP that comes while the server starts does not end it, and is obeyed when it has started.
// Not parallel: see TestServeSignals.
func TestServeHangUpDuringStart(t *testing.T) {
	delivered := make(chan os.Signal, 1)
	signal.Notify(delivered, syscall.SIGHUP) // this process survives, whatever the server does
	defer signal.Stop(delivered)
	dir := t.TempDir()
	runner{}.succeed(t, "system-user", "keygen", "ops", "--out", dir)
	// The warning is what the server writes first, before it opens anything.
	stderr := &hangUp{t: t, text: "did you mean CASTELLAN_LISTEN?", delivered: delivered}
	stderr.changed = make(chan struct{}, 1)
	node := &process{stdout: &syncBuffer{changed: stderr.changed}, stderr: &stderr.syncBuffer, done: make(chan struct{})}
	go func() {
		defer close(node.done)
		program := runner{environ: map[string]string{"CASTELLAN_LISTN": "x"}}.program(node.stdout, stderr)
		node.code = program.run(context.WithoutCancel(t.Context()), []string{
			"serve", "--listen", "127.0.0.1:0", "--key-pool-size", "0", "--database-url", "sqlite://" + dir + "/c.db",
			"--master-key-file", dir + "/master.key", "--system-users", "ops=" + dir + "/ops.pub.pem",
		})
	}()
	node.waitFor(t, `"msg":"listening"`)
	signalSelf(t, syscall.SIGTERM)
	<-node.done
	if node.code != exitOK {
		t.Errorf("code %d", node.code)
	}
	contains(t, node.stderr.String(), "system users reloaded")
}

// signalSelf sends a signal to this process.
func signalSelf(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := runner{}.program(&b, &b)
	for format, want := range map[string]string{
		"auto": `"msg":"m","for":"1s"}`, // a buffer is no terminal
		"json": `"msg":"m","for":"1s"}`,
		"text": " level=INFO msg=m for=1s\n",
	} {
		b.Reset()
		var c configuration
		c.LogLevel, c.LogFormat = "info", format
		log := p.logger(c)
		log.Debug("hidden")
		log.Info("m", "for", time.Second)
		contains(t, b.String(), want)
		if strings.Contains(b.String(), "hidden") {
			t.Errorf("%s: the level does not count", format)
		}
	}
}
