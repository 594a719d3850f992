package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Sizes of the sample of creations that are followed by reads.
const (
	readersAfter = 4  // clients
	createsAfter = 50 // creations of each
)

// measureConsistency reads each instance right after its creation, over both protocols and over
// connections other than the one that created it; on an engine that several nodes share, from
// another node.
func (f *field) measureConsistency(ctx context.Context, s servers) error {
	from, where := s.large, "read at once"
	if f.engine.shared() {
		second, err := f.start(ctx, f.large, 0)
		if err != nil {
			return err
		}
		from, where = second, "read at once on another node"
	}
	var reads, misses atomic.Int64
	saw := func(err error, missing bool) error {
		reads.Add(1)
		if missing {
			misses.Add(1)
			return nil
		}
		return err
	}
	var calls []call
	var open clients
	for range readersAfter {
		one, more, err := f.createAndRead(s.large.addr, from.addr, saw)
		open = append(open, more...)
		if err != nil {
			return errors.Join(err, open.Close())
		}
		calls = append(calls, one)
	}
	_, err := drive(ctx, calls, limit{calls: createsAfter})
	if err = errors.Join(err, open.Close()); err != nil {
		return err
	}
	f.out.add(figure{
		what:   "misses of a new instance, " + where,
		value:  fmt.Sprintf("%d of %d", misses.Load(), reads.Load()),
		target: target{"0", misses.Load() == 0}, reference: "two reads in three miss",
	})
	if s.large == from {
		return nil
	}
	return f.end(from)
}

// createAndRead returns a call that creates at one address and reads at another. saw takes the
// error of each read and whether the instance was missing.
func (f *field) createAndRead(create, read string, saw func(err error, missing bool) error) (call, clients, error) {
	writer, err := dialREST(create, f.token)
	if err != nil {
		return nil, nil, err
	}
	reader, err := dialREST(read, f.token)
	if err != nil {
		return nil, clients{writer}, err
	}
	rpc, err := dialGRPC(read, f.token)
	if err != nil {
		return nil, clients{writer, reader}, err
	}
	return func(ctx context.Context, _ int) error {
		id, err := writer.create(requestToken)
		if err != nil {
			return err
		}
		_, err = reader.get(id)
		var refused *statusError
		if err := saw(err, errors.As(err, &refused) && refused.status == http.StatusNotFound); err != nil {
			return err
		}
		_, err = rpc.get(ctx, id)
		return saw(err, status.Code(err) == codes.NotFound)
	}, clients{writer, reader, rpc}, nil
}

// statusError is an answer that is not 200.
type statusError struct {
	request string
	status  int
	body    string // its beginning
}

func (e *statusError) Error() string {
	return e.request + ": " + strconv.Itoa(e.status) + ": " + e.body
}
