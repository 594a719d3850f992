package command

import (
	"github.com/spf13/cobra"

	"castellan/internal/client"
)

// Commands makes the commands of one run of the program.
type Commands struct {
	client.Surroundings
	// SystemUsersEnv is the variable that tells a server its system users.
	SystemUsersEnv string
}

// All returns the commands, with all that is below them.
func (c *Commands) All() []*cobra.Command {
	return []*cobra.Command{
		c.instance(), c.quota(), c.limits(), c.feature(), c.view(), c.failedEvent(), c.audit(), c.events(),
		c.systemUser(), c.token(),
	}
}
