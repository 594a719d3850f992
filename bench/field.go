package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"

	"castellan/bench/rows"
	"castellan/internal/vault"
)

// Sizes of a run.
const (
	smallest   = 100  // instances in the small database, and the least the large one may have
	seeders    = 16   // clients that fill a database
	sampled    = 2000 // instances that are read
	logged     = 20   // creations whose traffic is counted; few, for the log must not begin anew
	poolSize   = 48   // RSA keys kept ready while keys are measured
	defaultKey = 16   // RSA keys kept ready when nothing is configured
)

// targets are those that are not the same for all engines, in ms; 0 is none.
type targets struct {
	p50, p99    float64 // of CreateInstance with a token
	rate        float64 // of eight clients
	perInstance float64 // bytes on the disk
}

var (
	targetsSQLite   = targets{p50: 3, p99: 15, rate: 500, perInstance: 16 << 10}
	targetsPostgres = targets{p50: 8}
)

// field is one engine under measurement.
type field struct {
	*suite
	engine  engine
	targets targets
	out     *section

	small, large, bareDB place
	shape, answers       string // files for bare
	ids                  []string
	signers              []signer
	personal             vault.Token // of a machine user of the first of these

	running []*process
}

// measure takes all figures, in an order that needs each database and process as few times as
// possible.
func (f *field) measure(ctx context.Context) error {
	steps := []func(context.Context) error{f.seed, f.measureStart, f.measureIdle, f.measureLoad, f.measureDirectory}
	if f.only != "" {
		steps = []func(context.Context) error{f.seed, f.measureLoad}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start starts castellan on a database. It keeps keys RSA keys ready.
func (f *field) start(ctx context.Context, on place, keys int) (*process, error) {
	return f.keep(launch(ctx, f.dir, f.castellan, []string{"serve"}, []string{
		"CASTELLAN_LISTEN=ADDR",
		"CASTELLAN_DATABASE_URL=" + on.url,
		"CASTELLAN_MASTER_KEY_FILE=" + on.key,
		"CASTELLAN_EXTERNAL_DOMAIN=" + externalDomain,
		"CASTELLAN_EXTERNAL_PORT=" + strconv.Itoa(externalPort),
		"CASTELLAN_SYSTEM_USERS=" + f.users,
		"CASTELLAN_KEY_POOL_SIZE=" + strconv.Itoa(keys),
	}))
}

// startBare starts the bare handler on its database; more are further arguments.
func (f *field) startBare(ctx context.Context, more ...string) (*process, error) {
	args := append([]string{"-listen", "ADDR", "-database", f.bareDB.url}, more...)
	return f.keep(launch(ctx, f.dir, f.bare, args, nil))
}

// keep remembers a process that has to be stopped.
func (f *field) keep(p *process, err error) (*process, error) {
	if err == nil {
		f.running = append(f.running, p)
	}
	return p, err
}

// end stops a process.
func (f *field) end(p *process) error {
	f.running = slices.DeleteFunc(f.running, func(other *process) bool { return other == p })
	return p.stop()
}

// close stops what still runs.
func (f *field) close() error {
	var errs []error
	for len(f.running) > 0 {
		errs = append(errs, f.end(f.running[0]))
	}
	return errors.Join(errs...)
}

// seed fills the databases and says what an instance leaves there.
func (f *field) seed(ctx context.Context) error {
	written, smallSize, err := f.seedSmall(ctx)
	if err != nil {
		return fmt.Errorf("seed the small database: %w", err)
	}
	shape, err := f.seedLarge(ctx)
	if err != nil {
		return fmt.Errorf("seed the large database: %w", err)
	}
	largeSize, err := f.engine.size(ctx, f.large)
	if err != nil {
		return err
	}
	perInstance := float64(largeSize-smallSize) / float64(f.instances+1-smallest-logged)
	f.reportFootprint(shape, written, perInstance)
	f.shape = filepath.Join(f.dir, f.engine.title()+".shape.json")
	if err := shape.Save(f.shape); err != nil {
		return err
	}
	f.bareDB, err = f.engine.twin(ctx, f.large, "bare")
	return err
}

// reportFootprint says what one instance leaves.
func (f *field) reportFootprint(shape rows.Shape, written traffic, perInstance float64) {
	all, events := shape.Count()
	values := float64(shape.Bytes())
	onDisk := figure{
		what: "on the disk, per instance", value: kibText(perInstance), baseline: kibText(values) + ", its values alone",
		ratio: perInstance / values, reference: "925 KB",
	}
	if f.targets.perInstance > 0 {
		onDisk.target = atMost(perInstance, f.targets.perInstance, kibText(f.targets.perInstance))
	}
	f.out.add(onDisk)
	f.out.add(figure{what: "events, per instance", value: strconv.Itoa(events), reference: "614"})
	f.out.add(figure{what: "rows, per instance", value: strconv.Itoa(all), reference: "1,305"})
	f.out.add(figure{
		what: "transactions that write, per instance", value: digits(float64(written.commits) / logged), reference: "105",
	})
	f.out.add(figure{what: "write-ahead log, per instance", value: kibText(float64(written.bytes) / logged)})
}

// seedSmall fills the small database and counts the traffic of some creations.
func (f *field) seedSmall(ctx context.Context) (written traffic, size int64, err error) {
	if f.small, err = f.engine.fresh(ctx, "small"); err != nil {
		return written, 0, err
	}
	p, err := f.start(ctx, f.small, 0)
	if err != nil {
		return written, 0, err
	}
	if _, err := f.fill(ctx, p.addr, smallest); err != nil {
		return written, 0, err
	}
	// A start begins a new log.
	if err := f.end(p); err != nil {
		return written, 0, err
	}
	if p, err = f.start(ctx, f.small, 0); err != nil {
		return written, 0, err
	}
	written, err = f.engine.log(ctx, f.small, func() error { return f.createSome(ctx, p.addr, logged) })
	if err != nil {
		return written, 0, err
	}
	if err := f.end(p); err != nil {
		return written, 0, err
	}
	if err := f.engine.settle(ctx, f.small); err != nil {
		return written, 0, err
	}
	size, err = f.engine.size(ctx, f.small)
	return written, size, err
}

// createSome makes n instances with one client.
func (f *field) createSome(ctx context.Context, addr string, n int) error {
	calls, open, err := restCalls(1, addr, f.token, creates(requestToken))
	if err != nil {
		return err
	}
	_, err = drive(ctx, calls, limit{calls: n})
	return errors.Join(err, open.Close())
}

// fill makes n instances with many clients and returns their ids, sorted.
func (f *field) fill(ctx context.Context, addr string, n int) ([]string, error) {
	var (
		mu  sync.Mutex
		ids []string
	)
	calls, open, err := restCalls(seeders, addr, f.token, func(c *restClient) call {
		return func(context.Context, int) error {
			id, err := c.create(requestToken)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
			return nil
		}
	})
	if err != nil {
		return nil, err
	}
	_, err = drive(ctx, calls, limit{calls: n / seeders})
	if rest := n % seeders; err == nil && rest > 0 {
		_, err = drive(ctx, calls[:1], limit{calls: rest})
	}
	slices.Sort(ids)
	return ids, errors.Join(err, open.Close())
}

// seedLarge fills the large database, and copies the rows of its newest instance.
func (f *field) seedLarge(ctx context.Context) (shape rows.Shape, err error) {
	if f.large, err = f.engine.fresh(ctx, "large"); err != nil {
		return shape, err
	}
	p, err := f.start(ctx, f.large, 0)
	if err != nil {
		return shape, err
	}
	if f.ids, err = f.fill(ctx, p.addr, f.instances); err != nil {
		return shape, err
	}
	id, answer, err := f.createLast(p.addr)
	if err != nil {
		return shape, err
	}
	if err := f.end(p); err != nil {
		return shape, err
	}
	if err := f.seedTokens(ctx, f.large); err != nil {
		return shape, fmt.Errorf("seed what tokens need: %w", err)
	}
	if err := f.engine.settle(ctx, f.large); err != nil {
		return shape, err
	}
	db, err := f.engine.open(ctx, f.large)
	if err != nil {
		return shape, err
	}
	shape, err = rows.Capture(ctx, db, id)
	shape.Answer = answer
	return shape, errors.Join(err, db.Close())
}

// createLast makes one more instance and returns its id and the whole answer.
func (f *field) createLast(addr string) (id string, answer []byte, err error) {
	c, err := dialREST(addr, f.token)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	id, err = c.create(requestToken)
	return id, slices.Clone(c.body), err
}

// copyAnswers asks castellan for the instances that will be read, and writes the answers down
// for the bare handler.
func (f *field) copyAnswers(ctx context.Context, addr string) (err error) {
	rest, err := dialREST(addr, f.token)
	if err != nil {
		return err
	}
	rpc, err := dialGRPC(addr, f.token)
	if err != nil {
		return errors.Join(err, rest.Close())
	}
	defer func() { err = errors.Join(err, rest.Close(), rpc.Close()) }()
	answers := make(map[string]rows.Answer)
	step := max(1, len(f.ids)/sampled)
	var chosen []string
	for i := 0; i < len(f.ids); i += step {
		id := f.ids[i]
		body, err := rest.do(http.MethodGet, pathGet+id, nil)
		if err != nil {
			return err
		}
		message, err := rpc.get(ctx, id)
		if err != nil {
			return err
		}
		wire, err := proto.Marshal(message)
		if err != nil {
			return err
		}
		chosen = append(chosen, id)
		answers[id] = rows.Answer{REST: slices.Clone(body), GRPC: wire}
	}
	f.ids = chosen
	f.answers = filepath.Join(f.dir, f.engine.title()+".answers.json")
	return rows.SaveAnswers(f.answers, answers)
}
