//go:build unix

package storetest

import (
	"os"
	"os/exec"
	"syscall"
)

// dropRoot lets cmd and its folder belong to the user postgres when the tests run as root. It
// also keeps an interrupt at the terminal from the server: it ends with the test binary.
func dropRoot(cmd *exec.Cmd, dir string) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := postgresUser()
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	return os.Chown(dir, int(uid), int(gid))
}
