package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/command"
	"castellan/internal/terminal"
)

// program is one run of the command, with everything it takes from its surroundings.
type program struct {
	*terminal.Terminal
	executable string // absolute path of this program, for commands it prints
}

// headroom is reserved and never touched, so that it takes no memory; it counts as used when the collector
// decides how far the heap may grow. The heap in use is a few MB, of which the usual twofold would mean dozens
// of collections a second under load, a tenth of all work. A heap that is large grows twofold, as ever.
const headroom = 32 << 20

func main() {
	reserved := make([]byte, headroom)
	executable, err := os.Executable()
	if err != nil {
		executable = "castellan" // found by the shell, as whoever called it did
	}
	p := &program{Terminal: terminal.New(), executable: executable}
	code := p.Run(context.Background(), p.rootCommand(), os.Args[1:])
	runtime.KeepAlive(reserved)
	os.Exit(code)
}

// rootCommand returns the tree of commands.
func (p *program) rootCommand() *cobra.Command {
	root := terminal.Group(&cobra.Command{
		Use:   "castellan",
		Short: "One server that holds many identity providers",
		Long: `castellan serves many isolated instances of an identity provider from one process.

Begin with 'castellan dev': it starts a server on this machine with a first instance.`,
	}, p.serveCommand(), p.devCommand(), p.versionCommand())
	root.AddCommand(p.clientCommands().All()...)
	return root
}

// clientCommands are the commands that call a server, or make what such calls need.
func (p *program) clientCommands() *command.Commands {
	return &command.Commands{
		Surroundings: client.Surroundings{
			Terminal: p.Terminal,
			Issuer:   func() (string, bool, error) { return issuerOf(p.Environ) },
			DevKey:   filepath.Join(devDataDir, devKeyFile),
			DevUser:  devUser,
		},
		SystemUsersEnv: systemUsersEnv,
	}
}
