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

// outputToken is the form of output that has the token alone.
const outputToken = "token"

// token returns `castellan token`.
func (c *Commands) token() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token of a system user, or get one of a machine user of an instance",
		Long: `token prints a token, and nothing else, for calls with curl or any other client.

With --instance it is an access token of that instance, for a machine user: for its key, the JSON file
that the instance or 'castellan instance create' has given out (JWT profile, RFC 7523), or for its name
and secret (client credentials, RFC 6749 section 4.4). The instance's own address says where tokens
are to be had. The default scopes make it good for the APIs of the instance.

Without --instance it is a token of a system user, for calls to the System API, signed with the user's
key. The server accepts it until its lifetime ends, at most an hour. The audience is the URL of the system
as CASTELLAN_EXTERNAL_SECURE, _DOMAIN and _PORT describe it, http://localhost:8080 when they do not.
Without --key, the key that castellan dev has made in ./` + filepath.Dir(c.DevKey) + ` is taken.`,
		Example: `  curl -H "Authorization: Bearer $(castellan token --key ops.pem --user ops)" \
    http://localhost:8080/system/v1/instances/123
  curl -H "Authorization: Bearer $(castellan token --key machine-key.json --instance https://acme.example.com)" \
    https://acme.example.com/auth/v1/users/me
  castellan token --instance https://acme.example.com --client-id robot --client-secret-file secret.txt`,
		Args: terminal.Arguments(),
	}
	id, grant := client.AddIdentity(cmd), client.AddGrant(cmd)
	lifetime := cmd.Flags().Duration("lifetime", systemuser.MaxAge, "how long a system user's token can be used, at most 1h")
	timeout := cmd.Flags().Duration("timeout", 30*time.Second, "how long to wait for an instance")
	output := terminal.AddChoice(cmd, "output", "o", "form of the output: the token, or JSON with what is said about it", outputToken, terminal.OutputJSON)
	cmd.RunE = c.Do(func(ctx context.Context, _ []string) error {
		var token client.Token
		var err error
		if grant.Instance != "" {
			token, err = c.instanceToken(ctx, cmd, grant, id.Key, *timeout)
		} else {
			token, err = c.systemToken(cmd, *id, *lifetime)
		}
		if err != nil {
			return err
		}
		if *output == terminal.OutputJSON {
			return terminal.WriteJSON(c.Out, token)
		}
		_, err = fmt.Fprintln(c.Out, token.AccessToken)
		return err
	})
	return cmd
}

// instanceToken gets a token of a machine user from its instance.
func (c *Commands) instanceToken(ctx context.Context, cmd *cobra.Command, g *client.Grant, key string, timeout time.Duration) (client.Token, error) {
	if err := refuseFlags(cmd, "is for system users, who are of no --instance", "user", "audience", "lifetime"); err != nil {
		return client.Token{}, err
	}
	if timeout <= 0 {
		return client.Token{}, terminal.Usagef("--timeout must be more than 0")
	}
	return g.Token(ctx, c.Surroundings, key, timeout)
}

// systemToken makes a token of a system user.
func (c *Commands) systemToken(cmd *cobra.Command, id client.Identity, lifetime time.Duration) (client.Token, error) {
	if err := refuseFlags(cmd, "needs --instance", "client-id", "scope", "timeout"); err != nil {
		return client.Token{}, err
	}
	if lifetime <= time.Second || lifetime > systemuser.MaxAge {
		return client.Token{}, terminal.Usagef("--lifetime must be more than 1s and at most %s, not %s", systemuser.MaxAge, lifetime)
	}
	id, err := id.Complete(c.Surroundings, "")
	if err != nil {
		return client.Token{}, err
	}
	token, err := id.Mint(c.Clock.Now(), lifetime)
	return client.Token{AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(lifetime / time.Second)}, err
}

// refuseFlags returns a [terminal.Usage] error when one of some flags was given; why says what is wrong
// with it.
func refuseFlags(cmd *cobra.Command, why string, names ...string) error {
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			return terminal.Usagef("--%s %s", name, why)
		}
	}
	return nil
}
