package throttle

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"castellan/internal/ident"
)

var (
	here  = netip.MustParseAddr("192.0.2.1")
	there = netip.MustParseAddr("192.0.2.2")
)

func newThrottle() (*Throttle, *ident.ManualClock) {
	clock := ident.NewManualClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return New(Config{Clock: clock, Clients: Rates{10, 20}, Strangers: Rates{1, 5}}), clock
}

// visits counts how many of n requests are let in; each proves to be of its client, or fails.
func visits(t *Throttle, n int, client string, from netip.Addr, proves bool) (in int, wait time.Duration) {
	for range n {
		v, w := t.Enter(client, from)
		if w > 0 {
			wait = w
			continue
		}
		in++
		if proves {
			v.Proved()
		} else {
			v.Failed()
		}
	}
	return in, wait
}

func TestStrangersFailSoOften(t *testing.T) {
	throttle, clock := newThrottle()
	if in, wait := visits(throttle, 9, "a", here, false); in != 5 || wait != time.Second {
		t.Errorf("%d were let in, the next may come in %s", in, wait)
	}
	if in, _ := visits(throttle, 9, "b", here, false); in != 0 {
		t.Errorf("%d who call themselves something else", in)
	}
	if in, _ := visits(throttle, 9, "a", there, false); in != 5 {
		t.Errorf("%d at another address", in)
	}
	clock.Advance(2500 * time.Millisecond)
	if in, wait := visits(throttle, 9, "a", here, false); in != 2 || wait != 500*time.Millisecond {
		t.Errorf("after a while %d, the next may come in %s", in, wait)
	}
}

// TestClientsBehindOneAddress do not take from each other as long as they do not fail.
func TestClientsBehindOneAddress(t *testing.T) {
	throttle, _ := newThrottle()
	for i := range 50 {
		if in, _ := visits(throttle, 3, fmt.Sprint(i), here, true); in != 3 {
			t.Fatalf("%d of 3 of client %d", in, i)
		}
	}
}

func TestAClientStopsItself(t *testing.T) {
	throttle, clock := newThrottle()
	if in, wait := visits(throttle, 40, "a", here, true); in != 20 || wait != 100*time.Millisecond {
		t.Errorf("%d were let in, the next may come in %s", in, wait)
	}
	if in, _ := visits(throttle, 1, "b", here, true); in != 1 {
		t.Error("another client at the same address")
	}
	clock.Advance(time.Second)
	if in, _ := visits(throttle, 40, "a", here, true); in != 10 {
		t.Errorf("a second later %d", in)
	}
}

// TestStrangersDoNotStopAClient: neither from elsewhere nor, for long, from its own address.
func TestStrangersDoNotStopAClient(t *testing.T) {
	throttle, clock := newThrottle()
	visits(throttle, 1, "a", here, true)
	visits(throttle, 100, "a", there, false)
	visits(throttle, 100, "x", here, false)
	if in, _ := visits(throttle, 5, "a", here, true); in != 5 {
		t.Errorf("%d of 5 were let in", in)
	}
	visits(throttle, 100, "a", here, false)
	clock.Advance(time.Second)
	if in, _ := visits(throttle, 5, "a", here, true); in != 5 {
		t.Errorf("a second later %d of 5 were let in", in)
	}
}

func TestNobodyIsNeverProven(t *testing.T) {
	throttle, _ := newThrottle()
	visits(throttle, 1, "", here, true)
	if in, _ := visits(throttle, 9, "", here, false); in != 5 {
		t.Errorf("%d without a name were let in", in)
	}
}

func TestAddresses(t *testing.T) {
	throttle, _ := newThrottle()
	for _, group := range [][]string{
		{"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8::1%eth0"},
		{"198.51.100.1", "::ffff:198.51.100.1"},
		{"2001:db8:0:1::1"},
	} {
		total := 0
		for _, a := range group {
			in, _ := visits(throttle, 5, "", netip.MustParseAddr(a), false)
			total += in
		}
		if total != 5 {
			t.Errorf("%v: %d were let in, want 5 together", group, total)
		}
	}
	if in, _ := visits(throttle, 9, "", netip.Addr{}, false); in != 5 {
		t.Errorf("%d without an address were let in", in)
	}
}

func TestManyAtOnce(t *testing.T) {
	throttle, _ := newThrottle()
	var group sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 8 {
		group.Go(func() {
			in, _ := visits(throttle, 20, "a", here, true)
			mu.Lock()
			total += in
			mu.Unlock()
		})
	}
	group.Wait()
	// Those who came before the first had proved anything were let in as strangers who do not fail.
	if total < 20 || total > 20+8 {
		t.Errorf("%d were let in", total)
	}
}

func TestDefaults(t *testing.T) {
	clock := ident.NewManualClock(time.Time{})
	throttle := New(Config{Clock: clock})
	if in, _ := visits(throttle, DefaultClients.Burst+9, "a", here, true); in != DefaultClients.Burst {
		t.Errorf("%d of a client", in)
	}
	if in, _ := visits(throttle, 300, "b", there, false); in != DefaultStrangers.Burst {
		t.Errorf("%d of strangers", in)
	}
}

func BenchmarkEnter(b *testing.B) {
	throttle := New(Config{Clock: ident.SystemClock{}, Clients: Rates{1e12, 1e9}})
	visits(throttle, 1, "a", here, true)
	b.ReportAllocs()
	for b.Loop() {
		v, _ := throttle.Enter("a", here)
		v.Proved()
	}
}
