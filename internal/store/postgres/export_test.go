package postgres

import (
	"context"
	"net"

	"github.com/jackc/pgx/v5/pgxpool"
)

// OpenDialing is Open for a database that is up to date, with connections made by dial.
func OpenDialing(ctx context.Context, url string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*DB, error) {
	pc, err := poolConfig(Config{URL: url, MaxConns: 1})
	if err != nil {
		return nil, err
	}
	pc.ConnConfig.DialFunc = dial
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	return newDB(pool, pc), nil
}
