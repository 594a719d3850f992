package kit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Main runs the tests of a package and removes the binary they may have built. When all tests have passed, it
// makes the checks of what they have done together; the error of one fails the package.
func Main(m *testing.M, checks ...func() error) {
	code := m.Run()
	for _, check := range checks {
		if err := check(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// built is the binary of this run of the tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// Binary builds the program, once, as `make build` does it, and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	// The cache of test results does not see what the build reads. That this looks at the files,
	// it sees; those of other packages it knows from what this package imports.
	for _, folder := range []string{"cmd/castellan", "internal/command", "internal/client", "internal/terminal", "internal/files"} {
		sources, err := filepath.Glob("../../" + folder + "/*.go")
		if err != nil || len(sources) == 0 {
			t.Fatalf("the sources of the program are not at ../../%s: %v", folder, err)
		}
		for _, source := range sources {
			if _, err := os.Stat(source); err != nil {
				t.Fatal(err)
			}
		}
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "castellan-bin-"); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", built.dir, "castellan/cmd/castellan")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return filepath.Join(built.dir, "castellan")
}

// Process is the real binary, serving.
type Process struct {
	*Client
	// Logs has what it logs.
	Logs *Logs
	// Ended is closed when it has ended; Err then has the outcome.
	Ended chan struct{}

	cmd *exec.Cmd
	err error
}

// Exec runs `castellan serve` on the database until the test ends, configured by its environment
// as an operator would: settings, NAME=value without the prefix CASTELLAN_, win over those of the
// kit. It returns when the program listens.
func (b *Backend) Exec(t testing.TB, settings ...string) *Process {
	t.Helper()
	users := filepath.Join(b.Dir, Operator().Name+".pem")
	if err := os.WriteFile(users, []byte(Operator().PublicPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Process{Logs: NewLogs(), Ended: make(chan struct{}), cmd: exec.Command(Binary(t), "serve")}
	p.cmd.Stderr = p.Logs
	p.cmd.Dir = b.Dir
	for _, s := range append([]string{
		"LISTEN=127.0.0.1:0", "DATABASE_URL=" + b.URL, "MASTER_KEY_FILE=" + filepath.Join(b.Dir, "master.key"),
		"EXTERNAL_DOMAIN=" + Domain, "EXTERNAL_PORT=0", "EXTERNAL_SECURE=false",
		"SYSTEM_USERS=" + Operator().Name + "=" + users,
		"KEY_POOL_SIZE=0", "LOG_FORMAT=json", "SHUTDOWN_GRACE=" + Patience.String(),
	}, settings...) {
		p.cmd.Env = append(p.cmd.Env, "CASTELLAN_"+s)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.Ended)
	}()
	t.Cleanup(func() { p.Kill() })
	var line struct{ Address string }
	said := p.Logs.Wait(t, `"msg":"listening"`, p.Ended)
	if err := json.Unmarshal([]byte(said), &line); err != nil || line.Address == "" {
		t.Fatalf("the program logged %s", said)
	}
	p.Client = NewClient(t, "http://"+line.Address)
	return p
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// Terminate asks the process to end.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
}

// Kill ends the process at once and waits until it has gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have gone already
	<-p.Ended
}

// Stop asks the process to end and fails the test unless it does so in order.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Close()
	p.Terminate(t)
	if err := p.Wait(t); err != nil {
		t.Errorf("the program did not end in order: %v; it logged:\n%s", err, p.Logs.Bytes())
	}
}

// Wait returns how the process ended.
func (p *Process) Wait(t testing.TB) error {
	t.Helper()
	select {
	case <-p.Ended:
		return p.err
	case <-time.After(Patience):
		t.Fatalf("the program does not end; it logged:\n%s", p.Logs.Bytes())
		return errors.New("unreachable")
	}
}
