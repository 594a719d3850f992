package store_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"castellan/internal/store"
)

func TestBroadcastCoalesces(t *testing.T) {
	var b store.Broadcast
	b.Signal() // to nobody
	first, stopFirst := b.Subscribe()
	second, stopSecond := b.Subscribe()
	defer stopSecond()
	pending := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	if pending(first) {
		t.Error("a signal from before the subscription arrives")
	}
	for range 3 {
		b.Signal()
	}
	for name, c := range map[string]<-chan struct{}{"first": first, "second": second} {
		if !pending(c) || pending(c) {
			t.Errorf("three signals are not one to the %s subscriber", name)
		}
	}
	stopFirst()
	stopFirst()
	b.Signal()
	if pending(first) || !pending(second) {
		t.Error("stop does not end one subscription, and that one alone")
	}
}

// TestBroadcastLosesNone lets a reader that looks after each signal always find the newest value.
func TestBroadcastLosesNone(t *testing.T) {
	var b store.Broadcast
	var mu sync.Mutex
	value := 0
	signal, stop := b.Subscribe()
	defer stop()
	const end = 10_000
	var group sync.WaitGroup
	group.Go(func() {
		for range end {
			mu.Lock()
			value++
			mu.Unlock()
			b.Signal()
		}
	})
	for range signal {
		mu.Lock()
		v := value
		mu.Unlock()
		if v == end {
			break
		}
	}
	group.Wait()
}

func TestConflictError(t *testing.T) {
	cause := errors.New("from the driver")
	err := error(&store.ConflictError{Table: "users", Cause: cause})
	if !store.ConflictIn(err, "users") || store.ConflictIn(err, "orgs") || store.ConflictIn(cause, "users") || store.ConflictIn(nil, "") {
		t.Error("ConflictIn does not tell tables apart")
	}
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "users") {
		t.Errorf("the error %q hides its table or cause", err)
	}
}
