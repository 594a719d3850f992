package main

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// quiet is a connection from which nobody is woken: what comes waits until it is looked for.
type quiet struct {
	net.Conn // as it was; closed
	fd       int
	deadline time.Time
}

// hush takes a connection from the runtime, which would wait for it, and closes it.
func hush(conn *net.TCPConn) (q *quiet, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	q = &quiet{Conn: conn}
	if outer := raw.Control(func(fd uintptr) { q.fd, err = syscall.Dup(int(fd)) }); outer != nil || err != nil {
		return nil, errors.Join(outer, err)
	}
	return q, errors.Join(syscall.SetNonblock(q.fd, true), conn.Close())
}

// answered reports whether there is something to read, or an end.
func (q *quiet) answered() (bool, error) {
	var one [1]byte
	for {
		switch _, _, err := syscall.Recvfrom(q.fd, one[:], syscall.MSG_PEEK); {
		case errors.Is(err, syscall.EAGAIN):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return err == nil, err
		}
	}
}

// Read looks for something until there is some.
func (q *quiet) Read(into []byte) (int, error) {
	for {
		switch n, err := syscall.Read(q.fd, into); {
		case errors.Is(err, syscall.EAGAIN) && time.Now().After(q.deadline):
			return 0, os.ErrDeadlineExceeded
		case errors.Is(err, syscall.EAGAIN):
			time.Sleep(look)
		case errors.Is(err, syscall.EINTR):
		case err == nil && n == 0:
			return 0, io.EOF
		default:
			return max(n, 0), err
		}
	}
}

// Write fails when not all can be taken at once: a request is small.
func (q *quiet) Write(from []byte) (int, error) {
	n, err := syscall.Write(q.fd, from)
	if err == nil && n < len(from) {
		err = io.ErrShortWrite
	}
	return max(n, 0), err
}

// SetDeadline says until when Read looks; without one it looks once.
func (q *quiet) SetDeadline(t time.Time) error {
	q.deadline = t
	return nil
}

func (q *quiet) Close() error { return syscall.Close(q.fd) }
