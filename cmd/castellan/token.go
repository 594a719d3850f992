package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/server"
	"castellan/internal/systemuser"
)

// Variables of commands that call the API.
const (
	serverEnv = envPrefix + "SERVER"
	keyEnv    = envPrefix + "KEY"
	userEnv   = envPrefix + "USER"
	tokenEnv  = envPrefix + "TOKEN"
)

// maxKeyFile bounds the file of a private key, in bytes.
const maxKeyFile = 1 << 16

// identity is a system user for whom tokens can be made.
type identity struct {
	key, user, audience string
}

// addIdentity gives cmd the flags that say who calls.
func addIdentity(cmd *cobra.Command) *identity {
	id := &identity{}
	flags := cmd.Flags()
	flags.StringVar(&id.key, "key", "", "`file` with the system user's private key (PEM) ["+keyEnv+"], default that of castellan dev")
	flags.StringVar(&id.user, "user", "", "`name` of the system user ["+userEnv+"], default that of castellan dev")
	flags.StringVar(&id.audience, "audience", "", "`URL` of the system the token is for: its external scheme, domain and port")
	must(cmd.MarkFlagFilename("key", "pem"))
	return id
}

// complete fills in from the environment, and from what castellan dev has left in the working
// directory, what no flag has said. fallback is the audience when nothing names one.
func (id identity) complete(environ map[string]string, fallback string) (identity, error) {
	id.key, id.user = cmp.Or(id.key, environ[keyEnv]), cmp.Or(id.user, environ[userEnv])
	if id.key == "" {
		left := filepath.Join(devDataDir, devKeyFile)
		if _, err := os.Stat(left); err == nil {
			id.key, id.user = left, cmp.Or(id.user, devUser)
		}
	}
	switch {
	case id.key == "":
		return id, usagef("--key or %s must name the private key of a system user; 'castellan system-user keygen' makes one", keyEnv)
	case id.user == "":
		return id, usagef("--user or %s must name the system user whose key it is", userEnv)
	}
	if id.audience == "" {
		issuer, given, err := issuerOf(environ)
		if err != nil {
			return id, err
		}
		if id.audience = issuer; !given && fallback != "" {
			id.audience = fallback
		}
	}
	return id, nil
}

// issuerOf returns the URL of the system that the environment describes; given says whether it
// says anything about it.
func issuerOf(environ map[string]string) (issuer string, given bool, err error) {
	c := server.Defaults()
	values, names := make(map[string]string), make(map[string]string)
	for _, key := range []string{"externalSecure", "externalDomain", "externalPort"} {
		x, _ := findSetting(func(x setting) bool { return x.key == key })
		if environ[x.env] != "" {
			values[x.env], names[key] = environ[x.env], x.env
		}
	}
	if faults := applyValues(&c, values, names); len(faults) > 0 {
		return "", false, usageError{configError(faults)}
	}
	return systemuser.Issuer(c.ExternalSecure, c.ExternalDomain, c.ExternalPort), len(values) > 0, nil
}

// mint makes a token of a complete identity.
func (id identity) mint(now time.Time, lifetime time.Duration) (string, error) {
	text, err := readFile(id.key, maxKeyFile)
	if err != nil {
		return "", err
	}
	key, err := systemuser.ParsePrivateKey(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", id.key, err)
	}
	return systemuser.Mint(key, id.user, id.audience, lifetime, now)
}

// tokenCommand returns `castellan token`.
func (p *program) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token of a system user, for calls to the System API",
		Long: `token signs a JSON Web Token with the key of a system user and prints it, for example for curl.
The server accepts it until its lifetime ends, at most an hour.

The audience is the URL of the system as CASTELLAN_EXTERNAL_SECURE, _DOMAIN and _PORT describe
it, http://localhost:8080 when they do not. Without --key, the key that castellan dev has made in
./` + devDataDir + ` is taken.`,
		Example: `  curl -H "Authorization: Bearer $(castellan token --key ops.pem --user ops)" \
    http://localhost:8080/system/v1/instances/123`,
		Args: arguments(),
	}
	id := addIdentity(cmd)
	lifetime := cmd.Flags().Duration("lifetime", systemuser.MaxAge, "how long the token can be used, at most 1h")
	cmd.RunE = p.do(func(context.Context, []string) error {
		if *lifetime <= time.Second || *lifetime > systemuser.MaxAge {
			return usagef("--lifetime must be more than 1s and at most %s, not %s", systemuser.MaxAge, *lifetime)
		}
		id, err := id.complete(p.environ, "")
		if err != nil {
			return err
		}
		token, err := id.mint(p.clock.Now(), *lifetime)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, token)
		return err
	})
	return cmd
}
