//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"syscall"
)

// dieWithUs has no means here; bench ends early on machines without /proc.
func dieWithUs(*exec.Cmd, syscall.Signal) {}

// becomeUser refuses: the benchmark needs Linux.
func becomeUser(*exec.Cmd, string) (uid, gid int, err error) {
	return 0, 0, errors.New("the benchmark needs Linux")
}
