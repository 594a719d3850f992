// Package throttle bounds how often clients may ask a node, and how often strangers may fail.
//
// A request claims to be of a client and comes from an address. As long as no request of that client from
// that address has proved to be, it counts as a stranger's: strangers at one address share a bucket, from
// which each failure takes one, so that who guesses is stopped and many clients behind one address, who
// do not fail, are not. Who has proved to be a client has the bucket of that client, from which every
// request takes one: a client in a loop stops itself, and strangers who use its name from elsewhere cannot
// stop it.
//
// It owns the buckets, of a bounded number and in memory: nodes count for themselves, and a bucket that
// has not been needed for long is forgotten. It knows no protocol: what a client is called and how it
// proves to be one is said by those who ask.
package throttle

import (
	"net/netip"
	"runtime"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"castellan/internal/ident"
)

// Rates are how often something may be done, in a second, and how often at once.
type Rates struct {
	PerSecond float64
	Burst     int
}

// Config says how much is too much.
type Config struct {
	Clock ident.Clock
	// Clients is how often each client may ask; the zero value is [DefaultClients].
	Clients Rates
	// Strangers is how often they may fail at one address; the zero value is [DefaultStrangers].
	Strangers Rates
}

// The rates where nothing else is said. A client may ask so often that it keeps no more than part of a node
// busy, which depends on its processors; strangers may fail as often as a fleet does in which somebody has
// mistyped something.
var (
	DefaultClients   = Rates{PerSecond: 1000 * float64(runtime.GOMAXPROCS(0)), Burst: 2000 * runtime.GOMAXPROCS(0)}
	DefaultStrangers = Rates{PerSecond: 10, Burst: 100}
)

// Bounds of what is remembered.
const (
	maxBuckets = 10_000 // of clients, and again of addresses
	maxProven  = 50_000 // clients at addresses
)

// Throttle counts. It is safe for concurrent use.
type Throttle struct {
	config    Config
	clients   *otter.Cache[string, *rate.Limiter]
	strangers *otter.Cache[netip.Prefix, *rate.Limiter]
	proven    *otter.Cache[proof, struct{}]
}

// proof is a client that was one, at an address.
type proof struct {
	client string
	at     netip.Prefix
}

// New returns a throttle that has counted nothing.
func New(config Config) *Throttle {
	if config.Clients == (Rates{}) {
		config.Clients = DefaultClients
	}
	if config.Strangers == (Rates{}) {
		config.Strangers = DefaultStrangers
	}
	return &Throttle{
		config:    config,
		clients:   otter.Must(&otter.Options[string, *rate.Limiter]{MaximumSize: maxBuckets}),
		strangers: otter.Must(&otter.Options[netip.Prefix, *rate.Limiter]{MaximumSize: maxBuckets}),
		proven:    otter.Must(&otter.Options[proof, struct{}]{MaximumSize: maxProven}),
	}
}

// Visit is a request that was let in. Exactly one of its methods is called once it is known what it was.
type Visit struct {
	throttle *Throttle
	proof    proof
	known    bool
}

// Enter lets a request in that claims to be of a client, or of none when that is empty. Otherwise it
// returns how long to wait before the next one. The name of a client has to be unique on the node.
func (t *Throttle) Enter(client string, from netip.Addr) (v Visit, wait time.Duration) {
	v = Visit{throttle: t, proof: proof{client, network(from)}}
	now := t.config.Clock.Now()
	if _, v.known = t.proven.GetIfPresent(v.proof); v.known && client != "" {
		return v, take(bucket(t.clients, client, t.config.Clients), now)
	}
	v.known = false
	b := bucket(t.strangers, v.proof.at, t.config.Strangers)
	if missing := 1 - b.TokensAt(now); missing > 0 {
		return Visit{}, time.Duration(missing / t.config.Strangers.PerSecond * float64(time.Second))
	}
	return v, 0
}

// Proved says that the request was of the client it claims to be of.
func (v Visit) Proved() {
	if v.known {
		return // counted when it entered
	}
	t := v.throttle
	if v.proof.client != "" {
		t.proven.Set(v.proof, struct{}{})
		take(bucket(t.clients, v.proof.client, t.config.Clients), t.config.Clock.Now())
	}
}

// Failed says that it was not.
func (v Visit) Failed() {
	if v.known {
		return // counted as the client's when it entered: otherwise others behind its address could stop it
	}
	t := v.throttle
	take(bucket(t.strangers, v.proof.at, t.config.Strangers), t.config.Clock.Now())
}

// bucket returns the bucket of a key, a full one when there is none.
func bucket[K comparable](all *otter.Cache[K, *rate.Limiter], key K, r Rates) *rate.Limiter {
	if b, known := all.GetIfPresent(key); known {
		return b
	}
	b, _ := all.SetIfAbsent(key, rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst))
	return b
}

// take takes one from a bucket, or returns how long until there is one.
func take(b *rate.Limiter, now time.Time) (wait time.Duration) {
	r := b.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// network is what counts as one address: of IPv6 the network of a site's smallest part, all of whose
// addresses one host can use.
func network(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	p, _ := from.Prefix(bits) // an address that is none has the zero prefix
	return p
}
