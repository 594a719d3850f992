package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"castellan/internal/files"
	"castellan/internal/systemuser"
	"castellan/internal/terminal"
)

// keygen returns `castellan system-user keygen`.
func (c *Commands) keygen() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key pair for a system user",
		Long: `keygen writes the private key to NAME.pem, for the user alone, and the public key to
NAME.pub.pem, for the server. Existing files stay as they are. It prints how to tell the server.`,
		Example: "  castellan system-user keygen --out /etc/castellan ops",
		Args:    terminal.Arguments("NAME"),
	}
	kind := terminal.AddChoice(cmd, "type", "", "type of the key: P-256, 2048 bits or Ed25519",
		systemuser.KindECDSA, systemuser.KindRSA, systemuser.KindEd25519)
	dir := cmd.Flags().String("out", ".", "`directory` for the two files; created when missing")
	output := terminal.AddOutput(cmd)
	terminal.Must(cmd.MarkFlagDirname("out"))
	cmd.RunE = c.Do(func(_ context.Context, args []string) error {
		made, err := makeKeys(args[0], *kind, *dir)
		if err != nil {
			return err
		}
		if *output == terminal.OutputJSON {
			return terminal.WriteJSON(c.Out, made)
		}
		if err := terminal.WriteTable(c.Out, []terminal.Row{
			{"System user", made.Name}, {"Private key", made.PrivateKeyFile}, {"Public key", made.PublicKeyFile},
		}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "\nTell the server:\n\n  %s=%s\n\nMake a token:\n\n  castellan token --key %s --user %s\n",
			c.SystemUsersEnv, terminal.Quote(made.SystemUsers), terminal.Quote(made.PrivateKeyFile), terminal.Quote(made.Name))
		return err
	})
	return cmd
}

// keyPair is the answer of `castellan system-user keygen --output json`.
type keyPair struct {
	Name           string `json:"name"`
	PrivateKeyFile string `json:"privateKeyFile"`
	PublicKeyFile  string `json:"publicKeyFile"`
	// SystemUsers is the value for CASTELLAN_SYSTEM_USERS.
	SystemUsers string `json:"systemUsers"`
}

// userName matches names that can be the name of a file, stand in CASTELLAN_SYSTEM_USERS as
// they are, and are in the lower case in which the server knows users.
var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,99}$`)

// makeKeys makes a key pair in dir. When it fails, it leaves neither file.
func makeKeys(name, kind, dir string) (made keyPair, err error) {
	if !userName.MatchString(name) {
		return made, terminal.Usagef("the name must have 1 to 100 of the characters a-z 0-9 . _ @ -, the first a letter or digit")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return made, err
	}
	made = keyPair{
		Name: name, PrivateKeyFile: filepath.Join(dir, name+".pem"), PublicKeyFile: filepath.Join(dir, name+".pub.pem"),
	}
	if made.SystemUsers, err = systemUsersText(name, made.PublicKeyFile); err != nil {
		return made, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return made, err
	}
	private, public, err := systemuser.GenerateKey(kind)
	if err != nil {
		return made, err
	}
	if err := files.Create(made.PublicKeyFile, public, 0o644); err != nil {
		return made, err
	}
	if err := files.Create(made.PrivateKeyFile, private, 0o600); err != nil {
		return made, errors.Join(err, os.Remove(made.PublicKeyFile))
	}
	return made, nil
}

// systemUsersText returns the value of CASTELLAN_SYSTEM_USERS for one user: the short form, or
// JSON where the path cannot stand in it.
func systemUsersText(name, path string) (string, error) {
	if !strings.Contains(path, ",") && strings.TrimSpace(path) == path {
		return name + "=" + path, nil
	}
	text, err := json.Marshal(map[string]map[string]string{name: {"path": path}})
	return string(text), err
}
