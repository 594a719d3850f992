package sqlite

import (
	"context"
	"errors"
	"sync"
)

// readers is a bounded pool of connections that can only read. They are opened when first
// needed; the one used last is used next, so that few stay warm when there is little to do.
type readers struct {
	file   file
	slots  chan struct{} // one for each connection that may be in use
	closed chan struct{}

	mu   sync.Mutex
	idle []*conn
}

func newReaders(f file, limit int) *readers {
	return &readers{file: f, slots: make(chan struct{}, limit), closed: make(chan struct{})}
}

// take returns a connection for one query or snapshot; put or drop must follow. It waits while
// all are in use, and returns ctx's error, or ErrUnavailable when the pool is closed.
func (p *readers) take(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-p.closed:
		return nil, errClosed
	default:
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, errClosed
	}
	if c := p.pop(); c != nil {
		return c, nil
	}
	c, err := p.file.connect("query_only(1)", readerCache)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

func (p *readers) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle = p.idle[:last]
	return c
}

// put gives a connection back.
func (p *readers) put(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	<-p.slots
}

// drop gives back the place of a connection that cannot be used again.
func (p *readers) drop(c *conn) {
	_ = c.close() // it is broken already
	<-p.slots
}

// close refuses new reads, waits for those that run, and closes the connections. It may be
// called once.
func (p *readers) close() error {
	close(p.closed)
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
