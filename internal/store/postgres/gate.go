package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The advisory locks by which nodes know of each other, as the two halves of a key: loneSpace and, of the gate, 0;
// of the sessions of a node, the number of that node. "lone" in ASCII.
const (
	loneSpace = 0x6c6f6e65
	gateKey   = 0
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
	node   int32         // the number of this node
	period time.Duration // lonePeriod
	keeper atomic.Uint32 // the session that may hold the gate shut for this node; 0 is none

	mu  sync.Mutex
	own map[uint32]bool // sessions of this node, by the process that serves them
}

// newGate returns the gate for a node that has no session yet.
func newGate(period time.Duration) *gate {
	return &gate{node: 1 + rand.Int32N(1<<31-1), period: period, own: make(map[uint32]bool)}
}

// enter makes a session one of those that may write. While another node is alone it waits until that one has
// opened the gate, or cannot believe any more that it is alone.
func (g *gate) enter(ctx context.Context, c *pgx.Conn) error {
	g.add(c.PgConn().PID())
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
	delete(g.own, c.PgConn().PID())
}

func (g *gate) add(pid uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.own[pid] = true
}

// has reports whether a session is one of this node.
func (g *gate) has(pid uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.own[pid]
}

// pass is enter for a session that is known.
//
// Its lock comes before the gate: a node that shuts the gate later sees it, and one that holds it shut did not look.
func (g *gate) pass(ctx context.Context, c *pgx.Conn) error {
	for {
		said, err := say(ctx, c, fmt.Sprintf(
			`SELECT pg_advisory_lock_shared(%[1]d, %[2]d); SELECT pg_try_advisory_lock_shared(%[1]d, %[3]d); SELECT held FROM lone_node`,
			loneSpace, g.node, gateKey))
		if err != nil {
			return err
		}
		if said[1] == "t" {
			return g.through(ctx, c, said[2] == "t")
		}
		l, err := g.look(ctx, c)
		if err != nil {
			return err
		}
		if l.shut != 0 && l.shut == g.keeper.Load() {
			return nil // shut for others: who shuts it after this one sees our lock
		}
		opened, err := g.await(ctx, c)
		if err != nil || !opened {
			return err
		}
	}
}

// through leaves the gate behind. held says that a node may have ended while it was alone: it will not have written,
// but it may still answer what it has in memory.
func (g *gate) through(ctx context.Context, c *pgx.Conn, held bool) error {
	leave := fmt.Sprintf(`SELECT pg_advisory_unlock_shared(%d, %d)`, loneSpace, gateKey)
	if held {
		if err := rest(ctx, patience(g.period)); err != nil {
			return err
		}
		leave = `UPDATE lone_node SET held = FALSE; ` + leave
	}
	_, err := say(ctx, c, leave)
	return err
}

// await asks for the gate to be opened and waits for it. opened is false when that has not happened in so long a
// time that nobody can be alone any more: our own lock is there, and a node sees it when it makes sure that it
// still is.
func (g *gate) await(ctx context.Context, c *pgx.Conn) (opened bool, err error) {
	if _, err := say(ctx, c, `NOTIFY `+loneChannel+`, '`+strconv.Itoa(int(g.node))+`'`); err != nil {
		return false, err
	}
	_, err = say(ctx, c, fmt.Sprintf(`SET lock_timeout = %d; SELECT pg_advisory_lock_shared(%[2]d, %[3]d), pg_advisory_unlock_shared(%[2]d, %[3]d)`,
		patience(g.period).Milliseconds(), loneSpace, gateKey))
	var refused *pgconn.PgError
	late := errors.As(err, &refused) && refused.Code == lockNotAvailable
	if err != nil && !late {
		return false, err
	}
	_, err = say(ctx, c, `RESET lock_timeout`)
	return !late, err
}

// look is what the locks say.
type look struct {
	shut   uint32 // the session that holds the gate shut; 0 is none
	others bool   // there are sessions that can write, and are not known to be of this node
}

// look finds out who is there.
func (g *gate) look(ctx context.Context, c *pgx.Conn) (l look, err error) {
	results, err := c.PgConn().Exec(ctx, fmt.Sprintf(`SELECT pid, objid, granted, mode = 'ExclusiveLock' FROM pg_locks
 WHERE locktype = 'advisory' AND classid = %d AND objsubid = 2
 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, loneSpace)).ReadAll()
	if err != nil {
		return l, err
	}
	for _, row := range results[0].Rows {
		pid, err := strconv.ParseUint(string(row[0]), 10, 32)
		if err != nil {
			return l, fmt.Errorf("a process of pg_locks: %w", err)
		}
		of, granted, exclusive := string(row[1]), string(row[2]) == "t", string(row[3]) == "t"
		switch {
		case of == strconv.Itoa(gateKey) && granted && exclusive:
			l.shut = uint32(pid)
		case of == strconv.Itoa(gateKey): // somebody passes it, or waits there: its own lock tells of it
		case of != strconv.Itoa(int(g.node)) || !g.has(uint32(pid)):
			l.others = true
		}
	}
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
