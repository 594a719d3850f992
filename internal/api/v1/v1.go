package v1

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"castellan/internal/eventlog"
	"castellan/internal/search"

	zitadelv1 "castellan/gen/zitadel/v1"
)

// Details are those of something that is read: with both dates (contract section 2.1).
func Details(s eventlog.State) *zitadelv1.ObjectDetails {
	h := s.Stream()
	return &zitadelv1.ObjectDetails{
		Sequence: h.Sequence, CreationDate: timestamppb.New(h.CreatedAt), ChangeDate: timestamppb.New(h.ChangedAt),
		ResourceOwner: h.Owner,
	}
}

// Added are the details of a write that counts as adding, whose date stands as that of the
// creation; which writes those are is said in contract section 2.1. Both dates are that of the
// last event.
func Added(s eventlog.State) *zitadelv1.ObjectDetails {
	h := s.Stream()
	return &zitadelv1.ObjectDetails{
		Sequence: h.Sequence, CreationDate: timestamppb.New(h.ChangedAt), ResourceOwner: h.Owner,
	}
}

// Changed are the details of the other writes.
func Changed(s eventlog.State) *zitadelv1.ObjectDetails {
	h := s.Stream()
	return &zitadelv1.ObjectDetails{
		Sequence: h.Sequence, ChangeDate: timestamppb.New(h.ChangedAt), ResourceOwner: h.Owner,
	}
}

// Page reads which page of a list is wanted.
func Page(q *zitadelv1.ListQuery) search.Page {
	return search.Page{Offset: q.GetOffset(), Limit: q.GetLimit(), Ascending: q.GetAsc()}
}

// Text reads a condition on a text, whose method has been checked.
func Text(value string, method zitadelv1.TextQueryMethod) search.Text {
	return search.Text{Value: value, Method: search.Method(method)}
}

// Listed says what a page was taken from, and when.
func Listed(total int, at time.Time) *zitadelv1.ListDetails {
	return &zitadelv1.ListDetails{TotalResult: uint64(total), ViewTimestamp: timestamppb.New(at)}
}
