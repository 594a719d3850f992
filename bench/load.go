package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// call makes one call as the n-th of its client. Only one runs at a time for each client.
type call func(ctx context.Context, n int) error

// limit ends a round: after so many calls of each client, or when the time is over, whatever
// comes first. Zero is no limit; one of them must be set.
type limit struct {
	calls int
	time  time.Duration
}

var errNoLimit = errors.New("a round without a limit")

// over reports whether the limit is reached by a client that has made so many calls, so long after the beginning.
func (until limit) over(calls int, elapsed time.Duration) bool {
	return until.calls > 0 && calls >= until.calls || until.time > 0 && elapsed >= until.time
}

// drive lets each client make its calls, one after the other, and returns how long they took. The
// first error ends the round and is returned.
func drive(ctx context.Context, clients []call, until limit) (sample, error) {
	if until == (limit{}) {
		return sample{}, errNoLimit
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	took := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	start := time.Now()
	var running sync.WaitGroup
	for i, c := range clients {
		running.Go(func() {
			took[i], errs[i] = repeat(ctx, c, until, start)
			if errs[i] != nil {
				cancel()
			}
		})
	}
	running.Wait()
	all := sample{elapsed: time.Since(start)}
	for i := range clients {
		all.took = append(all.took, took[i]...)
	}
	return all, errors.Join(errs...)
}

// repeat is one client of a round that began at start.
func repeat(ctx context.Context, c call, until limit, start time.Time) (took []time.Duration, err error) {
	for n := 0; ; n++ {
		before := time.Now()
		if until.over(n, before.Sub(start)) {
			return took, nil
		}
		if err := ctx.Err(); err != nil {
			return took, err
		}
		if err := c(ctx, n); err != nil {
			return took, fmt.Errorf("call %d: %w", n+1, err)
		}
		took = append(took, time.Since(before))
	}
}

// side is one of the things that are compared.
type side struct {
	name string
	// warm prepares a round, unmeasured; nil is nothing.
	warm func(ctx context.Context) error
	run  func(ctx context.Context) (sample, error)
}

// alternate runs rounds of all sides in turns, and returns the series of each. Every other
// round begins with the last side, so that none is always the one that follows.
func alternate(ctx context.Context, rounds int, sides ...side) ([]series, error) {
	all := make([]series, len(sides))
	for round := range rounds {
		for turn := range sides {
			i := turn
			if round%2 == 1 {
				i = len(sides) - 1 - turn
			}
			s := sides[i]
			if s.warm != nil {
				if err := s.warm(ctx); err != nil {
					return nil, fmt.Errorf("%s, before round %d: %w", s.name, round+1, err)
				}
			}
			done, err := s.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
			all[i] = append(all[i], done)
		}
	}
	return all, nil
}

// comparison is sides that drive calls over connections of their own.
type comparison struct {
	token string
	// before is run before each round of each side, unmeasured; nil is nothing.
	before func(ctx context.Context) error

	sides []side
	warm  []func(ctx context.Context) error
	open  clients
	err   error // the first of opening connections
}

// add adds a side of clients with goroutines of their own.
func (c *comparison) add(name string, calls []call, until limit) {
	c.addRound(name, func(ctx context.Context, until limit) (sample, error) { return drive(ctx, calls, until) }, until)
}

// addRound adds a side by what makes a round of it.
func (c *comparison) addRound(name string, round func(context.Context, limit) (sample, error), until limit) {
	c.sides = append(c.sides, side{name: name, warm: c.before, run: func(ctx context.Context) (sample, error) {
		return round(ctx, until)
	}})
	c.warm = append(c.warm, func(ctx context.Context) error {
		_, err := round(ctx, until.warmUp())
		return err
	})
}

// warmUp is the limit of what goes before rounds of the given limit: less when these are short,
// for then calls are slow or use something up.
func (until limit) warmUp() limit {
	if until.calls == 0 {
		return limit{calls: warmCalls}
	}
	return limit{calls: max(1, min(warmCalls, until.calls/4))}
}

// rest adds a side of n REST clients.
func (c *comparison) rest(name string, to *process, n int, does func(*restClient) call, until limit) {
	if c.err != nil {
		return
	}
	calls, open, err := restCalls(n, to.addr, c.token, does)
	c.open, c.err = append(c.open, open...), err
	c.add(name, calls, until)
}

// grpc adds a side of n gRPC clients.
func (c *comparison) grpc(name string, to *process, n int, does func(*grpcClient) call, until limit) {
	if c.err != nil {
		return
	}
	calls, open, err := grpcCalls(n, to.addr, c.token, does)
	c.open, c.err = append(c.open, open...), err
	c.add(name, calls, until)
}

// run warms every side up, lets them take turns, and closes the connections.
func (c *comparison) run(ctx context.Context, rounds int) (all []series, err error) {
	defer func() { err = errors.Join(err, c.open.Close()) }()
	if c.err != nil {
		return nil, c.err
	}
	for i, warm := range c.warm {
		if err := warm(ctx); err != nil {
			return nil, fmt.Errorf("%s, warming up: %w", c.sides[i].name, err)
		}
	}
	return alternate(ctx, rounds, c.sides...)
}
