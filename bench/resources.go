package main

import (
	"context"
	"fmt"
	"time"
)

// idlePause is how long a server is left alone before its memory is measured.
const idlePause = 8 * time.Second

// what names a figure that depends on the number of instances.
func (f *field) with(what string) string {
	return fmt.Sprintf("%s with %d instances", what, f.instances)
}

// measureStart starts both servers on the large database, again and again.
func (f *field) measureStart(ctx context.Context) error {
	starts := func(launch func() (*process, error)) func(context.Context) (sample, error) {
		return func(context.Context) (sample, error) {
			p, err := launch()
			if err != nil {
				return sample{}, err
			}
			return sample{took: []time.Duration{p.ready}, elapsed: p.ready}, f.end(p)
		}
	}
	all, err := alternate(ctx, f.rounds,
		side{name: "start of castellan", run: starts(func() (*process, error) { return f.start(ctx, f.large, defaultKey) })},
		side{name: "start of bare", run: starts(func() (*process, error) { return f.startBare(ctx) })},
	)
	if err != nil {
		return err
	}
	ready, bare := all[0].median(p50), all[1].median(p50)
	f.out.add(figure{
		what: f.with("start to ready"), value: msText(ready), baseline: msText(bare) + ", bare handler",
		ratio: ratio(all[0], all[1], p50), target: atMost(ready, 300, "300 ms"),
	})
	return nil
}

// measureIdle looks at the memory of servers that have been started and not called.
func (f *field) measureIdle(ctx context.Context) error {
	p, err := f.start(ctx, f.large, defaultKey)
	if err != nil {
		return err
	}
	bare, err := f.startBare(ctx)
	if err != nil {
		return err
	}
	if err := p.awaitPool(ctx, defaultKey); err != nil {
		return err
	}
	if err := f.reportMemory(ctx, f.with("memory at rest after the start"), p, bare); err != nil {
		return err
	}
	if err := f.end(p); err != nil {
		return err
	}
	return f.end(bare)
}

// reportMemory leaves two servers alone and then says how much memory they have in RAM.
func (f *field) reportMemory(ctx context.Context, what string, p, bare *process) error {
	if err := pause(ctx, idlePause); err != nil {
		return err
	}
	used, err := p.resident()
	if err != nil {
		return err
	}
	least, err := bare.resident()
	if err != nil {
		return err
	}
	f.out.add(figure{
		what: what, value: mbText(float64(used)), baseline: mbText(float64(least)) + ", bare handler",
		ratio: float64(used) / float64(least), target: atMost(float64(used), 60e6, "60 MB"),
	})
	return nil
}
