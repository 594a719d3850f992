package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// readyLimit is how long a process may take to become ready, stopLimit to end.
	readyLimit, stopLimit = 30 * time.Second, 30 * time.Second
	// readyPoll is how often readiness is asked for, and so how exactly it is known.
	readyPoll = time.Millisecond
)

// process is a program that was started here and is stopped here.
type process struct {
	cmd   *exec.Cmd
	name  string
	addr  string
	log   string        // file with what it prints
	ready time.Duration // from its start until it said it was ready
	ended chan struct{} // closed when it has ended
	err   error         // of its end
}

// launch starts a server and returns when it is ready. args and environment take its address
// in place of the text ADDR.
func launch(ctx context.Context, dir, program string, args, environment []string) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	name := filepath.Base(program)
	log, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(program), name: name, addr: addr, log: log.Name(), ended: make(chan struct{})}
	for _, arg := range args {
		p.cmd.Args = append(p.cmd.Args, strings.ReplaceAll(arg, "ADDR", addr))
	}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // nothing that could slow one side alone
	for _, variable := range environment {
		p.cmd.Env = append(p.cmd.Env, strings.ReplaceAll(variable, "ADDR", addr))
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	dieWithUs(p.cmd, syscall.SIGTERM)
	start := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err := p.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.ready = time.Since(start)
	return p, nil
}

// freeAddress returns an address nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitReady asks until the answer is yes.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		if _, err := fetch(ctx, p.addr, pathReady); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.name, ctx.Err())
		case <-p.ended:
			return fmt.Errorf("%s ended before it was ready", p.name)
		case <-time.After(readyPoll):
		}
	}
}

// fetch gets a page by a connection of its own. An answer other than 200 is an error.
func fetch(ctx context.Context, addr, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// stop ends the process in order, by force when that takes too long. An end with an error is
// returned with what the process printed last.
func (p *process) stop() error {
	select {
	case <-p.ended:
	default:
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	var late error
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		late = errors.Join(errors.New("had to be killed"), p.cmd.Process.Kill())
		<-p.ended
	}
	if err := errors.Join(late, p.err); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, tail(p.log))
	}
	return nil
}

// resident returns the memory of the process that is in RAM, in bytes.
func (p *process) resident() (int64, error) { return resident(p.cmd.Process.Pid) }

// tail returns the last lines of a file.
func tail(path string) []byte {
	const most = 2000
	text, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-most):])
}

// gauge reads a metric without labels from what /debug/metrics says.
func gauge(metrics []byte, name string) (float64, bool) {
	for line := range strings.Lines(string(metrics)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return value, err == nil
		}
	}
	return 0, false
}

// poolMetric is how many RSA keys castellan has ready.
const poolMetric = "castellan_key_pool_keys"

// awaitPool returns when castellan has size keys ready.
func (p *process) awaitPool(ctx context.Context, size int) error {
	for {
		metrics, err := fetch(ctx, p.addr, "/debug/metrics")
		if err != nil {
			return err
		}
		have, ok := gauge(metrics, poolMetric)
		if !ok {
			return fmt.Errorf("%s has no metric %s", p.name, poolMetric)
		}
		if int(have) >= size {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
