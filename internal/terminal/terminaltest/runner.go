package terminaltest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/ident"
	"castellan/internal/terminal"
)

// Runner runs command lines in process.
type Runner struct {
	// Root makes the tree of commands for one command line.
	Root func(*terminal.Terminal) *cobra.Command
	// Environ is the environment; empty when nil.
	Environ map[string]string
	// In is standard input; empty when nil.
	In io.Reader
	// Interactive and ErrShown are those of [terminal.Terminal].
	Interactive, ErrShown bool
	// WrapErr, unless nil, returns what stands before the standard error of [Runner.Start].
	WrapErr func(io.Writer) io.Writer
	// Clock is that of the machine when nil.
	Clock ident.Clock
	// Seconds is a clock that never ticks when nil: no test depends on how fast the machine is.
	Seconds chan time.Time
}

// Result is what one command line did.
type Result struct {
	Code     int
	Out, Err string
}

// Terminal returns the terminal of one command line.
func (r Runner) Terminal(stdout, stderr io.Writer) *terminal.Terminal {
	t := &terminal.Terminal{
		In: r.In, Out: stdout, Err: stderr, Interactive: r.Interactive, ErrShown: r.ErrShown,
		Environ: maps.Clone(r.Environ), Clock: r.Clock,
		Seconds: func() (<-chan time.Time, func()) { return r.Seconds, func() {} },
	}
	if t.In == nil {
		t.In = strings.NewReader("")
	}
	if t.Environ == nil {
		t.Environ = map[string]string{}
	}
	if t.Clock == nil {
		t.Clock = ident.SystemClock{}
	}
	return t
}

// Run runs a command line to its end.
func (r Runner) Run(t testing.TB, args ...string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	tty := r.Terminal(&stdout, &stderr)
	code := tty.Run(t.Context(), r.Root(tty), args)
	return Result{code, stdout.String(), stderr.String()}
}

// Succeed runs a command line that must succeed, and returns what it prints.
func (r Runner) Succeed(t testing.TB, args ...string) string {
	t.Helper()
	got := r.Run(t, args...)
	if got.Code != terminal.ExitOK {
		t.Fatalf("castellan %s: code %d, %s", strings.Join(args, " "), got.Code, got.Err)
	}
	return got.Out
}

// Fail runs a command line that must end with the code, print nothing, and give an error that
// has all parts.
func (r Runner) Fail(t testing.TB, code int, parts []string, args ...string) {
	t.Helper()
	got := r.Run(t, args...)
	if got.Code != code || got.Out != "" {
		t.Errorf("castellan %s: code %d, want %d; it printed %q", strings.Join(args, " "), got.Code, code, got.Out)
	}
	Contains(t, got.Err, parts...)
}

// Start runs a command line and waits until a stream has shown ready.
func (r Runner) Start(t testing.TB, ready string, args ...string) *Process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stdout := &Buffer{changed: make(chan struct{}, 1)}
	p := &Process{Out: stdout, Err: &Buffer{changed: stdout.changed}, cancel: cancel, Done: make(chan struct{})}
	tty := r.Terminal(p.Out, p.Err)
	if r.WrapErr != nil {
		tty.Err = r.WrapErr(p.Err)
	}
	go func() {
		defer close(p.Done)
		p.Code = tty.Run(ctx, r.Root(tty), args)
	}()
	t.Cleanup(func() { p.Stop() })
	p.WaitFor(t, ready)
	p.Printed = p.Out.String()
	return p
}

// Process is a command that runs until it is stopped.
type Process struct {
	// Printed is what it had printed on standard output when it was ready.
	Printed  string
	Out, Err *Buffer
	// Done is closed when it has ended; Code then has its exit code.
	Done chan struct{}
	Code int

	cancel context.CancelFunc
}

// WaitFor waits until a stream has shown text.
func (p *Process) WaitFor(t testing.TB, text string) {
	t.Helper()
	shown := func() bool { return strings.Contains(p.Out.String(), text) || strings.Contains(p.Err.String(), text) }
	for !shown() {
		select {
		case <-p.Out.changed:
		case <-p.Done:
			if !shown() {
				t.Fatalf("castellan ended with code %d:\n%s", p.Code, p.Err)
			}
		}
	}
}

// Stop ends the command and returns its exit code.
func (p *Process) Stop() int {
	p.cancel()
	<-p.Done
	return p.Code
}

// Contains fails unless text has all parts.
func Contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// Modes fails unless the files in dir have the modes.
func Modes(t testing.TB, dir string, want map[string]os.FileMode) {
	t.Helper()
	for name, mode := range want {
		info, err := os.Stat(dir + "/" + name)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, not %o", name, info.Mode().Perm(), mode)
		}
	}
}
