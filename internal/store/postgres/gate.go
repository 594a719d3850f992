package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The advisory locks by which nodes know of each other, as the two halves of a key: loneSpace ("lone" in ASCII) and,
// of the gate, 0; of the sessions of a node, the number of that node; and of the session that holds the
// gate shut for a node, that number and keeperBit.
const (
	loneSpace = 0x6c6f6e65
	gateKey   = 0
	keeperBit = 1 << 30
)

// loneChannel is where a session that waits at the gate asks a node to open it.
const loneChannel = "castellan_lone"

// lonePeriod is how long a node that is alone may take itself for that after it was last seen to be so. What
// it costs a node that comes after one which has ended without a word is a little more.
const lonePeriod = 500 * time.Millisecond

// patience is how long another node waits until a belief of a period is over, whatever the clocks.
func patience(period time.Duration) time.Duration { return period * 3 / 2 }

// gate is how sessions that can write come in: each holds a lock that says whose it is, for as long as
// it lives, and passes the gate before it does anything. Who holds the gate shut and sees no session but
// its own knows that nobody else can write.
type gate struct {
	node   int32         // the number of this node, less than keeperBit
	period time.Duration // lonePeriod

	mu  sync.Mutex
	own map[uint32]*pgx.Conn // sessions of this node, by the process that serves them
}

// newGate returns the gate for a node that has no session yet.
func newGate(period time.Duration) *gate {
	return &gate{node: 1 + rand.Int32N(keeperBit-1), period: period, own: make(map[uint32]*pgx.Conn)}
}

// enter makes a session one of those that may write. While another node is alone it waits until that one has
// opened the gate, or cannot believe any more that it is alone.
func (g *gate) enter(ctx context.Context, c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	g.add(c)
	if err := g.pass(ctx, c); err != nil {
		g.leave(c)
		return fmt.Errorf("enter the database: %w", err)
	}
	return nil
}

// leave forgets a session: that it has ended, or that nobody knows what it still does.
func (g *gate) leave(c *pgx.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if pid := c.PgConn().PID(); g.own[pid] == c { // numbers of processes come again
		delete(g.own, pid)
	}
}

func (g *gate) add(c *pgx.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own[c.PgConn().PID()] = c
}

// has reports whether a session is one of this node.
func (g *gate) has(pid uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.own[pid] != nil
}

// pass is enter for a session that is known.
//
// Its lock comes before the gate: a node that shuts the gate later sees it, and so does one that holds it shut when
// it makes sure that it is still alone. So when it has waited long enough, by its own clock, nobody can be.
func (g *gate) pass(ctx context.Context, c *pgx.Conn) error {
	if _, err := say(ctx, c, fmt.Sprintf(`SELECT pg_advisory_lock_shared(%d, %d)`, loneSpace, g.node)); err != nil {
		return err
	}
	for begun := time.Now(); time.Since(begun) < patience(g.period); {
		said, err := say(ctx, c, fmt.Sprintf(`SELECT pg_try_advisory_lock_shared(%d, %d)`, loneSpace, gateKey))
		if err != nil {
			return err
		}
		if said[0] == "t" {
			return g.through(ctx, c)
		}
		if l, err := g.look(ctx, c); err != nil || l.kept {
			return err // shut for others: who shuts it after this one sees our lock
		}
		if err := g.await(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// through leaves the gate behind. When a node may have ended while it was alone, it waits first: that one does not
// write any more, but it may still answer what it has in memory.
func (g *gate) through(ctx context.Context, c *pgx.Conn) error {
	said, err := say(ctx, c, `SELECT held FROM lone_node`)
	if err != nil {
		return err
	}
	if said[0] == "t" {
		if err := rest(ctx, patience(g.period)); err != nil {
			return err
		}
		// Who comes next is to see it: it is committed before the gate is left.
		if _, err := say(ctx, c, `UPDATE lone_node SET held = FALSE`); err != nil {
			return err
		}
	}
	_, err = say(ctx, c, fmt.Sprintf(`SELECT pg_advisory_unlock_shared(%d, %d)`, loneSpace, gateKey))
	return err
}

// await asks for the gate to be opened and waits for it, for a part of the period: it may be our own node that is about
// to shut it.
func (g *gate) await(ctx context.Context, c *pgx.Conn) error {
	if _, err := say(ctx, c, `NOTIFY `+loneChannel+`, '`+strconv.Itoa(int(g.node))+`'`); err != nil {
		return err
	}
	_, err := say(ctx, c, fmt.Sprintf(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = %d;
 SELECT pg_advisory_lock_shared(%[2]d, %[3]d), pg_advisory_unlock_shared(%[2]d, %[3]d)`,
		max(1, (g.period/10).Milliseconds()), loneSpace, gateKey))
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == lockNotAvailable {
		return nil
	}
	return err
}

// look is what the locks say.
type look struct {
	shut   uint32 // the session that holds the gate shut; 0 is none
	kept   bool   // it does so for this node, and there was nobody else
	others bool   // there are sessions that can write, and are not known to be of this node
}

// look finds out who is there.
func (g *gate) look(ctx context.Context, c *pgx.Conn) (l look, err error) {
	results, err := c.PgConn().Exec(ctx, fmt.Sprintf(`SELECT pid, objid, mode = 'ExclusiveLock' FROM pg_locks
 WHERE locktype = 'advisory' AND granted AND classid = %d AND objsubid = 2
 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, loneSpace)).ReadAll()
	if err != nil {
		return l, err
	}
	var keeper uint32
	for _, row := range results[0].Rows {
		pid, err := strconv.ParseUint(string(row[0]), 10, 32)
		if err != nil {
			return l, fmt.Errorf("a process of pg_locks: %w", err)
		}
		of, err := strconv.ParseInt(string(row[1]), 10, 32)
		if err != nil {
			return l, fmt.Errorf("a lock of pg_locks: %w", err)
		}
		exclusive := string(row[2]) == "t"
		switch {
		case of == gateKey && exclusive:
			l.shut = uint32(pid)
		case of == gateKey: // somebody passes it
		case of == int64(g.node|keeperBit):
			keeper = uint32(pid)
		case of&keeperBit == 0 && (of != int64(g.node) || !g.has(uint32(pid))):
			l.others = true
		}
	}
	l.kept = l.shut != 0 && l.shut == keeper
	return l, nil
}

// say runs statements and returns the first value of each that has one.
func say(ctx context.Context, c *pgx.Conn, sql string) (values []string, err error) {
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		value := ""
		if len(r.Rows) > 0 {
			value = string(r.Rows[0][0])
		}
		values = append(values, value)
	}
	return values, nil
}

// rest waits for a time.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
