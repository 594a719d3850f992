package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"castellan/internal/ident"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

func TestToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	castellan().Succeed(t, "system-user", "keygen", "ops", "--out", dir)
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	cli := castellanIn(map[string]string{
		keyEnv: filepath.Join(dir, "ops.pem"), userEnv: "ops",
		"CASTELLAN_EXTERNAL_DOMAIN": "id.example", "CASTELLAN_EXTERNAL_SECURE": "true", "CASTELLAN_EXTERNAL_PORT": "443",
	})
	cli.Clock = ident.NewManualClock(now)
	public := filepath.Join(dir, "ops.pub.pem")
	issued, ends := terminaltest.Claims(t, cli.Succeed(t, "token"), public, "ops", "https://id.example")
	if !issued.Equal(now) || ends.Sub(issued) != time.Hour {
		t.Errorf("from %s to %s", issued, ends)
	}
	_, ends = terminaltest.Claims(t, cli.Succeed(t, "token", "--audience", "http://a:1", "--lifetime", "5m"), public, "ops", "http://a:1")
	if ends.Sub(now) != 5*time.Minute {
		t.Errorf("ends at %s", ends)
	}
	cli.Environ["CASTELLAN_EXTERNAL_PORT"] = "x"
	if got := cli.Run(t, "token"); got.Code != terminal.ExitUsage || !strings.Contains(got.Err, "CASTELLAN_EXTERNAL_PORT: must be a whole number") {
		t.Errorf("code %d, %s", got.Code, got.Err)
	}
	if got := cli.Run(t, "token", "--audience", "a", "--key", public); got.Code != terminal.ExitFailure || !strings.Contains(got.Err, "is a public key") {
		t.Errorf("code %d, %s", got.Code, got.Err)
	}
}

// A server takes new system users at SIGHUP, keeps the old ones when the new ones are wrong, and
// ends in order at SIGTERM. Not parallel: the signals reach every server of this process.
func TestServeSignals(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		castellan().Succeed(t, "system-user", "keygen", name, "--out", dir)
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
	node := castellanIn(map[string]string{"CASTELLAN_LISTN": "x"}).Start(t, `"msg":"listening"`, "serve", "--config", file)
	terminaltest.Contains(t, node.Err.String(), "did you mean CASTELLAN_LISTEN?")
	var line struct{ Msg, Address, Engine, Version string }
	for text := range strings.Lines(node.Err.String()) {
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if line.Msg != "listening" || line.Engine != "sqlite" || line.Version == "" {
		t.Fatalf("the last line is %+v", line)
	}
	get := func(user string) string {
		return castellan().Run(t, "instance", "get", "404", "--server", "http://"+line.Address, "--audience", "http://localhost:8080",
			"--key", filepath.Join(dir, user+".pem"), "--user", user).Err
	}
	terminaltest.Contains(t, get("one"), "[not_found]")
	terminaltest.Contains(t, get("two"), "[unauthenticated]")

	configure("two", dir+"/two.pub.pem")
	signalSelf(t, syscall.SIGHUP)
	node.WaitFor(t, "system users reloaded")
	terminaltest.Contains(t, get("one"), "[unauthenticated]")
	terminaltest.Contains(t, get("two"), "[not_found]")

	configure("three", dir+"/three.pub.pem")
	signalSelf(t, syscall.SIGHUP)
	node.WaitFor(t, "the old ones stay")
	terminaltest.Contains(t, get("two"), "[not_found]")

	signalSelf(t, syscall.SIGTERM)
	<-node.Done
	if node.Code != terminal.ExitOK {
		t.Errorf("code %d", node.Code)
	}
	terminaltest.Contains(t, node.Err.String(), `"msg":"stopping"`)
}

// hangUp is a standard error that sends this process SIGHUP when text is first written to it, and
// goes on once the signal has been delivered.
type hangUp struct {
	io.Writer
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
	return h.Writer.Write(text)
}

// A SIGHUP that comes while the server starts does not end it, and is obeyed when it has started.
// Not parallel: see TestServeSignals.
func TestServeHangUpDuringStart(t *testing.T) {
	delivered := make(chan os.Signal, 1)
	signal.Notify(delivered, syscall.SIGHUP) // this process survives, whatever the server does
	defer signal.Stop(delivered)
	dir := t.TempDir()
	castellan().Succeed(t, "system-user", "keygen", "ops", "--out", dir)
	cli := castellanIn(map[string]string{"CASTELLAN_LISTN": "x"})
	cli.WrapErr = func(w io.Writer) io.Writer {
		// The warning is what the server writes first, before it opens anything.
		return &hangUp{Writer: w, t: t, text: "did you mean CASTELLAN_LISTEN?", delivered: delivered}
	}
	node := cli.Start(t, `"msg":"listening"`, "serve", "--listen", "127.0.0.1:0", "--key-pool-size", "0",
		"--database-url", "sqlite://"+dir+"/c.db", "--master-key-file", dir+"/master.key",
		"--system-users", "ops="+dir+"/ops.pub.pem")
	signalSelf(t, syscall.SIGTERM)
	<-node.Done
	if node.Code != terminal.ExitOK {
		t.Errorf("code %d", node.Code)
	}
	terminaltest.Contains(t, node.Err.String(), "system users reloaded")
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
	p := programOn(castellan().Terminal(&b, &b))
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
		terminaltest.Contains(t, b.String(), want)
		if strings.Contains(b.String(), "hidden") {
			t.Errorf("%s: the level does not count", format)
		}
	}
}
