//go:build !unix

package storetest

import (
	"errors"
	"os/exec"
)

// dropRoot refuses: a server is started here on Unix only.
func dropRoot(*exec.Cmd, string) error {
	return errors.New("no PostgreSQL server can be started here: set CASTELLAN_TEST_POSTGRES_URL")
}
