package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"castellan/internal/ident"
)

// Terminal is one run of a command line, with everything it takes from its surroundings.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Interactive says that In is a terminal, so that somebody can be asked.
	Interactive bool
	// ErrShown says that Err is a terminal, so that people see at once what is written to it.
	ErrShown bool
	// Environ is the environment, by name.
	Environ map[string]string
	Clock   ident.Clock
	// Seconds returns a channel that tells of every second from then on, and what ends it.
	Seconds func() (<-chan time.Time, func())

	// running says that the command line was understood; an error before that is its fault.
	running bool
}

// New returns the surroundings of this process.
func New() *Terminal {
	return &Terminal{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Interactive: term.IsTerminal(int(os.Stdin.Fd())), ErrShown: term.IsTerminal(int(os.Stderr.Fd())),
		Environ: environment(os.Environ()), Clock: ident.SystemClock{}, Seconds: systemSeconds,
	}
}

// environment turns NAME=value texts into a map.
func environment(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, entry := range list {
		if name, value, ok := strings.Cut(entry, "="); ok {
			m[name] = value
		}
	}
	return m
}

// Exit codes.
const (
	ExitOK      = 0 // success
	ExitFailure = 1 // something failed that the command line is not to blame for
	ExitUsage   = 2 // a command line, or configuration, that is wrong
)

// usageError is an error the operator mends by asking differently.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage makes an error one that the operator mends by asking differently: [Terminal.Run] then
// returns [ExitUsage].
func Usage(err error) error { return usageError{err} }

// Usagef is [Usage] of a new error.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// IsUsage says whether err is, or wraps, an error of [Usage].
func IsUsage(err error) bool { return errors.As(err, new(usageError)) }

// ErrNo is what a command returns that has been asked a question and has answered no: the exit
// code is [ExitFailure], and nothing more is said.
var ErrNo = errors.New("no")

// Run runs one command line of the commands below root and returns the exit code. What went
// wrong it writes to t.Err. It ends early, and in order, when ctx does.
func (t *Terminal) Run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(args)
	root.SetIn(t.In)
	root.SetOut(t.Out)
	root.SetErr(t.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	if errors.Is(err, ErrNo) {
		return ExitFailure
	}
	fmt.Fprintf(t.Err, "%s: %v\n", root.Name(), err)
	if t.running && !IsUsage(err) {
		return ExitFailure
	}
	fmt.Fprintf(t.Err, "See '%s --help'.\n", cmd.CommandPath())
	return ExitUsage
}

// Do makes the function of a command one that cobra runs.
func (t *Terminal) Do(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		t.running = true
		return run(cmd.Context(), args)
	}
}

// Group makes a command that only holds others: alone it shows its help, and it refuses what
// it does not hold.
func Group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
		}
		return fmt.Errorf("unknown command %q%s", args[0], hint)
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}

// Arguments accepts exactly the named arguments.
func Arguments(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", strings.Join(names[len(args):], ", "))
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// Must stops a program whose commands do not fit together, which every test would notice.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
