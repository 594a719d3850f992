package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"castellan/internal/vault"
)

// Lengths of rounds.
const (
	warmCalls   = 20                     // of each client, unmeasured, before the first round
	oneCalls    = 60                     // of the one client that creates
	smallCalls  = 15                     // of the one client that creates in the small database, which is to stay small
	manyClients = 8                      // who create at the same time
	readClients = 16                     // who read
	manyTime    = 500 * time.Millisecond // of a round of many clients
	keyCalls    = 40                     // fewer than poolSize
	keyRounds   = 3                      // at most, for the pool takes seconds to fill
	humanCalls  = 3                      // rounds of one call, for each round asked for
)

// servers are those under load.
type servers struct {
	large, small, bare *process
}

// measureLoad takes everything that needs the servers to run.
func (f *field) measureLoad(ctx context.Context) error {
	var s servers
	var err error
	if s.large, err = f.start(ctx, f.large, poolSize); err != nil {
		return err
	}
	if s.small, err = f.start(ctx, f.small, 0); err != nil {
		return err
	}
	if err := f.copyAnswers(ctx, s.large.addr); err != nil {
		return err
	}
	if s.bare, err = f.startBare(ctx, "-shape", f.shape, "-answers", f.answers); err != nil {
		return err
	}
	if err := s.large.awaitPool(ctx, poolSize); err != nil {
		return err
	}
	for _, load := range f.loads() {
		if !f.asked(load.name) {
			continue
		}
		if err := load.measure(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
	}
	return f.reportMemory(ctx, "memory at rest after all this load", s.large, s.bare)
}

// load is something that is measured with all servers running.
type load struct {
	name    string
	measure func(context.Context, servers) error
}

// loads are all of it, in their order.
func (f *field) loads() []load {
	return []load{
		{"create", f.measureOne}, {"read", f.measureReadREST}, {"read-grpc", f.measureReadGRPC}, {"list", f.measureList},
		{"exists", f.measureExists}, {"domain", f.measureAddDomain}, {"many", f.measureMany}, {"tokens", f.measureTokens},
		{"introspection", f.measureIntrospect}, {"myself", f.measureMyself}, {"issuer", f.measureIssuer},
		{"key", f.measureKey}, {"human", f.measureHuman}, {"consistency", f.measureConsistency},
	}
}

// asked reports whether something is to be measured.
func (o *options) asked(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

// measureOne lets one client create instances with tokens: in the large database, in the small
// one, and on the bare handler.
func (f *field) measureOne(ctx context.Context, s servers) error {
	c := comparison{token: f.token}
	c.rest("create in the large database", s.large, 1, creates(requestToken), limit{calls: oneCalls})
	c.rest("create on bare", s.bare, 1, creates(requestToken), limit{calls: oneCalls})
	few := limit{calls: smallCalls}
	c.rest("create in the small database", s.small, 1, creates(requestToken), few)
	all, err := c.run(ctx, f.rounds)
	if err != nil {
		return err
	}
	large, bare, small := all[0], all[1], all[2]
	f.reportTypical("CreateInstance, owner with token, 1 client, p50", large, bare, f.targets.p50, "250-300 ms")
	f.reportTail("CreateInstance, owner with token, 1 client, p99", large, bare, f.targets.p99)
	begun := smallest + logged + few.warmUp().calls
	grown := ratio(large, small, p50)
	f.out.add(figure{
		what:  fmt.Sprintf("that p50 at %d instances, against %d", f.instances, smallest),
		value: msText(large.median(p50)),
		baseline: fmt.Sprintf("%s, castellan at %d to %d", msText(small.median(p50)),
			begun, begun+f.rounds*smallCalls),
		ratio: grown, target: atMost(grown, 1.25, "1.25 x"),
	})
	return nil
}

// reportTypical says the p50 of a series beside that of the bare handler. limit is the target in
// ms, 0 for none.
func (f *field) reportTypical(what string, of, bare series, limit float64, reference string) {
	line := figure{
		what: what, value: msText(of.median(p50)), baseline: msText(bare.median(p50)) + ", bare handler",
		ratio: ratio(of, bare, p50), reference: reference,
	}
	if limit > 0 {
		line.target = atMost(of.median(p50), limit, digits(limit)+" ms")
	}
	f.out.add(line)
}

// reportTail is reportTypical for the p99.
func (f *field) reportTail(what string, of, bare series, limit float64) {
	slow, least := p99(of.pooled()), p99(bare.pooled())
	line := figure{
		what: what, value: msText(slow), baseline: msText(least) + ", bare handler", ratio: slow / least,
	}
	if limit > 0 {
		line.target = atMost(slow, limit, digits(limit)+" ms")
	}
	f.out.add(line)
}

// measureMany lets many clients create instances.
func (f *field) measureMany(ctx context.Context, s servers) error {
	c := comparison{token: f.token}
	c.rest("create by many", s.large, manyClients, creates(requestToken), limit{time: manyTime})
	c.rest("create by many on bare", s.bare, manyClients, creates(requestToken), limit{time: manyTime})
	all, err := c.run(ctx, f.rounds)
	if err != nil {
		return err
	}
	line := figure{
		what:     fmt.Sprintf("CreateInstance, owner with token, %d clients", manyClients),
		value:    rateText(all[0].median(rate)),
		baseline: rateText(all[1].median(rate)) + ", bare handler",
		ratio:    ratio(all[0], all[1], rate), reference: "4/s at most",
	}
	if f.targets.rate > 0 {
		line.target = atLeast(all[0].median(rate), f.targets.rate, rateText(f.targets.rate))
	}
	f.out.add(line)
	return nil
}

// measureKey lets one client create instances whose owner gets a JSON key, with keys ready.
func (f *field) measureKey(ctx context.Context, s servers) error {
	c := comparison{
		token: f.token,
		// Keys that were taken are made anew before the next side begins, which would else share
		// the processors with that.
		before: func(ctx context.Context) error { return s.large.awaitPool(ctx, poolSize) },
	}
	c.rest("create with a key", s.large, 1, creates(requestKey), limit{calls: keyCalls})
	c.rest("create with a token", s.large, 1, creates(requestToken), limit{calls: keyCalls})
	all, err := c.run(ctx, min(keyRounds, f.rounds))
	if err != nil {
		return err
	}
	const more = 1 // ms, over the target of the same creation with a token
	key, token := all[0], all[1]
	typical, slow := key.median(p50), p99(key.pooled())
	line := figure{
		what: "CreateInstance, owner with JSON key, 1 client, p50", value: msText(typical),
		baseline: msText(token.median(p50)) + ", with token", ratio: ratio(key, token, p50), reference: "340 ms",
		target: atMost(typical, f.targets.p50+more, digits(f.targets.p50+more)+" ms"),
	}
	f.out.add(line)
	line = figure{
		what: "CreateInstance, owner with JSON key, 1 client, p99", value: msText(slow),
		baseline: msText(p99(token.pooled())) + ", with token", ratio: slow / p99(token.pooled()),
	}
	if f.targets.p99 > 0 {
		line.target = atMost(slow, f.targets.p99+more, digits(f.targets.p99+more)+" ms")
	}
	f.out.add(line)
	return s.large.awaitPool(ctx, poolSize)
}

// measureHuman lets one client create instances whose owner has a password, beside hashing one:
// one call of each in turn, for a hash takes so long that the machine changes meanwhile.
func (f *field) measureHuman(ctx context.Context, s servers) error {
	hasher := vault.NewHasher(vault.HasherConfig{})
	c := comparison{token: f.token}
	c.rest("create with a password", s.large, 1, creates(requestHuman), limit{calls: 1})
	c.add("hash a password", []call{func(ctx context.Context, _ int) error {
		_, err := hasher.Hash(ctx, "bench", password)
		return err
	}}, limit{calls: 1})
	all, err := c.run(ctx, f.rounds*humanCalls)
	if err != nil {
		return err
	}
	const more = 3 // ms, over the time of a hash
	over := difference(all[0], all[1], p50)
	f.out.add(figure{
		what: "CreateInstance, human owner, 1 client, p50", value: msText(all[0].median(p50)),
		baseline: msText(all[1].median(p50)) + ", one password hash", ratio: ratio(all[0], all[1], p50),
		reference: "1,430-1,580 ms",
	})
	f.out.add(figure{
		what: "that beyond the hash", value: msText(over), target: atMost(over, more, digits(more)+" ms"),
	})
	return nil
}

// leastRead is what part of the bare handler's rate GetInstance must reach.
const leastRead = 0.5

// measureReadREST lets many clients read instances.
func (f *field) measureReadREST(ctx context.Context, s servers) error {
	reads := func(c *restClient) call {
		next := pick(f.ids)
		return func(context.Context, int) error {
			_, err := c.get(next())
			return err
		}
	}
	c := comparison{token: f.token}
	c.rest("read", s.large, readClients, reads, limit{time: manyTime})
	c.rest("read on bare", s.bare, readClients, reads, limit{time: manyTime})
	return f.reportRead(ctx, &c, "REST", "270-470/s")
}

// measureReadGRPC is measureReadREST over gRPC.
func (f *field) measureReadGRPC(ctx context.Context, s servers) error {
	reads := func(c *grpcClient) call {
		next := pick(f.ids)
		return func(ctx context.Context, _ int) error {
			_, err := c.get(ctx, next())
			return err
		}
	}
	c := comparison{token: f.token}
	c.grpc("read", s.large, readClients, reads, limit{time: manyTime})
	c.grpc("read on bare", s.bare, readClients, reads, limit{time: manyTime})
	return f.reportRead(ctx, &c, "gRPC", "320-620/s")
}

// reportRead runs a comparison of reads and says how it went.
func (f *field) reportRead(ctx context.Context, c *comparison, protocol, reference string) error {
	all, err := c.run(ctx, f.rounds)
	if err != nil {
		return err
	}
	part := ratio(all[0], all[1], rate)
	f.out.add(figure{
		what:     fmt.Sprintf("GetInstance, %s, %d clients", protocol, readClients),
		value:    rateText(all[0].median(rate)),
		baseline: rateText(all[1].median(rate)) + ", bare handler",
		ratio:    part, target: atLeast(part, leastRead, digits(leastRead)+" x"), reference: reference,
	})
	return nil
}
