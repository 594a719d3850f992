package vault

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"runtime"
	"sync"
	"time"

	"castellan/internal/fault"
)

// KeyPoolConfig says how a [KeyPool] works. Only Size has to be given.
type KeyPoolConfig struct {
	// Size is how many keys are kept ready; 0 makes every key when it is asked for.
	Size int
	// Bits is the length of a key, 2048 when 0 (contract section 8).
	Bits int
	// Busy reports whether the machine has better things to do. It is asked before each key
	// that is made ahead; nil means never busy.
	Busy func() bool
	// Generate makes a key; nil is RSA of Bits bits from the system's source.
	Generate func() (*rsa.PrivateKey, error)
	// Wait returns after a time, or earlier with the error of ctx; nil uses a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// busyRetry is how long the pool leaves a busy machine alone before it looks again.
const busyRetry = 50 * time.Millisecond

// KeyPool keeps RSA keys ready, because making one takes 80 ms of a core at the median and
// four times that at times. Keys live in memory only; those nobody took are dropped when
// Run ends.
type KeyPool struct {
	cfg   KeyPoolConfig
	keys  chan *rsa.PrivateKey
	taken chan struct{} // wakes Run
	slots chan struct{} // bounds how many callers make keys at the same time

	mu   sync.Mutex
	full chan struct{} // closed while the pool is full
}

// NewKeyPool returns an empty pool. [KeyPool.Run] fills it.
func NewKeyPool(cfg KeyPoolConfig) *KeyPool {
	if cfg.Bits == 0 {
		cfg.Bits = 2048
	}
	if cfg.Busy == nil {
		cfg.Busy = func() bool { return false }
	}
	if cfg.Generate == nil {
		bits := cfg.Bits
		cfg.Generate = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	return &KeyPool{
		cfg:   cfg,
		keys:  make(chan *rsa.PrivateKey, cfg.Size),
		taken: make(chan struct{}, 1),
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		full:  make(chan struct{}),
	}
}

// Take returns a key nobody else has: one made ahead, else a new one, which is slower. When
// many callers find the pool empty, as many as there are processors make keys and the others
// wait their turn. It returns a fault of kind Canceled or DeadlineExceeded when ctx ends
// first, or the error of Generate.
func (p *KeyPool) Take(ctx context.Context) (*rsa.PrivateKey, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	select {
	case key := <-p.keys:
		p.reopen()
		return key, nil
	default:
	}
	select {
	case key := <-p.keys:
		p.reopen()
		return key, nil
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
		return p.generate()
	case <-ctx.Done():
		return nil, ended(ctx)
	}
}

// Run fills the pool until ctx ends, then drops the keys and returns nil. It makes one key
// at a time, only while the machine is not busy, and sleeps while the pool is full. It
// returns the error of Generate, should there ever be one; Take keeps working without it.
// Run must not be called twice at the same time.
func (p *KeyPool) Run(ctx context.Context) error {
	defer p.drop()
	for ctx.Err() == nil {
		if len(p.keys) == cap(p.keys) {
			p.close()
			select {
			case <-p.taken:
			case <-ctx.Done():
			}
			continue
		}
		if p.cfg.Busy() {
			if err := p.cfg.Wait(ctx, busyRetry); err != nil {
				return nil // ctx has ended
			}
			continue
		}
		key, err := p.generate()
		if err != nil {
			return err
		}
		p.keys <- key // never blocks: only Run adds keys, and there was room
	}
	return nil
}

// Len returns how many keys are ready.
func (p *KeyPool) Len() int { return len(p.keys) }

// WaitFull returns nil as soon as the pool is full, or the error of ctx. It is for tests and
// benchmarks; [KeyPool.Run] must be running.
func (p *KeyPool) WaitFull(ctx context.Context) error {
	p.mu.Lock()
	full := p.full
	p.mu.Unlock()
	select {
	case <-full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// generate makes one key.
func (p *KeyPool) generate() (*rsa.PrivateKey, error) {
	key, err := p.cfg.Generate()
	if err != nil {
		return nil, fmt.Errorf("generate an RSA key: %w", err)
	}
	return key, nil
}

// close marks the pool as full, unless a key was taken meanwhile.
func (p *KeyPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keys) < cap(p.keys) {
		return
	}
	select {
	case <-p.full:
	default:
		close(p.full)
	}
}

// reopen marks the pool as not full and wakes Run.
func (p *KeyPool) reopen() {
	p.mu.Lock()
	select {
	case <-p.full:
		p.full = make(chan struct{})
	default:
	}
	p.mu.Unlock()
	select {
	case p.taken <- struct{}{}:
	default:
	}
}

// drop forgets the keys that are ready.
func (p *KeyPool) drop() {
	for {
		select {
		case <-p.keys:
			p.reopen()
		default:
			return
		}
	}
}

// wait is the default of KeyPoolConfig.Wait.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended returns the end of ctx as a fault; errors.Is still finds ctx's own error.
func ended(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return fault.Plain(fault.DeadlineExceeded, "deadline exceeded").WithCause(ctx.Err())
	}
	return fault.Plain(fault.Canceled, "canceled").WithCause(ctx.Err())
}
