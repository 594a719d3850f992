package main

import (
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// The kernel counts as our end that of the thread that started a process. The main goroutine
// starts them all, so it keeps the main thread, which lives as long as we do.
func init() { runtime.LockOSThread() }

// dieWithUs makes the kernel send cmd a signal when this program ends, however it does. An
// interrupt at the terminal is for this program alone, which then stops the others in order.
func dieWithUs(cmd *exec.Cmd, how syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, how
}

// becomeUser lets cmd run as the named user, whose ids it returns.
func becomeUser(cmd *exec.Cmd, name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return uid, gid, nil
}
