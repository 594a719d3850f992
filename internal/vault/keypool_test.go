package vault

import (
	"context"
	"crypto/rsa"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"castellan/internal/fault"
)

// counter generates keys that are distinct but empty, and counts them.
type counter struct{ made atomic.Int64 }

func (c *counter) generate() (*rsa.PrivateKey, error) {
	c.made.Add(1)
	return new(rsa.PrivateKey), nil
}

// start runs the pool until the test ends.
func start(t *testing.T, p *KeyPool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if p.Len() != 0 {
			t.Errorf("%d keys outlive Run", p.Len())
		}
	})
}

func TestKeyPoolMakesRealKeys(t *testing.T) {
	key, err := NewKeyPool(KeyPoolConfig{}).Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if key.N.BitLen() != 2048 || key.Validate() != nil {
		t.Errorf("%d bits, Validate = %v; want a good key of 2048", key.N.BitLen(), key.Validate())
	}
}

func TestKeyPoolFillsAndRefills(t *testing.T) {
	var c counter
	p := NewKeyPool(KeyPoolConfig{Size: 3, Generate: c.generate})
	if key, err := p.Take(t.Context()); key == nil || err != nil || c.made.Load() != 1 {
		t.Fatalf("an empty pool: %v, %v, %d made; want a new key", key, err, c.made.Load())
	}
	start(t, p)
	for round := range int64(5) {
		if err := p.WaitFull(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.Len() != 3 || c.made.Load() != 4+round {
			t.Fatalf("round %d: %d keys ready, %d made", round, p.Len(), c.made.Load())
		}
		if key, err := p.Take(t.Context()); key == nil || err != nil {
			t.Fatalf("Take = %v, %v", key, err)
		}
	}
}

func TestKeyPoolGivesEachKeyOnce(t *testing.T) {
	var c counter
	p := NewKeyPool(KeyPoolConfig{Size: 4, Generate: c.generate})
	start(t, p)
	var seen sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				key, err := p.Take(t.Context())
				if err != nil {
					t.Error(err)
				} else if _, twice := seen.LoadOrStore(key, true); twice {
					t.Error("a key was given twice")
				}
			}
		})
	}
	wg.Wait()
	if err := p.WaitFull(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestKeyPoolRestsWhileBusy(t *testing.T) {
	var c counter
	var busy atomic.Bool
	busy.Store(true)
	waits := make(chan time.Duration)
	p := NewKeyPool(KeyPoolConfig{
		Size: 2, Generate: c.generate, Busy: busy.Load,
		Wait: func(ctx context.Context, d time.Duration) error {
			select {
			case waits <- d:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	start(t, p)
	for range 3 {
		if d := <-waits; d != busyRetry || c.made.Load() != 0 {
			t.Errorf("waits %v and has made %d keys while busy; want %v and none", d, c.made.Load(), busyRetry)
		}
	}
	if key, err := p.Take(t.Context()); key == nil || err != nil {
		t.Errorf("Take while busy = %v, %v", key, err)
	}
	busy.Store(false)
	full := make(chan error)
	go func() { full <- p.WaitFull(t.Context()) }()
	for waiting := true; waiting; {
		select {
		case <-waits: // it had found the machine busy just before
		case err := <-full:
			waiting = false
			if err != nil || p.Len() != 2 {
				t.Errorf("after: %d keys, %v", p.Len(), err)
			}
		}
	}

	busy.Store(true)
	if _, err := p.Take(t.Context()); err != nil {
		t.Error(err)
	}
	<-waits
	<-waits // Run has looked again and found the machine busy; the test ends while it waits
	if p.Len() != 1 {
		t.Errorf("%d keys, want 1 as long as the machine is busy", p.Len())
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := wait(t.Context(), busyRetry); err != nil || time.Since(begin) != busyRetry {
			t.Errorf("waited %v, %v; want %v", time.Since(begin), err, busyRetry)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := wait(ctx, busyRetry); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
}

func TestKeyPoolBoundsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int64
		release := make(chan struct{})
		p := NewKeyPool(KeyPoolConfig{Generate: func() (*rsa.PrivateKey, error) {
			most.Store(max(most.Load(), running.Add(1)))
			<-release
			running.Add(-1)
			return new(rsa.PrivateKey), nil
		}})
		limit := runtime.GOMAXPROCS(0)
		results := make(chan error, 10*limit)
		for range 10 * limit {
			go func() {
				_, err := p.Take(t.Context())
				results <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := p.Take(ctx)
			if fault.KindOf(err) != fault.Canceled || !errors.Is(err, context.Canceled) {
				t.Errorf("canceled while waiting: err = %v", err)
			}
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		for range 10 * limit {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if most.Load() != int64(limit) {
			t.Errorf("%d made keys at once, want %d", most.Load(), limit)
		}
	})
}

func TestKeyPoolErrors(t *testing.T) {
	broken := errors.New("no primes left")
	p := NewKeyPool(KeyPoolConfig{Size: 1, Generate: func() (*rsa.PrivateKey, error) { return nil, broken }})
	if _, err := p.Take(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Take = %v", err)
	}
	if err := p.Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Run = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Take(ctx); fault.KindOf(err) != fault.Canceled {
		t.Errorf("Take after the end = %v", err)
	}
	if err := p.WaitFull(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("WaitFull after the end = %v", err)
	}
	if err := p.Run(ctx); err != nil {
		t.Errorf("Run after the end = %v", err)
	}
}

func TestKeyPoolOfSizeZero(t *testing.T) {
	var c counter
	p := NewKeyPool(KeyPoolConfig{Generate: c.generate})
	start(t, p)
	if err := p.WaitFull(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take(t.Context()); err != nil || c.made.Load() != 1 {
		t.Errorf("Take = %v, %d made", err, c.made.Load())
	}
}

func BenchmarkGenerateRSA(b *testing.B) {
	p := NewKeyPool(KeyPoolConfig{})
	for b.Loop() {
		if _, err := p.Take(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
