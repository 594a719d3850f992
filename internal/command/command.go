package command

import (
	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/terminal"
)

// Commands makes the commands of one run of the program.
type Commands struct {
	*terminal.Terminal
	// Client is where the commands come from what their flags do not say.
	Client client.Surroundings
	// SystemUsersEnv is the variable that tells a server its system users.
	SystemUsersEnv string
}

// All returns the commands, with all that is below them.
func (c *Commands) All() []*cobra.Command {
	return []*cobra.Command{c.instance(), c.systemUser(), c.token()}
}
