package vault

import (
	"context"
	"io"
	"runtime"

	"castellan/internal/fault"
)

// errBusy is the answer when too many callers wait; HTTP 429.
var errBusy = fault.New(fault.ResourceExhausted, "VAULT-busy1",
	"too many password operations are waiting, try again")

// HasherConfig bounds a [Hasher]. The zero value is the default.
type HasherConfig struct {
	// Workers is how many hashes are computed at the same time, each on one core and with
	// 19 MiB of memory; GOMAXPROCS when 0.
	Workers int
	// Queue is how many callers may wait in all, 128 for each worker when 0: some five
	// seconds of work. QueuePerKey is how many of them may share a key, half of Queue when 0.
	Queue, QueuePerKey int
	// Random makes salts; nil is the system's source.
	Random io.Reader
}

// Hasher hashes and checks passwords, a bounded number at a time. Those who wait are served
// key by key in turn, so that a tenant with a thousand logins does not delay the one login
// of another. It computes on the goroutines of its callers and owns none.
type Hasher struct {
	gate   *gate
	random io.Reader
}

// NewHasher returns a hasher.
func NewHasher(cfg HasherConfig) *Hasher {
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 128 * cfg.Workers
	}
	if cfg.QueuePerKey == 0 {
		cfg.QueuePerKey = (cfg.Queue + 1) / 2
	}
	return &Hasher{gate: newGate(cfg.Workers, cfg.Queue, cfg.QueuePerKey), random: orCrypto(cfg.Random)}
}

// Hash returns the hash of password in the PHC string format, about 100 bytes of ASCII. key
// names the queue to wait in: the tenant. It returns at once a fault of kind
// ResourceExhausted (VAULT-busy1) when too many wait, and one of kind Canceled or
// DeadlineExceeded when ctx ends before its turn. A hash that has begun (43 ms) is finished.
func (h *Hasher) Hash(ctx context.Context, key, password string) (string, error) {
	if err := h.gate.enter(ctx, key); err != nil {
		return "", err
	}
	defer h.gate.leave()
	salt := make([]byte, argonSalt)
	mustRead(h.random, salt)
	return newArgonID(password, salt).String(), nil
}

// Verify reports whether encoded is a hash of password: one of [Hasher.Hash], or one of those made
// elsewhere that [CheckHash] accepts. It returns the faults of [Hasher.Hash], and ErrHash, without
// waiting, when encoded cannot be used.
func (h *Hasher) Verify(ctx context.Context, key, encoded, password string) (bool, error) {
	known, err := parseHash(encoded)
	if err != nil {
		return false, err
	}
	if err := h.gate.enter(ctx, key); err != nil {
		return false, err
	}
	defer h.gate.leave()
	return known.matches(password), nil
}
