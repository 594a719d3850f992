package main

import (
	"context"
	"os"
	"path/filepath"

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

func main() {
	executable, err := os.Executable()
	if err != nil {
		executable = "castellan" // found by the shell, as whoever called it did
	}
	p := &program{Terminal: terminal.New(), executable: executable}
	os.Exit(p.Run(context.Background(), p.rootCommand(), os.Args[1:]))
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
