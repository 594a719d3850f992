//go:build !linux

package main

import (
	"errors"
	"net"
	"os/exec"
	"syscall"
)

var errNotLinux = errors.New("the benchmark needs Linux")

// dieWithUs has no means here; bench ends early on machines without /proc.
func dieWithUs(*exec.Cmd, syscall.Signal) {}

// becomeUser refuses: the benchmark needs Linux.
func becomeUser(*exec.Cmd, string) (uid, gid int, err error) {
	return 0, 0, errNotLinux
}

// quiet is not to be had here.
type quiet struct{ wire }

func hush(*net.TCPConn) (*quiet, error) { return nil, errNotLinux }

func (*quiet) answered() bool { return false }

func lookAt([]*quiet) func() error { return func() error { return errNotLinux } }
