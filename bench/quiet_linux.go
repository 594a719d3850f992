package main

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// quiet is a connection from which nobody is woken: what comes waits until it is looked for.
type quiet struct {
	fd       int
	there    bool
	deadline time.Time
}

// hush takes a connection from the runtime, which would wait for it, and closes it.
func hush(conn *net.TCPConn) (q *quiet, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	q = &quiet{}
	if outer := raw.Control(func(fd uintptr) { q.fd, err = syscall.Dup(int(fd)) }); outer != nil || err != nil {
		return nil, errors.Join(outer, err)
	}
	if q.fd >= syscall.FD_SETSIZE {
		return nil, errors.Join(syscall.EMFILE, q.Close())
	}
	return q, errors.Join(syscall.SetNonblock(q.fd, true), conn.Close())
}

// answered reports whether there was something to read, or an end, when [lookAt] looked last.
func (q *quiet) answered() bool { return q.there }

// lookAt returns what looks at all the connections at once, and does not wait.
func lookAt(all []*quiet) func() error {
	const word = strconv.IntSize // bits
	return func() error {
		var set syscall.FdSet
		most := 0
		for _, q := range all {
			set.Bits[q.fd/word] |= 1 << (q.fd % word)
			most = max(most, q.fd)
		}
		_, err := syscall.Select(most+1, &set, nil, nil, &syscall.Timeval{})
		if err != nil {
			set = syscall.FdSet{}
		}
		for _, q := range all {
			q.there = set.Bits[q.fd/word]&(1<<(q.fd%word)) != 0
		}
		if errors.Is(err, syscall.EINTR) {
			return nil
		}
		return err
	}
}

// Read looks for something until there is some.
func (q *quiet) Read(into []byte) (int, error) {
	for {
		switch n, err := syscall.Read(q.fd, into); {
		case errors.Is(err, syscall.EAGAIN) && time.Now().After(q.deadline):
			return 0, os.ErrDeadlineExceeded
		case errors.Is(err, syscall.EAGAIN):
			time.Sleep(glance)
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
