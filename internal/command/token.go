package command

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/client"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// token returns `castellan token`.
func (c *Commands) token() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token of a system user, for calls to the System API",
		Long: `token signs a JSON Web Token with the key of a system user and prints it, for example for curl.
The server accepts it until its lifetime ends, at most an hour.

The audience is the URL of the system as CASTELLAN_EXTERNAL_SECURE, _DOMAIN and _PORT describe
it, http://localhost:8080 when they do not. Without --key, the key that castellan dev has made in
./` + filepath.Dir(c.DevKey) + ` is taken.`,
		Example: `  curl -H "Authorization: Bearer $(castellan token --key ops.pem --user ops)" \
    http://localhost:8080/system/v1/instances/123`,
		Args: terminal.Arguments(),
	}
	id := client.AddIdentity(cmd)
	lifetime := cmd.Flags().Duration("lifetime", systemuser.MaxAge, "how long the token can be used, at most 1h")
	cmd.RunE = c.Do(func(context.Context, []string) error {
		if *lifetime <= time.Second || *lifetime > systemuser.MaxAge {
			return terminal.Usagef("--lifetime must be more than 1s and at most %s, not %s", systemuser.MaxAge, *lifetime)
		}
		id, err := id.Complete(c.Surroundings, "")
		if err != nil {
			return err
		}
		token, err := id.Mint(c.Clock.Now(), *lifetime)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.Out, token)
		return err
	})
	return cmd
}
