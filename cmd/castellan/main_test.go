package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
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

// castellan returns what runs command lines of the program in process.
func castellan() terminaltest.Runner {
	return terminaltest.Runner{Root: func(t *terminal.Terminal) *cobra.Command { return programOn(t).rootCommand() }}
}

// castellanIn is castellan with an environment.
func castellanIn(environ map[string]string) terminaltest.Runner {
	r := castellan()
	r.Environ = environ
	return r
}

// programOn returns the program on a terminal.
func programOn(t *terminal.Terminal) *program {
	executable, _ := os.Executable()
	return &program{Terminal: t, executable: executable}
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
		castellan().Fail(t, terminal.ExitUsage, []string{c.want, "--help'.\n"}, c.args...)
	}
}

// each calls see for every command of the program, with the words that name it.
func each(cmd *cobra.Command, words []string, see func(cmd *cobra.Command, words []string)) {
	see(cmd, words)
	for _, below := range cmd.Commands() {
		each(below, append(slices.Clone(words), below.Name()), see)
	}
}

// Every command has a summary, an example where it does anything, and flags with a sentence; and
// what its help says is taken.
func TestHelp(t *testing.T) {
	t.Parallel()
	seen := 0
	each(programOn(castellan().Terminal(io.Discard, io.Discard)).rootCommand(), nil, func(cmd *cobra.Command, words []string) {
		help := castellan().Succeed(t, append(slices.Clone(words), "--help")...)
		terminaltest.Contains(t, help, "Usage:\n  "+strings.Join(append([]string{"castellan"}, words...), " "))
		name := strings.Join(words, " ")
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 80 {
			t.Errorf("%s: the summary is %q", name, cmd.Short)
		}
		if cmd.HasSubCommands() {
			return
		}
		seen++
		if !strings.Contains(cmd.Example, "castellan "+name) {
			t.Errorf("%s has no example of itself:\n%s", name, cmd.Example)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s: the help of --%s is %q", name, f.Name, f.Usage)
			}
		})
		for _, m := range regexp.MustCompile(`castellan `+name+`\b[^|\n]*(?:\\\n[^\n]*)*`).FindAllString(cmd.Example, -1) {
			for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(m, -1) {
				if cmd.Flags().Lookup(flag[1]) == nil {
					t.Errorf("%s: the example has --%s, which it does not take", name, flag[1])
				}
			}
		}
	})
	if seen < 25 {
		t.Errorf("only %d commands", seen)
	}
	castellan().Succeed(t, "completion", "bash", "--help")
}

// Every setting can be given as a flag, and has help.
func TestSettingsHelp(t *testing.T) {
	t.Parallel()
	help := castellan().Succeed(t, "serve", "--help")
	for _, s := range settings {
		terminaltest.Contains(t, help, "--"+s.flag, "["+s.env+"]")
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
	terminaltest.Contains(t, castellan().Succeed(t, "__complete", "version", "--output", ""), "table\n", "json\n")
	terminaltest.Contains(t, castellan().Succeed(t, "__complete", "system-user", "keygen", "--type", ""), "ecdsa\n", "rsa\n", "ed25519\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		terminaltest.Contains(t, castellan().Succeed(t, "completion", shell), "castellan")
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	terminaltest.Contains(t, castellan().Succeed(t, "version"), "Version ", "Commit ", "Go ", "Platform ")
	terminaltest.Contains(t, castellan().Succeed(t, "version", "--output", "json"), `"version": "`, `"commit": "`, `"go": "go1.`)
}
