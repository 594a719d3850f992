package operation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"castellan/internal/eventlog/logtest"
	"castellan/tests/kit"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// ledger is what clients know of their calls.
type ledger struct {
	mu sync.Mutex
	// begun are all calls by their idempotency key, answered those that were acknowledged.
	begun    map[string]*systemv1.CreateInstanceRequest
	answered map[string]*systemv1.CreateInstanceResponse
}

func newLedger() *ledger {
	return &ledger{begun: map[string]*systemv1.CreateInstanceRequest{}, answered: map[string]*systemv1.CreateInstanceResponse{}}
}

// begin notes a call and returns it.
func (l *ledger) begin(t *testing.T, key string) kit.Call {
	wish := kit.Machine("Acme " + key)
	switch len(key) % 3 { // the key ends with a number, so that kinds mix
	case 0:
		wish.CustomDomain = key + ".example"
	case 1:
		wish = kit.Human("Acme " + key)
		wish.GetHuman().Password = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun[key] = wish
	return kit.Call{
		Method: "CreateInstance", Request: wish, Token: kit.Operator().Token(t), Header: http.Header{"Idempotency-Key": {key}},
	}
}

// end notes an answer, or that there was none.
func (l *ledger) end(t *testing.T, key string, made *systemv1.CreateInstanceResponse, a kit.Answer, err error) {
	if err != nil || a.Code == codes.Unavailable {
		return // nobody knows what became of it
	}
	if a.Code != codes.OK {
		t.Errorf("%s: %v", key, a)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[key] = made
}

// TestKilledWhileCreating kills the program at random moments while clients create instances.
// What it acknowledged is whole afterwards, nothing is there by half, and the calls that got no
// answer can be repeated.
func TestKilledWhileCreating(t *testing.T) {
	t.Parallel()
	kit.EachBackend(t, func(t *testing.T, b *kit.Backend) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		moments := rand.New(rand.NewPCG(seed, 0))
		book := newLedger()
		const rounds = 5
		for round := range rounds {
			p := b.Exec(t)
			createUntilKilled(t, p, book, round, 5+moments.Int64N(40))
			checkSurvivors(t, b, book)
		}
		unanswered := len(book.begun) - len(book.answered)
		p := b.Exec(t)
		book.repeatAll(t, p.Client)
		for key, made := range book.answered {
			if _, a := p.Get(t, made.GetInstanceId()); a.Code != codes.OK {
				t.Errorf("%s: instance %s: %v", key, made.GetInstanceId(), a)
			}
		}
		p.Stop(t)
		if all := checkSurvivors(t, b, book); len(all) != len(book.begun) {
			t.Errorf("%d instances for %d keys", len(all), len(book.begun))
		}
		t.Logf("%d calls, of which %d were answered only when repeated", len(book.begun), unanswered)
	})
}

// createUntilKilled lets clients create instances and kills the program when the call with the
// given number is about to be sent.
func createUntilKilled(t *testing.T, p *kit.Process, book *ledger, round int, last int64) {
	const clients = 4
	var sent atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				number := sent.Add(1)
				if number == last {
					all.Go(p.Kill)
				}
				key := fmt.Sprintf("r%d-%d", round, number)
				made := new(systemv1.CreateInstanceResponse)
				a, err := kit.REST().Do(context.WithoutCancel(t.Context()), p.Client, book.begin(t, key), made)
				book.end(t, key, made, a, err)
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
}

// checkSurvivors opens the database that the program has left, and returns the ids of all
// instances in it.
func checkSurvivors(t *testing.T, b *kit.Backend, book *ledger) []string {
	t.Helper()
	n := b.Start(t, nil)
	defer n.Stop(t)
	whole := kit.CheckWhole(t, n.DB())
	for key, made := range book.answered {
		id := made.GetInstanceId()
		if !slices.Contains(whole, id) {
			t.Errorf("%s: instance %s was acknowledged and is gone", key, id)
			continue
		}
		read, a := n.Get(t, id)
		if got := read.GetInstance().GetName(); a.Code != codes.OK || got != book.begun[key].GetInstanceName() {
			t.Errorf("%s: instance %s is called %q: %v", key, id, got, a)
		}
		checkTokenKept(t, n, key, made)
	}
	logtest.CheckFold(t, n.DB(), n.Events())
	return whole
}

// checkTokenKept checks that a token that was answered is one the database knows.
func checkTokenKept(t *testing.T, n *kit.Node, key string, made *systemv1.CreateInstanceResponse) {
	t.Helper()
	if made.GetPat() == "" {
		return
	}
	hash := sha256.Sum256([]byte(made.GetPat()))
	stored := kit.Column[[]byte](t, n.DB(), `SELECT token_hash FROM personal_access_tokens WHERE instance_id = $1`, made.GetInstanceId())
	if len(stored) != 1 || !bytes.Equal(stored[0], hash[:]) {
		t.Errorf("%s: the token of instance %s is not the one that was answered", key, made.GetInstanceId())
	}
}

// repeatAll sends every call again; those that had an answer get the same one.
func (l *ledger) repeatAll(t *testing.T, c *kit.Client) {
	t.Helper()
	for key, wish := range l.begun {
		made := new(systemv1.CreateInstanceResponse)
		a := kit.REST().Send(t, c, kit.Call{
			Method: "CreateInstance", Request: wish, Token: kit.Operator().Token(t), Header: http.Header{"Idempotency-Key": {key}},
		}, made)
		if a.Code != codes.OK {
			t.Errorf("%s repeated: %v", key, a)
			continue
		}
		if before := l.answered[key]; before != nil && !proto.Equal(before, made) {
			t.Errorf("%s: first %v, repeated %v", key, before, made)
		}
		l.answered[key] = made
	}
}
