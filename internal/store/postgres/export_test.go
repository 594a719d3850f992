package postgres

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Dial makes a connection.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// OpenDialing is Open for a database that is up to date, with one connection in the pool, made by dial.
func OpenDialing(ctx context.Context, url string, dial Dial) (*DB, error) {
	db, _, err := OpenLone(ctx, url, lonePeriod, lonePause, dial)
	return db, err
}

// OpenLone is OpenDialing with other times, and a signal for each time that the node has looked whether it is
// alone, and when it stops to be.
func OpenLone(ctx context.Context, url string, period, pause time.Duration, dial Dial) (*DB, <-chan struct{}, error) {
	g := newGate(period)
	pc, err := poolConfig(Config{URL: url, MaxConns: 1}, g)
	if err != nil {
		return nil, nil, err
	}
	if dial != nil {
		pc.ConnConfig.DialFunc = pgconn.DialFunc(dial)
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, nil, err
	}
	d := newDB(pool, pc, g)
	told := make(chan struct{}, 1)
	d.lone.pause = pause
	d.lone.told = func() {
		select {
		case told <- struct{}{}:
		default:
		}
	}
	if err := d.Ping(ctx); err != nil {
		pool.Close()
		return nil, nil, err
	}
	return d, told, nil
}
