package system

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/fault"
	"castellan/internal/store"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// What views are called (contract section 2.7).
const (
	viewDatabase = "castellan"
	viewPrefix   = "projections."
)

// ListViews returns a view for each table that holds folded state (contract section 2.7). State is
// saved in the transaction of its events, so every view has taken in the whole log.
func (s *Service) ListViews(ctx context.Context, _ *systemv1.ListViewsRequest) (*systemv1.ListViewsResponse, error) {
	last, at, err := s.Log.Last(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		at = s.Clock.Now() // there was nothing to take in
	}
	answer := &systemv1.ListViewsResponse{}
	for _, table := range s.Log.Tables() {
		answer.Result = append(answer.Result, &systemv1.View{
			Database:                 viewDatabase,
			ViewName:                 viewPrefix + table,
			ProcessedSequence:        uint64(last.Number),
			LastSuccessfulSpoolerRun: timestamppb.New(at),
		})
	}
	return answer, nil
}

// ClearView rebuilds a view from the log, and with it the others of the same noun; it can be read and
// written meanwhile (contract section 2.7, decision D7). It answers when the view is rebuilt.
//
// One that takes longer than a call may take answers DeadlineExceeded, with every object either
// rebuilt or as it was, however large its instance is. The next call for the view, on the same node and within resumeWindow, goes on
// from there; any other begins again, which harms nothing. It returns QUERY-wk1jr for a name without a
// dot, and QUERY-ej8fn for a view there is none of.
func (s *Service) ClearView(ctx context.Context, req *systemv1.ClearViewRequest) (*systemv1.ClearViewResponse, error) {
	if !strings.Contains(req.GetViewName(), ".") {
		return nil, fault.Invalid("QUERY-wk1jr", "Errors.InvalidArgument", "view_name", "must be the name of a view, for example projections.instances")
	}
	table, ok := strings.CutPrefix(req.GetViewName(), viewPrefix)
	if !ok || req.GetDatabase() != viewDatabase {
		return nil, errNoView
	}
	done, err := s.Log.RebuildTable(ctx, table, s.rebuilds.done(table, s.Clock.Now()))
	var contradiction *store.ConflictError
	switch {
	case errors.Is(err, eventlog.ErrNoTable):
		return nil, errNoView.WithCause(err)
	case err == nil:
		s.rebuilds.forget(table)
		return &systemv1.ClearViewResponse{}, nil
	case errors.As(err, &contradiction):
		return nil, fault.Plain(fault.Internal, "the log says of two objects that they own the same name; nothing was changed").WithCause(err)
	}
	s.rebuilds.keep(table, done.Progress, s.Clock.Now())
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fault.Plain(fault.DeadlineExceeded, "the view is rebuilt in part; call again to go on from there").WithCause(err)
	}
	return nil, err
}

var errNoView = fault.New(fault.NotFound, "QUERY-ej8fn", "Errors.ProjectionName.Invalid").
	WithViolation("view_name", "must be one of those that ListViews returns, with its database")

// resumeWindow is how long after a rebuild that was cut short the next call goes on with it. Later
// the part that was rebuilt may have been damaged again.
const resumeWindow = 10 * time.Minute

// rebuilds remembers how far rebuilds have come that were cut short. The zero value is ready; it is
// safe for concurrent use.
type rebuilds struct {
	mu   sync.Mutex
	part map[string]part // by table
}

type part struct {
	done eventlog.Progress
	at   time.Time
}

// done returns where a rebuild of a table has to go on.
func (r *rebuilds) done(table string, now time.Time) eventlog.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.part[table]; ok && now.Sub(p.at) < resumeWindow {
		return p.done
	}
	return eventlog.Progress{}
}

func (r *rebuilds) keep(table string, done eventlog.Progress, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.part == nil {
		r.part = make(map[string]part)
	}
	r.part[table] = part{done, now}
}

func (r *rebuilds) forget(table string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.part, table)
}
