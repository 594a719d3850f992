package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// MaxEntries is how many entries one call of [Service.SetEach] may have: as many instances are
// locked in one transaction.
const MaxEntries = 1000

// Service changes limits. Each of its methods is one command, in one transaction that holds the
// instances.
//
// Every method returns the limits as they are afterwards, the fault of [Service.Hold] when there is
// no such instance, the faults of its decision, and the errors of store.DB.
type Service struct {
	Log *eventlog.Log
	// Hold locks an instance until the transaction ends. It returns a fault of kind NotFound when
	// there is none with that id.
	Hold func(ctx context.Context, tx store.Tx, instance ident.InstanceID) error
}

// Set gives an instance limits, see [Set.Decide].
func (s *Service) Set(ctx context.Context, instance ident.InstanceID, actor ident.Actor, wish Set) (State, error) {
	return s.change(ctx, instance, actor, wish.Decide)
}

// Reset takes the limits of an instance away, see [Reset.Decide].
func (s *Service) Reset(ctx context.Context, instance ident.InstanceID, actor ident.Actor) (State, error) {
	return s.change(ctx, instance, actor, Reset{}.Decide)
}

// change is a command on one instance.
func (s *Service) change(ctx context.Context, instance ident.InstanceID, actor ident.Actor, decide decision) (State, error) {
	var after State
	err := s.Log.Write(ctx, instance, actor, func(ctx context.Context, w *eventlog.Writer) (err error) {
		after, err = s.apply(ctx, w, decide)
		return err
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// Entry is a wish for one instance among several.
type Entry struct {
	Instance ident.InstanceID
	Set      Set
}

// SetEach gives several instances limits: all of them, or, with an error, none. It returns the limits
// after each entry, in the order of the entries. An instance may be there more than once; its
// entries apply one after the other.
//
// A fault names the entry it is about, counted from 0, as limits[0]. That of an id of no instance is
// a deliberate difference from contract section 2.8, by which ids are not checked: an event for no
// instance has no key to be sealed with (docs/adr/0006-sealed-payloads.md). It returns COMMAND-4M9vs when
// there are no entries, and a plain fault when there are more than [MaxEntries].
func (s *Service) SetEach(ctx context.Context, actor ident.Actor, entries []Entry) ([]State, error) {
	if len(entries) == 0 {
		return nil, fault.Invalid("COMMAND-4M9vs", "Errors.Limits.NoneSpecified", "limits", "must have at least one entry")
	}
	if len(entries) > MaxEntries {
		rule := fmt.Sprintf("must have at most %d entries", MaxEntries)
		return nil, fault.Plain(fault.InvalidArgument, "limits: "+rule).WithViolation("limits", rule)
	}
	of := make(map[ident.InstanceID][]int) // the entries of an instance
	var instances []ident.InstanceID
	for i, e := range entries {
		if err := e.Set.Check(); err != nil {
			return nil, inEntry(err, i)
		}
		if of[e.Instance] == nil {
			instances = append(instances, e.Instance)
		}
		of[e.Instance] = append(of[e.Instance], i)
	}
	slices.Sort(instances) // two calls that lock in the same order do not wait for each other in a circle
	after := make([]State, len(entries))
	err := s.Log.WriteEach(ctx, instances, actor, func(ctx context.Context, w *eventlog.Writer) error {
		mine := of[w.Instance()]
		decide := make([]decision, len(mine))
		for n, i := range mine {
			decide[n] = entries[i].Set.Decide
		}
		states, err := s.applyEach(ctx, w, decide)
		if fault.KindOf(err) == fault.NotFound {
			return fault.Of(err).WithViolation(fmt.Sprintf("limits[%d].instance_id", mine[0]), "must be the id of an instance")
		}
		if err != nil {
			return err
		}
		for n, i := range mine {
			after[i] = states[n]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// inEntry makes a fault name the fields of an entry.
func inEntry(err error, i int) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	named := *f
	named.Violations = nil
	for _, v := range f.Violations {
		named = *named.WithViolation(fmt.Sprintf("limits[%d].%s", i, v.Field), v.Rule)
	}
	return &named
}

// decision is the form of all decisions on limits.
type decision func(State) ([]eventlog.Payload, error)

// apply makes one decision on the limits of the instance of w.
func (s *Service) apply(ctx context.Context, w *eventlog.Writer, decide decision) (State, error) {
	states, err := s.applyEach(ctx, w, []decision{decide})
	if err != nil {
		return State{}, err
	}
	return states[0], nil
}

// applyEach makes decisions on the limits of the instance of w, one after the other.
func (s *Service) applyEach(ctx context.Context, w *eventlog.Writer, decisions []decision) ([]State, error) {
	if err := s.Hold(ctx, w, w.Instance()); err != nil {
		return nil, err
	}
	// The instance is held, so nobody else writes this row.
	state, err := Get(ctx, w, w.Instance())
	if err != nil {
		return nil, err
	}
	states := make([]State, len(decisions))
	for i, decide := range decisions {
		events, err := decide(state)
		if err != nil {
			return nil, err
		}
		switch id := string(w.Instance()); {
		case len(events) == 0:
		case state.Exists():
			state, err = eventlog.Append(ctx, w, Noun, state, events...)
		default:
			state, err = eventlog.Begin(ctx, w, Noun, eventlog.Origin{ID: id, Owner: id}, events...)
		}
		if err != nil {
			return nil, err
		}
		states[i] = state
	}
	return states, nil
}
