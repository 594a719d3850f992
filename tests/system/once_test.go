package system_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"castellan/internal/eventlog/logtest"
	"castellan/internal/server"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// keyed is a creation under an idempotency key.
func keyed(t *testing.T, wish *createRequest, key string) kit.Call {
	t.Helper()
	return kit.Call{
		Method: "CreateInstance", Request: wish, Token: kit.Operator().Token(t), Header: http.Header{"Idempotency-Key": {key}},
	}
}

// mustCreate sends a creation that must succeed.
func mustCreate(t *testing.T, w kit.Wire, n *kit.Node, call kit.Call) *systemv1.CreateInstanceResponse {
	t.Helper()
	made := new(systemv1.CreateInstanceResponse)
	if a := w.Send(t, n.Client, call, made); a.Code != codes.OK {
		t.Fatalf("over %s: %v", w.Name, a)
	}
	return made
}

// TestRetry is decision D11 over every protocol: a repeated creation answers what the first one
// answered, secrets included, and makes nothing.
func TestRetry(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		for i, w := range kit.Wires() {
			wish := kit.WithDomain(kit.WithKey(kit.Machine("Acme")), fmt.Sprintf("acme-%d.example", i))
			first := mustCreate(t, w, n, keyed(t, wish, "try-"+w.Name))
			if first.GetPat() == "" || len(first.GetMachineKey()) == 0 {
				t.Errorf("over %s: no secrets in %v", w.Name, first)
			}
			before := kit.Counts(t, n.DB())
			// The protocol is not part of the request, so any may repeat what another began.
			for _, again := range []kit.Wire{w, kit.REST(), kit.GRPC()} {
				second := mustCreate(t, again, n, keyed(t, wish, "try-"+w.Name))
				if diff := gocmp.Diff(first, second, protocmp.Transform()); diff != "" {
					t.Errorf("begun over %s, repeated over %s (-first +second):\n%s", w.Name, again.Name, diff)
				}
			}
			kit.CheckUnchanged(t, n.DB(), before)
		}
		if got := kit.CheckWhole(t, n.DB()); len(got) != len(kit.Wires()) {
			t.Errorf("%d instances", len(got))
		}
		logtest.CheckFold(t, n.DB(), n.Events())
	})
}

// TestRetryAfterRestart: the answer is kept with the instance, not in memory.
func TestRetryAfterRestart(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		first := mustCreate(t, kit.REST(), n, keyed(t, kit.Machine("Acme"), "once"))
		n.Stop(t)
		n = b.Start(t, nil)
		second := mustCreate(t, kit.REST(), n, keyed(t, kit.Machine("Acme"), "once"))
		if !proto.Equal(first, second) {
			t.Errorf("before %v, after %v", first, second)
		}
	})
}

// TestKeyOfAnotherRequest: a key stands for one request of one caller.
func TestKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		second := kit.NewUser("second")
		n := b.Start(t, func(c *server.Config) { c.SystemUsers = append(c.SystemUsers, second.Config()) })
		made := mustCreate(t, kit.REST(), n, keyed(t, kit.Machine("Acme"), "once"))
		before := kit.Counts(t, n.DB())
		for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
			for _, wish := range []*createRequest{kit.Machine("Acme "), kit.WithKey(kit.Machine("Acme")), kit.Human("Acme")} {
				a := w.Send(t, n.Client, keyed(t, wish, "once"), nil)
				if a.Code != codes.AlreadyExists || a.HTTP != 0 && a.HTTP != http.StatusConflict || a.ID != "ONCE-other" ||
					!slices.Equal(a.Fields, []string{"idempotency-key"}) {
					t.Errorf("%v over %s: %v", wish, w.Name, a)
				}
			}
			viewer := keyed(t, kit.Machine("Acme"), "once")
			viewer.Token = kit.Viewer().Token(t)
			if a := w.Send(t, n.Client, viewer, nil); a.Code != codes.PermissionDenied {
				t.Errorf("a viewer with the key of an operator: %v", a)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)

		own := keyed(t, kit.Machine("Acme"), "once")
		own.Token = second.Token(t)
		if got := mustCreate(t, kit.REST(), n, own); got.GetInstanceId() == made.GetInstanceId() {
			t.Error("a key of one caller is one of another")
		}
	})
}

// TestRefusedIsNotKept: only what was made is kept, so a corrected request may use the key.
func TestRefusedIsNotKept(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		n.Create(t, kit.WithDomain(kit.Machine("First"), "taken.example"))
		before := kit.Counts(t, n.DB())
		for _, wish := range []*createRequest{kit.Machine("  "), {}, kit.WithDomain(kit.Machine("Acme"), "taken.example")} {
			if a := kit.REST().Send(t, n.Client, keyed(t, wish, "once"), nil); a.Code == codes.OK {
				t.Errorf("%v is taken", wish)
			}
		}
		kit.CheckUnchanged(t, n.DB(), before)
		mustCreate(t, kit.REST(), n, keyed(t, kit.Machine("Acme"), "once"))
	})
}

// TestKeyRules: a key has 1 to 255 visible ASCII characters.
func TestKeyRules(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		n := b.Start(t, nil)
		before := kit.Counts(t, n.DB())
		for _, key := range []string{"", "two words", strings.Repeat("k", 256)} {
			for _, w := range []kit.Wire{kit.REST(), kit.GRPC()} {
				a := w.Send(t, n.Client, keyed(t, kit.Machine("Acme"), key), nil)
				if a.Code != codes.InvalidArgument || a.ID != "ONCE-name1" || !slices.Equal(a.Fields, []string{"idempotency-key"}) {
					t.Errorf("%.20q over %s: %v", key, w.Name, a)
				}
			}
		}
		if a := kit.REST().Send(t, n.Client, keyed(t, kit.Machine("Acme"), "schlüssel"), nil); a.ID != "ONCE-name1" {
			t.Errorf("not ASCII: %v", a)
		}
		anonymous := keyed(t, kit.Machine("Acme"), "")
		anonymous.Token = ""
		if a := kit.REST().Send(t, n.Client, anonymous, nil); a.Code != codes.Unauthenticated {
			t.Errorf("a bad key of nobody: %v", a)
		}
		kit.CheckUnchanged(t, n.DB(), before)
		for _, key := range []string{strings.Repeat("k", 255), "!", "~", `{"a":"b"}`, "'; DROP TABLE instances; --"[:2]} {
			mustCreate(t, kit.GRPC(), n, keyed(t, kit.Machine("Acme"), key))
		}
	})
}

// TestDuplicatesAtTheSameTime: eight equal calls, on all nodes there can be, make one instance and
// get one answer, also when they would collide in more than the key.
func TestDuplicatesAtTheSameTime(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		nodes := startAll(t, b)
		const rounds, calls = 5, 8
		for round := range rounds {
			wish := kit.WithDomain(kit.Machine("Acme"), fmt.Sprintf("round-%d.example", round))
			call := keyed(t, wish, fmt.Sprintf("round-%d", round))
			answers := make([]*systemv1.CreateInstanceResponse, calls)
			atOnce(calls, func(i int) {
				w := []kit.Wire{kit.REST(), kit.GRPC()}[i/2%2]
				made := new(systemv1.CreateInstanceResponse)
				a, err := w.Do(t.Context(), nodes[i%len(nodes)].Client, call, made)
				if err != nil || a.Code != codes.OK {
					t.Errorf("round %d, call %d over %s: %v %v", round, i, w.Name, a, err)
				}
				answers[i] = made
			})
			for i, got := range answers {
				if !proto.Equal(got, answers[0]) {
					t.Errorf("round %d, call %d: %v, the first got %v", round, i, got, answers[0])
				}
			}
		}
		if got := kit.CheckWhole(t, nodes[0].DB()); len(got) != rounds {
			t.Errorf("%d instances, want %d", len(got), rounds)
		}
		logtest.CheckFold(t, nodes[0].DB(), nodes[0].Events())
	})
}

// startAll starts two nodes where there can be two, else one.
func startAll(t *testing.T, b *kit.Backend) []*kit.Node {
	t.Helper()
	nodes := []*kit.Node{b.Start(t, nil)}
	if b.MultiNode() {
		nodes = append(nodes, b.Start(t, nil))
	}
	return nodes
}

// atOnce runs n functions as nearly at the same time as can be, and returns when all have ended.
func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	ready := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-ready
			f(i)
		})
	}
	close(ready)
	all.Wait()
}
