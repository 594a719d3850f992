package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// readers is a bounded pool of connections that can only read. They are opened when first
// needed; the one used last is used next, so that few stay warm when there is little to do, and the
// others can be closed.
type readers struct {
	file   file
	slots  chan struct{} // one for each connection that may be in use
	closed chan struct{}

	mu   sync.Mutex
	idle []*conn
	// spare is how many of the idle ones nobody has needed since the last trim: the first.
	spare int
	// trimming calls trim after each use, and until nobody needs any; nil when that is not due.
	trimming *time.Timer
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
	p.spare = min(p.spare, last)
	return c
}

// put gives a connection back.
func (p *readers) put(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	if p.trimming == nil {
		p.trimming = time.AfterFunc(quietTime, p.trim)
	}
	p.mu.Unlock()
	<-p.slots
}

// trim closes the connections that nobody has needed since it was called last. One stays, and gives back its cache
// alone, so that who comes after a quiet time need not open the file. It does so under the lock: nobody has come for
// long.
func (p *readers) trim() {
	p.mu.Lock()
	unused := slices.Clone(p.idle[:p.spare])
	p.idle = slices.Delete(p.idle, 0, p.spare)
	p.trimming = nil
	if last := len(unused) - 1; len(p.idle) > 0 {
		p.trimming = time.AfterFunc(quietTime, p.trim)
	} else if last >= 0 && unused[last].shrink() == nil {
		p.idle, unused = append(p.idle, unused[last]), unused[:last]
	}
	p.spare = len(p.idle)
	p.mu.Unlock()
	for _, c := range unused {
		_ = c.close() // it has only read: nothing is lost
	}
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trimming != nil {
		p.trimming.Stop()
	}
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.close())
	}
	p.idle, p.spare = nil, 0
	return errors.Join(errs...)
}
