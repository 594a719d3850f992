package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"castellan/internal/store"
	"castellan/internal/store/postgres"
	"castellan/internal/store/storetest"
)

// Times of these tests: short, that much happens, or so long that it does not end by itself.
const (
	shortPeriod = 40 * time.Millisecond
	shortPause  = 5 * time.Millisecond
	longPeriod  = 5 * time.Second
)

// loner is a node of these tests.
type loner struct {
	*postgres.DB
	told <-chan struct{}
}

func openLoner(ctx context.Context, url string, period time.Duration, dial postgres.Dial) (*loner, error) {
	db, told, err := postgres.OpenLone(ctx, url, period, shortPause, dial)
	return &loner{db, told}, err
}

func mustOpenLoner(t *testing.T, url string, period time.Duration, dial postgres.Dial) *loner {
	t.Helper()
	l, err := openLoner(t.Context(), url, period, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it may have been closed, or cut off
	return l
}

// awaitAlone waits until a node is alone, and returns the version then.
func (l *loner) awaitAlone(t *testing.T) uint64 {
	t.Helper()
	late := time.After(patience)
	for {
		if v, ok := l.Version(); ok {
			return v
		}
		select {
		case <-l.told:
		case <-late:
			t.Fatal("the node does not become alone")
		}
	}
}

func (l *loner) notAlone(t *testing.T, when string) {
	t.Helper()
	if _, ok := l.Version(); ok {
		t.Errorf("%s the node still takes itself for the only one", when)
	}
}

func TestALoneNodeKnowsItsVersion(t *testing.T) {
	url := storetest.PostgresURL(t)
	a := mustOpenLoner(t, url, longPeriod, nil)
	mustExec(t, a, `CREATE TABLE x (n BIGINT)`)
	before := a.awaitAlone(t)
	if v, ok := a.Version(); !ok || v != before {
		t.Errorf("version %d, %v, want %d", v, ok, before)
	}
	mustExec(t, a, `INSERT INTO x (n) VALUES (1)`)
	written, ok := a.Version()
	if !ok || written == before {
		t.Errorf("version %d, %v after a write", written, ok)
	}

	b := mustOpenLoner(t, url, longPeriod, nil)
	a.notAlone(t, "once another is there")
	mustExec(t, b, `UPDATE x SET n = 2`)
	a.notAlone(t, "once another has written")
	b.notAlone(t, "beside another")

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if again := a.awaitAlone(t); again == written || again == before {
		t.Errorf("version %d after another has written, as before", again)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if held := mustNumber(t, mustOpen(t, url), `SELECT count(*) FROM lone_node WHERE held`); held != 0 {
		t.Error("the gate was left shut")
	}
}

// TestOwnSessionsComeIn: who shuts the gate does not shut out its own.
func TestOwnSessionsComeIn(t *testing.T) {
	url := storetest.PostgresURL(t)
	a := mustOpenLoner(t, url, time.Hour, nil) // longer than anybody waits
	a.awaitAlone(t)
	mine := mustNumber(t, a, `SELECT pg_backend_pid()`)
	if _, err := admin(t, url).Exec(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, mine); err != nil {
		t.Fatal(err)
	}
	if again := mustNumber(t, a, `SELECT pg_backend_pid()`); again == mine {
		t.Error("the session has not ended, and nothing is tested")
	}
	mustExec(t, a, `CREATE TABLE x (n BIGINT)`)
	a.awaitAlone(t)
}

// TestAnEndWithoutAWord: the session that holds the gate shut ends, and the node does not know it. Another one comes
// in only when the first cannot believe any more that it is alone.
func TestAnEndWithoutAWord(t *testing.T) {
	url := storetest.PostgresURL(t)
	var cut atomic.Bool
	a := mustOpenLoner(t, url, longPeriod/5, deafening(&cut))
	a.awaitAlone(t)
	cut.Store(true)
	c := admin(t, url)
	if _, err := c.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Version(); !ok {
		t.Error("the node knows of what it was not told") // or the machine is very slow, and nothing is tested
	}
	mustOpenLoner(t, url, longPeriod/5, nil)
	a.notAlone(t, "once another is there")
	cut.Store(false)
}

// TestAFrozenNodeHoldsUpNobody: it neither opens the gate nor ends.
func TestAFrozenNodeHoldsUpNobody(t *testing.T) {
	url := storetest.PostgresURL(t)
	var frozen atomic.Bool
	a := mustOpenLoner(t, url, longPeriod/5, deafening(&frozen))
	a.awaitAlone(t)
	frozen.Store(true)
	b := mustOpenLoner(t, url, longPeriod/5, nil)
	a.notAlone(t, "once another is there")
	mustExec(t, b, `CREATE TABLE x (n BIGINT)`)
	frozen.Store(false)
	a.notAlone(t, "when it goes on, beside another,")
	b.notAlone(t, "beside one that went on")
}

// deafening makes connections on which nothing arrives while deaf is set, be it that they end.
func deafening(deaf *atomic.Bool) postgres.Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &deafConn{Conn: c, deaf: deaf}, err
	}
}

type deafConn struct {
	net.Conn
	deaf *atomic.Bool
}

// Read implements net.Conn. It looks now and then whether it may: there is no signal for that.
func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for c.deaf.Load() {
		<-time.After(time.Millisecond)
	}
	return n, err
}

// TestACommitInDoubt: the connection breaks while the server commits, which it does later. Meanwhile the node does
// not go by what it has counted.
func TestACommitInDoubt(t *testing.T) {
	url := storetest.PostgresURL(t)
	var mu sync.Mutex
	var dialed []net.Conn
	a := mustOpenLoner(t, url, longPeriod, func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		mu.Lock()
		defer mu.Unlock()
		dialed = append(dialed, c)
		return &muteConn{c}, err
	})
	const lock = 42
	mustExec(t, a, `CREATE TABLE x (n BIGINT)`)
	mustExec(t, a, `CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END'`)
	mustExec(t, a, `CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON x DEFERRABLE INITIALLY DEFERRED
 FOR EACH ROW EXECUTE FUNCTION linger()`)
	before := a.awaitAlone(t)
	holder, looker := admin(t, url), admin(t, url)
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, lock); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- a.Update(context.Background(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `INSERT INTO x (n) VALUES (1)`)
		})
	}()
	waiting := func() (n int) {
		err := looker.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted`, lock).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for waiting() == 0 { // each time a round trip
	}
	mu.Lock()
	_ = dialed[0].Close() // that of the pool
	mu.Unlock()
	if err := <-done; !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("the commit: %v", err)
	}
	a.notAlone(t, "while a commit is in doubt")
	for range 100 {
		if n := mustNumber(t, a, `SELECT count(*) FROM x`); n != 0 {
			t.Fatal("it has committed already, and nothing is tested")
		}
		a.notAlone(t, "while a commit is in doubt")
	}
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_unlock($1)`, lock); err != nil {
		t.Fatal(err)
	}
	if again := a.awaitAlone(t); again == before {
		t.Error("the version is that of before the commit")
	}
	if n := mustNumber(t, a, `SELECT count(*) FROM x`); n != 1 {
		t.Errorf("%d rows are there when the node is sure", n)
	}
}

// muteConn cancels nothing.
type muteConn struct{ net.Conn }

// Write implements net.Conn.
func (c *muteConn) Write(p []byte) (int, error) {
	const cancel = 80877102 // PostgreSQL manual, section 55.7: CancelRequest
	if len(p) == 16 && binary.BigEndian.Uint32(p[4:]) == cancel {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// TestNobodyIsMistaken: a node stays, others come, write and go. Who keeps a number in memory for as long as its
// version stays the same never has an old one.
func TestNobodyIsMistaken(t *testing.T) {
	url := storetest.PostgresURL(t)
	resident := &keeping{loner: mustOpenLoner(t, url, shortPeriod, nil), seed: rand.New(rand.NewPCG(1, 1))}
	mustExec(t, resident, `CREATE TABLE x AS SELECT 0::BIGINT AS n`)
	var answered atomic.Int64
	fromMemory := make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	stayed := make(chan error, 1)
	resident.answered = &answered
	go func() {
		for {
			kept, err := resident.step(ctx)
			if err != nil {
				stayed <- err
				return
			}
			if kept {
				select {
				case fromMemory <- struct{}{}:
				default:
				}
			}
		}
	}()
	for visit := range 25 {
		for range 3 { // the resident is alone again
			select {
			case <-fromMemory:
			case err := <-stayed:
				t.Fatal(err)
			case <-time.After(patience):
				t.Fatal("the resident does not become alone")
			}
		}
		visitor := &keeping{loner: mustOpenLoner(t, url, shortPeriod, nil), answered: &answered, seed: rand.New(rand.NewPCG(2, uint64(visit)))}
		for range 20 {
			if _, err := visitor.step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := visitor.Close(); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	if err := <-stayed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// keeping is a node that keeps a number in memory.
type keeping struct {
	*loner
	seed     *rand.Rand
	answered *atomic.Int64 // of the writes of all nodes that were answered, the greatest

	number  int64
	version uint64 // at which it was read
	known   bool   // and that is known
}

// step asks for the number, and writes it now and then. kept says that the answer came from memory.
func (k *keeping) step(ctx context.Context) (kept bool, err error) {
	if k.seed.IntN(20) == 0 {
		if err := k.write(ctx); err != nil {
			return false, err
		}
	}
	least := k.answered.Load()
	version, ok := k.Version()
	if kept = ok && k.known && version == k.version; !kept {
		k.version, k.known = version, ok
		if k.number, err = number(ctx, k, `SELECT n FROM x`); err != nil {
			return false, err
		}
	}
	if k.number < least {
		err = fmt.Errorf("the number is %d (from memory: %v), and %d was answered before", k.number, kept, least)
	}
	return kept, err
}

// write adds one to the number.
func (k *keeping) write(ctx context.Context) error {
	var written int64
	err := k.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		written, err = number(ctx, tx, `UPDATE x SET n = n + 1 RETURNING n`)
		return err
	})
	for old := k.answered.Load(); err == nil && old < written && !k.answered.CompareAndSwap(old, written); {
		old = k.answered.Load()
	}
	return err
}
