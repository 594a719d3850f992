package client

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/assertion"
	"castellan/internal/files"
	"castellan/internal/ident"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// maxKeyFile bounds the file of a private key, in bytes.
const maxKeyFile = 1 << 16

// Identity is a system user for whom tokens can be made.
type Identity struct {
	// Key is the file with the user's private key, User the user's name, and Audience the URL of
	// the system that tokens are for.
	Key, User, Audience string
}

// AddIdentity gives cmd the flags that say who calls.
func AddIdentity(cmd *cobra.Command) *Identity {
	id := &Identity{}
	flags := cmd.Flags()
	flags.StringVar(&id.Key, "key", "", "`file` with the system user's private key (PEM) ["+KeyEnv+"], default that of castellan dev")
	flags.StringVar(&id.User, "user", "", "`name` of the system user ["+UserEnv+"], default that of castellan dev")
	flags.StringVar(&id.Audience, "audience", "", "`URL` of the system the token is for: its external scheme, domain and port")
	terminal.Must(cmd.MarkFlagFilename("key", "pem"))
	return id
}

// Complete fills in from the environment, and from what castellan dev has left in the working
// directory, what no flag has said. fallback is the audience when nothing names one. It returns
// a [terminal.Usage] error when something is missing.
func (id Identity) Complete(s Surroundings, fallback string) (Identity, error) {
	id.Key, id.User = cmp.Or(id.Key, s.Environ[KeyEnv]), cmp.Or(id.User, s.Environ[UserEnv])
	if id.Key == "" && s.DevKey != "" {
		if _, err := os.Stat(s.DevKey); err == nil {
			id.Key, id.User = s.DevKey, cmp.Or(id.User, s.DevUser)
		}
	}
	switch {
	case id.Key == "":
		return id, terminal.Usagef("--key or %s must name the private key of a system user; 'castellan system-user keygen' makes one", KeyEnv)
	case id.User == "":
		return id, terminal.Usagef("--user or %s must name the system user whose key it is", UserEnv)
	}
	if id.Audience == "" {
		issuer, given, err := s.Issuer()
		if err != nil {
			return id, err
		}
		if id.Audience = issuer; !given && fallback != "" {
			id.Audience = fallback
		}
	}
	return id, nil
}

// Mint makes a token of a complete identity. It returns an error when the key cannot be read or
// does not fit.
func (id Identity) Mint(now time.Time, lifetime time.Duration) (string, error) {
	text, err := files.Read(id.Key, maxKeyFile)
	if err != nil {
		return "", err
	}
	key, err := assertion.ParsePrivateKey(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", id.Key, err)
	}
	return systemuser.Mint(key, id.User, id.Audience, lifetime, now)
}

// Tokens returns a function that makes the token of one call.
func (id Identity) Tokens(clock ident.Clock) func() (string, error) {
	return func() (string, error) { return id.Mint(clock.Now(), callLifetime) }
}
