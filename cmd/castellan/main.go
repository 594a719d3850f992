package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"castellan/internal/ident"
)

// program is one run of the command, with everything it takes from its surroundings.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        map[string]string
	clock          ident.Clock
	executable     string // absolute path of this program, for commands it prints

	// running says that the command line was understood; an error before that is its fault.
	running bool
}

// collectAt lets the heap grow by this many percent before it is collected, unless GOGC says
// otherwise. The heap in use is a few MB, so the usual 100 would mean dozens of collections a
// second under load; make bench shows what that costs.
const collectAt = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	executable, err := os.Executable()
	if err != nil {
		executable = "castellan" // found by the shell, as whoever called it did
	}
	p := &program{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		environ: environment(os.Environ()), clock: ident.SystemClock{}, executable: executable,
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
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
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// usageError is an error the operator mends by asking differently.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef returns a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run runs one command line and returns the exit code. It ends early, and in order, when ctx does.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(p.stderr, "castellan: %v\n", err)
	if p.running && !errors.As(err, new(usageError)) {
		return exitFailure
	}
	fmt.Fprintf(p.stderr, "See '%s --help'.\n", cmd.CommandPath())
	return exitUsage
}

// rootCommand returns the tree of commands.
func (p *program) rootCommand() *cobra.Command {
	root := group(&cobra.Command{
		Use:   "castellan",
		Short: "One server that holds many identity providers",
		Long: `castellan serves many isolated instances of an identity provider from one process.

Begin with 'castellan dev': it starts a server on this machine with a first instance.`,
	})
	root.SilenceErrors, root.SilenceUsage = true, true
	root.AddCommand(p.serveCommand(), p.devCommand(), p.instanceCommand(), p.systemUserCommand(),
		p.tokenCommand(), p.versionCommand())
	return root
}

// group makes a command that only holds others: alone it shows its help, and it refuses what
// it does not hold.
func group(cmd *cobra.Command) *cobra.Command {
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
	return cmd
}

// do makes the function of a command one that cobra runs.
func (p *program) do(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.running = true
		return run(cmd.Context(), args)
	}
}

// arguments accepts exactly the named arguments.
func arguments(names ...string) cobra.PositionalArgs {
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
