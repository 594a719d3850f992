package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/pflag"

	"castellan/internal/ident"
)

// asCommand makes the test binary behave as the program, for commands that a shell runs.
const asCommand = "TEST_AS_CASTELLAN"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what one command line did.
type result struct {
	code           int
	stdout, stderr string
}

// runner runs command lines in process.
type runner struct {
	environ map[string]string
	stdin   io.Reader
	clock   ident.Clock
}

func (r runner) program(stdout, stderr io.Writer) *program {
	p := &program{stdin: r.stdin, stdout: stdout, stderr: stderr, environ: maps.Clone(r.environ), clock: r.clock}
	if p.stdin == nil {
		p.stdin = strings.NewReader("")
	}
	if p.environ == nil {
		p.environ = map[string]string{}
	}
	if p.clock == nil {
		p.clock = ident.SystemClock{}
	}
	p.executable, _ = os.Executable()
	return p
}

func (r runner) run(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := r.program(&stdout, &stderr).run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// succeed runs a command line that must succeed, and returns what it prints.
func (r runner) succeed(t *testing.T, args ...string) string {
	t.Helper()
	got := r.run(t, args...)
	if got.code != exitOK {
		t.Fatalf("castellan %s: code %d, %s", strings.Join(args, " "), got.code, got.stderr)
	}
	return got.stdout
}

// contains fails unless text has all parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// process is a command that runs until it is stopped.
type process struct {
	printed        string // what it had printed on standard output when it was ready
	stdout, stderr *syncBuffer
	cancel         context.CancelFunc
	done           chan struct{}
	code           int
}

// start runs a command line and waits until a stream has shown ready.
func (r runner) start(t *testing.T, ready string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stdout := &syncBuffer{changed: make(chan struct{}, 1)}
	p := &process{stderr: &syncBuffer{changed: stdout.changed}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.code = r.program(stdout, p.stderr).run(ctx, args)
	}()
	t.Cleanup(func() { p.stop() })
	p.stdout = stdout
	p.waitFor(t, ready)
	p.printed = stdout.String()
	return p
}

// waitFor waits until a stream has shown text.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(p.stdout.String(), text) && !strings.Contains(p.stderr.String(), text) {
		select {
		case <-p.stdout.changed:
		case <-p.done:
			t.Fatalf("castellan ended with code %d:\n%s", p.code, p.stderr)
		}
	}
}

// stop ends the command and returns its exit code.
func (p *process) stop() int {
	p.cancel()
	<-p.done
	return p.code
}

// syncBuffer is a buffer for a writer and a reader at the same time. It tells of writes.
type syncBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (s *syncBuffer) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.b.Write(text)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestCommandLineFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"sevre"}, `unknown command "sevre"; did you mean serve?`},
		{[]string{"instance", "gte"}, `unknown command "gte"; did you mean get?`},
		{[]string{"serve", "--no-such-flag"}, "unknown flag: --no-such-flag"},
		{[]string{"serve", "now"}, `unexpected argument "now"`},
		{[]string{"instance", "get"}, "ID is missing"},
		{[]string{"version", "--output", "xml"}, "must be one of table, json"},
		{[]string{"instance", "create", "x", "--pat", "--email", "a@b.example"}, "none of the others can be"},
		{[]string{"token", "--lifetime", "2h"}, "at most 1h0m0s"},
		{[]string{"token", "--key", "k.pem"}, "--user or CASTELLAN_USER must name"},
		{[]string{"token"}, "--key or CASTELLAN_KEY must name"},
		{[]string{"instance", "create", "x"}, "--machine-user NAME or --email ADDRESS"},
		{[]string{"instance", "create", "x", "--machine-user", "o", "--pat-expires", "soon"}, "--pat-expires must be a time"},
		{[]string{"instance", "create", "x", "--email", "a@b.example", "--password-prompt"}, "needs a terminal"},
		{[]string{"instance", "get", "1", "--server", "localhost:8080"}, "must be a URL"},
		{[]string{"dev", "--listen", "nowhere", "--data", t.TempDir()}, "--listen: must be host:port"},
	} {
		got := runner{}.run(t, c.args...)
		if got.code != exitUsage || got.stdout != "" {
			t.Errorf("%v: code %d, stdout %q", c.args, got.code, got.stdout)
		}
		contains(t, got.stderr, c.want, "--help'.\n")
	}
}

// TestOwnerFlags: of an owner who is a machine nothing can be said that is said of people. Every
// flag of castellan instance create is of one kind, or of neither.
func TestOwnerFlags(t *testing.T) {
	t.Parallel()
	cmd := runner{}.program(io.Discard, io.Discard).createCommand()
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
			got := runner{}.run(t, "instance", "create", "x", line(machine), line(human))
			if got.code != exitUsage || !strings.Contains(got.stderr, "none of the others can be") {
				t.Errorf("--%s with --%s: code %d, %s", machine, human, got.code, got.stderr)
			}
		}
	}
}

// Every command has a summary, an example where it takes anything, and flags with a sentence.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"serve"}, {"dev"}, {"instance"}, {"instance", "create"}, {"instance", "get"},
		{"system-user"}, {"system-user", "keygen"}, {"token"}, {"version"}, {"completion", "bash"},
	} {
		help := runner{}.succeed(t, append(slices.Clone(args), "--help")...)
		contains(t, help, "Usage:\n  castellan "+strings.Join(args, " "))
		if len(args) > 0 && args[0] != "completion" && strings.Contains(help, "\nFlags:") && !strings.Contains(help, "Available Commands:") {
			contains(t, help, "Examples:")
		}
	}
	help := runner{}.succeed(t, "serve", "--help")
	for _, s := range settings {
		contains(t, help, "--"+s.flag, "["+s.env+"]")
		if settingHelp[s.key] == "" {
			t.Errorf("%s has no help", s.key)
		}
	}
	if len(settingHelp) != len(settings) {
		t.Errorf("help for %d settings, but there are %d", len(settingHelp), len(settings))
	}
}

// The names on which scripts rely.
func TestFixedVariables(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"CASTELLAN_LISTEN", "CASTELLAN_DATABASE_URL", "CASTELLAN_EXTERNAL_DOMAIN", "CASTELLAN_EXTERNAL_PORT",
		"CASTELLAN_EXTERNAL_SECURE", "CASTELLAN_SYSTEM_USERS", "CASTELLAN_MASTER_KEY_FILE",
	} {
		if _, ok := findSetting(func(s setting) bool { return s.env == name }); !ok {
			t.Errorf("%s is no setting", name)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	contains(t, runner{}.succeed(t, "__complete", "version", "--output", ""), "table\n", "json\n")
	contains(t, runner{}.succeed(t, "__complete", "system-user", "keygen", "--type", ""), "ecdsa\n", "rsa\n", "ed25519\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		contains(t, runner{}.succeed(t, "completion", shell), "castellan")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	contains(t, runner{}.succeed(t, "version"), "Version ", "Commit ", "Go ", "Platform ")
	contains(t, runner{}.succeed(t, "version", "--output", "json"), `"version": "`, `"commit": "`, `"go": "go1.`)
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := writeTable(&b, []row{{"Name", "a\x1b[2Jb\tc\nd"}, {"Longer name", "é"}}); err != nil {
		t.Fatal(err)
	}
	if want := "Name         a\uFFFD[2Jb\uFFFDc\uFFFDd\nLonger name  é\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
